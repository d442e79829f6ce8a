//! The version of the running kernel: only for what cannot be found out by trying. I/O: uname(2).

/// Whether the running kernel is of that version or a later one.
#[must_use]
pub fn is_at_least(version: (u32, u32)) -> bool {
    let names = nix::sys::utsname::uname().ok();
    is_from(names.as_ref().and_then(|names| names.release().to_str()).unwrap_or_default(), version)
}

/// Whether a kernel release (`6.18.44-generic`) is that version or a later one.
#[must_use]
pub fn is_from(release: &str, version: (u32, u32)) -> bool {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(str::parse);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor) >= version,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernel_releases() {
        for (release, expected) in [
            ("6.8.0-31-generic", true),
            ("6.18.44", true),
            ("7.0", true),
            ("6.1.0-22", false),
            ("6", false),
            ("", false),
        ] {
            assert_eq!(is_from(release, (6, 8)), expected, "{release}");
        }
    }
}

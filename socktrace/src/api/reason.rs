//! What the system says of an error, for people. Pure.

/// The system's words for people: `permission denied` for `Permission denied (os error 13)`.
#[must_use]
pub fn reason(error: &std::io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut chars = text.chars();
    // A word in capitals stays as it is.
    match (chars.next(), chars.clone().next()) {
        (Some(first), Some(second)) if second.is_lowercase() => first.to_lowercase().chain(chars).collect(),
        (Some(_) | None, Some(_) | None) => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons() {
        for (errno, expected) in
            [(13, "permission denied"), (2, "no such file or directory"), (5, "input/output error")]
        {
            assert_eq!(reason(&std::io::Error::from_raw_os_error(errno)), expected);
        }
        assert_eq!(reason(&std::io::Error::other("BTF is missing")), "BTF is missing");
    }
}

//! Why the kernel refused, in the words of libc and the manner of our messages: lower case, no number.

use nix::errno::Errno;

/// `operation not permitted`, `no such file or directory` …
pub(crate) fn reason(errno: Errno) -> String {
    let words = errno.desc();
    let mut letters = words.chars();
    match (letters.next(), letters.clone().next()) {
        // Not where the word is an abbreviation: `RFS specific error`.
        (Some(first), Some(second)) if second.is_lowercase() || second == ' ' => {
            first.to_lowercase().chain(letters).collect()
        }
        _ => words.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_begin_small() {
        for (errno, expected) in [
            (Errno::EPERM, "operation not permitted"),
            (Errno::ENOBUFS, "no buffer space available"),
            (Errno::EADV, "advertise error"),
            (Errno::EDOTDOT, "RFS specific error"),
        ] {
            assert_eq!(reason(errno), expected);
        }
    }
}

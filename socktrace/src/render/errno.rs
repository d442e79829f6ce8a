//! Error numbers by their names.

use nix::errno::Errno;
use std::fmt;

/// `ECONNREFUSED` for 111; a number that this build has no name for stays a number.
pub(crate) fn errno_name(errno: u16) -> impl fmt::Display {
    fmt::from_fn(move |f| match Errno::from_raw(errno.into()) {
        Errno::UnknownErrno => write!(f, "{errno}"),
        name => write!(f, "{name:?}"),
    })
}

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
    fn names() {
        for (errno, expected) in [(111, "ECONNREFUSED"), (98, "EADDRINUSE"), (4095, "4095")] {
            assert_eq!(errno_name(errno).to_string(), expected);
        }
    }

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

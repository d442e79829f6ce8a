//! Error numbers by their names.

use nix::errno::Errno;
use std::fmt;

/// `ECONNREFUSED` for 111; a number that this build has no name for stays a number.
pub(crate) fn errno_name(errno: u16) -> impl fmt::Display {
    fmt::from_fn(move |f| {
        let name = Errno::from_raw(errno.into());
        if name == Errno::UnknownErrno { write!(f, "{errno}") } else { write!(f, "{name:?}") }
    })
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
}

//! The values of options, and what is said of those that are wrong. Pure.

use crate::archive::Options;
use crate::query::size;
use std::num::{NonZeroU32, NonZeroU64};
use std::time::Duration;

/// Permissions, as chmod takes them.
pub(super) fn mode(text: &str) -> Result<u32, String> {
    u32::from_str_radix(text, 8)
        .ok()
        .filter(|mode| *mode <= 0o777)
        .ok_or_else(|| "expected permissions in octal, such as 0660".to_owned())
}

/// A positive number of seconds, fractions allowed.
pub(super) fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "expected a number of seconds".to_owned())?;
    Duration::try_from_secs_f64(seconds)
        .ok()
        .filter(|duration| !duration.is_zero())
        .ok_or_else(|| "expected a positive number of seconds".to_owned())
}

/// How many: one at least.
pub(super) fn count(text: &str) -> Result<NonZeroU64, String> {
    text.parse().map_err(|_| "expected how many, 1 or more".to_owned())
}

/// How many, or none.
pub(super) fn number(text: &str) -> Result<usize, String> {
    text.parse().map_err(|_| "expected how many, 0 or more".to_owned())
}

/// How many lines, at least one.
pub(super) fn top(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|&top| top > 0).ok_or_else(|| "expected how many, 1 or more".to_owned())
}

/// The number of a process.
pub(super) fn pid(text: &str) -> Result<u32, String> {
    let pid = text.parse().ok().filter(|pid| (1..=i32::MAX as u32).contains(pid));
    pid.ok_or_else(|| "expected the number of a process; for its name there is --comm".to_owned())
}

/// A number of bytes, with a unit or without.
pub(super) fn bytes(text: &str) -> Result<usize, String> {
    let bytes = size(text).and_then(|bytes| usize::try_from(bytes).ok());
    bytes.ok_or_else(|| "expected a number of bytes, such as 24000000, 24M or 24Mi".to_owned())
}

/// The size of the buffer between the kernel and us, bytes.
pub(super) fn ring(text: &str) -> Result<NonZeroU32, String> {
    let bytes = size(text).and_then(|bytes| u32::try_from(bytes).ok()).and_then(NonZeroU32::new);
    bytes.ok_or_else(|| "expected a number of bytes, such as 33554432 or 32Mi, less than 4Gi".to_owned())
}

/// Room for files, bytes.
pub(super) fn files(text: &str) -> Result<u64, String> {
    let bytes =
        size(text).ok_or_else(|| "expected a number of bytes, such as 100000000 or 100M".to_owned())?;
    let least = Options::LEAST_FILES;
    if bytes < least { Err(format!("expected at least {least} bytes (1Mi)")) } else { Ok(bytes) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_positive() {
        for (text, expected) in [
            ("1", Some(1.0)),
            ("0.5", Some(0.5)),
            ("0", None),
            ("-1", None),
            ("NaN", None),
            ("inf", None),
            ("soon", None),
            ("1e30", None),
        ] {
            assert_eq!(seconds(text).ok().map(|d| d.as_secs_f64()), expected, "{text}");
        }
    }

    #[test]
    fn modes_are_octal() {
        for (text, expected) in [
            ("0660", Some(0o660)),
            ("666", Some(0o666)),
            ("0888", None),
            ("1777", None),
            ("rw", None),
            ("", None),
        ] {
            assert_eq!(mode(text).ok(), expected, "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_in_words_and_not_in_those_of_a_number_parser() {
        for (said, expected) in [
            (count("0").map(|_| ()), Err("expected how many, 1 or more")),
            (count("7").map(|_| ()), Ok(())),
            (number("-1").map(|_| ()), Err("expected how many, 0 or more")),
            (pid("nginx").map(|_| ()), Err("expected the number of a process; for its name there is --comm")),
            (pid("0").map(|_| ()), Err("expected the number of a process; for its name there is --comm")),
            (files("10").map(|_| ()), Err("expected at least 1048576 bytes (1Mi)")),
            (files("1Mi").map(|_| ()), Ok(())),
            (files("much").map(|_| ()), Err("expected a number of bytes, such as 100000000 or 100M")),
            (
                ring("0").map(|_| ()),
                Err("expected a number of bytes, such as 33554432 or 32Mi, less than 4Gi"),
            ),
            (ring("16Mi").map(|_| ()), Ok(())),
            (bytes("24M").map(|_| ()), Ok(())),
        ] {
            assert_eq!(said, expected.map_err(str::to_owned));
        }
    }
}

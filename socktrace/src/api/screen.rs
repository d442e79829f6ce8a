//! The width of the screen that a table is spread over.

use std::num::NonZeroU16;
use std::str::FromStr;

/// Columns of a terminal: 1 to [`Screen::MAX`]. A row is padded to this width, so it bounds what a row takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Screen(NonZeroU16);

/// A width that no screen has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected a number of columns, 1 to {}", Screen::MAX)]
pub struct BadScreen;

impl Screen {
    /// The widest, columns.
    pub const MAX: u16 = 10_000;

    /// A screen of that width; none for a width of 0, and the widest for a width beyond it.
    #[must_use]
    pub fn of(columns: u16) -> Option<Self> {
        NonZeroU16::new(columns.min(Self::MAX)).map(Self)
    }

    /// Its width, columns.
    #[must_use]
    pub const fn columns(self) -> u16 {
        self.0.get()
    }
}

impl FromStr for Screen {
    type Err = BadScreen;

    fn from_str(text: &str) -> Result<Self, BadScreen> {
        let columns = text.parse::<NonZeroU16>().map_err(|_| BadScreen)?;
        Some(Self(columns)).filter(|_| columns.get() <= Self::MAX).ok_or(BadScreen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widths() {
        for (text, expected) in [
            ("1", Some(1)),
            ("80", Some(80)),
            ("10000", Some(10_000)),
            ("10001", None),
            ("0", None),
            ("-1", None),
            ("300000000", None),
            ("18446744073709551615", None),
            ("wide", None),
            ("", None),
        ] {
            assert_eq!(text.parse::<Screen>().ok().map(Screen::columns), expected, "{text}");
        }
        assert_eq!(
            [0, 80, u16::MAX].map(|n| Screen::of(n).map(Screen::columns)),
            [None, Some(80), Some(10_000)]
        );
    }
}

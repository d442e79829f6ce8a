//! Sets of whole numbers, as a filter asks about them.

/// A set of numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Set {
    /// From, to; both included.
    Range(i64, i64),
    /// One of these.
    Ranges(Box<[(i64, i64)]>),
}

impl Set {
    pub(super) fn contains(&self, value: i64) -> bool {
        match self {
            Self::Range(low, high) => *low <= value && value <= *high,
            Self::Ranges(ranges) => ranges.iter().any(|(low, high)| *low <= value && value <= *high),
        }
    }

    pub(super) fn ranges(&self) -> impl Iterator<Item = (i64, i64)> {
        let (one, many): (_, &[_]) = match self {
            Self::Range(low, high) => (Some((*low, *high)), &[]),
            Self::Ranges(ranges) => (None, ranges),
        };
        one.into_iter().chain(many.iter().copied())
    }

    /// The only number in it, if there is only one.
    pub(super) fn only(&self) -> Option<i64> {
        match self {
            Self::Range(low, high) if low == high => Some(*low),
            Self::Range(..) | Self::Ranges(_) => None,
        }
    }
}

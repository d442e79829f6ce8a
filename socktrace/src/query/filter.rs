//! A filter that was understood.

use super::Facts;
use crate::socket::{Family, StateSet};

/// A filter that was understood. The empty one passes everything.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Filter {
    pub(super) narrow: Option<Family>,
    pub(super) mixed: bool,
}

/// What a filter looks at beyond addresses, ports and states, so that callers fetch it first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Needs {
    /// The processes that hold the socket.
    pub processes: bool,
    /// `tcp_info` (`rtt`, `retrans`).
    pub info: bool,
    /// When the socket was opened.
    pub age: bool,
    /// `SO_MARK`.
    pub mark: bool,
    /// Cgroup id.
    pub cgroup: bool,
}

impl Filter {
    /// Whether the socket passes. Allocates nothing.
    #[must_use]
    pub fn matches(&self, _facts: &Facts<'_>) -> bool {
        true
    }

    /// Whether it passes everything.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        true
    }

    /// Whether `and` (or two predicates side by side) and `or` stand beside each other without parentheses.
    #[must_use]
    pub const fn mixes_and_or(&self) -> bool {
        self.mixed
    }

    /// The only family that a prefix (`inet:`, `unix:` …) leaves; the last one wins, as in ss.
    #[must_use]
    pub const fn narrows_to(&self) -> Option<Family> {
        self.narrow
    }

    /// The states that a match can be in, if the expression says so.
    #[must_use]
    pub fn states(&self) -> StateSet {
        StateSet::from_bits(u32::MAX)
    }

    /// What it looks at.
    #[must_use]
    pub fn needs(&self) -> Needs {
        Needs::default()
    }
}

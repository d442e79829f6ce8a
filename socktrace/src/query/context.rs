//! What the words of a filter mean beside their text: dialect and options.

use crate::socket::Family;

/// How `and` and `or` bind where there are no parentheses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// As in ss: equally strong, left to right. Two predicates side by side are joined by `and`.
    Ss,
    /// The same, but an `and` after an `or` is an error, since people read it in two ways; and so is a port
    /// that cannot exist.
    Strict,
}

/// What the words mean depends on a few options.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Context {
    /// The dialect.
    pub dialect: Dialect,
    /// The family that was chosen by an option (`-4`, `-6`, `-x`, `-f` …; the last one, as in ss): addresses and
    /// host names are read as of that family.
    pub family: Option<Family>,
    /// Whether TCP sockets are asked for: service names are looked up for TCP.
    pub tcp: bool,
    /// Whether UDP sockets are asked for: service names are looked up for UDP.
    pub udp: bool,
}

impl Context {
    /// No family chosen, TCP and UDP asked for.
    #[must_use]
    pub const fn new(dialect: Dialect) -> Self {
        Self { dialect, family: None, tcp: true, udp: true }
    }
}

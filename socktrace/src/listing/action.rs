//! What to do with the sockets that match.

use std::path::PathBuf;

/// What to do with the sockets.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Action {
    /// List them.
    #[default]
    List,
    /// Nothing (only the summary was wanted).
    Nothing,
    /// Close them, and list those that were closed.
    Kill {
        /// Only say which.
        dry_run: bool,
        /// Also the connection that carries this very session.
        force: bool,
    },
    /// Print sockets as they are destroyed.
    Events,
    /// Write the kernel's answer for TCP to a file; `-` for stdout.
    Dump(PathBuf),
}

/// Where rows come from: what can be known of them depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rows {
    /// A dump of what is there.
    Dumped,
    /// The kernel's word of each socket that is destroyed.
    Destroyed,
    /// Whatever their states, to be read later.
    Recorded,
}

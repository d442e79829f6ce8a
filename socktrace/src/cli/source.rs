//! Where answers come from: an agent, or this process itself.
//!
//! I/O: the environment.

use super::args::SourceArgs;
use crate::agent::DEFAULT_SOCKET;
use std::path::PathBuf;

/// Where answers come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Source {
    /// This process looks for itself.
    Direct,
    /// The agent on this socket and no other.
    Agent(PathBuf),
    /// The agent on this socket if it answers, else this process itself.
    Either(PathBuf),
}

impl Source {
    /// From the options; the environment only moves the default path.
    pub(super) fn new(args: &SourceArgs) -> Self {
        match (args.direct, &args.agent) {
            (true, _) => Self::Direct,
            (false, Some(path)) => Self::Agent(path.clone()),
            (false, None) => Self::Either(default_socket()),
        }
    }
}

/// `$SOCKTRACE_SOCKET`, or the usual place.
pub(super) fn default_socket() -> PathBuf {
    std::env::var_os("SOCKTRACE_SOCKET")
        .filter(|path| !path.is_empty())
        .unwrap_or_else(|| DEFAULT_SOCKET.into())
        .into()
}

//! What it takes to begin: the kernel's version, and the reasons why it cannot.

use crate::engine;
use crate::kernel::ebpf::EbpfError;
use crate::kernel::release;
use crate::socket::BootNs;
use std::io;

/// Why tracing cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The kernel refused.
    #[error(transparent)]
    Kernel(#[from] EbpfError),
    /// The system has no room for a thread, a descriptor or the like.
    #[error("cannot start: {0}")]
    System(io::Error),
}

impl StartError {
    /// What to try, in one line.
    #[must_use]
    pub fn remedy(&self) -> Option<&str> {
        match self {
            Self::Kernel(error) => Some(error.remedy()),
            Self::System(_) => None,
        }
    }
}

/// How often UNIX sockets are looked through where their ends are told, nanoseconds: only for those of socketpair(2).
const UNIX_EVERY: BootNs = 2_000_000_000;

/// For the running kernel. `unix_ends_told`: whether a hook tells the ends of UNIX sockets.
pub(super) fn engine_config(unix_ends_told: bool) -> engine::Config {
    // Linux 6.8 shows sockets that are bound and nothing more (net/ipv4/inet_diag.c, `BoundInactive`).
    let usual = engine::Config::default();
    engine::Config {
        bound_is_listed: release::is_at_least((6, 8)),
        unix_ends_told,
        unix_every: if unix_ends_told { UNIX_EVERY } else { usual.unix_every },
        ..usual
    }
}

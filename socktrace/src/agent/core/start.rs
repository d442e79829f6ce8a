//! What it takes to begin: the kernel's version, and the reasons why it cannot.
//!
//! I/O: uname(2).

use crate::engine;
use crate::kernel::ebpf::EbpfError;
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
    let release = nix::sys::utsname::uname().ok();
    let release = release.as_ref().and_then(|names| names.release().to_str()).unwrap_or_default();
    let usual = engine::Config::default();
    engine::Config {
        bound_is_listed: is_at_least(release, (6, 8)),
        unix_ends_told,
        unix_every: if unix_ends_told { UNIX_EVERY } else { usual.unix_every },
        ..usual
    }
}

/// Whether a kernel release (`6.18.44-generic`) is that version or a later one.
fn is_at_least(release: &str, version: (u32, u32)) -> bool {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(str::parse);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor) >= version,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernel_releases() {
        for (release, expected) in [
            ("6.8.0-31-generic", true),
            ("6.18.44", true),
            ("7.0", true),
            ("6.1.0-22", false),
            ("6", false),
            ("", false),
        ] {
            assert_eq!(is_at_least(release, (6, 8)), expected, "{release}");
        }
    }
}

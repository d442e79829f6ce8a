//! `-K`: closing sockets, and saying honestly what became of them.
//!
//! I/O: sock_diag; procfs, to find the connections that carry this very session.

use std::fs;
use std::path::Path;

use rustc_hash::FxHashSet;

use crate::kernel::sock_diag::{Destroyed, DiagError, InetId, SockDiag};
use crate::socket::{Socket, State};

use super::Paths;
use super::error::Error;
use crate::api::report::Outcome;

/// Closes sockets one after the other.
pub(super) struct Killer {
    diag: SockDiag,
    /// Inodes of the connections of our own session.
    session: FxHashSet<u32>,
    outcome: Outcome,
    /// The kernel refused for a reason that holds for every other socket too: they are counted, not tried.
    hopeless: bool,
}

impl Killer {
    pub(super) fn new(paths: &Paths, dry_run: bool, force: bool) -> Result<Self, Error> {
        let session = if force { FxHashSet::default() } else { session_sockets(&paths.proc) };
        let outcome = Outcome { dry_run, ..Outcome::default() };
        Ok(Self { diag: SockDiag::open()?, session, outcome, hopeless: false })
    }

    /// Closes it; whether it is to be listed.
    pub(super) fn close(&mut self, socket: &Socket) -> bool {
        let Some(id) = InetId::of(socket) else {
            self.refuse("only IP sockets can be closed".to_owned());
            return false;
        };
        if socket.state == State::Established && self.session.contains(&socket.inode) {
            self.outcome.spared += 1;
            return false;
        }
        if self.outcome.dry_run {
            self.outcome.closed += 1;
            return true;
        }
        if self.hopeless {
            self.outcome.refused += 1;
            return false;
        }
        match self.diag.destroy(&id) {
            Ok(Destroyed::Closed) => {
                self.outcome.closed += 1;
                true
            }
            Ok(Destroyed::Gone) => {
                self.outcome.gone += 1;
                false
            }
            Err(error) => {
                self.hopeless = error.refused() == Some(nix::errno::Errno::EPERM);
                self.refuse(reason(&error));
                false
            }
        }
    }

    fn refuse(&mut self, reason: String) {
        self.outcome.refused += 1;
        self.outcome.reason.get_or_insert(reason);
    }

    pub(super) fn outcome(self) -> Outcome {
        self.outcome
    }
}

fn reason(error: &DiagError) -> String {
    match error.refused() {
        Some(nix::errno::Errno::EPERM) => "closing sockets needs CAP_NET_ADMIN (try: sudo)".to_owned(),
        _ => error.to_string(),
    }
}

/// Sockets that we or one of our ancestors hold: among them is the connection of a remote shell.
fn session_sockets(proc: &Path) -> FxHashSet<u32> {
    let mut family = vec![std::process::id()];
    while let Some(parent) = family.last().and_then(|&pid| parent_of(proc, pid))
        && parent != 0
        && !family.contains(&parent)
    {
        family.push(parent);
    }
    family.into_iter().flat_map(|pid| sockets_of(proc, pid)).collect()
}

/// The inode numbers of the sockets a process has open; none if we may not look.
fn sockets_of(proc: &Path, pid: u32) -> Vec<u32> {
    let Ok(entries) = fs::read_dir(proc.join(pid.to_string()).join("fd")) else { return Vec::new() };
    let links = entries.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
    links
        .filter_map(|link| link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok())
        .collect()
}

/// From `/proc/PID/stat`: what follows the name and the state.
fn parent_of(proc: &Path, pid: u32) -> Option<u32> {
    let stat = fs::read(proc.join(pid.to_string()).join("stat")).ok()?;
    let after = stat.iter().rposition(|&byte| byte == b')')?;
    let rest = std::str::from_utf8(stat.get(after + 1..)?).ok()?;
    rest.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_parent_is_found() {
        assert_eq!(
            parent_of(Path::new("/proc"), std::process::id()),
            Some(std::os::unix::process::parent_id())
        );
    }

    #[test]
    fn our_own_sockets_are_of_this_session() {
        use std::os::fd::AsFd;
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let inode = nix::sys::stat::fstat(socket.as_fd()).unwrap().st_ino as u32;
        assert!(session_sockets(Path::new("/proc")).contains(&inode));
    }
}

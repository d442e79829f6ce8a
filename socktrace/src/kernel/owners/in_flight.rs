//! Descriptors that have been sent over a UNIX socket and not been received: nobody has them open, and what they refer
//! to lives.
//!
//! I/O: netlink in each namespace; `/proc/PID/fdinfo`.

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

use rustc_hash::FxHashSet;

use super::Search;
use crate::kernel::netns;
use crate::kernel::sock_diag::{SockDiag, UnixQuery, Want};
use crate::socket::{Holder, StateSet};

/// Whether there are any, as far as can be seen: each lies with some bytes in the receive queue of a UNIX socket, and
/// whoever holds that one is told how many lie there.
#[must_use]
pub fn any_in_flight() -> bool {
    let proc = Path::new("/proc");
    let mut carriers = FxHashSet::default();
    // One that nobody has accepted yet has no inode, and nobody to ask.
    let mut nameless = false;
    for namespace in &netns::list(proc).namespaces {
        let listed = SockDiag::open_in(namespace).and_then(|mut diag| {
            diag.unix(&UnixQuery { states: StateSet::ALL, want: Want::NONE }, |socket| {
                match (socket.recv_q, socket.inode) {
                    (0, _) => {}
                    (_, 0) => nameless = true,
                    (_, inode) => _ = carriers.insert(inode),
                }
                ControlFlow::Continue(())
            })
        });
        if let Err(error) = listed {
            log::debug!("cannot look for descriptors under way in {}: {error}", namespace.id);
        }
    }
    nameless || (!carriers.is_empty() && any_lies_in(&carriers, proc))
}

fn any_lies_in(carriers: &FxHashSet<u32>, proc: &Path) -> bool {
    let Ok(walk) = Search::begin().find(carriers) else { return false };
    let counts = |Holder { process, fd, .. }: Holder| {
        let info = fs::read_to_string(proc.join(format!("{}/fdinfo/{fd}", process.pid)));
        waiting(&info.unwrap_or_default())
    };
    // Whoever holds it is told the same.
    carriers.iter().filter_map(|&inode| walk.holders.of(inode).next()).any(|holder| counts(holder) > 0)
}

/// How many descriptors lie in the receive queue of the UNIX socket with that `fdinfo` (net/unix/af_unix.c,
/// `unix_show_fdinfo`).
fn waiting(info: &str) -> u32 {
    let count = info.lines().find_map(|line| line.strip_prefix("scm_fds:"));
    count.and_then(|count| count.trim().parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_in_a_queue_is_told_by_its_fdinfo() {
        for (info, expected) in [
            ("pos:\t0\nflags:\t02\nmnt_id:\t9\nino:\t7\nscm_fds: 3\n", 3),
            ("pos:\t0\nscm_fds: 0\n", 0),
            ("pos:\t0\n", 0),
            ("scm_fds: x\n", 0),
            ("", 0),
        ] {
            assert_eq!(waiting(info), expected, "{info}");
        }
    }
}

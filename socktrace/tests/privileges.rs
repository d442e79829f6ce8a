//! What each capability of a running agent is for: without it, exactly that does not work.

use std::collections::HashSet;
use std::net::TcpListener;
use std::ops::ControlFlow;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use caps::{CapSet, Capability};
use socktrace::kernel::capabilities::{INSTEAD, NEEDED};
use socktrace::kernel::ebpf::HolderIter;
use socktrace::kernel::netns::{self, Netns};
use socktrace::kernel::owners;
use socktrace::kernel::sock_diag::{InetQuery, InetTable, IpVersion, SockDiag, Want};
use socktrace::socket::{State, StateSet};

use crate::support::actor::Actor;
use crate::support::{cookie, in_own_netns, may_trace};

/// Another user's process, and what root knows of it.
struct Other {
    /// The inode of its network namespace.
    netns: u64,
    entrance: Netns,
    /// The inode of its listener.
    inode: u32,
}

/// Whether something works.
type Trial = fn(&TcpListener, &Other) -> bool;

/// What is tried: whether it works, for a marked listener of ours and a process of root's in another namespace.
const TRIALS: [(&str, Trial); 5] = [
    ("marks", |marked, _| {
        let mut mark = None;
        let want = Want { extended: true, ..Want::NONE };
        let query =
            InetQuery { want, ..InetQuery::new(InetTable::Tcp, IpVersion::V4, StateSet::of(State::Listen)) };
        let answer = SockDiag::open().unwrap().inet(&query, |row| {
            if row.cookie() == cookie(marked) {
                mark = row.to_socket(want).unwrap().detail.unwrap().mark;
            }
            ControlFlow::Continue(())
        });
        answer.is_ok() && mark == Some(42)
    }),
    ("other namespaces", |_, other| other.entrance.run(|| ()).is_ok()),
    ("namespaces of processes", |_, other| {
        netns::list(Path::new("/proc")).namespaces.iter().any(|netns| u64::from(netns.id) == other.netns)
    }),
    ("holders by /proc", |_, other| {
        let walk = owners::walk(Path::new("/proc"), false, |inode| inode == other.inode);
        walk.unwrap().holders.of(other.inode).count() > 0
    }),
    ("holders by the iterator", |marked, _| {
        let inode = std::fs::metadata(format!("/proc/self/fd/{}", marked.as_raw_fd())).unwrap().ino() as u32;
        let mut found = false;
        let passed = HolderIter::load().and_then(|iter| iter.each(|(held, _), _| found |= held == inode));
        passed.is_ok() && found
    }),
];

/// What does not work for that user with these capabilities.
fn fails(uid: u32, with: &[Capability], marked: &TcpListener, other: &Other) -> Vec<&'static str> {
    let run = || {
        let keep: HashSet<Capability> = with.iter().copied().collect();
        nix::sys::prctl::set_keepcaps(true).unwrap();
        // SAFETY: three numbers; unlike setresuid(3) the system call changes this thread alone.
        assert_eq!(unsafe { libc::syscall(libc::SYS_setresuid, uid, uid, uid) }, 0);
        caps::set(None, CapSet::Effective, &keep).unwrap();
        caps::set(None, CapSet::Permitted, &keep).unwrap();
        TRIALS.iter().filter(|(_, works)| !works(marked, other)).map(|(name, _)| *name).collect()
    };
    std::thread::scope(|scope| scope.spawn(run).join().unwrap())
}

#[test]
fn each_capability_is_needed_and_no_other() {
    if !may_trace("each_capability_is_needed_and_no_other") {
        return;
    }
    // Of a user that is none of those who look.
    let mut actor = in_own_netns(|| Actor::here_as("other", 1));
    actor.does("listen 127.0.0.1");
    let entrance = Netns::of_process(Path::new("/proc"), actor.pid()).unwrap();
    let query = InetQuery::new(InetTable::Tcp, IpVersion::V4, StateSet::of(State::Listen));
    let mut inode = 0;
    let answer = SockDiag::open_in(&entrance).unwrap().inet(&query, |row| {
        inode = row.to_socket(Want::NONE).unwrap().inode;
        ControlFlow::Continue(())
    });
    assert!(answer.is_ok() && inode != 0);
    let other = Other { netns: actor.netns(), entrance, inode };
    in_own_netns(|| {
        let marked = TcpListener::bind("127.0.0.1:0").unwrap();
        nix::sys::socket::setsockopt(&marked, nix::sys::socket::sockopt::Mark, &42).unwrap();
        let needed = NEEDED.map(|(capability, _)| capability);
        let trials: [(&[Capability], &[&str]); 8] = [
            (&needed, &[]),
            (&needed[1..], &["marks"]),
            (&[needed[0], needed[2], needed[3]], &["other namespaces", "holders by the iterator"]),
            (&[needed[0], needed[1], needed[3]], &["namespaces of processes", "holders by /proc"]),
            (&needed[..3], &["holders by /proc"]),
            // Without CAP_SYS_ADMIN, what stands for a part of it.
            (&INSTEAD, &["marks", "other namespaces", "namespaces of processes", "holders by /proc"]),
            (
                &INSTEAD[..1],
                &[
                    "marks",
                    "other namespaces",
                    "namespaces of processes",
                    "holders by /proc",
                    "holders by the iterator",
                ],
            ),
            (
                &INSTEAD[1..],
                &[
                    "marks",
                    "other namespaces",
                    "namespaces of processes",
                    "holders by /proc",
                    "holders by the iterator",
                ],
            ),
        ];
        for uid in [0, 65534] {
            for (with, expected) in trials {
                assert_eq!(fails(uid, with, &marked, &other), expected, "user {uid} with {with:?}");
            }
        }
    });
}

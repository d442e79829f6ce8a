//! Which processes somebody else may look into, and what number they know them by.
//!
//! The rules are those of the kernel for reading what is behind the descriptors in `/proc/PID/fd`
//! (kernel/ptrace.c, `__ptrace_may_access` with `PTRACE_MODE_READ_FSCREDS`; security/commoncap.c,
//! `cap_ptrace_access_check`). Where we cannot know, they may not.
//!
//! I/O: procfs.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::{fs, io};

use caps::Capability;
use nix::unistd::{getegid, geteuid};
use rustc_hash::FxHashMap;

use super::unseen::{Unseen, hides_processes};
use crate::kernel::capabilities::with_at_most;
use crate::kernel::credentials::{Credentials, is_in_pid_namespace, shares_users};
use crate::socket::{Owner, Pids, Process, UserRights, Viewer};

/// What somebody sees of processes. What was found once is remembered: it lasts for one answer.
#[derive(Debug)]
pub struct Sight {
    viewer: Viewer,
    proc: PathBuf,
    known: Mutex<FxHashMap<u32, Look>>,
}

/// What a process is to somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// They may look into it, and know it by this number.
    Seen(u32),
    /// They may not.
    Hidden,
    /// It is not in their pid namespace.
    Elsewhere,
    /// It has ended.
    Gone,
}

impl Sight {
    /// Of that viewer, where procfs is at `proc`.
    #[must_use]
    pub fn new(viewer: Viewer, proc: PathBuf) -> Self {
        Self { viewer, proc, known: Mutex::default() }
    }

    /// What keeps them from seeing others, as a word that programs can rely on.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self.viewer {
            Viewer::User {
                rights: UserRights { pids: Pids::Beneath { .. } | Pids::Unknown, .. }, ..
            } => Unseen::PidNamespace.word(),
            Viewer::User { .. } | Viewer::Own => "not_yours",
        }
    }

    /// Whether they may know what processes are called that they may not look into: everybody may, unless procfs hides
    /// them. In another pid namespace a number means another process.
    #[must_use]
    pub fn shows_names(&self) -> bool {
        match self.viewer {
            Viewer::Own => true,
            Viewer::User { rights, .. } => rights.pids == Pids::Own && !hides_processes(&self.proc),
        }
    }

    /// What the process with that number of ours is to them.
    #[must_use]
    pub fn of(&self, pid: u32) -> Look {
        let Viewer::User { uid, rights, .. } = self.viewer else { return Look::Seen(pid) };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        *known.entry(pid).or_insert_with(|| self.look(pid, uid, &rights))
    }

    /// The number that they know a thread by, of a process that they see.
    #[must_use]
    pub fn thread(&self, pid: u32, tid: u32) -> Option<u32> {
        let Viewer::User { rights, .. } = self.viewer else { return Some(tid) };
        let directory = self.proc.join(format!("{pid}/task/{tid}"));
        match rights.pids {
            Pids::Own => Some(tid),
            Pids::Beneath { inode, depth } => {
                // Threads are in the pid namespace of their process.
                let credentials = Credentials::of(&directory)?;
                number(&credentials, depth, |levels| {
                    is_in_pid_namespace(&self.proc.join(pid.to_string()), inode, levels)
                })
            }
            Pids::Unknown => None,
        }
    }

    /// Who opened a socket of that user, as far as they may know: the socket must be theirs, and a process that is still
    /// there one that they may look into.
    #[must_use]
    pub fn owner(&self, owner: Owner, uid: Option<u32>) -> Owner {
        if !self.viewer.owns(uid) {
            return Owner::Unknown;
        }
        let seen = |process: Process| match self.of(process.pid) {
            Look::Seen(pid) => Some(Process { pid, ..process }),
            Look::Hidden | Look::Elsewhere => None,
            // As it was seen when it opened the socket; by no other number than ours.
            Look::Gone => self.viewer.owner(owner, uid).process().copied(),
        };
        match owner {
            Owner::Exact(process) => seen(process).map_or(Owner::Unknown, Owner::Exact),
            Owner::Holder(process) => seen(process).map_or(Owner::Unknown, Owner::Holder),
            Owner::Unknown => Owner::Unknown,
        }
    }

    fn look(&self, pid: u32, uid: u32, rights: &UserRights) -> Look {
        let directory = self.proc.join(pid.to_string());
        let Some(credentials) = Credentials::of(&directory) else { return Look::Gone };
        let pid = match rights.pids {
            Pids::Own => Some(pid),
            Pids::Beneath { inode, depth } => {
                number(&credentials, depth, |levels| is_in_pid_namespace(&directory, inode, levels))
            }
            Pids::Unknown => None,
        };
        match pid {
            Some(pid) if rights.processes || may_look(&directory, &credentials, uid, rights) => {
                Look::Seen(pid)
            }
            Some(_) => Look::Hidden,
            None => Look::Elsewhere,
        }
    }
}

/// Whether a user may look behind the descriptors of the process with that directory.
fn may_look(directory: &Path, credentials: &Credentials, uid: u32, rights: &UserRights) -> bool {
    if rights.other_users {
        return false;
    }
    let fds = directory.join("fd");
    if uid == geteuid().as_raw() && rights.gid == getegid().as_raw() {
        // The kernel itself says what we could do without more capabilities than theirs.
        let could = || fs::read_dir(&fds).is_ok() && !is_refused(fs::read_link(directory.join("exe")));
        return with_at_most(rights.capabilities, could).unwrap_or(false);
    }
    let has = |capability: Capability| rights.capabilities & (1 << capability as u8) != 0;
    let owns_list = fs::metadata(&fds).is_ok_and(|meta| meta.uid() == uid);
    // Those of a process which guards its memory belong to root (fs/proc/base.c, `task_dump_owner`): who may list them is
    // told by their owner all the same, and of root's whether the memory is guarded is not.
    let theirs = uid != 0 && owns_list;
    let may_trace = has(Capability::CAP_SYS_PTRACE)
        || theirs
            && credentials.uids == [uid; 3]
            && credentials.gids == [rights.gid; 3]
            && credentials.permitted & !rights.capabilities == 0
            && shares_users(directory);
    let may_list = owns_list || has(Capability::CAP_DAC_READ_SEARCH) || has(Capability::CAP_DAC_OVERRIDE);
    may_list && may_trace
}

/// Whether the link could not be read for want of rights; a kernel thread has none.
fn is_refused(link: io::Result<PathBuf>) -> bool {
    link.is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied)
}

/// The number of a process in a pid namespace so many levels beneath ours, if it is in that one or in one beneath it.
fn number(credentials: &Credentials, depth: u32, is_in: impl FnOnce(usize) -> bool) -> Option<u32> {
    let pid = *credentials.pids.get(depth as usize)?;
    let levels = credentials.pids.len().checked_sub(depth as usize + 1)?;
    is_in(levels).then_some(pid)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::socket::Comm;

    #[test]
    fn everybody_else_sees_less() {
        // Not our own: a process may always look into itself (kernel/ptrace.c, `__ptrace_may_access`).
        let pid = nix::unistd::getppid().as_raw().cast_unsigned();
        let proc = || PathBuf::from("/proc");
        let of = |viewer| Sight::new(viewer, proc()).of(pid);
        assert_eq!(of(Viewer::Own), Look::Seen(pid));
        let uid = nix::unistd::geteuid().as_raw();
        let gid = nix::unistd::getegid().as_raw();
        let rights = UserRights { gid, capabilities: u64::MAX, ..UserRights::default() };
        let user = |uid, rights| Viewer::User { uid, netns: 1, rights };
        assert_eq!(of(user(uid, rights)), Look::Seen(pid));
        let none = UserRights { capabilities: 0, ..rights };
        let nothing_to_lose = Credentials::of(Path::new("/proc/self")).unwrap().permitted == 0;
        assert_eq!(of(user(uid, none)) == Look::Seen(pid), nothing_to_lose);
        for (uid, rights, expected) in [
            (uid + 1, none, Look::Hidden),
            (uid, UserRights { gid: gid + 1, ..none }, Look::Hidden),
            (uid, UserRights { other_users: true, ..rights }, Look::Hidden),
            (uid, UserRights { pids: Pids::Unknown, ..rights }, Look::Elsewhere),
            (
                uid,
                UserRights { pids: Pids::Beneath { inode: 1, depth: 1 }, processes: true, ..rights },
                Look::Elsewhere,
            ),
        ] {
            assert_eq!(of(user(uid, rights)), expected, "{uid} {rights:?}");
        }
        assert_eq!(of(user(uid + 1, UserRights { processes: true, ..rights })), Look::Seen(pid));
        assert_eq!(Sight::new(user(uid, rights), proc()).of(u32::MAX >> 1), Look::Gone);
    }

    #[test]
    fn whoever_has_ended_is_told_by_the_uid_of_the_socket() {
        let gone = Owner::Exact(Process { pid: u32::MAX >> 1, comm: Comm::from_bytes(b"gone") });
        let sight = Sight::new(Viewer::user(1000, 1), "/proc".into());
        assert_eq!(sight.owner(gone, Some(1000)), gone);
        assert_eq!(sight.owner(gone, Some(0)), Owner::Unknown);
        // One of another user that is there, whatever the socket says.
        let init = Owner::Holder(Process { pid: 1, comm: Comm::from_bytes(b"init") });
        assert_eq!(sight.owner(init, Some(1000)), Owner::Unknown);
    }

    #[test]
    fn a_number_is_that_of_the_level() {
        let credentials = |pids: &[u32]| Credentials {
            uids: [0; 3],
            gids: [0; 3],
            pids: pids.to_vec(),
            permitted: 0,
            effective: 0,
        };
        for (pids, depth, levels, expected) in [
            (&[70, 7][..], 1, 0, Some(7)),
            (&[70, 7, 1], 1, 1, Some(7)),
            (&[70], 1, 0, None),
            (&[70, 7], 2, 0, None),
            (&[], 1, 0, None),
        ] {
            let number = number(&credentials(pids), depth, |is| is == levels);
            assert_eq!(number, expected, "{pids:?} {depth}");
        }
        assert_eq!(number(&credentials(&[70, 7]), 1, |_| false), None);
    }
}

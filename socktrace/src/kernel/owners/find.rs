//! The way to the holders that is the cheaper one here and now.
//!
//! Loading the iterator costs some tens of milliseconds, and then a descriptor costs a quarter of a microsecond;
//! /proc costs nothing to begin with, and then several microseconds for each descriptor.
//!
//! I/O: procfs and bpf(2).

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};

use nix::unistd::geteuid;
use rustc_hash::{FxHashMap, FxHashSet};

use super::unseen::in_initial_pid_namespace;
use super::{OwnersError, Pass, Walk, walk};
use crate::kernel::ebpf::{EbpfError, HolderIter};
use crate::socket::Process;

/// From so many open descriptors on the machine on, the iterator is the cheaper way.
const MANY: u64 = 20_000;

/// A search that has begun: where the iterator is the cheaper way, it runs while the caller finds out what sockets
/// there are.
#[derive(Debug)]
pub struct Search(Option<JoinHandle<Passed>>);

/// The iterator, and what its first pass found.
type Passed = Result<(Arc<HolderIter>, Pass), EbpfError>;

impl Search {
    /// Whether there are few enough descriptors that looking at each by procfs costs little.
    #[must_use]
    pub fn is_cheap() -> bool {
        open_descriptors(Path::new("/proc")) < MANY
    }

    /// Chooses the way and sets out.
    #[must_use]
    pub fn begin() -> Self {
        let many = in_initial_pid_namespace() && open_descriptors(Path::new("/proc")) >= MANY;
        let pass = || {
            let iter = HolderIter::of_this_process()?;
            Pass::make(&iter).map(|pass| (iter, pass))
        };
        let set_out = || Builder::new().name("holders".to_owned()).spawn(pass).ok();
        Self(if many { set_out() } else { None })
    }

    /// Holders of the sockets with these inode numbers: by the iterator where many descriptors are open and the kernel
    /// lets us, by a walk of /proc otherwise. A socket that was not there yet when the search began is looked for now.
    ///
    /// # Errors
    /// If /proc cannot be listed.
    pub fn find(self, inodes: &FxHashSet<u32>) -> Result<Walk, OwnersError> {
        let has_all = |walk: &Walk| walk.holders.sockets() == inodes.len();
        match self.read(|pass| pass.holders_of(inodes), has_all) {
            Some(walk) => Ok(walk),
            None => {
                let seen = walk(Path::new("/proc"), false, |inode| inodes.contains(&inode))?;
                let lacks = seen.denied > 0 && !has_all(&seen);
                Ok(if lacks { by_iterator(|pass| pass.holders_of(inodes)).unwrap_or(seen) } else { seen })
            }
        }
    }

    /// Of each of these sockets the holder that comes first in the order of `/proc`, and perhaps of others: of a server
    /// and its workers that is the server.
    ///
    /// # Errors
    /// If /proc cannot be listed.
    pub fn first_holders(self, inodes: &FxHashSet<u32>) -> Result<FxHashMap<u32, Process>, OwnersError> {
        let has_all = |first: &FxHashMap<u32, Process>| inodes.iter().all(|inode| first.contains_key(inode));
        match self.read(Pass::first_holders, has_all) {
            Some(first) => Ok(first),
            None => first_by_proc(inodes),
        }
    }

    /// The same, but the iterator is not started again: a socket that was not there yet when the search began may have
    /// no holder in the answer. For those who will search again.
    ///
    /// # Errors
    /// If /proc cannot be listed.
    pub fn first_found(self, inodes: &FxHashSet<u32>) -> Result<FxHashMap<u32, Process>, OwnersError> {
        match self.join() {
            Some((_, pass)) => Ok(pass.first_holders()),
            None => first_by_proc(inodes),
        }
    }

    /// Which of these sockets some process has open now. None where that cannot be told: from here not every process,
    /// or not everything of each, can be seen.
    #[must_use]
    pub fn held(inodes: &FxHashSet<u32>) -> Option<FxHashSet<u32>> {
        if !in_initial_pid_namespace() {
            return None;
        }
        match Self::begin().join() {
            Some((_, pass)) => Some(pass.those_open(inodes)),
            None => Self::held_by_proc(inodes).or_else(|| by_iterator(|pass| pass.those_open(inodes))),
        }
    }

    /// The same, by /proc.
    fn held_by_proc(inodes: &FxHashSet<u32>) -> Option<FxHashSet<u32>> {
        let mut held = FxHashSet::default();
        // Who forks and ends during a walk may hand on what it holds behind the walk's back: hardly twice.
        for _ in 0..2 {
            let missing = |inode| inodes.contains(&inode) && !held.contains(&inode);
            let walk = walk(Path::new("/proc"), true, missing).ok().filter(Walk::is_complete)?;
            held.extend(inodes.iter().filter(|&&inode| walk.holders.of(inode).next().is_some()));
            if held.len() == inodes.len() {
                break;
            }
        }
        Some(held)
    }

    /// What `read` finds in the pass that has begun, or if that does not have all, in another one. None: /proc is the way.
    fn read<T>(self, read: impl Fn(&Pass) -> T, has_all: impl Fn(&T) -> bool) -> Option<T> {
        let (iter, pass) = self.join()?;
        let found = read(&pass);
        if has_all(&found) {
            return Some(found);
        }
        match Pass::make(&iter) {
            Ok(pass) => Some(read(&pass)),
            Err(error) => {
                log::debug!("the task_file iterator broke off, so by /proc: {error}");
                None
            }
        }
    }

    /// What the iterator gave, where it was chosen and went well.
    fn join(self) -> Option<(Arc<HolderIter>, Pass)> {
        match self.0?.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)) {
            Ok(passed) => Some(passed),
            Err(error) => {
                log::debug!("no task_file iterator, so by /proc: {error}");
                None
            }
        }
    }
}

/// What the iterator finds where /proc denied something: root without a capability that a process has may not look behind
/// that process's descriptors. Nothing where the kernel refuses the iterator, too.
fn by_iterator<T>(read: impl FnOnce(&Pass) -> T) -> Option<T> {
    if !(geteuid().is_root() && in_initial_pid_namespace()) {
        return None;
    }
    let iter = HolderIter::of_this_process().ok()?;
    Some(read(&Pass::make(&iter).ok()?))
}

fn first_by_proc(inodes: &FxHashSet<u32>) -> Result<FxHashMap<u32, Process>, OwnersError> {
    let walk = walk(Path::new("/proc"), false, |inode| inodes.contains(&inode))?;
    let first = |&inode: &u32| Some((inode, walk.holders.of(inode).last()?.process));
    Ok(inodes.iter().filter_map(first).collect())
}

/// Open descriptors of all processes, as `/proc/PID/fd` tells by its size (Linux 6.2, fs/proc/fd.c); before that, and
/// of processes that we may not look into, 64 each.
fn open_descriptors(proc: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(proc) else { return 0 };
    let pids = entries
        .filter_map(Result::ok)
        .filter(|e| e.file_name().as_encoded_bytes().first().is_some_and(u8::is_ascii_digit));
    pids.map(|entry| match fs::metadata(entry.path().join("fd")) {
        Ok(meta) if meta.size() > 0 => meta.size(),
        Ok(_) | Err(_) => 64,
    })
    .sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::UdpSocket;

    #[test]
    fn what_is_open_is_held_and_what_was_closed_is_not() {
        let inode = |socket: &UdpSocket| nix::sys::stat::fstat(socket).unwrap().st_ino as u32;
        let [open, closed] = [(); 2].map(|()| UdpSocket::bind("127.0.0.1:0").unwrap());
        let asked = FxHashSet::from_iter([inode(&open), inode(&closed)]);
        assert_eq!(Search::held(&asked), Some(asked.clone()));
        drop(closed);
        assert_eq!(Search::held(&asked), Some(FxHashSet::from_iter([inode(&open)])));
    }

    #[test]
    fn our_own_descriptors_are_counted() {
        assert!(open_descriptors(Path::new("/proc")) >= 3);
        assert_eq!(open_descriptors(Path::new("/nonexistent")), 0);
    }
}

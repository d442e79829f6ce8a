//! Holders from the task_file iterator: one pass over every descriptor in the kernel, whatever /proc shows.
//!
//! I/O: bpf(2), through `ebpf`.

use rustc_hash::{FxHashMap, FxHashSet};

use super::{Holders, Walk};
use crate::kernel::ebpf::{EbpfError, HolderIter};
use crate::socket::{Holder, Process};

/// Every socket that a process has open at some moment, in the order of [`walk`](super::walk).
#[derive(Debug, Default)]
pub struct Pass {
    processes: Vec<Process>,
    links: Vec<Link>,
}

/// One descriptor of a socket.
#[derive(Debug, Clone, Copy)]
struct Link {
    inode: u32,
    process: u32,
    fd: u32,
}

impl Pass {
    /// One pass over all descriptors.
    ///
    /// # Errors
    /// If the iterator breaks off.
    pub fn make(iter: &HolderIter) -> Result<Self, EbpfError> {
        let mut pass = Self::default();
        iter.each(|(inode, _), Holder { process, tid: _, fd }| pass.add(inode, process, fd))?;
        Ok(pass)
    }

    fn add(&mut self, inode: u32, process: Process, fd: u32) {
        if self.processes.last() != Some(&process) {
            self.processes.push(process);
        }
        self.links.push(Link { inode, process: self.processes.len() as u32 - 1, fd });
    }

    /// The holders of these sockets.
    #[must_use]
    pub fn holders_of(&self, inodes: &FxHashSet<u32>) -> Walk {
        let mut holders = Holders::default();
        let mut current = None;
        for link in self.links.iter().filter(|link| inodes.contains(&link.inode)) {
            let Some(&process) = self.processes.get(link.process as usize) else { continue };
            let task = match current {
                Some((of, task)) if of == link.process => task,
                _ => holders.task(process, None),
            };
            current = Some((link.process, task));
            holders.hold(task, link.fd, link.inode);
        }
        Walk { holders, denied: 0, unseen: None }
    }

    /// Which of these sockets some process has open.
    pub(super) fn those_open(&self, inodes: &FxHashSet<u32>) -> FxHashSet<u32> {
        self.sockets().filter(|inode| inodes.contains(inode)).collect()
    }

    /// Every socket, once for each descriptor.
    pub fn sockets(&self) -> impl Iterator<Item = u32> {
        self.links.iter().map(|link| link.inode)
    }

    /// Of each socket the holder that comes first.
    #[must_use]
    pub fn first_holders(&self) -> FxHashMap<u32, Process> {
        let mut first = FxHashMap::default();
        for link in &self.links {
            if let Some(&process) = self.processes.get(link.process as usize) {
                first.entry(link.inode).or_insert(process);
            }
        }
        first
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::socket::Comm;

    #[test]
    fn only_the_wanted_sockets_are_kept() {
        let mut pass = Pass::default();
        let process = |pid| Process { pid, comm: Comm::from_bytes(b"sh") };
        for (inode, pid, fd) in [(100, 1, 3), (200, 1, 4), (100, 2, 3), (300, 2, 5), (100, 2, 6)] {
            pass.add(inode, process(pid), fd);
        }
        let walk = pass.holders_of(&FxHashSet::from_iter([100, 300, 400]));
        let of = |inode| walk.holders.of(inode).map(|h| (h.process.pid, h.tid, h.fd)).collect::<Vec<_>>();
        assert_eq!(of(100), [(2, None, 6), (2, None, 3), (1, None, 3)]);
        assert_eq!(of(300), [(2, None, 5)]);
        assert!(of(200).is_empty() && of(400).is_empty());
        let first = [(100, 1), (200, 1), (300, 2)].map(|(inode, pid)| (inode, process(pid)));
        assert_eq!(pass.first_holders(), FxHashMap::from_iter(first));
        assert_eq!((walk.holders.sockets(), walk.holders.len()), (2, 4));
    }
}

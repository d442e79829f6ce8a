//! Who holds which socket, kept small: twelve bytes for a holder, one name for each process.

use rustc_hash::FxHashMap;

use crate::socket::{Comm, Holder, Process};

/// A process or thread that was added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TaskIndex(u32);

/// All holders of all sockets, by the sockets' inode numbers.
///
/// A socket's holders come newest first, in the reverse of the order in which they were added: whoever fills it
/// in the order of `/proc` (pids, then threads, then descriptors rising) gets the order that ss prints.
#[derive(Debug, Clone, Default)]
pub struct Holders {
    tasks: Vec<Task>,
    links: Vec<Link>,
    /// From an inode number to one more than the place of its newest link.
    newest: FxHashMap<u32, u32>,
}

#[derive(Debug, Clone, Copy)]
struct Task {
    pid: u32,
    tid: Option<u32>,
    comm: Comm,
}

/// One holder, and one more than the place of the same socket's next older one; 0 for none.
#[derive(Debug, Clone, Copy)]
struct Link {
    task: u32,
    fd: u32,
    older: u32,
}

impl Holders {
    /// Adds a process, or one of its threads with the thread's own name.
    pub fn task(&mut self, process: Process, tid: Option<u32>) -> TaskIndex {
        let index = self.tasks.len() as u32;
        self.tasks.push(Task { pid: process.pid, tid, comm: process.comm });
        TaskIndex(index)
    }

    /// Adds that a task has a socket open as `fd`.
    pub fn hold(&mut self, task: TaskIndex, fd: u32, inode: u32) {
        let newest = self.newest.entry(inode).or_insert(0);
        self.links.push(Link { task: task.0, fd, older: *newest });
        *newest = self.links.len() as u32;
    }

    /// Who holds the socket with that inode number.
    #[must_use]
    pub fn of(&self, inode: u32) -> HoldersOf<'_> {
        HoldersOf { holders: self, next: self.newest.get(&inode).copied().unwrap_or(0) }
    }

    /// How many sockets somebody holds.
    #[must_use]
    pub fn sockets(&self) -> usize {
        self.newest.len()
    }

    /// How many holders there are, each (task, descriptor) counted.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.links.len()
    }

    /// Whether nobody holds anything.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.links.is_empty()
    }
}

/// The holders of one socket, newest first.
#[derive(Debug, Clone)]
pub struct HoldersOf<'a> {
    holders: &'a Holders,
    next: u32,
}

impl Iterator for HoldersOf<'_> {
    type Item = Holder;

    fn next(&mut self) -> Option<Holder> {
        let place = (self.next as usize).checked_sub(1)?;
        let link = self.holders.links.get(place)?;
        let task = self.holders.tasks.get(link.task as usize)?;
        self.next = link.older;
        Some(Holder { process: Process { pid: task.pid, comm: task.comm }, tid: task.tid, fd: link.fd })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holders_come_newest_first_and_apart() {
        let mut holders = Holders::default();
        let process = |pid| Process { pid, comm: Comm::from_bytes(b"sh") };
        let first = holders.task(process(1), None);
        holders.hold(first, 3, 100);
        holders.hold(first, 4, 200);
        holders.hold(first, 5, 100);
        let second = holders.task(process(2), Some(9));
        holders.hold(second, 3, 100);

        let seen = |inode| holders.of(inode).map(|h| (h.process.pid, h.tid, h.fd)).collect::<Vec<_>>();
        assert_eq!(seen(100), [(2, Some(9), 3), (1, None, 5), (1, None, 3)]);
        assert_eq!(seen(200), [(1, None, 4)]);
        assert_eq!(seen(300), []);
        assert_eq!((holders.sockets(), holders.len()), (2, 4));
    }
}

//! Holders from `/proc/PID/fd`.
//!
//! I/O: reads procfs, or a tree that looks like it. Processes that vanish meanwhile are no error.

use std::ffi::CStr;
use std::fs;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::path::{Path, PathBuf};

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::stat::Mode;

use super::{Holders, Unseen, unseen};
use crate::kernel::parallel::in_parallel;
use crate::socket::{Comm, Process};

/// The processes could not be listed.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {}: {source}", .path.display())]
pub struct OwnersError {
    /// The directory.
    pub path: PathBuf,
    /// Why.
    pub source: std::io::Error,
}

/// What a walk found.
#[derive(Debug, Default)]
pub struct Walk {
    /// Who holds what.
    pub holders: Holders,
    /// Processes whose descriptors we may not see.
    pub denied: usize,
    /// Why there may be others that we cannot see at all.
    pub unseen: Option<Unseen>,
}

impl Walk {
    /// Whether a socket for which it has no holder has none.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        self.denied == 0 && self.unseen.is_none()
    }
}

/// Looks at every descriptor of every process, or with `threads` of every thread, and keeps those of sockets whose
/// inode number is `wanted`. `proc` is where procfs is.
///
/// Threads are told with their own names, a process with its first thread's.
pub fn walk(proc: &Path, threads: bool, wanted: impl Fn(u32) -> bool + Sync) -> Result<Walk, OwnersError> {
    let pids = numbers_in(proc).map_err(|source| OwnersError { path: proc.to_owned(), source })?;
    let looker = Looker { proc, threads, wanted: &wanted };
    let parts = in_parallel(pids, |pid| looker.process(pid));

    let mut walk = Walk { unseen: unseen(proc), ..Walk::default() };
    for part in parts {
        walk.denied += usize::from(part.denied);
        for task in part.tasks {
            let index = walk.holders.task(task.process, task.tid);
            for (fd, inode) in task.sockets {
                walk.holders.hold(index, fd, inode);
            }
        }
    }
    Ok(walk)
}

/// What one process holds.
#[derive(Default)]
struct Part {
    tasks: Vec<TaskPart>,
    denied: bool,
}

/// What one task holds: descriptors and inode numbers, in the order of the directory.
struct TaskPart {
    process: Process,
    tid: Option<u32>,
    sockets: Vec<(u32, u32)>,
}

/// The errands of a walk.
struct Looker<'a, W> {
    proc: &'a Path,
    threads: bool,
    wanted: &'a W,
}

impl<W: Fn(u32) -> bool> Looker<'_, W> {
    fn process(&self, pid: u32) -> Part {
        let directory = self.proc.join(pid.to_string());
        let mut part = Part::default();
        self.task(&directory, pid, self.threads.then_some(pid), &mut part);
        if self.threads {
            let tasks = directory.join("task");
            for tid in numbers_in(&tasks).unwrap_or_default() {
                if tid != pid {
                    self.task(&tasks.join(tid.to_string()), pid, Some(tid), &mut part);
                }
            }
        }
        part
    }

    fn task(&self, directory: &Path, pid: u32, tid: Option<u32>, part: &mut Part) {
        match self.sockets(&directory.join("fd")) {
            Ok(sockets) if sockets.is_empty() => {}
            Ok(sockets) => {
                let process = Process { pid, comm: comm(directory) };
                part.tasks.push(TaskPart { process, tid, sockets });
            }
            Err(Errno::EACCES | Errno::EPERM) => part.denied = true,
            // It vanished.
            Err(_) => {}
        }
    }

    fn sockets(&self, directory: &Path) -> Result<Vec<(u32, u32)>, Errno> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let mut entries = Dir::open(directory, flags, Mode::empty())?;
        let open = entries.as_fd().as_raw_fd();
        let mut sockets = Vec::new();
        for entry in entries.iter() {
            let entry = entry?;
            let fd = entry.file_name().to_str().ok().and_then(|name| name.parse().ok());
            if let Some(fd) = fd
                && let Some(inode) = socket_behind(open, entry.file_name())?
                && (self.wanted)(inode)
            {
                sockets.push((fd, inode));
            }
        }
        Ok(sockets)
    }
}

/// The inode number, if a descriptor's link reads `socket:[INODE]`.
///
/// # Errors
/// It may not be read: whoever may list the descriptors of a process need not be allowed to look behind them
/// (fs/proc/fd.c, `proc_fd_permission`; fs/proc/base.c, `proc_fd_access_allowed`).
fn socket_behind(directory: RawFd, name: &CStr) -> Result<Option<u32>, Errno> {
    // Longer than any socket's link; a longer link is cut and then does not end in a bracket.
    let mut link = [0u8; 32];
    // SAFETY: the name is NUL-terminated and the buffer has the length that is told; both live during the call.
    let length = unsafe { libc::readlinkat(directory, name.as_ptr(), link.as_mut_ptr().cast(), link.len()) };
    match (usize::try_from(length), Errno::last()) {
        (Ok(length), _) => Ok(link.get(..length).and_then(parse_link)),
        (Err(_), errno @ (Errno::EACCES | Errno::EPERM)) => Err(errno),
        // Closed meanwhile.
        (Err(_), _) => Ok(None),
    }
}

/// The inode number in `socket:[4711]`.
fn parse_link(link: &[u8]) -> Option<u32> {
    let digits = link.strip_prefix(b"socket:[")?.strip_suffix(b"]")?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// The task's name: from `comm`, or where a tree has only `stat`, from between its outermost parentheses.
fn comm(directory: &Path) -> Comm {
    let name = fs::read(directory.join("comm"));
    if let Ok(name) = name {
        return Comm::from_bytes(name.strip_suffix(b"\n").unwrap_or(&name));
    }
    let stat = fs::read(directory.join("stat")).unwrap_or_default();
    let open = stat.iter().position(|&byte| byte == b'(').map_or(0, |at| at + 1);
    let close = stat.iter().rposition(|&byte| byte == b')').unwrap_or(0);
    Comm::from_bytes(stat.get(open..close).unwrap_or_default())
}

/// The entries of a directory that are numbers, in its order.
fn numbers_in(directory: &Path) -> std::io::Result<Vec<u32>> {
    Ok(fs::read_dir(directory)?.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect())
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;
    use std::os::unix::fs::symlink;

    use super::*;

    /// A tree that looks like procfs: (directory, `stat`), and (directory, descriptor, link).
    fn tree(name: &str, tasks: &[(&str, &str)], links: &[(&str, &str, &str)]) -> PathBuf {
        let root = std::env::temp_dir().join(format!("socktrace-{name}-{}", std::process::id()));
        for (task, stat) in tasks {
            fs::create_dir_all(root.join(task).join("fd")).expect("a directory");
            fs::write(root.join(task).join("stat"), stat).expect("a file");
        }
        for (task, fd, link) in links {
            symlink(link, root.join(task).join("fd").join(fd)).expect("a link");
        }
        root
    }

    fn seen(root: &Path, threads: bool, inode: u32) -> Vec<(u32, Option<u32>, String, u32)> {
        let walk = walk(root, threads, |_| true).expect("a tree");
        let holder =
            |h: crate::socket::Holder| (h.process.pid, h.tid, h.process.comm.to_text().into_owned(), h.fd);
        let mut seen: Vec<_> = walk.holders.of(inode).map(holder).collect();
        seen.sort();
        seen
    }

    #[test]
    fn a_tree_is_read_like_procfs() {
        let root = tree(
            "walk",
            &[
                ("7", "7 (a) b) S 1"),
                ("8", "8 (sh) S 1"),
                ("8/task/8", "8 (sh) S 1"),
                ("8/task/9", "9 (w) S"),
            ],
            &[
                ("7", "3", "socket:[50]"),
                ("7", "4", "/dev/null"),
                ("7", "5", "socket:[50"),
                ("7", "6", "socket:[99999999999]"),
                ("8", "3", "socket:[50]"),
                ("8/task/8", "3", "socket:[50]"),
                ("8/task/9", "3", "socket:[50]"),
            ],
        );
        let comm = |name: &str| name.to_owned();
        assert_eq!(seen(&root, false, 50), [(7, None, comm("a) b"), 3), (8, None, comm("sh"), 3)]);
        assert_eq!(
            seen(&root, true, 50),
            [(7, Some(7), comm("a) b"), 3), (8, Some(8), comm("sh"), 3), (8, Some(9), comm("w"), 3)]
        );
        let none = walk(&root, false, |inode| inode != 50).expect("a tree");
        assert!(none.holders.is_empty() && none.denied == 0);
        fs::remove_dir_all(&root).expect("our own tree");
        assert!(walk(&root, false, |_| true).is_err(), "a tree that is not there");
    }

    #[test]
    fn our_own_socket_is_ours() {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("loopback");
        let inode = nix::sys::stat::fstat(&socket).expect("open").st_ino as u32;
        let walk = walk(Path::new("/proc"), false, |wanted| wanted == inode).expect("procfs");
        let holders: Vec<_> = walk.holders.of(inode).map(|h| (h.process.pid, h.fd as i32)).collect();
        assert_eq!(holders, [(std::process::id(), socket.as_raw_fd())]);
    }
}

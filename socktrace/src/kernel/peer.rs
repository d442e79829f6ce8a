//! Who is at the other end of a UNIX socket, as the kernel vouches for it.
//!
//! I/O: getsockopt(2), ioctl(2); procfs, for what the kernel does not tell of who connected.

use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::path::Path;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{getsockopt, sockopt};

use super::credentials::{Credentials, namespace, shares_users};
use super::netns::Netns;
use crate::socket::{NetnsId, Pids};

/// Who connected, with the rights they had then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// Their effective user id.
    pub uid: u32,
    /// Their effective group id, then their supplementary ones.
    pub gids: Vec<u32>,
    /// The network namespace in which they made the socket by which they connected; 0 where the kernel does not say. Unlike
    /// that of a process found by its number it can be nobody else's: it lives as long as the connection.
    pub netns: NetnsId,
    /// What procfs says of their process; none if it has ended, or could not be looked at.
    pub seen: Option<Seen>,
}

/// What procfs says of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// The capabilities that it uses, in its user namespace.
    pub capabilities: u64,
    /// Whether that is ours.
    pub shares_users: bool,
    /// Its pid namespace.
    pub pids: Pids,
}

impl Peer {
    /// Who is at the other end.
    ///
    /// # Errors
    /// It is no connected UNIX socket, or there is no descriptor left to look at the other end's process.
    pub fn of(socket: &impl AsFd) -> io::Result<Self> {
        let credentials = getsockopt(&socket.as_fd(), sockopt::PeerCredentials)?;
        let mut gids = vec![credentials.gid()];
        gids.extend(groups(socket)?);
        // An accepted socket belongs to the namespace of the one that connected (net/unix/af_unix.c, `unix_stream_connect`).
        let netns = Netns::of_socket(socket).map_or(0, |netns| netns.id);
        let (pid, uid) = (credentials.pid().cast_unsigned(), credentials.uid());
        Ok(Self { uid, gids, netns, seen: Seen::of(socket, pid)? })
    }
}

impl Seen {
    /// What procfs says of the process at the other end, which has that number. The number may be somebody else's by
    /// now: what was read counts if the process that connected was there all the time.
    ///
    /// # Errors
    /// There is no descriptor left: whoever asks would be taken for somebody who may see less.
    fn of(socket: &impl AsFd, pid: u32) -> io::Result<Option<Self>> {
        // Before Linux 6.5 the kernel hands out no descriptor of the process that connected. The second one may have got
        // its number between the connect and now.
        let process = pidfd(socket).or_else(|| opened(pid));
        let seen = Self::read(&Path::new("/proc").join(pid.to_string()));
        // What was missing was the process, or else a descriptor: then there is none for this either.
        if (process.is_none() || seen.is_none()) && opened(std::process::id()).is_none() {
            let error = io::Error::last_os_error();
            if is_exhausted(&error) {
                return Err(error);
            }
        }
        Ok(seen.filter(|_| process.is_some_and(|process| is_alive(&process))))
    }

    fn read(directory: &Path) -> Option<Self> {
        let credentials = Credentials::of(directory)?;
        let pids = match (credentials.pids.len(), namespace(directory, "pid")) {
            (0 | 1, _) => Pids::Own,
            (levels, Some(inode)) => Pids::Beneath { inode, depth: u32::try_from(levels - 1).ok()? },
            (_, None) => Pids::Unknown,
        };
        Some(Self { capabilities: credentials.effective, shares_users: shares_users(directory), pids })
    }
}

/// Whether the process, or the machine, has no descriptor left.
#[must_use]
pub fn is_exhausted(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE))
}

/// A descriptor of the process that connected (`SO_PEERPIDFD`, Linux 6.5).
fn pidfd(socket: &impl AsFd) -> Option<OwnedFd> {
    let mut fd: libc::c_int = -1;
    let mut length = libc::socklen_t::try_from(size_of::<libc::c_int>()).ok()?;
    // SAFETY: the pointers are to a number and to its length, live during the call.
    let status = unsafe {
        libc::getsockopt(
            socket.as_fd().as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERPIDFD,
            (&raw mut fd).cast(),
            &raw mut length,
        )
    };
    // SAFETY: the call has just made it for us.
    (status == 0 && fd >= 0).then(|| unsafe { OwnedFd::from_raw_fd(fd) })
}

/// A descriptor of the process that has that number now.
fn opened(pid: u32) -> Option<OwnedFd> {
    // SAFETY: the call takes two numbers and no addresses.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    let fd = libc::c_int::try_from(fd).ok().filter(|&fd| fd >= 0)?;
    // SAFETY: the call has just made it for us.
    Some(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Whether the process has not ended: a descriptor of one that has can be read (pidfd_open(2)).
fn is_alive(process: &OwnedFd) -> bool {
    let mut polled = [PollFd::new(process.as_fd(), PollFlags::POLLIN)];
    matches!(poll(&mut polled, PollTimeout::ZERO), Ok(0))
}

/// Their supplementary groups (`SO_PEERGROUPS`, Linux 4.13).
fn groups(socket: &impl AsFd) -> io::Result<Vec<u32>> {
    let mut gids = vec![0u32; 32];
    loop {
        let room = gids.len() * size_of::<libc::gid_t>();
        let mut length = libc::socklen_t::try_from(room).map_err(io::Error::other)?;
        // SAFETY: the pointers are to `length` bytes of numbers that are ours and to that length, live during the call.
        let status = unsafe {
            libc::getsockopt(
                socket.as_fd().as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_PEERGROUPS,
                gids.as_mut_ptr().cast(),
                &raw mut length,
            )
        };
        let error = io::Error::last_os_error();
        let count = usize::try_from(length).map_err(io::Error::other)? / size_of::<libc::gid_t>();
        match status {
            0 => {
                gids.truncate(count);
                return Ok(gids);
            }
            // The kernel has said how much room it needs.
            _ if error.raw_os_error() == Some(libc::ERANGE) && count > gids.len() => gids.resize(count, 0),
            _ => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::{UnixDatagram, UnixStream};

    #[test]
    fn ourselves() {
        let (one, _other) = UnixStream::pair().unwrap();
        let peer = Peer::of(&one).unwrap();
        assert_eq!(peer.uid, nix::unistd::geteuid().as_raw());
        let mut groups: Vec<u32> =
            nix::unistd::getgroups().unwrap().into_iter().map(nix::unistd::Gid::as_raw).collect();
        groups.insert(0, nix::unistd::getegid().as_raw());
        assert_eq!(peer.gids, groups);
        let seen = peer.seen.unwrap();

        assert_eq!((seen.shares_users, seen.pids), (true, Pids::Own));
    }

    #[test]
    fn of_a_process_that_has_ended_nothing_is_said() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let fd = opened(child.id()).unwrap();
        assert!(is_alive(&fd) || child.try_wait().unwrap().is_some());
        child.wait().unwrap();
        assert!(!is_alive(&fd));
    }

    #[test]
    fn whoever_connected_is_where_their_socket_is_whatever_became_of_them() {
        use nix::sched::{CloneFlags, unshare};
        let (ready, address) = std::sync::mpsc::channel();
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("socket");
        let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        // A thread that has ended when its peer is asked about: by the number of its process it would be elsewhere.
        let connect = move || {
            let moved = unshare(CloneFlags::CLONE_NEWNET).is_ok();
            let theirs = crate::kernel::netns::current().unwrap();
            ready.send((moved, theirs, UnixStream::connect(&path).unwrap())).unwrap();
        };
        std::thread::spawn(connect).join().unwrap();
        let (moved, theirs, _stream) = address.recv().unwrap();
        let peer = Peer::of(&listener.accept().unwrap().0).unwrap();
        if moved {
            assert_eq!(peer.netns, theirs);
            assert_ne!(Some(peer.netns), crate::kernel::netns::current().ok());
        }
    }

    #[test]
    fn nobody() {
        assert!(Peer::of(&UnixDatagram::unbound().unwrap()).is_err());
    }
}

//! Who is at the other end of a UNIX socket, as the kernel vouches for it.
//!
//! I/O: getsockopt(2), ioctl(2).

use std::io;
use std::os::fd::{AsFd, AsRawFd};

use nix::sys::socket::{getsockopt, sockopt};

use super::netns::Netns;
use crate::socket::NetnsId;

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
}

impl Peer {
    /// Who is at the other end.
    ///
    /// # Errors
    /// It is no connected UNIX socket.
    pub fn of(socket: &impl AsFd) -> io::Result<Self> {
        let credentials = getsockopt(&socket.as_fd(), sockopt::PeerCredentials)?;
        let mut gids = vec![credentials.gid()];
        gids.extend(groups(socket)?);
        // An accepted socket belongs to the namespace of the one that connected (net/unix/af_unix.c, `unix_stream_connect`).
        let netns = Netns::of_socket(socket).map_or(0, |netns| netns.id);
        Ok(Self { uid: credentials.uid(), gids, netns })
    }
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

//! Who is at the other end of a UNIX socket, as the kernel vouches for it.
//!
//! I/O: getsockopt(2).

use std::io;
use std::os::fd::{AsFd, AsRawFd};

use nix::sys::socket::{getsockopt, sockopt};

/// Who connected, with the rights they had then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// Their process.
    pub pid: u32,
    /// Their effective user id.
    pub uid: u32,
    /// Their effective group id, then their supplementary ones.
    pub gids: Vec<u32>,
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
        Ok(Self { pid: credentials.pid().cast_unsigned(), uid: credentials.uid(), gids })
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
        assert_eq!((peer.pid, peer.uid), (std::process::id(), nix::unistd::geteuid().as_raw()));
        let mut groups: Vec<u32> =
            nix::unistd::getgroups().unwrap().into_iter().map(nix::unistd::Gid::as_raw).collect();
        groups.insert(0, nix::unistd::getegid().as_raw());
        assert_eq!(peer.gids, groups);
    }

    #[test]
    fn nobody() {
        assert!(Peer::of(&UnixDatagram::unbound().unwrap()).is_err());
    }
}

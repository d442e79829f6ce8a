//! The identity of UNIX sockets: the hooks know a socket's inode, and its cookie only if somebody has asked for it
//! before. unix_diag is asked, which also makes the cookie.
//!
//! I/O: netlink point look-ups, some microseconds each; at most so many in a time.

use crate::kernel::netns::{self, Netns};
use crate::kernel::sock_diag::{SockDiag, Want};
use crate::socket::{Change, Cookie, NetnsId};
use rustc_hash::FxHashMap;
use std::path::Path;

/// Look-ups between two calls of [`Identities::refill`].
const BUDGET: u32 = 500;

/// Finds the cookies of UNIX sockets.
#[derive(Debug)]
pub(super) struct Identities {
    /// One netlink socket for each namespace; none where it could not be opened.
    diags: FxHashMap<NetnsId, Option<SockDiag>>,
    own: NetnsId,
    left: u32,
}

impl Identities {
    pub(super) fn new() -> Self {
        Self { diags: FxHashMap::default(), own: netns::current().unwrap_or(0), left: BUDGET }
    }

    /// Gives the change its socket's cookie, if it lacks it and the socket is still there.
    pub(super) fn complete(&mut self, change: &mut Change) {
        if change.cookie != 0 || change.inode == 0 || !change.proto.is_unix() || self.left == 0 {
            return;
        }
        self.left -= 1;
        if let Some(cookie) = self.look_up(change) {
            change.cookie = cookie;
        }
    }

    /// There may be look-ups again. Namespaces other than our own are let go: a netlink socket in one keeps it
    /// alive.
    pub(super) fn refill(&mut self) {
        self.left = BUDGET;
        let own = self.own;
        self.diags.retain(|&netns, _| netns == own);
    }

    fn look_up(&mut self, change: &Change) -> Option<Cookie> {
        let own = self.own;
        let diag = self.diags.entry(change.netns).or_insert_with(|| {
            if change.netns == own || change.netns == 0 {
                return SockDiag::open().ok();
            }
            let pid = change.process?.pid;
            let netns = Netns::of_process(Path::new("/proc"), pid).ok()?;
            // The process may have gone elsewhere meanwhile, and its number may have been given to another.
            if netns.id != change.netns {
                return None;
            }
            SockDiag::open_in(&netns).ok()
        });
        let socket = diag.as_mut()?.find_unix(change.inode, 0, Want::NONE).ok()??;
        Some(socket.cookie)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::socket::{ChangeKind, Endpoint, Family, Proto};
    use std::os::fd::AsFd as _;
    use std::os::unix::fs::MetadataExt as _;
    use std::os::unix::net::UnixDatagram;

    fn bound(inode: u32) -> Change {
        Change {
            at: 0,
            cookie: 0,
            netns: netns::current().unwrap(),
            proto: Proto::UnixDgram,
            family: Family::Unix,
            local: Endpoint::None,
            peer: Endpoint::None,
            ifindex: 0,
            uid: None,
            mark: 0,
            cgroup: 0,
            process: None,
            inode,
            kind: ChangeKind::Bind { errno: 0 },
        }
    }

    fn inode(socket: &UnixDatagram) -> u32 {
        let file = std::fs::File::from(socket.as_fd().try_clone_to_owned().unwrap());
        file.metadata().unwrap().ino().try_into().unwrap()
    }

    #[test]
    fn a_socket_is_given_its_own_cookie_and_the_same_again() {
        let (one, other) = UnixDatagram::pair().unwrap();
        let mut identities = Identities::new();
        let mut cookie = |socket| {
            let mut change = bound(inode(socket));
            identities.complete(&mut change);
            change.cookie
        };
        let cookies = [cookie(&one), cookie(&other), cookie(&one)];
        assert!(cookies[0] != 0 && cookies[1] != 0 && cookies[0] != cookies[1]);
        assert_eq!(cookies[0], cookies[2]);
    }

    #[test]
    fn a_socket_that_is_gone_stays_unknown() {
        let gone = inode(&UnixDatagram::unbound().unwrap());
        let mut change = bound(gone);
        Identities::new().complete(&mut change);
        assert_eq!(change.cookie, 0);
    }

    #[test]
    fn there_is_a_limit() {
        let (one, _other) = UnixDatagram::pair().unwrap();
        let mut identities = Identities::new();
        let mut found = 0;
        for _ in 0..2 * BUDGET {
            let mut change = bound(inode(&one));
            identities.complete(&mut change);
            found += u32::from(change.cookie != 0);
        }
        assert_eq!(found, BUDGET);
        identities.refill();
        let mut change = bound(inode(&one));
        identities.complete(&mut change);
        assert_ne!(change.cookie, 0);
    }
}

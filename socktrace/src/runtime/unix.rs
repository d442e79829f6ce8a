//! The identity of UNIX sockets: the hooks know a socket's inode, and its cookie only if somebody has asked for it
//! before. unix_diag is asked, which also makes the cookie.
//!
//! The kernel looks one socket up by walking its whole table (net/unix/diag.c, `unix_lookup_by_ino`), so a dump tells of
//! many sockets at the price of a few look-ups. Under a flood changes wait for each other, and one dump tells of all.
//! While somebody subscribes to events, every later change waits behind them, so that events come in the order of their
//! times.
//!
//! I/O: netlink; the clock.

use super::time;
use crate::kernel::netns;
use crate::kernel::sock_diag::{SockDiag, UnixQuery, Want};
use crate::socket::{BootNs, Change, Cookie, NetnsId, StateSet};
use rustc_hash::FxHashMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;

/// So many sockets of one namespace are looked up one by one; more of them by a dump.
const FEW: usize = 8;
/// Asking may take one part in so many of the time; but however long it took once, changes wait no longer than this
/// for the next time, nanoseconds.
const SHARE: BootNs = 10;
const LONGEST: BootNs = 100_000_000;
/// How many changes may wait.
const MOST: usize = 1 << 16;

/// Which changes stay in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// Those of each socket: enough for the table.
    Each,
    /// All of them: for those who subscribe to events.
    All,
}

/// Finds the cookies of UNIX sockets.
#[derive(Debug)]
pub(super) struct Identities {
    /// One netlink socket for each namespace; none where it could not be opened.
    diags: FxHashMap<NetnsId, Option<SockDiag>>,
    own: NetnsId,
    /// Changes of UNIX sockets without a cookie, and those that came after them: of UNIX sockets, or all.
    waiting: Vec<Change>,
    /// When the kernel may be asked again.
    next: BootNs,
}

impl Identities {
    pub(super) fn new() -> Self {
        Self { diags: FxHashMap::default(), own: netns::current().unwrap_or(0), waiting: Vec::new(), next: 0 }
    }

    /// Gives a change back that can go on at once; keeps one whose socket must be asked for, and those that follow it.
    pub(super) fn pass(&mut self, change: Change, order: Order) -> Option<Change> {
        let follows = || match order {
            Order::Each => change.proto.is_unix(),
            Order::All => true,
        };
        if lacks(&change) || (!self.waiting.is_empty() && follows()) {
            self.waiting.push(change);
            return None;
        }
        Some(change)
    }

    /// Whether no change waits.
    pub(super) const fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Returns when the waiting changes can be completed; never where none waits.
    pub(super) async fn due(&self) {
        if self.waiting.is_empty() {
            return std::future::pending().await;
        }
        let wait = self.next.saturating_sub(time::boot_now());
        tokio::time::sleep(Duration::from_nanos(wait)).await;
    }

    /// Whether the waiting changes can be completed now.
    pub(super) const fn is_due(&self, now: BootNs) -> bool {
        !self.waiting.is_empty() && (now >= self.next || self.waiting.len() >= MOST)
    }

    /// Somebody waits for the changes: they are due at once.
    pub(super) const fn hurry(&mut self) {
        self.next = 0;
    }

    /// The changes that waited, in their order, each with its socket's cookie if the socket is still there.
    pub(super) fn complete(&mut self) -> Vec<Change> {
        let began = time::boot_now();
        let mut changes = std::mem::take(&mut self.waiting);
        // Of one that is gone by now, its end may tell.
        let named = changes.iter().filter(|change| change.proto.is_unix() && change.cookie != 0);
        let mut known: FxHashMap<(NetnsId, u32), Cookie> =
            named.map(|change| ((change.netns, change.inode), change.cookie)).collect();
        let mut unknown: FxHashMap<NetnsId, Vec<u32>> = FxHashMap::default();
        let is_unknown =
            |change: &&Change| lacks(change) && !known.contains_key(&(change.netns, change.inode));
        for change in changes.iter().filter(is_unknown) {
            self.open(change);
            let inodes = unknown.entry(change.netns).or_default();
            // What happens to one socket comes in a row, mostly.
            if inodes.last() != Some(&change.inode) {
                inodes.push(change.inode);
            }
        }
        for (netns, inodes) in unknown {
            if let Some(Some(diag)) = self.diags.get_mut(&netns) {
                ask(diag, &inodes, |inode, cookie| _ = known.insert((netns, inode), cookie));
            }
        }
        for change in changes.iter_mut().filter(|change| lacks(change)) {
            change.cookie = known.get(&(change.netns, change.inode)).copied().unwrap_or(0);
        }
        let now = time::boot_now();
        self.next = now + (now.saturating_sub(began) * SHARE).min(LONGEST);
        changes
    }

    /// Namespaces other than our own are let go: a netlink socket in one keeps it alive.
    pub(super) fn let_go(&mut self) {
        let own = self.own;
        self.diags.retain(|&netns, _| netns == own);
    }

    /// Opens a netlink socket in the namespace of the change.
    fn open(&mut self, change: &Change) {
        let own = self.own;
        self.diags.entry(change.netns).or_insert_with(|| {
            if change.netns == own || change.netns == 0 {
                return SockDiag::open().ok();
            }
            // The process may be elsewhere than its socket, or have gone there meanwhile.
            let netns = netns::near(Path::new("/proc"), change.process?.pid, change.netns)?;
            SockDiag::open_in(&netns).ok()
        });
    }
}

/// Whether the cookie is not known and can be asked for.
fn lacks(change: &Change) -> bool {
    change.proto.is_unix() && change.cookie == 0 && change.inode != 0
}

/// Tells the cookies of those of these sockets that are still there.
fn ask(diag: &mut SockDiag, inodes: &[u32], mut tell: impl FnMut(u32, Cookie)) {
    if inodes.len() > FEW {
        let query = UnixQuery { states: StateSet::ALL, want: Want::NONE };
        let answer = diag.unix(&query, |socket| {
            tell(socket.inode, socket.cookie);
            ControlFlow::Continue(())
        });
        if let Err(error) = answer {
            log::warn!("the UNIX sockets cannot be listed: {error}");
        }
        return;
    }
    for &inode in inodes {
        if let Ok(Some(socket)) = diag.find_unix(inode, 0, Want::NONE) {
            tell(inode, socket.cookie);
        }
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
            state: None,
            ifindex: 0,
            uid: None,
            mark: 0,
            cgroup: 0,
            process: None,
            inode,
            msk: 0,
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
            assert_eq!(identities.pass(bound(inode(socket)), Order::Each), None);
            let [change] = &identities.complete()[..] else { panic!("one change") };
            change.cookie
        };
        let cookies = [cookie(&one), cookie(&other), cookie(&one)];
        assert!(cookies[0] != 0 && cookies[1] != 0 && cookies[0] != cookies[1]);
        assert_eq!(cookies[0], cookies[2]);
    }

    #[test]
    fn a_socket_that_is_gone_stays_unknown() {
        let gone = inode(&UnixDatagram::unbound().unwrap());
        let mut identities = Identities::new();
        assert_eq!(identities.pass(bound(gone), Order::Each), None);
        assert_eq!(identities.complete(), [bound(gone)]);
    }

    #[test]
    fn the_end_of_a_socket_tells_the_cookie_that_its_beginning_lacks() {
        let gone = inode(&UnixDatagram::unbound().unwrap());
        let mut identities = Identities::new();
        assert_eq!(identities.pass(bound(gone), Order::Each), None);
        let end = Change { cookie: 5, kind: ChangeKind::Release, ..bound(gone) };
        assert_eq!(identities.pass(end.clone(), Order::Each), None);
        assert_eq!(identities.complete(), [Change { cookie: 5, ..bound(gone) }, end]);
    }

    #[test]
    fn of_many_all_are_found_and_their_order_is_kept() {
        let sockets: Vec<_> = (0..200).map(|_| UnixDatagram::unbound().unwrap()).collect();
        let mut identities = Identities::new();
        for socket in &sockets {
            assert_eq!(identities.pass(bound(inode(socket)), Order::Each), None);
        }
        // One with a cookie waits behind them, and what is no UNIX socket does not.
        let known = Change { cookie: 5, ..bound(1) };
        assert_eq!(identities.pass(known.clone(), Order::Each), None);
        let other = Change { proto: Proto::Tcp, ..bound(1) };
        assert_eq!(identities.pass(other.clone(), Order::Each), Some(other));
        assert!(!identities.is_empty() && identities.is_due(1));
        let changes = identities.complete();
        let inodes: Vec<u32> = changes.iter().map(|change| change.inode).collect();
        let expected: Vec<u32> = sockets.iter().map(inode).chain([1]).collect();
        assert_eq!(inodes, expected);
        assert!(changes.iter().all(|change| change.cookie != 0));
        assert_eq!(changes.last(), Some(&known));
        assert!(identities.is_empty() && identities.pass(known, Order::Each).is_some());
    }

    #[test]
    fn where_events_are_to_be_in_order_all_wait_behind_one_that_must_be_asked_for() {
        let socket = UnixDatagram::unbound().unwrap();
        let mut identities = Identities::new();
        let other = Change { proto: Proto::Tcp, ..bound(1) };
        assert_eq!(identities.pass(other.clone(), Order::All), Some(other.clone()));
        assert_eq!(identities.pass(bound(inode(&socket)), Order::All), None);
        assert_eq!(identities.pass(other.clone(), Order::All), None);
        let [first, second] = &identities.complete()[..] else { panic!("two changes") };
        assert!(first.cookie != 0 && first.inode == inode(&socket), "{first:?}");
        assert_eq!(*second, other);
        assert_eq!(identities.pass(other.clone(), Order::All), Some(other));
    }

    #[test]
    fn asking_takes_a_part_of_the_time_unless_somebody_waits() {
        let socket = UnixDatagram::unbound().unwrap();
        let mut identities = Identities::new();
        identities.pass(bound(inode(&socket)), Order::Each);
        let began = time::boot_now();
        identities.complete();
        identities.pass(bound(inode(&socket)), Order::Each);
        assert!(!identities.is_due(began), "it was asked a moment ago");
        assert!(identities.is_due(time::boot_now() + LONGEST));
        identities.hurry();
        assert!(identities.is_due(1));
    }
}

//! The live table: which sockets there are now, in what state, and whose they are.
//!
//! A pure state machine with two sources. [`Table::apply`] takes what a hook saw and tells what happened; it makes
//! the table fast. A dump of the kernel's own tables ([`Table::begin`], [`row`](Table::row),
//! [`scope`](Table::scope), [`end`](Table::end), [`finish`](Table::finish)) makes it right: at the start, after a
//! loss, and as an audit. How the two are merged stands in `merge`.
//!
//! A socket is its cookie. Since Linux 5.12, without which the programs do not load, cookies come from one counter
//! for all network namespaces (net/core/sock_diag.c), so the namespace is a fact of the entry, not a part of the key.
//!
//! An accepted MPTCP connection has its listener's cookie, and so a key of its own (`mptcp`).
//!
//! Not in the table: TIME-WAIT and request sockets (they have no events; sock_diag tells of them when asked), and every
//! family but IPv4, IPv6 and UNIX.

mod bounded_map;
mod calls;
mod connects;
mod ends;
mod entry;
mod hidden;
#[cfg(test)]
mod laws;
mod merge;
mod mptcp;
mod owners;
mod scope;
mod slots;
mod state;
mod tell;
#[cfg(test)]
mod tests;
mod view;
#[cfg(test)]
pub(crate) mod world;

pub use merge::{Merged, SETTLE};
pub use scope::{Outcome, Scope};
pub use view::View;

use bounded_map::BoundedMap;
use connects::{Awaited, Failed};
use entry::Entry;
use hidden::Hidden;
use merge::Dump;
use mptcp::{Mptcp, Of};
use scope::Class;
use slots::{Side, Slots};
use tell::Teller;

use crate::socket::{BootNs, Change, ChangeKind, Cookie, Ended, Event, KindSet, Owner, Process, Proto};

/// How many closed connections that nobody has accepted yet are remembered, and how many accepts of connections
/// that the table has not met. A full accept queue of the kernel's default limit (4096) fits.
const ASIDE: usize = 4096;

/// Where the first dump is, which shows what was there before us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seed {
    /// Nobody has asked for it.
    Before,
    /// It runs.
    Begun,
    /// It is in the table.
    Merged,
}

/// The live table.
#[derive(Debug)]
pub struct Table {
    slots: Slots,
    listed: usize,
    /// Whether dumps show bound TCP sockets that neither listen nor connect (Linux 6.8 and later).
    bound_is_listed: bool,
    /// Closed before accept(2) returned them.
    unaccepted: BoundedMap<Entry>,
    /// Accepted before the table met them.
    claims: BoundedMap<Process>,
    /// TCP connects of which a state change has shown that they failed: connect(2) may return and say so again.
    failed: BoundedMap<Failed>,
    awaited: Awaited,
    /// Sockets that may stand elsewhere than they were seen, and since when.
    doubted: Vec<(Cookie, BootNs)>,
    /// Came without an owner, and perhaps have none yet.
    unowned: Vec<Cookie>,
    mptcp: Mptcp,
    /// Connects of datagram sockets that have begun and of which nothing else is reported.
    dials: Vec<Change>,
    /// What was there before us: whether a dump has shown it.
    seed: Seed,
    dump: Option<Dump>,
    /// When the last dump after a loss began, if events were lost under that one, too.
    lossy_from: Option<BootNs>,
    hidden: Hidden,
    /// Every change from before this has been applied.
    applied: BootNs,
    /// The time of the last change, or `applied`: what is found out now has this time in its event.
    latest: BootNs,
    /// What has ended since it was last taken, if somebody keeps it.
    ends: Option<Vec<Ended>>,
}

impl Table {
    /// An empty table. `bound_is_listed`: whether this kernel's dumps show TCP sockets that are bound and nothing
    /// more (Linux 6.8 and later).
    #[must_use]
    pub fn new(bound_is_listed: bool) -> Self {
        Self {
            slots: Slots::default(),
            listed: 0,
            bound_is_listed,
            unaccepted: BoundedMap::new(ASIDE),
            claims: BoundedMap::new(ASIDE),
            failed: BoundedMap::new(ASIDE),
            awaited: Awaited::default(),
            doubted: Vec::new(),
            unowned: Vec::new(),
            mptcp: Mptcp::default(),
            dials: Vec::new(),
            seed: Seed::Before,
            dump: None,
            lossy_from: None,
            hidden: Hidden::default(),
            applied: 0,
            latest: 0,
            ends: None,
        }
    }

    /// From now on, ends are kept until [`ends`](Self::ends) takes them.
    pub fn keep_ends(&mut self) {
        self.ends.get_or_insert_default();
    }

    /// What has ended since it was last taken, whatever events are wanted.
    pub fn ends(&mut self) -> impl Iterator<Item = Ended> {
        self.ends.iter_mut().flat_map(|ends| ends.drain(..))
    }

    /// Takes one change, and appends the events it amounts to, of those kinds that are wanted.
    pub fn apply(&mut self, mut change: Change, wanted: KindSet, out: &mut Vec<Event>) {
        self.latest = self.latest.max(change.at);
        let of = self.meet(&mut change);
        let wanted = match of {
            Of::Other | Of::Mptcp => wanted,
            Of::Subflow => wanted.intersection(KindSet::STATE),
            Of::Nothing => return,
        };
        let first = out.len();
        let mut ends = self.ends.take();
        let told = &mut Teller::new(wanted, out, ends.as_mut().filter(|_| of != Of::Subflow));
        match change.kind {
            ChangeKind::State { old, new, orphan, ref mut closing } => {
                let closing = closing.take();
                self.state(&change, old, new, closing, told);
                if orphan {
                    self.orphan(&change);
                }
            }
            ChangeKind::Create => self.create(&change),
            ChangeKind::PostBind => self.post_bind(&change, told),
            ChangeKind::Bind { errno } => self.bind(&change, errno, told),
            ChangeKind::Listen { errno, backlog: _ } => self.listen(&change, errno, told),
            ChangeKind::TakenBack { bound } => self.taken_back(&change, bound, told),
            ChangeKind::Waits => self.waits(&change),
            ChangeKind::Connect { errno: errno @ 1.. } if change.proto == Proto::Tcp => {
                self.tcp_connect_failed(&change, errno, told);
            }
            ChangeKind::Connect { errno } => self.connect(&change, errno, told),
            ChangeKind::Disconnect if change.proto == Proto::Tcp => self.tcp_disconnect(&change, told),
            ChangeKind::Disconnect => self.disconnect(&change),
            ChangeKind::Accept { fd: _, early } => self.accept(&change, early, told),
            ChangeKind::Dial => self.dial(&change),
            ChangeKind::FirstSend => self.first_send(&change, told),
            ChangeKind::Release => self.release(&change, told),
            ChangeKind::Orphan => self.orphan(&change),
        }
        self.ends = ends;
        self.leave(of, &change, &mut out[first..]);
    }

    /// Whether the first dump is in the table.
    #[must_use]
    pub fn is_seeded(&self) -> bool {
        self.seed == Seed::Merged
    }

    /// Every change from before `at` has been applied.
    pub fn applied(&mut self, at: BootNs) {
        self.applied = self.applied.max(at);
        self.latest = self.latest.max(at);
    }

    /// The time for events that no change is the cause of: no event before has a later one.
    #[must_use]
    pub const fn latest(&self) -> BootNs {
        self.latest
    }

    /// How many sockets a listing would show.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.listed
    }

    /// Whether a listing would show none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.listed == 0
    }

    /// The socket with that cookie, also if a listing would not show it yet.
    #[must_use]
    pub fn get(&self, cookie: Cookie) -> Option<View<'_>> {
        self.slots.find(cookie).map(|slot| self.view(self.slots.get(slot)))
    }

    /// Every socket that a listing would show, in no order.
    pub fn iter(&self) -> impl Iterator<Item = View<'_>> {
        self.slots.iter().filter(|entry| entry.is_listed()).map(|entry| self.view(entry))
    }

    /// Every listed IPv4 or IPv6 socket that can have these ports, found without a scan, and a few more: a socket
    /// whose local port is not known yet may have any. `None` is any port; a port of 0 is looked for by scanning.
    pub fn with_ports(&self, local: Option<u16>, peer: Option<u16>) -> impl Iterator<Item = View<'_>> {
        let local = local.filter(|&port| port != 0);
        let peer = peer.filter(|&port| port != 0);
        let by_peer = peer.map(|port| (self.slots.count(Side::Peer, port), Side::Peer, port));
        let by_local = local.map(|port| {
            (self.slots.count(Side::Local, port) + self.slots.count(Side::Local, 0), Side::Local, port)
        });
        let fewest = by_local.into_iter().chain(by_peer).min();
        let scan = fewest.is_none().then(|| self.slots.iter()).into_iter().flatten();
        let chain = fewest.map(|(_, side, port)| self.slots.chain(side, port)).into_iter().flatten();
        let unknown = matches!(fewest, Some((_, Side::Local, _)))
            .then(|| self.slots.chain(Side::Local, 0))
            .into_iter()
            .flatten();
        scan.chain(chain)
            .chain(unknown)
            .filter(|entry| entry.is_listed())
            .map(|entry| self.view(entry))
            .filter(move |view| {
                peer.is_none_or(|port| view.peer_port() == port)
                    && local.is_none_or(|port| view.local_port() == port || view.local_port() == 0)
            })
    }

    fn view<'a>(&self, entry: &'a Entry) -> View<'a> {
        View::new(entry, self.mptcp.cookie(entry.cookie))
    }

    /// Bytes that the table has taken from the allocator for its entries and indexes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.slots.bytes()
    }

    /// Alters an entry, keeping the number of listed ones.
    fn alter(&mut self, slot: u32, alter: impl FnOnce(&mut Entry)) {
        let before = self.slots.get(slot).is_listed();
        self.slots.alter(slot, alter);
        self.listed += usize::from(self.slots.get(slot).is_listed());
        self.listed -= usize::from(before);
    }

    /// Puts a socket into the table that was not there.
    fn insert(&mut self, mut entry: Entry) -> u32 {
        if let (Some(process), Owner::Holder(_) | Owner::Unknown) =
            (self.claims.take(entry.cookie), entry.owner)
        {
            entry.owner = Owner::Exact(process);
            entry.accept_told();
        }
        self.listed += usize::from(entry.is_listed());
        if owners::awaits(&entry) {
            self.await_owner(entry.cookie);
        }
        self.slots.insert(entry)
    }

    fn remove(&mut self, slot: u32) -> Entry {
        let entry = self.slots.remove(slot);
        self.listed -= usize::from(entry.is_listed());
        entry
    }
}

/// Whether the table keeps the socket of this change.
const fn is_kept(change: &Change) -> bool {
    change.cookie != 0 && Class::of(change.proto).is_some()
}

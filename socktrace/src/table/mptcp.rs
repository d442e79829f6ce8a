//! MPTCP: which socket a change is of, and what its subflows have of it.
//!
//! An accepted MPTCP connection has its listener's cookie (net/mptcp/protocol.c, `mptcp_sk_clone_init`). So the entry of one
//! whose cookie is another's already is kept under a key that is no cookie, and found by the number that changes carry, or
//! by cookie and ends where a dump shows it. Whoever looks at the table sees the kernel's cookie.
//!
//! A subflow is a TCP socket that the kernel made. It is in the table with the owner of its MPTCP socket; of its life only
//! state changes are reported, as the connection is the MPTCP one.

use rustc_hash::FxHashMap;

use super::Table;
use super::ends::Ends;
use super::entry::Entry;
use crate::socket::{Change, ChangeKind, Cookie, Event, Owner, Proto, State};

/// Keys that are no cookies have this bit, which no counter of the kernel reaches.
const NO_COOKIE: Cookie = 1 << 63;

/// What is known of MPTCP sockets and their subflows beside their entries.
#[derive(Debug, Default)]
pub(super) struct Mptcp {
    socks: FxHashMap<Cookie, Sock>,
    /// Keys by the numbers of changes.
    by_number: FxHashMap<u32, Cookie>,
    /// The number of its MPTCP socket, by the cookie of each subflow.
    parents: FxHashMap<Cookie, u32>,
    /// How many keys were made.
    made: u64,
}

/// An MPTCP socket.
#[derive(Debug, Default)]
struct Sock {
    cookie: Cookie,
    /// 0 where no change has named it yet.
    number: u32,
    /// close(2) was called.
    released: bool,
    /// Why a subflow of it ended, which it learns later.
    errno: u16,
}

/// What a change is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Of {
    /// Neither.
    Other,
    /// An MPTCP socket.
    Mptcp,
    /// A subflow.
    Subflow,
    /// An MPTCP socket, and it says nothing.
    Nothing,
}

impl Mptcp {
    /// The kernel's cookie of the socket with that key.
    pub(super) fn cookie(&self, key: Cookie) -> Cookie {
        if key & NO_COOKIE == 0 { key } else { self.socks.get(&key).map_or(0, |sock| sock.cookie) }
    }

    fn key(&mut self) -> Cookie {
        self.made += 1;
        NO_COOKIE | self.made
    }
}

impl Table {
    /// What the change is of. One of an MPTCP socket gets the socket's key for its cookie.
    pub(super) fn meet(&mut self, change: &mut Change) -> Of {
        if change.proto == Proto::Mptcp {
            return self.meet_mptcp(change);
        }
        if change.proto != Proto::Tcp {
            return Of::Other;
        }
        if change.msk != 0 {
            self.mptcp.parents.insert(change.cookie, change.msk);
        } else if self.mptcp.parents.is_empty() || !self.mptcp.parents.contains_key(&change.cookie) {
            return Of::Other;
        }
        // Whoever runs may be a worker of the kernel's.
        change.process = None;
        let released = self.parent(change.cookie).is_none_or(|key| self.mptcp.socks[&key].released);
        if let ChangeKind::State { closing: Some(closing), .. } = &mut change.kind {
            closing.bound &= !released;
            if let Some(sock) = self.parent(change.cookie).and_then(|key| self.mptcp.socks.get_mut(&key)) {
                sock.errno = closing.errno;
            }
        }
        Of::Subflow
    }

    fn meet_mptcp(&mut self, change: &mut Change) -> Of {
        let (mut born, mut began) = (false, None);
        if let ChangeKind::State { old, new, .. } = change.kind {
            if old == new || new == State::SynRecv {
                return Of::Nothing;
            }
            born = new == State::Established && old != State::SynSent;
            began = Some(old);
        }
        let known = self.mptcp.by_number.get(&change.msk).copied().filter(|_| !born);
        let known = known.filter(|&key| [0, self.mptcp.cookie(key)].contains(&change.cookie));
        let ends = Ends::of(change.family, &change.local, &change.peer);
        let key = known.or_else(|| if born { None } else { self.find_mptcp(change.cookie, &ends) });
        let key = key.unwrap_or_else(|| match self.slots.find(change.cookie) {
            None => change.cookie,
            Some(_) => self.mptcp.key(),
        });
        let cookie = change.cookie;
        let sock = self.mptcp.socks.entry(key).or_default();
        sock.number = change.msk;
        if cookie != 0 {
            sock.cookie = cookie;
        }
        if matches!(change.kind, ChangeKind::Release) {
            sock.released = true;
        }
        self.mptcp.by_number.insert(change.msk, key);
        change.cookie = key;
        let Sock { released, errno, .. } = self.mptcp.socks[&key];
        if let ChangeKind::State { closing: Some(closing), .. } = &mut change.kind {
            if closing.errno == 0 && began == Some(State::SynSent) {
                closing.errno = errno;
            }
            // It stays for as long as somebody has it, though no dump shows it; whoever has not been accepted, nobody has.
            let owner = self.slots.find(key).map(|slot| self.slots.get(slot).owner);
            closing.bound = !released && matches!(owner, Some(Owner::Exact(_) | Owner::Holder(_)));
        }
        Of::Mptcp
    }

    /// The key of the MPTCP socket with that cookie and those ends.
    pub(super) fn find_mptcp(&self, cookie: Cookie, ends: &Ends) -> Option<Cookie> {
        let is_it = |entry: &Entry| {
            entry.proto == Proto::Mptcp
                && self.mptcp.cookie(entry.cookie) == cookie
                && (entry.ends == *ends || entry.ends.ports().is_none_or(|[_, peer]| peer == 0))
        };
        let own = self.slots.find(cookie).filter(|&slot| is_it(self.slots.get(slot))).map(|_| cookie);
        let others = || {
            let [_, peer] = ends.ports()?;
            let side = super::Side::Peer;
            self.slots.chain(side, peer).find(|entry| is_it(entry) && entry.ends == *ends).map(|it| it.cookie)
        };
        match ends.ports() {
            // It listens, or has no peer yet.
            Some([_, 0]) | None => own,
            Some(_) => others().or_else(|| own.filter(|_| self.is_dialling(cookie))),
        }
    }

    fn is_dialling(&self, cookie: Cookie) -> bool {
        self.slots.find(cookie).is_some_and(|slot| {
            matches!(self.slots.get(slot).state, State::SynSent | State::Close | State::BoundInactive)
        })
    }

    /// The row of a dump, under the key of its socket.
    pub(super) fn keyed(&mut self, mut row: Entry) -> Entry {
        if row.proto != Proto::Mptcp {
            return row;
        }
        let cookie = row.cookie;
        row.cookie = match self.find_mptcp(cookie, &row.ends) {
            Some(key) => key,
            None if self.slots.find(cookie).is_none() => cookie,
            None => self.mptcp.key(),
        };
        self.mptcp.socks.entry(row.cookie).or_insert(Sock { cookie, ..Sock::default() });
        row
    }

    /// Whether the change is of a TCP socket that belongs to an MPTCP one.
    pub(super) fn is_subflow(&self, change: &Change) -> bool {
        change.proto == Proto::Tcp && self.mptcp.parents.contains_key(&change.cookie)
    }

    /// The key of a subflow's MPTCP socket.
    fn parent(&self, subflow: Cookie) -> Option<Cookie> {
        let key = *self.mptcp.by_number.get(self.mptcp.parents.get(&subflow)?)?;
        self.slots.find(key).map(|_| key)
    }

    /// An MPTCP connection is told that it is established a moment before it gets the ends of its first subflow (net/mptcp/
    /// protocol.c, `mptcp_sk_clone_init`).
    fn lend_ends(&mut self, subflow: Cookie, parent: Option<&Entry>) {
        let without_peer = |entry: &&Entry| {
            entry.state == State::Established && entry.ends.ports().is_some_and(|[_, peer]| peer == 0)
        };
        let Some(parent) = parent.filter(without_peer) else { return };
        let ends = self.slots.find(subflow).map(|slot| self.slots.get(slot).ends.clone());
        if let (Some(ends), Some(slot)) = (ends, self.slots.find(parent.cookie)) {
            self.alter(slot, |entry| entry.ends = ends);
        }
    }

    /// After a change of an MPTCP socket or of a subflow: subflows have its owner, and end with one that was bound or
    /// listened. Events show the kernel's cookie.
    pub(super) fn leave(&mut self, of: Of, change: &Change, events: &mut [Event]) {
        if of == Of::Other {
            return;
        }
        for subject in events.iter_mut().filter_map(|event| event.subject.as_mut()) {
            subject.cookie = self.mptcp.cookie(subject.cookie);
        }
        if let Some(ends) = &mut self.ends {
            for ended in ends.iter_mut().filter(|ended| ended.subject.cookie & NO_COOKIE != 0) {
                ended.subject.cookie = self.mptcp.cookie(ended.subject.cookie);
            }
        }
        let number = if of == Of::Subflow {
            self.mptcp.parents.get(&change.cookie).copied().unwrap_or(0)
        } else {
            change.msk
        };
        let parent = self.mptcp.by_number.get(&number).and_then(|&key| self.slots.find(key));
        let parent = parent.map(|slot| self.slots.get(slot).clone());
        let subflows: Vec<Cookie> = match of {
            Of::Subflow => vec![change.cookie],
            Of::Mptcp => {
                let all = self.mptcp.parents.iter().filter(|(_, of)| **of == number);
                all.map(|(subflow, _)| *subflow).collect()
            }
            Of::Other | Of::Nothing => Vec::new(),
        };
        if of == Of::Subflow {
            self.lend_ends(change.cookie, parent.as_ref());
        }
        let ends_all = matches!(change.kind, ChangeKind::Release);
        for subflow in subflows {
            let Some(slot) = self.slots.find(subflow) else {
                self.mptcp.parents.remove(&subflow);
                continue;
            };
            let state = self.slots.get(slot).state;
            if ends_all && matches!(state, State::BoundInactive | State::Listen | State::Close) {
                self.remove(slot);
                self.gone(&Change { cookie: subflow, ..change.clone() });
            } else if let Some(parent) = &parent {
                let (owner, inode) = (parent.owner, parent.inode);
                self.alter(slot, |entry| (entry.owner, entry.inode) = (owner, inode));
            }
        }
        if of == Of::Mptcp && self.slots.find(change.cookie).is_none() {
            self.mptcp.socks.remove(&change.cookie);
            self.mptcp.by_number.remove(&change.msk);
        }
    }
}

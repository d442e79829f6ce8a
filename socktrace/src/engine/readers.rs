//! Who wants which event, found without asking everybody.
//!
//! Each reader lies under the kinds it wants, and there under one thing that all its events have, if its interest
//! names one: a cookie, processes, a port. An event looks only where its own kind, ports and process lead. So a
//! hundred readers that each look at another port cost an event no more than one.

use rustc_hash::FxHashMap;

use super::interest::{FactsOf, Interest};
use super::messages::ReaderId;
use crate::query::Hints;
use crate::socket::{Cookie, Event, KindSet, Subject};

/// Everybody who reads events.
#[derive(Debug, Default)]
pub(super) struct Readers {
    interests: FxHashMap<ReaderId, Interest>,
    by_kind: [Shelf; KindSet::KINDS],
    wanted: KindSet,
    unix_closes: usize,
}

/// The readers of one kind of event, each under its key.
#[derive(Debug, Default)]
struct Shelf {
    any: Vec<ReaderId>,
    keyed: FxHashMap<Key, Vec<ReaderId>>,
    /// How many readers lie under each sort of key: an event looks only for those.
    sorts: [u32; SORTS],
}

/// Something that all events of a reader have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Key {
    Cookie(Cookie),
    Pid(u32),
    LocalPort(u16),
    PeerPort(u16),
    EitherPort(u16),
}

const SORTS: usize = 5;

impl Key {
    const fn sort(self) -> usize {
        match self {
            Self::Cookie(_) => 0,
            Self::Pid(_) => 1,
            Self::LocalPort(_) => 2,
            Self::PeerPort(_) => 3,
            Self::EitherPort(_) => 4,
        }
    }

    /// The keys that a reader lies under; none if it can want anything.
    fn of_interest(interest: &Interest) -> Vec<Self> {
        let Hints { local_port, peer_port, either_port, cookie, inode: _, pid } = interest.filter.hints();
        let pids = || interest.pids.iter().map(|&pid| Self::Pid(pid)).collect();
        let first = cookie
            .map(Self::Cookie)
            .or(local_port.map(Self::LocalPort))
            .or(peer_port.map(Self::PeerPort))
            .or(either_port.map(Self::EitherPort))
            .or(pid.map(Self::Pid));
        first.map_or_else(pids, |key| vec![key])
    }

    /// The keys that an event has, the same one never twice.
    fn of_subject(subject: &Subject) -> [Option<Self>; 6] {
        let (local, peer) = (subject.local.port(), subject.peer.port());
        [
            Some(Self::Cookie(subject.cookie)),
            subject.owner.process().map(|process| Self::Pid(process.pid)),
            Some(Self::LocalPort(local)),
            Some(Self::PeerPort(peer)),
            Some(Self::EitherPort(local)),
            (peer != local).then_some(Self::EitherPort(peer)),
        ]
    }
}

impl Readers {
    /// Somebody wants events. One of the same number before is forgotten.
    pub(super) fn add(&mut self, id: ReaderId, interest: Interest) {
        self.remove(id);
        let mut keys = Key::of_interest(&interest);
        keys.sort_unstable_by_key(|key| match *key {
            Key::Pid(pid) => pid,
            Key::Cookie(_) | Key::LocalPort(_) | Key::PeerPort(_) | Key::EitherPort(_) => 0,
        });
        keys.dedup();
        for kind in interest.kinds.indexes() {
            let shelf = &mut self.by_kind[kind];
            // What has no subject has no keys either.
            if keys.is_empty() || KindSet::WITHOUT_SUBJECT.has(kind) {
                shelf.any.push(id);
                continue;
            }
            for key in &keys {
                shelf.keyed.entry(*key).or_default().push(id);
                shelf.sorts[key.sort()] += 1;
            }
        }
        self.wanted = self.wanted.union(interest.kinds);
        self.unix_closes += usize::from(interest.wants_unix_close());
        self.interests.insert(id, interest);
    }

    pub(super) fn remove(&mut self, id: ReaderId) {
        let Some(gone) = self.interests.remove(&id) else { return };
        self.unix_closes -= usize::from(gone.wants_unix_close());
        for shelf in &mut self.by_kind {
            shelf.any.retain(|&reader| reader != id);
            shelf.keyed.retain(|key, readers| {
                let before = readers.len();
                readers.retain(|&reader| reader != id);
                shelf.sorts[key.sort()] -= (before - readers.len()) as u32;
                !readers.is_empty()
            });
        }
        self.wanted = self.interests.values().fold(KindSet::EMPTY, |all, it| all.union(it.kinds));
    }

    /// Who wants the event, each once.
    pub(super) fn of(&self, event: &Event) -> Vec<ReaderId> {
        let shelf = &self.by_kind[KindSet::index(&event.kind)];
        let facts = FactsOf::new();
        let wants = |id: &&ReaderId| self.interests[*id].wants_with(event, &facts);
        let mut readers: Vec<ReaderId> = shelf.any.iter().filter(wants).copied().collect();
        if let (Some(subject), false) = (event.subject.as_deref(), shelf.keyed.is_empty()) {
            for key in Key::of_subject(subject).into_iter().flatten() {
                if shelf.sorts[key.sort()] > 0
                    && let Some(under) = shelf.keyed.get(&key)
                {
                    readers.extend(under.iter().filter(wants));
                }
            }
        }
        readers
    }

    /// The kinds that somebody wants.
    pub(super) const fn wanted(&self) -> KindSet {
        self.wanted
    }

    pub(super) fn len(&self) -> usize {
        self.interests.len()
    }

    /// Whether somebody can want to know that a UNIX socket was closed.
    pub(super) const fn wants_unix_close(&self) -> bool {
        self.unix_closes > 0
    }
}

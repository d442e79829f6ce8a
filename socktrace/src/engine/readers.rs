//! Who wants which event, found without asking everybody.
//!
//! Each reader lies under the kinds it wants, and there under the keys of which all its events have one, if its
//! interest names any: a cookie, processes, ports, addresses. An event looks only where its own kind, ends and process
//! lead. So a hundred readers that each look at another port cost an event little more than one.

use rustc_hash::FxHashMap;

use super::interest::{FactsOf, Interest};
use super::keys::Key;
use super::messages::{ReaderId, ReaderIds};
use crate::socket::{Event, KindSet};

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
    sorts: [u32; Key::SORTS],
}

impl Shelf {
    fn put(&mut self, keys: &[Key], id: ReaderId) {
        for key in keys {
            let under = self.keyed.entry(*key).or_default();
            if !under.contains(&id) {
                under.push(id);
                self.sorts[key.sort()] += 1;
            }
        }
    }

    fn take(&mut self, id: ReaderId) {
        self.any.retain(|&reader| reader != id);
        self.keyed.retain(|key, readers| {
            let before = readers.len();
            readers.retain(|&reader| reader != id);
            self.sorts[key.sort()] -= (before - readers.len()) as u32;
            !readers.is_empty()
        });
    }
}

impl Readers {
    /// Somebody wants events. One of the same number before is forgotten.
    pub(super) fn add(&mut self, id: ReaderId, interest: Interest) {
        self.remove(id);
        let keys = Key::of_interest(&interest);
        for kind in interest.kinds.indexes() {
            let shelf = &mut self.by_kind[kind];
            // What has no subject has no keys either.
            match keys.as_ref().filter(|_| !KindSet::WITHOUT_SUBJECT.has(kind)) {
                None => shelf.any.push(id),
                Some(keys) => shelf.put(keys, id),
            }
        }
        self.wanted = self.wanted.union(interest.kinds);
        self.unix_closes += usize::from(interest.wants_unix_close());
        self.interests.insert(id, interest);
    }

    pub(super) fn remove(&mut self, id: ReaderId) {
        let Some(gone) = self.interests.remove(&id) else { return };
        self.unix_closes -= usize::from(gone.wants_unix_close());
        self.by_kind.iter_mut().for_each(|shelf| shelf.take(id));
        self.wanted = self.interests.values().fold(KindSet::EMPTY, |all, it| all.union(it.kinds));
    }

    /// Who wants the event, each once.
    pub(super) fn of(&self, event: &Event) -> ReaderIds {
        let shelf = &self.by_kind[KindSet::index(&event.kind)];
        let facts = FactsOf::new();
        let wants = |id: &&ReaderId| self.interests[*id].wants_with(event, &facts);
        let mut readers: ReaderIds = shelf.any.iter().filter(wants).copied().collect();
        let Some(subject) = event.subject.as_deref().filter(|_| !shelf.keyed.is_empty()) else {
            return readers;
        };
        let mut found = 0;
        for key in Key::of_subject(subject).filter(|key| shelf.sorts[key.sort()] > 0) {
            if let Some(under) = shelf.keyed.get(&key) {
                readers.extend(under.iter().filter(wants).copied());
                found += 1;
            }
        }
        if found > 1 {
            // A reader may lie under two keys of this event.
            readers.sort_unstable();
            readers.dedup();
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

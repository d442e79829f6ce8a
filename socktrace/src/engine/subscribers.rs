//! Who wants which event, found without asking everybody.
//!
//! Each subscriber lies under the kinds it wants, and there under the keys of which all its events have one, if its
//! interest names any: a cookie, processes, ports, addresses. An event looks only where its own kind, ends and process
//! lead. So a hundred subscribers that each look at another port cost an event little more than one.
//!
//! They all see the same: an event is shown to them as their viewer sees it. Filters are what clients wrote, so this
//! runs beside the engine and not in it.

use rustc_hash::FxHashMap;

use super::demand::{SubscriberId, SubscriberIds};
use super::interest::{FactsOf, Interest};
use super::keys::Key;
use crate::socket::{Event, KindSet};

/// Those who subscribe to events.
#[derive(Debug, Default)]
pub struct Subscribers {
    interests: FxHashMap<SubscriberId, Interest>,
    by_kind: [Shelf; KindSet::KINDS],
    wanted: KindSet,
}

/// The subscribers of one kind of event, each under its key.
#[derive(Debug, Default)]
struct Shelf {
    any: Vec<SubscriberId>,
    keyed: FxHashMap<Key, Vec<SubscriberId>>,
    /// How many subscribers lie under each sort of key: an event looks only for those.
    sorts: [u32; Key::SORTS],
}

impl Shelf {
    fn put(&mut self, keys: &[Key], id: SubscriberId) {
        for key in keys {
            let under = self.keyed.entry(*key).or_default();
            if !under.contains(&id) {
                under.push(id);
                self.sorts[key.sort()] += 1;
            }
        }
    }

    fn take(&mut self, id: SubscriberId) {
        self.any.retain(|&other| other != id);
        self.keyed.retain(|key, readers| {
            let before = readers.len();
            readers.retain(|&other| other != id);
            self.sorts[key.sort()] -= (before - readers.len()) as u32;
            !readers.is_empty()
        });
    }
}

impl Subscribers {
    /// Somebody wants events. One of the same number before is forgotten.
    pub fn add(&mut self, id: SubscriberId, interest: Interest) {
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
        self.interests.insert(id, interest);
    }

    /// It wants no more.
    pub fn remove(&mut self, id: SubscriberId) {
        if self.interests.remove(&id).is_none() {
            return;
        }
        self.by_kind.iter_mut().for_each(|shelf| shelf.take(id));
        self.wanted = self.interests.values().fold(KindSet::EMPTY, |all, it| all.union(it.kinds));
    }

    /// Who wants the event, each once.
    #[must_use]
    pub fn of(&self, event: &Event) -> SubscriberIds {
        let shelf = &self.by_kind[KindSet::index(&event.kind)];
        let facts = FactsOf::new();
        let wants = |id: &&SubscriberId| self.interests[*id].wants_seen(event, &facts);
        let mut subscribers: SubscriberIds = shelf.any.iter().filter(wants).copied().collect();
        let Some(subject) = event.subject.as_deref().filter(|_| !shelf.keyed.is_empty()) else {
            return subscribers;
        };
        let mut found = 0;
        for key in Key::of_subject(subject).filter(|key| shelf.sorts[key.sort()] > 0) {
            if let Some(under) = shelf.keyed.get(&key) {
                subscribers.extend(under.iter().filter(wants).copied());
                found += 1;
            }
        }
        if found > 1 {
            // A subscriber may lie under two keys of this event.
            subscribers.sort_unstable();
            subscribers.dedup();
        }
        subscribers
    }

    /// The kinds that somebody wants.
    #[must_use]
    pub const fn wanted(&self) -> KindSet {
        self.wanted
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.interests.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.interests.is_empty()
    }
}

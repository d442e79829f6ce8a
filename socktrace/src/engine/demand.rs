//! What events the subscribers want in all: what nobody wants is not made.

use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use crate::socket::KindSet;

/// A subscriber: a number that the caller chooses.
pub type SubscriberId = u64;
/// Some of them: mostly one or two, which takes no allocation.
pub type SubscriberIds = SmallVec<[SubscriberId; 4]>;

/// What one subscriber wants, as far as the engine must know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Demand {
    /// Events of these kinds.
    pub kinds: KindSet,
    /// It can want the close of a UNIX socket.
    pub unix_closes: bool,
}

/// What all of them want.
#[derive(Debug, Default)]
pub(super) struct Demands {
    each: FxHashMap<SubscriberId, Demand>,
    all: Demand,
}

impl Demands {
    /// Somebody wants events. One of the same number before is forgotten.
    pub(super) fn add(&mut self, id: SubscriberId, demand: Demand) {
        self.each.insert(id, demand);
        self.sum();
    }

    pub(super) fn remove(&mut self, id: SubscriberId) {
        if self.each.remove(&id).is_some() {
            self.sum();
        }
    }

    fn sum(&mut self) {
        self.all = self.each.values().fold(Demand::default(), |all, it| Demand {
            kinds: all.kinds.union(it.kinds),
            unix_closes: all.unix_closes || it.unix_closes,
        });
    }

    /// The kinds that somebody wants.
    pub(super) const fn kinds(&self) -> KindSet {
        self.all.kinds
    }

    /// Whether somebody can want to know that a UNIX socket was closed.
    pub(super) const fn unix_closes(&self) -> bool {
        self.all.unix_closes
    }

    pub(super) fn len(&self) -> usize {
        self.each.len()
    }
}

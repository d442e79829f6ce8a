//! How many may ask at a time.

use crate::socket::Viewer;
use rustc_hash::FxHashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Connections at one time. The next ones wait in the listening socket's queue.
pub(super) const CONNECTIONS: usize = 1024;
/// Connections of one ordinary user: nobody can take the places of everybody else.
pub(super) const OF_A_USER: usize = 128;

/// How many each ordinary user has.
type Taken = Arc<Mutex<FxHashMap<u32, usize>>>;

/// The places that there are.
#[derive(Debug, Clone)]
pub(super) struct Places {
    all: Arc<Semaphore>,
    taken: Taken,
}

/// A place; dropping it frees it.
#[derive(Debug)]
pub(super) struct Place {
    _one: OwnedSemaphorePermit,
    of_user: Option<(u32, Taken)>,
}

impl Places {
    pub(super) fn new() -> Self {
        Self { all: Arc::new(Semaphore::new(CONNECTIONS)), taken: Arc::default() }
    }

    /// Waits until there is one for somebody. Cancel-safe.
    pub(super) async fn one(&self) -> Option<OwnedSemaphorePermit> {
        self.all.clone().acquire_owned().await.ok()
    }

    /// Gives it to the viewer; none if an ordinary user has as many already as one may have.
    pub(super) fn give(&self, one: OwnedSemaphorePermit, viewer: Viewer) -> Option<Place> {
        let Viewer::User { uid, .. } = viewer else { return Some(Place { _one: one, of_user: None }) };
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let count = taken.entry(uid).or_insert(0);
        if *count == OF_A_USER {
            return None;
        }
        *count += 1;
        Some(Place { _one: one, of_user: Some((uid, self.taken.clone())) })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some((uid, taken)) = &self.of_user else { return };
        let mut taken = taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = taken.get_mut(uid) {
            *count -= 1;
            if *count == 0 {
                taken.remove(uid);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_user_cannot_take_the_places_of_others() {
        let places = Places::new();
        let of = |uid| Viewer::User { uid, netns: 1 };
        let mut kept = Vec::new();
        for _ in 0..OF_A_USER {
            kept.push(places.give(places.one().await.unwrap(), of(1000)).unwrap());
        }
        assert!(places.give(places.one().await.unwrap(), of(1000)).is_none());
        kept.push(places.give(places.one().await.unwrap(), of(1001)).unwrap());
        kept.push(places.give(places.one().await.unwrap(), Viewer::Own).unwrap());
        assert_eq!(places.all.available_permits(), CONNECTIONS - kept.len());
        kept.remove(0);
        kept.push(places.give(places.one().await.unwrap(), of(1000)).unwrap());
        drop(kept);
        assert_eq!(places.all.available_permits(), CONNECTIONS);
        assert!(places.taken.lock().unwrap().is_empty());
    }
}

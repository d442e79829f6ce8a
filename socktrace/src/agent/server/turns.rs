//! How many answers from the history are made at a time: one that is not read keeps what the ring has let go meanwhile.
//!
//! Who finds no turn free waits for one, and is not refused: whoever has one gives it back in the end, since a reader who
//! takes nothing is given up.

use crate::socket::Viewer;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Answers to one ordinary user at a time, and to all others together.
const OF_A_USER: usize = 4;
const OF_OTHERS: usize = 32;

/// The turns of each ordinary user, and of all others, as long as somebody has or wants one.
static TURNS: Turns = Turns(Mutex::new(BTreeMap::new()));

struct Turns(Mutex<BTreeMap<Option<u32>, Weak<Semaphore>>>);

/// The right to one answer; dropping it gives it back.
pub(super) struct Turn {
    _one: OwnedSemaphorePermit,
}

impl Turn {
    /// Waits until it is the viewer's turn. Cancel-safe.
    pub(super) async fn of(viewer: Viewer) -> Option<Self> {
        TURNS.of(viewer).acquire_owned().await.ok().map(|one| Self { _one: one })
    }
}

impl Turns {
    fn of(&self, viewer: Viewer) -> Arc<Semaphore> {
        let (user, most) = match viewer {
            Viewer::Own => (None, OF_OTHERS),
            Viewer::User { uid, .. } => (Some(uid), OF_A_USER),
        };
        let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = turns.get(&user).and_then(Weak::upgrade) {
            return known;
        }
        turns.retain(|_, turns| turns.strong_count() > 0);
        let new = Arc::new(Semaphore::new(most));
        turns.insert(user, Arc::downgrade(&new));
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt as _;

    #[tokio::test]
    async fn a_user_who_does_not_read_takes_nobody_elses_turn() {
        let user = |uid| Viewer::User { uid, netns: 1 };
        let mut kept = Vec::new();
        for _ in 0..OF_A_USER {
            kept.push(Turn::of(user(70_000)).await.unwrap());
        }
        let mut next = Box::pin(Turn::of(user(70_000)));
        assert!(next.as_mut().now_or_never().is_none());
        assert!(Turn::of(user(70_001)).await.is_some() && Turn::of(Viewer::Own).await.is_some());
        // The one who waits is next, as soon as there is a turn.
        kept.pop();
        kept.push(next.await.unwrap());
        drop(kept);
        // Nothing is kept of users who are gone.
        let turns = Turns(Mutex::default());
        for uid in 0..100 {
            turns.of(user(uid));
        }
        assert_eq!(turns.0.lock().unwrap().len(), 1);
    }
}

//! One account: what a user, or root and the group, have taken.

use super::limits::{Most, Resource};
use super::{Over, limits};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

/// What has been taken of some limits.
#[derive(Debug)]
pub(super) struct State {
    most: Most,
    taken: [AtomicUsize; Resource::ALL.len()],
    work: Arc<Semaphore>,
}

/// The account that a client's requests go to.
#[derive(Debug, Clone)]
pub struct Account {
    state: Arc<State>,
    /// Where it is an ordinary user's: that of all of them.
    all: Option<Arc<State>>,
}

/// A part of a resource; dropping it gives it back.
#[derive(Debug)]
pub struct Share {
    account: Account,
    resource: Resource,
    amount: usize,
}

/// The right to work on one answer; whoever works has it, and gives it back at the end of the work.
#[derive(Debug)]
pub struct Permit {
    _one: OwnedSemaphorePermit,
    _of_all: Option<OwnedSemaphorePermit>,
    /// Not forgotten as long as the work goes on, although its client has gone.
    _account: Account,
}

/// Room for bytes that wait for one client. Its first [`Room::FREE`] bytes are always granted, so that nobody who
/// reads loses anything because others do not.
#[derive(Debug)]
pub struct Room {
    account: Account,
    /// Bytes that wait.
    taken: AtomicUsize,
}

impl State {
    pub(super) fn new(most: Most) -> Self {
        let work = Arc::new(Semaphore::new(most.work));
        Self { most, taken: Default::default(), work }
    }

    pub(super) fn taken(&self, resource: Resource) -> &AtomicUsize {
        &self.taken[resource as usize]
    }

    fn take(&self, resource: Resource, amount: usize) -> bool {
        let more = |taken: usize| taken.checked_add(amount).filter(|&all| all <= self.most.of(resource));
        self.taken(resource).fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
    }

    fn give(&self, resource: Resource, amount: usize) {
        self.taken(resource).fetch_sub(amount, Ordering::Relaxed);
    }
}

impl Account {
    pub(super) const fn own(state: Arc<State>) -> Self {
        Self { state, all: None }
    }

    pub(super) const fn of_user(state: Arc<State>, all: Arc<State>) -> Self {
        Self { state, all: Some(all) }
    }

    /// Its limits.
    #[must_use]
    pub fn most(&self) -> &limits::Most {
        &self.state.most
    }

    /// Takes so much of a resource.
    ///
    /// # Errors
    /// There is not so much left; nothing was taken.
    pub fn take(&self, resource: Resource, amount: usize) -> Result<Share, Over> {
        self.add(resource, amount)?;
        Ok(Share { account: self.clone(), resource, amount })
    }

    fn add(&self, resource: Resource, amount: usize) -> Result<(), Over> {
        let most = self.state.most.of(resource);
        if !self.state.take(resource, amount) {
            return Err(match self.all {
                Some(_) => Over::User { resource, most },
                None => Over::Own { resource, most },
            });
        }
        match &self.all {
            Some(all) if !all.take(resource, amount) => {
                self.state.give(resource, amount);
                Err(Over::Users { resource, most: all.most.of(resource) })
            }
            Some(_) | None => Ok(()),
        }
    }

    fn remove(&self, resource: Resource, amount: usize) {
        self.state.give(resource, amount);
        if let Some(all) = &self.all {
            all.give(resource, amount);
        }
    }

    /// Waits until it may work on one more answer. Cancel-safe.
    ///
    /// # Errors
    /// That took too long.
    pub async fn permit(&self) -> Result<Permit, Over> {
        let wait = self.state.most.wait;
        let until = Instant::now() + wait;
        let busy = Over::Busy { own: self.all.is_none(), waited: wait };
        let one =
            async |state: &State| timeout_at(until, state.work.clone().acquire_owned()).await.ok()?.ok();
        // First the own one: whoever waits for one of all has one of the user's, so nobody has more than that waiting.
        let own = one(&self.state).await.ok_or(busy)?;
        let of_all = match &self.all {
            Some(all) => Some(one(all).await.ok_or(busy)?),
            None => None,
        };
        Ok(Permit { _one: own, _of_all: of_all, _account: self.clone() })
    }

    /// Room for what waits for one client.
    #[must_use]
    pub fn room(&self) -> Room {
        Room { account: self.clone(), taken: AtomicUsize::new(0) }
    }

    /// How long one answer may take.
    #[must_use]
    pub fn answer_time(&self) -> Option<Duration> {
        self.state.most.answer
    }

    /// How much is taken of a resource.
    #[must_use]
    pub fn taken(&self, resource: Resource) -> usize {
        self.state.taken(resource).load(Ordering::Relaxed)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.account.remove(self.resource, self.amount);
    }
}

impl Room {
    /// Bytes that a client is always granted: one piece.
    pub const FREE: usize = 64 * 1024;

    /// Takes room for bytes; false where there is none.
    #[must_use]
    pub fn take(&self, bytes: usize) -> bool {
        // One end alone takes, the other one only gives back.
        let free = self.taken.load(Ordering::Relaxed).saturating_add(bytes) <= Self::FREE;
        if self.account.add(Resource::Bytes, bytes).is_err() {
            if !free {
                return false;
            }
            self.account.force(bytes);
        }
        self.taken.fetch_add(bytes, Ordering::Relaxed);
        true
    }

    /// Takes room for bytes that must be sent, whether there is any or not.
    pub fn force(&self, bytes: usize) {
        self.account.force(bytes);
        self.taken.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Gives room back that was taken.
    pub fn give(&self, bytes: usize) {
        self.taken.fetch_sub(bytes, Ordering::Relaxed);
        self.account.remove(Resource::Bytes, bytes);
    }
}

impl Account {
    /// Bytes beyond the limit: what every client is granted.
    fn force(&self, bytes: usize) {
        for state in [Some(&self.state), self.all.as_ref()].into_iter().flatten() {
            state.taken(Resource::Bytes).fetch_add(bytes, Ordering::Relaxed);
        }
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.account.remove(Resource::Bytes, *self.taken.get_mut());
    }
}

//! What clients may take of the agent: connections, work under way, cost of filters, bytes that wait for them.
//!
//! There are limits for each ordinary user, for all ordinary users together, and apart from these for root and the
//! group: strangers on however many user ids take nothing of what is kept for those. Whatever is taken is given back
//! when its value is dropped. A limit that is met is an error with a reason, for whoever met it.

mod account;
mod limits;
#[cfg(test)]
mod tests;

pub use account::{Account, Permit, Room, Share};
pub use limits::{Limits, Resource};

use crate::socket::Viewer;
use account::State;
use rustc_hash::FxHashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

/// All accounts.
#[derive(Debug, Clone)]
pub struct Budget(Arc<All>);

#[derive(Debug)]
struct All {
    limits: Limits,
    own: Arc<State>,
    users: Arc<State>,
    /// Of each ordinary user who has or wants something.
    each: Mutex<FxHashMap<u32, Weak<State>>>,
}

/// A limit that was met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Over {
    /// That of one ordinary user.
    #[error("your user has as many {resource} as one may have ({most}): {}", .resource.advice())]
    User {
        /// Of what.
        resource: Resource,
        /// The limit.
        most: usize,
    },
    /// That of all ordinary users together.
    #[error("ordinary users have as many {resource} as they may have together ({most}): try again later")]
    Users {
        /// Of what.
        resource: Resource,
        /// The limit.
        most: usize,
    },
    /// That of root and the group.
    #[error("root and the agent's group have as many {resource} as there can be ({most}): {}", .resource.advice())]
    Own {
        /// Of what.
        resource: Resource,
        /// The limit.
        most: usize,
    },
    /// Others were first, and took long.
    #[error("the agent is busy with the questions of {}: none of them was answered within {} s", whose(*own), .waited.as_secs())]
    Busy {
        /// Root's and the group's, or else ordinary users'.
        own: bool,
        /// How long that was.
        waited: Duration,
    },
}

const fn whose(own: bool) -> &'static str {
    if own { "root and its group" } else { "your user, or of other ordinary users" }
}

impl Budget {
    /// Nothing of these is taken yet.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        let own = Arc::new(State::new(limits.own));
        let users = Arc::new(State::new(limits.users));
        Self(Arc::new(All { limits, own, users, each: Mutex::default() }))
    }

    /// How many who are refused a connection are waited for at a time, on each thread that serves.
    #[must_use]
    pub fn refused(&self) -> usize {
        self.0.limits.refused
    }

    /// The account of a viewer. It is forgotten when nobody has it any more.
    #[must_use]
    pub fn account(&self, viewer: Viewer) -> Account {
        let all = &*self.0;
        let Viewer::User { uid, .. } = viewer else { return Account::own(all.own.clone()) };
        let mut each = all.each.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = each.get(&uid).and_then(Weak::upgrade) {
            return Account::of_user(known, all.users.clone());
        }
        each.retain(|_, state| state.strong_count() > 0);
        let state = Arc::new(State::new(all.limits.user));
        each.insert(uid, Arc::downgrade(&state));
        Account::of_user(state, all.users.clone())
    }
}

//! Owners that no call told: who holds a socket now, and which sockets wait for somebody to look.
//!
//! An accept through io_uring makes no system call's exit, and a socketpair no event at all: such sockets have an owner
//! that only their holders show.

use rustc_hash::FxHashMap;

use super::Table;
use super::entry::Entry;
use super::tell::Teller;
use crate::socket::{BootNs, Cookie, Event, EventKind, Held, KindSet, Owner, Proto, State};

/// How many sockets without an owner are remembered; with more than that a look is due anyway.
const WAITING: usize = 4096;
/// How long a connection may wait for its accept(2) before its holders are worth a look, nanoseconds.
const ACCEPT_TIMEOUT_NS: BootNs = 200_000_000;

impl Table {
    /// Names the holders of sockets, by inode. What was seen exactly is never overwritten. A connection that somebody
    /// holds and that no accept(2) was seen of has been accepted all the same. How many had no owner before.
    pub fn hold(
        &mut self,
        holders: &FxHashMap<u32, Held>,
        at: BootNs,
        wanted: KindSet,
        out: &mut Vec<Event>,
    ) -> usize {
        let told = &mut Teller::new(wanted, out, None);
        let mut named = 0;
        for entry in self.slots.iter_mut() {
            let Some(&Held { process, cgroup }) = holders.get(&entry.inode) else { continue };
            match entry.owner {
                Owner::Exact(_) => continue,
                Owner::Holder(_) => {}
                Owner::Unknown => named += 1,
            }
            entry.owner = Owner::Holder(process);
            if entry.cgroup == 0 {
                entry.cgroup = cgroup;
            }
            if is_passive(entry) && !entry.is_accept_told() {
                entry.accept_told();
                told.found(EventKind::Accept, at, entry, entry.state);
            }
        }
        // A connection may be accepted later; whoever made another socket holds it from the first moment on.
        let slots = &self.slots;
        let passive = |cookie| slots.find(cookie).is_some_and(|slot| is_passive(slots.get(slot)));
        self.unowned.retain(|&cookie| passive(cookie));
        named
    }

    /// Whether a dump is to say what came of a connect.
    #[must_use]
    pub const fn has_dials(&self) -> bool {
        !self.dials.is_empty()
    }

    /// Whether some socket has had no owner for long enough that its holders are worth a look.
    pub fn lacks_owners(&mut self, now: BootNs) -> bool {
        let slots = &self.slots;
        let entry = |cookie| slots.find(cookie).map(|slot| slots.get(slot)).filter(|entry| awaits(entry));
        self.unowned.retain(|&cookie| entry(cookie).is_some());
        let patient =
            |entry: &Entry| entry.proto.is_unix() || now.saturating_sub(entry.opened) >= ACCEPT_TIMEOUT_NS;
        self.unowned.iter().filter_map(|&cookie| entry(cookie)).any(patient)
    }

    /// Remembers a socket that came without an owner.
    pub(super) fn await_owner(&mut self, cookie: Cookie) {
        if self.unowned.len() < WAITING {
            self.unowned.push(cookie);
        }
    }
}

/// Whether it has no owner and is of a kind that must have one. What was there before us has been looked at.
pub(super) fn awaits(entry: &Entry) -> bool {
    let unknown = match entry.owner {
        Owner::Unknown => true,
        Owner::Exact(_) | Owner::Holder(_) => false,
    };
    unknown && (is_passive(entry) || (entry.proto.is_unix() && entry.inode != 0))
}

/// Whether it is a connection that the peer began, and whose beginning was seen.
fn is_passive(entry: &Entry) -> bool {
    entry.proto == Proto::Tcp
        && entry.opened().is_some()
        && match entry.state {
            State::Established | State::CloseWait | State::FinWait1 | State::FinWait2 | State::Closing => {
                true
            }
            State::LastAck
            | State::Listen
            | State::Close
            | State::BoundInactive
            | State::SynSent
            | State::SynRecv
            | State::NewSynRecv
            | State::TimeWait
            | State::Other(_) => false,
        }
}

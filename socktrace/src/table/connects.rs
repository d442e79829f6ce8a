//! TCP calls: what their return says beside the state changes, and what is reported of calls whose return no hook sees.

use std::collections::VecDeque;

use super::Table;
use super::entry::Entry;
use super::is_kept;
use super::merge::SETTLE;
use super::tell::Teller;
use crate::socket::{BootNs, Change, Cookie, Event, EventKind, FailedBy, KindSet, Owner, Proto, State};

/// What is known of a connect that failed, when its connect(2) returns.
#[derive(Debug)]
pub(super) enum Failed {
    /// Reported, with the errno that the socket had; 0 for none.
    Told(u16),
    /// Not reported yet: the return says why. When that was, and what was in the table.
    Untold(BootNs, Option<Box<Entry>>),
}

/// Calls whose return says more in a moment, if a hook sees it: not of 32-bit calls, nor of io_uring before Linux 5.19. The
/// oldest first, and when each was made.
#[derive(Debug, Default)]
pub(super) struct Awaited {
    /// That listen(2) succeeded.
    listens: VecDeque<(BootNs, Cookie)>,
    /// Why connect(2) failed.
    connects: VecDeque<(BootNs, Cookie)>,
}

/// How long connect(2) may take to return after it has failed: the thread may have to wait for a processor.
const CONNECT_RETURNS: BootNs = 1_000_000_000;

impl Table {
    /// The return of listen(2) will say that it succeeded; of a subflow there is none.
    pub(super) fn await_listen(&mut self, change: &Change) {
        if !self.is_subflow(change) {
            self.awaited.listens.push_back((change.at, change.cookie));
        }
    }

    /// What should have been heard by now is reported without, as of now: events are in the order of their times.
    pub fn report_overdue(&mut self, wanted: KindSet, out: &mut Vec<Event>) {
        let mut ends = self.ends.take();
        let told = &mut Teller::new(wanted, out, ends.as_mut());
        while let Some((at, cookie)) = pop_before(&mut self.awaited.listens, self.applied, SETTLE) {
            self.listens_unheard(cookie, at, told);
        }
        while let Some((at, cookie)) = pop_before(&mut self.awaited.connects, self.applied, CONNECT_RETURNS) {
            self.failed_unheard(cookie, Some(at), told);
        }
        self.ends = ends;
    }

    fn listens_unheard(&mut self, cookie: Cookie, at: BootNs, told: &mut Teller<'_>) {
        let Some(slot) = self.slots.find(cookie) else { return };
        let entry = self.slots.get(slot);
        if entry.state == State::Listen && entry.opened == at && !entry.is_listen_told() {
            told.found(EventKind::Listen { errno: 0 }, self.latest, entry, State::Listen);
            self.alter(slot, Entry::listen_overdue);
        }
    }

    /// A connect whose return will not be heard any more has failed; of those of the socket the one that began then.
    pub(super) fn failed_unheard(&mut self, cookie: Cookie, began: Option<BootNs>, told: &mut Teller<'_>) {
        match self.failed.take(cookie) {
            Some(Failed::Untold(at, Some(entry))) if began.is_none_or(|began| began == at) => {
                let (latency_us, failed_by) = (entry.open_for_us(at), Some(FailedBy::Local));
                let kind = EventKind::ConnectFailed { errno: 0, latency_us, failed_by };
                told.found(kind, self.latest, &entry, State::Close);
            }
            // Of another attempt.
            Some(known @ (Failed::Told(_) | Failed::Untold(..))) => self.failed.put(cookie, known),
            None => {}
        }
    }

    /// SYN_SENT→CLOSE within connect(2).
    pub(super) fn taken_back(&mut self, change: &Change, bound: bool, told: &mut Teller<'_>) {
        let current = self.slots.find(change.cookie);
        let entry = current.map(|slot| self.slots.get(slot));
        told.tell(EventKind::State { old: State::SynSent }, change, entry, State::Close);
        let entry = self.fall(change, current, bound);
        if bound && let Some(slot) = self.slots.find(change.cookie) {
            self.alter(slot, |entry| entry.fall_back(false));
            self.doubt(change);
        }
        self.failed.put(change.cookie, Failed::Untold(change.at, entry.map(Box::new)));
        self.awaited.connects.push_back((change.at, change.cookie));
    }

    /// connect(2) of a TCP socket returned an error, and there is no connection.
    pub(super) fn tcp_connect_failed(&mut self, change: &Change, errno: u16, told: &mut Teller<'_>) {
        const ECONNABORTED: u16 = 103;
        self.stands(change);
        let current = self.slots.find(change.cookie);
        let (before, latency_us) = match self.failed.take(change.cookie) {
            // It did begin, and a state change has reported the rest. Where somebody has read the error before, another one
            // is returned (net/ipv4/af_inet.c, `__inet_stream_connect`).
            Some(Failed::Told(known)) if known == 0 || known == errno || errno == ECONNABORTED => return,
            Some(Failed::Untold(_, entry)) => {
                let latency = entry.as_ref().and_then(|entry| entry.open_for_us(change.at));
                (entry, latency)
            }
            Some(Failed::Told(_)) | None => (None, None),
        };
        let entry = before.as_deref().or(current.map(|slot| self.slots.get(slot)));
        let state = current.map_or(State::Close, |slot| self.slots.get(slot).state);
        let kind =
            EventKind::ConnectFailed { errno, latency_us, failed_by: Some(FailedBy::of(errno, false)) };
        told.tell(kind, change, entry, state);
    }

    /// connect(2) of a TCP socket to AF_UNSPEC: what the kernel chose for the connection is gone, what bind(2) gave stays.
    pub(super) fn tcp_disconnect(&mut self, change: &Change, told: &mut Teller<'_>) {
        self.failed_unheard(change.cookie, None, told);
        self.failed.take(change.cookie);
        match self.slots.find(change.cookie) {
            Some(slot) if change.local.port() == 0 => {
                self.remove(slot);
                self.gone(change);
            }
            Some(_) | None => self.stands(change),
        }
    }

    /// The change says where a TCP socket is bound that has no peer, if it is.
    fn stands(&mut self, change: &Change) {
        if change.local.port() == 0 {
            return;
        }
        match self.slots.find(change.cookie) {
            Some(slot) => self.alter(slot, |entry| entry.stand(change)),
            None if is_kept(change) => {
                // Bound before we looked.
                let mut entry = Entry::of_change(change, State::BoundInactive);
                entry.owner = Owner::Unknown;
                entry.stand(change);
                self.touch(change);
                self.insert(entry);
            }
            None => {}
        }
    }

    /// Where a bound TCP socket stands may have changed without a record: only the kernel's table knows.
    pub(super) fn doubt(&mut self, change: &Change) {
        if self.bound_is_listed
            && let Some(slot) = self.slots.find(change.cookie)
        {
            self.alter(slot, Entry::doubt);
            self.doubted.push((change.cookie, change.at));
        }
    }

    /// Whether it has not been known for a while where some socket stands, so that the kernel's table is worth a look.
    pub fn lacks_facts(&mut self, now: BootNs) -> bool {
        const DOUBT_TIMEOUT_NS: BootNs = 200_000_000;
        let slots = &self.slots;
        self.doubted
            .retain(|&(cookie, _)| slots.find(cookie).is_some_and(|slot| slots.get(slot).is_doubted()));
        self.doubted.iter().any(|&(_, since)| now.saturating_sub(since) >= DOUBT_TIMEOUT_NS)
    }

    /// A look that began then has shown what can be known.
    pub(super) fn looked(&mut self, begin: BootNs) {
        self.doubted.retain(|&(_, since)| since >= begin);
    }

    /// Whether a listener's port is not known yet: then it is in doubt where it stands.
    pub(super) fn doubt_listener(&mut self, change: &Change) {
        let slot = self.slots.find(change.cookie);
        if change.proto == Proto::Tcp && slot.is_some_and(|slot| self.slots.get(slot).is_doubted()) {
            self.doubted.push((change.cookie, change.at));
        }
    }
}

/// The oldest, if it has waited so long by now.
fn pop_before(
    queue: &mut VecDeque<(BootNs, Cookie)>,
    now: BootNs,
    patience: BootNs,
) -> Option<(BootNs, Cookie)> {
    let &(at, _) = queue.front()?;
    if at + patience <= now { queue.pop_front() } else { None }
}

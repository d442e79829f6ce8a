//! TCP: what a change of state means.

use super::connects::Failed;
use super::ends::Ends;
use super::entry::{Entry, is_unnamed};
use super::merge::SETTLE;
use super::tell::Teller;
use super::{Table, is_kept, owners};
use crate::socket::{Change, ChangeKind, Closing, EventKind, FailedBy, Owner, Proto, State};

/// What a pair of states amounts to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    /// A child, cloned from its listener with the listener's state. On old kernels it even carries the listener's
    /// cookie: nothing may be concluded from it.
    Newborn,
    /// connect(2): the source port may still be 0.
    Dials,
    /// listen(2).
    Listens,
    /// The handshake that this side began is done.
    Connected,
    /// The handshake that the peer began is done: a child is born, or a simultaneous open succeeded.
    Born,
    /// It is over.
    Ends,
    /// Anything between.
    Moves,
}

impl Turn {
    const fn of(old: State, new: State) -> Self {
        match new {
            State::Close => Self::Ends,
            State::SynSent => Self::Dials,
            State::Listen => Self::Listens,
            State::SynRecv if matches!(old, State::Listen) => Self::Newborn,
            State::SynRecv => Self::Moves,
            State::Established if matches!(old, State::SynSent) => Self::Connected,
            // An MPTCP connection is cloned from its listener as established.
            State::Established if matches!(old, State::SynRecv | State::NewSynRecv | State::Listen) => {
                Self::Born
            }
            State::Established => Self::Moves,
            State::FinWait1
            | State::FinWait2
            | State::TimeWait
            | State::CloseWait
            | State::LastAck
            | State::Closing
            | State::NewSynRecv
            | State::BoundInactive
            | State::Other(_) => Self::Moves,
        }
    }
}

impl Table {
    pub(super) fn state(
        &mut self,
        change: &Change,
        old: State,
        new: State,
        closing: Option<Box<Closing>>,
        told: &mut Teller<'_>,
    ) {
        let turn = Turn::of(old, new);
        if turn == Turn::Newborn {
            return told.tell(EventKind::State { old }, change, None, new);
        }
        let current = self.slots.find(change.cookie);
        told.tell(EventKind::State { old }, change, current.map(|slot| self.slots.get(slot)), new);
        match turn {
            Turn::Newborn => {}
            Turn::Dials | Turn::Listens => self.begin_life(change, current, new),
            Turn::Connected => {
                let before = current.map(|slot| self.slots.get(slot));
                let dialled = before.filter(|entry| entry.state == State::SynSent);
                let latency_us = dialled.and_then(|entry| entry.open_for_us(change.at));
                told.tell(EventKind::Connect { latency_us }, change, before, new);
                self.move_to(change, current, new);
            }
            Turn::Born => self.born(change, current, told),
            Turn::Ends => self.ended(change, current, old, closing, told),
            Turn::Moves => self.move_to(change, current, new),
        }
    }

    /// CLOSE→SYN_SENT and CLOSE→LISTEN, in the context of the process that made the call. The socket may have
    /// lived before.
    fn begin_life(&mut self, change: &Change, current: Option<u32>, state: State) {
        self.failed.take(change.cookie);
        if state == State::Listen {
            self.await_listen(change);
        }
        match current {
            None if is_kept(change) => {
                let mut entry = Entry::of_change(change, state);
                entry.opened = change.at;
                self.insert(entry);
            }
            None => {}
            Some(slot) => self.alter(slot, |entry| {
                entry.begin_life(state, change.at);
                entry.ends = Ends::of_change(change);
                entry.learn(change);
                if let Some(process) = change.process {
                    entry.owner = Owner::Exact(process);
                }
            }),
        }
        if state == State::Listen {
            self.doubt_listener(change);
        }
    }

    /// SYN_RECV→ESTABLISHED.
    fn born(&mut self, change: &Change, current: Option<u32>, told: &mut Teller<'_>) {
        match current {
            None if is_kept(change) => {
                let mut child = Entry::of_change(change, State::Established);
                child.opened = change.at;
                self.insert(child);
            }
            None => {}
            Some(slot) => {
                let entry = self.slots.get(slot);
                let opens = matches!(entry.state, State::SynSent | State::SynRecv);
                if opens && entry.opened().is_some() && !entry.is_accept_told() {
                    let latency_us = entry.open_for_us(change.at);
                    told.tell(EventKind::Connect { latency_us }, change, Some(entry), State::Established);
                }
                self.move_to(change, current, State::Established);
                self.alter(slot, |entry| {
                    if entry.opened().is_none() {
                        entry.opened = change.at;
                    }
                });
                if owners::awaits(self.slots.get(slot)) {
                    self.await_owner(change.cookie);
                }
            }
        }
    }

    /// The change says state and ends in full, so that the table is right after it, whatever was missed before.
    pub(super) fn move_to(&mut self, change: &Change, current: Option<u32>, state: State) {
        match current {
            None if is_kept(change) => {
                self.insert(Entry::of_change(change, state));
            }
            None => {}
            Some(slot) => self.alter(slot, |entry| {
                // A connect of a UNIX socket does not say what it is bound to.
                let local = if change.proto.is_unix() && is_unnamed(&change.local) {
                    entry.ends.local()
                } else {
                    change.local.clone()
                };
                entry.ends = Ends::of(change.family, &local, &change.peer).said_of(change.proto);
                entry.state = state;
                entry.as_of = entry.as_of.max(change.at);
                entry.learn(change);
            }),
        }
    }

    /// A SYN is sent again.
    pub(super) fn waits(&mut self, change: &Change) {
        self.move_to(change, self.slots.find(change.cookie), State::SynSent);
    }

    /// close(2) left the connection to the kernel: it has no inode any more, whose number may become another's.
    pub(super) fn orphan(&mut self, change: &Change) {
        if let Some(slot) = self.slots.find(change.cookie) {
            self.alter(slot, |entry| {
                entry.inode = 0;
                entry.as_of = entry.as_of.max(change.at);
            });
        }
    }

    /// →CLOSE.
    fn ended(
        &mut self,
        change: &Change,
        current: Option<u32>,
        old: State,
        closing: Option<Box<Closing>>,
        told: &mut Teller<'_>,
    ) {
        let errno = closing.as_ref().map_or(0, |closing| closing.errno);
        let stays = closing.as_ref().is_some_and(|closing| closing.bound);
        let entry = self.fall(change, current, stays);
        if old == State::SynSent {
            self.failed.put(change.cookie, Failed::Told(errno));
        }
        let kind = match old {
            State::SynSent | State::SynRecv | State::NewSynRecv => match &entry {
                // Accepted with the data of its SYN (TCP Fast Open).
                Some(entry) if entry.is_accept_told() => Some(close(change, Some(entry), closing)),
                // A child that never was established: nobody was told of it.
                None if old != State::SynSent => None,
                entry => Some(EventKind::ConnectFailed {
                    errno,
                    failed_by: Some(FailedBy::of(errno, true)),
                    latency_us: entry.as_ref().and_then(|entry| entry.open_for_us(change.at)),
                }),
            },
            State::Listen => match &entry {
                // Its beginning was seen, and the return of listen(2) was not.
                Some(entry) if entry.opened != 0 && !entry.is_listen_told() => {
                    let is_closed = matches!(change.kind, ChangeKind::State { orphan: true, .. });
                    if is_closed || change.at >= entry.opened + SETTLE {
                        told.found(EventKind::Listen { errno: 0 }, change.at, entry, State::Listen);
                        Some(close(change, Some(entry), None))
                    } else {
                        // listen(2) itself failed, and tells so.
                        None
                    }
                }
                entry => Some(close(change, entry.as_ref(), None)),
            },
            State::Close | State::BoundInactive => None,
            State::Established
            | State::FinWait1
            | State::FinWait2
            | State::TimeWait
            | State::CloseWait
            | State::LastAck
            | State::Closing
            | State::Other(_) => Some(close(change, entry.as_ref(), closing)),
        };
        if stays && let Some(slot) = self.slots.find(change.cookie) {
            let close_told = matches!(kind, Some(EventKind::Close { .. }));
            // SOCK_DESTROY closes a listener twice (net/ipv4/tcp.c, `tcp_abort`).
            let is_again = entry.as_ref().is_some_and(|entry| old == State::Close && entry.is_close_told());
            self.alter(slot, |entry| entry.fall_back(close_told || is_again));
            if is_uncertain(old, errno) {
                self.doubt(change);
            }
        }
        if let Some(kind) = kind {
            told.tell(kind, change, entry.as_ref(), State::Close);
        }
        if let Some(entry) = entry.filter(|entry| may_be_accepted(entry, old)) {
            self.unaccepted.put(entry.cookie, entry);
        }
    }

    /// What was in the table of a socket that is in CLOSE now, and stays there if it is bound.
    pub(super) fn fall(&mut self, change: &Change, current: Option<u32>, stays: bool) -> Option<Entry> {
        let entry = match current {
            Some(slot) if stays => Some(self.slots.get(slot).clone()),
            Some(slot) => Some(self.remove(slot)),
            None => None,
        };
        self.gone(change);
        if stays {
            self.move_to(change, current, State::BoundInactive);
        }
        entry
    }
}

/// Whether the kernel goes on to take peer and address from a socket that leaves the state for CLOSE (net/ipv4/tcp.c,
/// `tcp_disconnect`), or will when connect(2) returns: then only its return says so, if that is a system call.
const fn is_uncertain(old: State, errno: u16) -> bool {
    matches!(old, State::SynSent)
        || (errno == 0 && matches!(old, State::Established | State::SynRecv | State::CloseWait))
}

/// The close event of what was in the table.
pub(super) fn close(change: &Change, entry: Option<&Entry>, closing: Option<Box<Closing>>) -> EventKind {
    EventKind::Close {
        found: false,
        duration_us: entry.and_then(|entry| entry.open_for_us(change.at)),
        closing,
    }
}

/// Whether accept(2) may still return the connection that has ended.
fn may_be_accepted(entry: &Entry, old: State) -> bool {
    let unclaimed = match entry.owner {
        Owner::Exact(_) => false,
        Owner::Holder(_) | Owner::Unknown => true,
    };
    unclaimed && entry.proto == Proto::Tcp && !matches!(old, State::Listen | State::SynSent)
}

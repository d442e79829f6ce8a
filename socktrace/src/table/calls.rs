//! What a call means, and what the cgroup hooks of UDP, RAW and ping say.

use super::ends::Ends;
use super::entry::Entry;
use super::state::close;
use super::tell::Teller;
use super::{Seed, Table, is_kept};
use crate::socket::{BootNs, Change, Endpoint, EventKind, Owner, Proto, State};

/// How many connects are remembered of which only a dump says what came of them.
const DIALS: usize = 4096;

/// What bind(2) returns when a cgroup's program refuses it.
const EPERM: u16 = 1;

impl Table {
    /// A RAW socket was made; or a datagram socket, which opens when it is bound or connected, or first sends.
    pub(super) fn create(&mut self, change: &Change) {
        if self.slots.find(change.cookie).is_some() || !is_kept(change) {
            return;
        }
        let mut entry = Entry::of_change(change, State::Close);
        // A RAW socket is hashed, and listed, under its protocol (net/ipv4/af_inet.c, inet_create).
        if let (Proto::Raw(number), Ends::V4 { ports, .. } | Ends::V6 { ports, .. }) =
            (entry.proto, &mut entry.ends)
        {
            ports[0] = number;
        }
        if matches!(entry.proto, Proto::Raw(_)) {
            entry.opened = change.at;
        } else {
            // Who opens it owns it.
            entry.owner = Owner::Unknown;
        }
        self.insert(entry);
    }

    /// The kernel bound it: bind(2) is allowed only to sockets that are neither bound nor connected, so this says
    /// state and ends in full.
    pub(super) fn post_bind(&mut self, change: &Change, told: &mut Teller<'_>) {
        let current = self.slots.find(change.cookie);
        let slot = self.bound(change, current);
        told.tell(
            EventKind::Bind { errno: 0 },
            change,
            slot.map(|slot| self.slots.get(slot)),
            after_bind(change),
        );
        if let Some(slot) = slot {
            self.alter(slot, Entry::bind_told);
            if change.process.is_none() {
                self.alter(slot, Entry::made_by_the_kernel);
            }
        }
    }

    /// bind(2) returned. If the cgroup hook told of this bind, nothing is to be told again, but that another program of
    /// that hook has refused it (net/ipv4/af_inet.c, `__inet_bind`): then the port is given back.
    pub(super) fn bind(&mut self, change: &Change, errno: u16, told: &mut Teller<'_>) {
        let mut current = self.slots.find(change.cookie);
        if let (EPERM, Proto::Tcp, Some(slot)) = (errno, change.proto, current)
            && self.slots.get(slot).is_bind_told()
            && self.slots.get(slot).state == State::BoundInactive
        {
            self.remove(slot);
            self.gone(change);
            current = None;
        }
        let mut told_before = false;
        if let (0, Some(slot)) = (errno, current) {
            self.alter(slot, |entry| {
                told_before = entry.take_bind_told();
                entry.learn(change);
                entry.own(change);
            });
        }
        if told_before {
            return;
        }
        let slot = match errno {
            0 => self.bound(change, current),
            _ => current,
        };
        let entry = slot.map(|slot| self.slots.get(slot));
        let state = entry.map_or(after_bind(change), |entry| entry.state);
        told.tell(EventKind::Bind { errno }, change, entry, state);
    }

    fn bound(&mut self, change: &Change, current: Option<u32>) -> Option<u32> {
        match current {
            // It has an address and no port yet (IP_BIND_ADDRESS_NO_PORT): nothing lists it, and nothing tells its end.
            None if change.proto == Proto::Tcp && change.local.port() == 0 => None,
            None if is_kept(change) => {
                let mut entry = Entry::of_change(change, after_bind(change));
                entry.opened = first_told(change);
                self.touch(change);
                Some(self.insert(entry))
            }
            None => None,
            Some(slot) => {
                self.alter(slot, |entry| {
                    entry.open_unix(change.at);
                    entry.open_datagram(change.at);
                    entry.as_of = entry.as_of.max(change.at);
                    entry.learn(change);
                    entry.own(change);
                    if change.proto.is_unix() {
                        // A datagram socket may be connected already: only the name is news.
                        entry.ends = Ends::of(change.family, &change.local, &entry.ends.peer());
                    } else {
                        entry.ends = Ends::of(change.family, &change.local, &Endpoint::None);
                        entry.state = after_bind(change);
                    }
                });
                Some(slot)
            }
        }
    }

    /// listen(2) returned. Of TCP, the state is told by CLOSE→LISTEN.
    pub(super) fn listen(&mut self, change: &Change, errno: u16, told: &mut Teller<'_>) {
        let current = self.slots.find(change.cookie);
        let mut slot = current;
        let mut told_before = false;
        if errno == 0 {
            if change.proto.is_unix() {
                self.move_to(change, current, State::Listen);
                slot = self.slots.find(change.cookie);
            }
            if let Some(slot) = slot {
                self.alter(slot, |entry| {
                    told_before = entry.take_listen_overdue();
                    entry.listen_told();
                    entry.learn(change);
                    entry.own(change);
                    // The kernel chose the port after the change of state.
                    if change.proto == Proto::Tcp && change.local.port() != 0 {
                        entry.ends = Ends::of_change(change);
                    }
                });
            }
        }
        if told_before {
            return;
        }
        let entry = slot.map(|slot| self.slots.get(slot));
        let state = match errno {
            0 => State::Listen,
            _ => entry.map_or(change.state.unwrap_or(State::Close), |entry| entry.state),
        };
        told.tell(EventKind::Listen { errno }, change, entry, state);
    }

    /// connect(2) on a UDP, RAW, ping or UNIX socket returned.
    pub(super) fn connect(&mut self, change: &Change, errno: u16, told: &mut Teller<'_>) {
        let current = self.slots.find(change.cookie);
        if errno != 0 {
            let is_datagram = matches!(change.proto, Proto::Udp | Proto::UdpLite | Proto::Ping(_));
            // The kernel chooses the port first (net/ipv4/af_inet.c, `inet_dgram_connect`).
            if is_datagram && change.local.port() != 0 {
                self.gains_port(change, current, told);
            }
            if change.proto.is_unix() && current.is_none() && is_kept(change) {
                // A dump says what more there is to know.
                let mut entry = Entry::of_change(change, change.state.unwrap_or(State::Close));
                entry.ends = Ends::of(change.family, &Endpoint::None, &Endpoint::None);
                entry.as_of = 0;
                self.insert(entry);
            }
            let entry = self.slots.find(change.cookie).map(|slot| self.slots.get(slot));
            let state = entry.map_or(change.state.unwrap_or(State::Close), |entry| entry.state);
            return told.tell(
                EventKind::ConnectFailed { errno, latency_us: None, failed_by: None },
                change,
                entry,
                state,
            );
        }
        let state = State::Established;
        let mut unhashed = false;
        if let Some(slot) = current {
            unhashed = self.slots.get(slot).is_unhashed();
            self.alter(slot, |entry| {
                entry.open_unix(change.at);
                entry.open_datagram(change.at);
            });
        }
        self.move_to(change, current, state);
        let slot = self.slots.find(change.cookie);
        if let Some(slot) = slot {
            self.alter(slot, |entry| {
                entry.own(change);
                if current.is_none() {
                    entry.opened = first_told(change);
                }
                if unhashed {
                    entry.unhash();
                }
            });
        }
        let entry = slot.map(|slot| self.slots.get(slot));
        told.tell(EventKind::Connect { latency_us: None }, change, entry, state);
    }

    /// connect(2) of a datagram socket has begun: the next dump says what came of it.
    pub(super) fn dial(&mut self, change: &Change) {
        if self.dials.len() < DIALS && is_kept(change) {
            self.dials.push(change.clone());
        }
    }

    /// connect(2) to AF_UNSPEC: what the kernel chose for the connection is gone, what bind(2) gave stays. A RAW socket is
    /// unhashed for good, and receives nothing any more (net/ipv4/udp.c, `__udp_disconnect`).
    pub(super) fn disconnect(&mut self, change: &Change) {
        let current = self.slots.find(change.cookie);
        self.move_to(change, current, State::Close);
        if let Some(slot) = self.slots.find(change.cookie) {
            self.alter(slot, |entry| {
                entry.own(change);
                entry.dissolve();
                if matches!(change.proto, Proto::Raw(_)) {
                    entry.unhash();
                }
            });
        }
    }

    /// accept(2) returned the connection: now it has an owner. `early`: with the data of its SYN (TCP Fast Open).
    pub(super) fn accept(&mut self, change: &Change, early: bool, told: &mut Teller<'_>) {
        let current = self.slots.find(change.cookie);
        if early && current.is_none() && is_kept(change) {
            let mut entry = Entry::of_change(change, State::SynRecv);
            entry.opened = change.at;
            self.insert(entry);
        }
        if change.proto.is_unix() {
            self.move_to(change, current, State::Established);
            // It may have been met in the queue.
            if let Some(slot) = self.slots.find(change.cookie) {
                self.alter(slot, |entry| {
                    if entry.opened().is_none() {
                        entry.opened = change.at;
                    }
                });
            }
        }
        if let Some(slot) = self.slots.find(change.cookie) {
            if self.slots.get(slot).is_accept_told() {
                return;
            }
            self.alter(slot, |entry| {
                entry.accept_told();
                entry.learn(change);
                if let Some(process) = change.process {
                    entry.owner = Owner::Exact(process);
                }
            });
            let entry = self.slots.get(slot);
            return told.tell(EventKind::Accept, change, Some(entry), entry.state);
        }
        if let Some(ended) = self.unaccepted.take(change.cookie) {
            return told.tell(EventKind::Accept, change, Some(&ended), State::Close);
        }
        // Born before we looked, and not met yet; its state is told by a later change or a dump.
        if let (true, Some(process)) = (is_kept(change), change.process) {
            self.claims.put(change.cookie, process);
        }
        told.tell(EventKind::Accept, change, None, State::Established);
    }

    /// The first datagram: an unbound socket has been given its port by now, whether it could be sent or not. The peer is
    /// that of the datagram, not of the socket.
    pub(super) fn first_send(&mut self, change: &Change, told: &mut Teller<'_>) {
        let current = self.slots.find(change.cookie);
        self.gains_port(change, current, told);
    }

    /// The socket has a port, which the kernel may have chosen just now. The hook does not know that of sockets that were
    /// there before us, or before many others.
    fn gains_port(&mut self, change: &Change, current: Option<u32>, told: &mut Teller<'_>) {
        let had_port = current.is_some_and(|slot| self.slots.get(slot).is_listed());
        // The making of a newer one would have been reported.
        let is_older = current.is_none() && self.seed == Seed::Begun;
        match current {
            None if is_kept(change) => {
                let mut entry = Entry::of_change(change, State::Close);
                if is_older {
                    entry.owner = Owner::Unknown;
                } else {
                    entry.opened = first_told(change);
                }
                entry.ends = Ends::of(change.family, &change.local, &Endpoint::None);
                // It may be connected to another address: a dump that says more is to be believed.
                entry.as_of = 0;
                self.insert(entry);
            }
            None => {}
            Some(slot) => self.alter(slot, |entry| {
                entry.learn(change);
                if !had_port {
                    entry.open_datagram(change.at);
                    entry.own(change);
                    entry.ends = Ends::of(change.family, &change.local, &entry.ends.peer());
                }
            }),
        }
        self.touch(change);
        if !had_port && !is_older {
            let entry = self.slots.find(change.cookie).map(|slot| self.slots.get(slot));
            told.tell(EventKind::Open, change, entry, entry.map_or(State::Close, |entry| entry.state));
        }
    }

    /// The last descriptor is gone. Of TCP, only sockets that are bound and nothing more are told of here: a state change
    /// tells that the others are in CLOSE, and has no port then.
    pub(super) fn release(&mut self, change: &Change, told: &mut Teller<'_>) {
        if change.proto == Proto::Mptcp
            && let Some(slot) = self.slots.find(change.cookie)
            && !matches!(self.slots.get(slot).state, State::Close | State::BoundInactive)
        {
            // State changes report the rest.
            return self.orphan(change);
        }
        if change.proto == Proto::Tcp {
            // Its process was killed within connect(2).
            self.failed_unheard(change.cookie, None, told);
        }
        let entry = self.slots.find(change.cookie).map(|slot| self.remove(slot));
        self.gone(change);
        let dial = self.dials.iter().position(|dial| dial.cookie == change.cookie);
        let dial = dial.map(|index| self.dials.swap_remove(index));
        let was_connected = entry.as_ref().is_some_and(|entry| entry.state == State::Established);
        if let Some(dial) = dial
            && change.state == Some(State::Established)
            && !was_connected
        {
            return dialled_and_gone(&dial, change, entry, told);
        }
        // A socket that never was more than made was not told of.
        let was_told = |entry: &Entry| {
            entry.is_listed()
                || entry.is_dissolved()
                || (entry.proto == Proto::Mptcp && entry.ends.local_port() != 0)
        };
        if entry.as_ref().is_some_and(|entry| was_told(entry) && !entry.is_close_told()) {
            told.tell(close(change, entry.as_ref(), None), change, entry.as_ref(), State::Close);
        }
    }
}

/// A datagram socket ends that is connected, as a connect says of which only the beginning was reported: no dump came in
/// time to show it. Its port is known if it had one before.
fn dialled_and_gone(dial: &Change, change: &Change, entry: Option<Entry>, told: &mut Teller<'_>) {
    let mut entry = entry.unwrap_or_else(|| Entry::of_change(dial, State::Established));
    entry.open_datagram(dial.at);
    entry.own(dial);
    entry.ends = Ends::of(dial.family, &entry.ends.local(), &dial.peer);
    told.found(EventKind::Connect { latency_us: None }, change.at, &entry, State::Established);
    told.found(close(change, Some(&entry), None), change.at, &entry, State::Close);
}

/// When a socket opened of which nothing was known before this call. A RAW socket is told of when it is made: that was not
/// seen.
const fn first_told(change: &Change) -> BootNs {
    if matches!(change.proto, Proto::Raw(_)) { 0 } else { change.at }
}

/// The state of a socket that is bound and nothing more.
const fn after_bind(change: &Change) -> State {
    if matches!(change.proto, Proto::Tcp) { State::BoundInactive } else { State::Close }
}

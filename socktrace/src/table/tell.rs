//! Making events of what happened, and keeping the ends among them.

use super::entry::Entry;
use crate::socket::{Change, Ended, Endpoint, Event, EventKind, KindSet, Owner, State, Subject};

/// Where events go, if somebody wants them, and ends, whoever wants events.
pub(super) struct Teller<'a> {
    wanted: KindSet,
    out: &'a mut Vec<Event>,
    ends: Option<&'a mut Vec<Ended>>,
}

impl<'a> Teller<'a> {
    pub(super) const fn new(
        wanted: KindSet,
        out: &'a mut Vec<Event>,
        ends: Option<&'a mut Vec<Ended>>,
    ) -> Self {
        Self { wanted, out, ends }
    }

    /// Tells an event of a change. `state` is the state after it.
    pub(super) fn tell(&mut self, kind: EventKind, change: &Change, entry: Option<&Entry>, state: State) {
        let is_end = is_end(&kind, change, state);
        self.give(is_end, change.at, kind, |kind| subject(kind, change, entry, state));
    }

    /// Tells an event that a dump showed.
    pub(super) fn found(&mut self, kind: EventKind, at: u64, entry: &Entry, state: State) {
        let is_end = matches!(kind, EventKind::Close { .. } | EventKind::ConnectFailed { .. });
        self.give(is_end, at, kind, |_| Subject { state, ..entry.subject() });
    }

    /// Keeps the end of a socket whose event was lost: readers were told of the loss, history knows a little more.
    pub(super) fn missed(&mut self, kind: EventKind, at: u64, entry: &Entry, state: State) {
        if let Some(ends) = &mut self.ends {
            ends.push(Ended { at, kind, subject: Subject { state, ..entry.subject() }, missed: true });
        }
    }

    fn give(&mut self, is_end: bool, at: u64, kind: EventKind, subject: impl FnOnce(&EventKind) -> Subject) {
        let wanted = self.wanted.contains(&kind);
        let ends = self.ends.as_mut().filter(|_| is_end);
        if !wanted && ends.is_none() {
            return;
        }
        let subject = subject(&kind);
        let missed = matches!(kind, EventKind::Close { found: true, .. });
        if !wanted {
            if let Some(ends) = ends {
                ends.push(Ended { at, kind, subject, missed });
            }
            return;
        }
        if let Some(ends) = ends {
            ends.push(Ended { at, kind: kind.clone(), subject: subject.clone(), missed });
        }
        self.out.push(Event { at, kind, subject: Some(Box::new(subject)) });
    }
}

/// Whether history keeps it: the socket, or a life of it, has ended; or it had, and now it is known whose it was; or it
/// got no port, or could not listen.
fn is_end(kind: &EventKind, change: &Change, state: State) -> bool {
    match kind {
        EventKind::Close { .. } | EventKind::ConnectFailed { .. } => true,
        EventKind::Accept => state == State::Close && change.cookie != 0,
        EventKind::Bind { errno } | EventKind::Listen { errno } => *errno != 0,
        EventKind::Connect { .. }
        | EventKind::Open
        | EventKind::State { .. }
        | EventKind::Lost { .. }
        | EventKind::Resync { .. } => false,
    }
}

/// What the change says, and where it says nothing, what the table knew. The process that made a call is the owner
/// in the event of that call; that of a close is who opened it, not who let go of it last.
fn subject(kind: &EventKind, change: &Change, entry: Option<&Entry>, state: State) -> Subject {
    let known = entry.map(Entry::subject);
    let known = known.as_ref();
    let or = |said: u32, knew: Option<u32>| if said == 0 { knew.unwrap_or(0) } else { said };
    let end = |said: &Endpoint, knew: Option<&Endpoint>| match knew {
        Some(knew) if is_silent(said) => knew.clone(),
        Some(_) | None => said.clone(),
    };
    Subject {
        cookie: change.cookie,
        netns: or(change.netns, known.map(|known| known.netns)),
        proto: change.proto,
        family: change.family,
        local: end(&change.local, known.map(|known| &known.local)),
        peer: end(&change.peer, known.map(|known| &known.peer)),
        state,
        ifindex: or(change.ifindex, known.map(|known| known.ifindex)),
        uid: change.uid.or(known.and_then(|known| known.uid)),
        mark: or(change.mark, known.map(|known| known.mark)),
        inode: or(change.inode, known.map(|known| known.inode)),
        cgroup: match change.cgroup {
            0 => known.map_or(0, |known| known.cgroup),
            id => id,
        },
        place: None,
        owner: match (kind, change.process, known.map_or(Owner::Unknown, |known| known.owner)) {
            (EventKind::Close { .. }, _, owner @ (Owner::Exact(_) | Owner::Holder(_))) => owner,
            (_, Some(process), _) => Owner::Exact(process),
            (_, None, owner) => owner,
        },
        opened: known.and_then(|known| known.opened),
    }
}

/// Whether an end says nothing: absent, or the unspecified address without a port.
fn is_silent(end: &Endpoint) -> bool {
    match end {
        Endpoint::None => true,
        Endpoint::Inet { addr, port } => *port == 0 && addr.is_unspecified(),
        Endpoint::Unix { name, inode } => name.is_unnamed() && *inode == 0,
        Endpoint::Packet { .. }
        | Endpoint::Netlink { .. }
        | Endpoint::NetlinkPeer { .. }
        | Endpoint::Vsock { .. }
        | Endpoint::Tipc { .. }
        | Endpoint::Xdp { .. } => false,
    }
}

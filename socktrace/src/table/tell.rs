//! Making events of what happened.

use super::entry::Entry;
use crate::socket::{Change, Endpoint, Event, EventKind, KindSet, Owner, State, Subject};

/// Where events go, if somebody wants them.
pub(super) struct Teller<'a> {
    wanted: KindSet,
    out: &'a mut Vec<Event>,
}

impl<'a> Teller<'a> {
    pub(super) const fn new(wanted: KindSet, out: &'a mut Vec<Event>) -> Self {
        Self { wanted, out }
    }

    /// Tells an event of a change. `state` is the state after it.
    pub(super) fn tell(&mut self, kind: EventKind, change: &Change, entry: Option<&Entry>, state: State) {
        if self.wanted.contains(&kind) {
            let subject = Some(Box::new(subject(&kind, change, entry, state)));
            self.out.push(Event { at: change.at, kind, subject });
        }
    }

    /// Tells an event that a dump showed.
    pub(super) fn found(&mut self, kind: EventKind, at: u64, entry: &Entry, state: State) {
        if self.wanted.contains(&kind) {
            let subject = Some(Box::new(Subject { state, ..entry.subject() }));
            self.out.push(Event { at, kind, subject });
        }
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
pub(super) fn is_silent(end: &Endpoint) -> bool {
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

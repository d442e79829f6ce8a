//! Who is to see an answer, and what is taken out of it before they do: the one place that decides. The rule: what they
//! would get by asking the kernel.
//!
//! What the kernel itself keeps back from them is not decided here: it is asked with no more rights than theirs
//! (`kernel::capabilities`), and which processes they may look into it says (`kernel::owners::Sight`).

use super::{Event, EventKind, FailedBy, Family, NetnsId, Owner, Proto, Subject};

/// Who is to see an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Viewer {
    /// Whoever may see all that this process sees: the kernel itself sees to what that is.
    #[default]
    Own,
    /// Somebody for whom a process with more rights asks.
    User {
        /// Their user id.
        uid: u32,
        /// Where they are; 0 where that is not known.
        netns: NetnsId,
        /// What else decides what the kernel would show them.
        rights: UserRights,
    },
}

/// What decides, besides a user id and a namespace, what the kernel would show somebody. None by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct UserRights {
    /// Their group.
    pub gid: u32,
    /// Their capabilities, a bit for each, where they are known and count here.
    pub capabilities: u64,
    /// They may look into every network namespace.
    pub namespaces: bool,
    /// They may know marks, keys and packet filters.
    pub net_admin: bool,
    /// They may look into every process that they can see.
    pub processes: bool,
    /// Which processes they can see.
    pub pids: Pids,
    /// Their user ids are numbers of another user namespace than ours.
    pub other_users: bool,
}

/// A pid namespace, as seen from ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Pids {
    /// Ours.
    #[default]
    Own,
    /// One beneath ours.
    Beneath {
        /// Its inode number.
        inode: u64,
        /// How many levels beneath.
        depth: u32,
    },
    /// Nobody knows which.
    Unknown,
}

impl Viewer {
    /// An ordinary user in that network namespace, and in our namespaces otherwise.
    #[must_use]
    pub const fn user(uid: u32, netns: NetnsId) -> Self {
        let rights = UserRights {
            gid: uid,
            capabilities: 0,
            namespaces: false,
            net_admin: false,
            processes: false,
            pids: Pids::Own,
            other_users: false,
        };
        Self::User { uid, netns, rights }
    }

    /// Whether they see less than this process does.
    #[must_use]
    pub const fn is_limited(self) -> bool {
        matches!(self, Self::User { .. })
    }

    /// Whether they may look into that network namespace.
    #[must_use]
    pub const fn sees(self, netns: NetnsId) -> bool {
        match self {
            Self::Own => true,
            Self::User { netns: own, rights, .. } => rights.namespaces || (own != 0 && own == netns),
        }
    }

    /// The only network namespace that they see, if it is one; 0 where it is not known.
    #[must_use]
    pub const fn only_netns(self) -> Option<NetnsId> {
        match self {
            Self::User { netns, rights, .. } if !rights.namespaces => Some(netns),
            Self::Own | Self::User { .. } => None,
        }
    }

    /// Whether they may know what the kernel shows to CAP_NET_ADMIN only.
    #[must_use]
    pub const fn is_net_admin(self) -> bool {
        match self {
            Self::Own => true,
            Self::User { rights, .. } => rights.net_admin,
        }
    }

    /// The event as they may see it, if they may at all.
    #[must_use]
    pub fn see(self, event: &Event) -> Option<Event> {
        let mut event = event.clone();
        if let Some(subject) = &mut event.subject {
            if !self.sees(subject.netns) || !(self.owns(subject.uid) || was_in_a_table(&event.kind, subject))
            {
                return None;
            }
            self.redact(subject);
        }
        Some(event)
    }

    /// Takes out of the socket of an event, or of the table, what they may not see. (Its mark is not shown to anybody;
    /// filters learn from [`is_net_admin`](Self::is_net_admin) that it is not known.)
    pub fn redact(self, subject: &mut Subject) {
        let Self::User { rights, .. } = self else { return };
        // sock_diag reports the cgroup of every socket but those of UNIX.
        if subject.family == Family::Unix && !self.owns(subject.uid) {
            subject.cgroup = 0;
            subject.place = None;
        }
        subject.owner = self.owner(subject.owner, subject.uid);
        if rights.other_users {
            subject.uid = None;
        }
    }

    /// Who opened a socket of that user, as far as they may know. The socket's own user id decides: the kernel gives it
    /// that of its maker, and shows the descriptors of a process to nobody else. In another pid namespace the process
    /// has another number, which nobody recorded.
    #[must_use]
    pub fn owner(self, owner: Owner, uid: Option<u32>) -> Owner {
        let has_our_number = match self {
            Self::Own => true,
            Self::User { rights, .. } => rights.pids == Pids::Own,
        };
        if has_our_number && self.owns(uid) { owner } else { Owner::Unknown }
    }

    /// Whether a socket of that user is theirs to look into.
    #[must_use]
    pub fn owns(self, owner: Option<u32>) -> bool {
        match self {
            Self::Own => true,
            Self::User { uid, rights, .. } => {
                rights.processes || (!rights.other_users && owner.is_some_and(|owner| owner == uid))
            }
        }
    }
}

/// Whether the event left something that sock_diag would have shown to everybody. A call that failed at once did not:
/// where it was to lead is known to nobody but its caller.
const fn was_in_a_table(kind: &EventKind, subject: &Subject) -> bool {
    match kind {
        EventKind::Bind { errno } | EventKind::Listen { errno } => *errno == 0,
        EventKind::ConnectFailed { failed_by, .. } => {
            matches!(subject.proto, Proto::Tcp) && !matches!(failed_by, Some(FailedBy::Local))
        }
        EventKind::Connect { .. }
        | EventKind::Accept
        | EventKind::Open
        | EventKind::Close { .. }
        | EventKind::State { .. }
        | EventKind::Lost { .. }
        | EventKind::Resync { .. } => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::socket::{Cgroup, Comm, Endpoint, Process, State};
    use std::sync::Arc;

    const OWN: Viewer = Viewer::Own;
    const USER: Viewer = Viewer::user(1000, 7);

    const fn with(uid: u32, rights: UserRights) -> Viewer {
        Viewer::User { uid, netns: 7, rights }
    }

    fn subject(proto: Proto, uid: Option<u32>) -> Subject {
        Subject {
            cookie: 1,
            netns: 7,
            proto,
            family: if matches!(proto, Proto::UnixStream) { Family::Unix } else { Family::Inet },
            local: Endpoint::None,
            peer: Endpoint::None,
            state: State::Listen,
            ifindex: 0,
            uid,
            mark: 9,
            inode: 3,
            cgroup: 4,
            place: Some(Arc::new(Cgroup::new(b"/a.service"))),
            owner: owner(),
            opened: None,
        }
    }

    fn owner() -> Owner {
        Owner::Exact(Process { pid: 5, comm: Comm::from_bytes(b"sshd") })
    }

    #[test]
    fn namespaces() {
        let everywhere = with(1000, UserRights { namespaces: true, ..UserRights::default() });
        for (viewer, netns, expected) in [
            (OWN, 7, true),
            (OWN, 8, true),
            (USER, 7, true),
            (USER, 8, false),
            (USER, 0, false),
            (Viewer::user(1000, 0), 0, false),
            (everywhere, 8, true),
        ] {
            assert_eq!(viewer.sees(netns), expected, "{viewer:?} {netns}");
        }
    }

    #[test]
    fn whose_process_it_was_is_told_to_the_user_of_the_socket() {
        let others = with(1000, UserRights { other_users: true, ..UserRights::default() });
        let elsewhere = with(1000, UserRights { pids: Pids::Unknown, ..UserRights::default() });
        let tracer = with(0, UserRights { processes: true, ..UserRights::default() });
        for (viewer, uid, expected, expected_uid) in [
            (OWN, Some(0), owner(), Some(0)),
            (OWN, None, owner(), None),
            (USER, Some(1000), owner(), Some(1000)),
            (USER, Some(0), Owner::Unknown, Some(0)),
            (USER, None, Owner::Unknown, None),
            (others, Some(1000), Owner::Unknown, None),
            (elsewhere, Some(1000), Owner::Unknown, Some(1000)),
            (tracer, Some(1000), owner(), Some(1000)),
        ] {
            let mut subject = subject(Proto::Tcp, uid);
            viewer.redact(&mut subject);
            assert_eq!((subject.owner, subject.uid), (expected, expected_uid), "{viewer:?} {uid:?}");
        }
    }

    #[test]
    fn the_cgroup_of_a_unix_socket_is_its_users() {
        for (viewer, proto, uid, shown) in [
            (OWN, Proto::UnixStream, 0, true),
            (USER, Proto::UnixStream, 0, false),
            (USER, Proto::UnixStream, 1000, true),
            (USER, Proto::Tcp, 0, true),
        ] {
            let mut subject = subject(proto, Some(uid));
            viewer.redact(&mut subject);
            assert_eq!(
                (subject.cgroup != 0, subject.place.is_some()),
                (shown, shown),
                "{viewer:?} {proto:?} {uid}"
            );
        }
    }

    #[test]
    fn what_was_in_no_table_is_told_to_its_user_only() {
        let failed = |failed_by| EventKind::ConnectFailed { errno: 111, latency_us: None, failed_by };
        for (kind, proto, told) in [
            (failed(None), Proto::UnixStream, false),
            (failed(None), Proto::Udp, false),
            (failed(Some(FailedBy::Local)), Proto::Tcp, false),
            (failed(Some(FailedBy::Peer)), Proto::Tcp, true),
            (EventKind::Bind { errno: 98 }, Proto::UnixStream, false),
            (EventKind::Bind { errno: 0 }, Proto::UnixStream, true),
            (EventKind::Listen { errno: 98 }, Proto::Tcp, false),
            (EventKind::Connect { latency_us: None }, Proto::UnixStream, true),
        ] {
            for (viewer, uid, told) in [(USER, 0, told), (USER, 1000, true), (OWN, 0, true)] {
                let event =
                    Event { at: 1, kind: kind.clone(), subject: Some(Box::new(subject(proto, Some(uid)))) };
                assert_eq!(viewer.see(&event).is_some(), told, "{viewer:?} {kind:?} {proto:?} {uid}");
            }
        }
    }
}

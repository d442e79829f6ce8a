//! Who is to see an answer, and what is taken out of it before they do: the one place that decides. (What the kernel
//! tells administrators only it is not even asked for, see `kernel::capabilities`.)

use super::{Event, NetnsId, Owner, Subject};

/// Who is to see an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Viewer {
    /// Whoever may see all that this process sees: the kernel itself sees to what that is.
    #[default]
    Own,
    /// A user for whom a process with more rights asks. They see what ss would show them: the sockets of their own
    /// network namespace, without the processes of others and without what the kernel tells administrators only.
    User {
        /// Their user id; not root's.
        uid: u32,
        /// Where they are; 0 where that is not known.
        netns: NetnsId,
    },
}

impl Viewer {
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
            Self::User { netns: own, .. } => own != 0 && own == netns,
        }
    }

    /// Whether they may know what a process of that user holds.
    #[must_use]
    pub const fn sees_process_of(self, owner: u32) -> bool {
        match self {
            Self::Own => true,
            Self::User { uid, .. } => uid == owner,
        }
    }

    /// The event as they may see it, if they may at all.
    #[must_use]
    pub fn see(self, event: &Event) -> Option<Event> {
        let mut event = event.clone();
        if let Some(subject) = &mut event.subject {
            if !self.sees(subject.netns) {
                return None;
            }
            self.redact(subject);
        }
        Some(event)
    }

    /// Takes out of the socket of an event, or of the table, what they may not see.
    pub fn redact(self, subject: &mut Subject) {
        if let Self::User { .. } = self {
            subject.mark = 0;
            subject.owner = self.owner(subject.owner, subject.uid);
        }
    }

    /// Who opened a socket of that user, as far as they may know: its process is theirs if the socket is, since whoever
    /// makes a socket gives it their user id.
    #[must_use]
    pub fn owner(self, owner: Owner, uid: Option<u32>) -> Owner {
        if !self.is_limited() || uid.is_some_and(|uid| self.sees_process_of(uid)) {
            owner
        } else {
            Owner::Unknown
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::socket::{Comm, Endpoint, Family, Process, Proto, State};

    const OWN: Viewer = Viewer::Own;
    const USER: Viewer = Viewer::User { uid: 1000, netns: 7 };

    #[test]
    fn namespaces() {
        let lost = Viewer::User { uid: 1000, netns: 0 };
        for (viewer, netns, expected) in [
            (OWN, 7, true),
            (OWN, 8, true),
            (USER, 7, true),
            (USER, 8, false),
            (USER, 0, false),
            (lost, 0, false),
        ] {
            assert_eq!(viewer.sees(netns), expected, "{viewer:?} {netns}");
        }
    }

    #[test]
    fn whose_process_it_was_is_told_to_its_user() {
        let owner = Owner::Exact(Process { pid: 5, comm: Comm::from_bytes(b"sshd") });
        for (viewer, uid, expected) in [
            (OWN, Some(0), (owner, 9)),
            (OWN, None, (owner, 9)),
            (USER, Some(1000), (owner, 0)),
            (USER, Some(0), (Owner::Unknown, 0)),
            (USER, None, (Owner::Unknown, 0)),
        ] {
            let mut subject = Subject {
                cookie: 1,
                netns: 7,
                proto: Proto::Tcp,
                family: Family::Inet,
                local: Endpoint::None,
                peer: Endpoint::None,
                state: State::Listen,
                ifindex: 0,
                uid,
                mark: 9,
                inode: 3,
                cgroup: 4,
                place: None,
                owner,
                opened: None,
            };
            viewer.redact(&mut subject);
            assert_eq!((subject.owner, subject.mark), expected, "{viewer:?} {uid:?}");
        }
    }
}

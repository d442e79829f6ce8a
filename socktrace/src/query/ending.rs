//! How a socket ended, as something to ask about: `closed_first`, `reset`, `failed_by`.

use crate::socket::{ClosedFirst, Closing, EventKind, FailedBy, Proto, Reset};

/// What can be asked about an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ending {
    /// `closed_first`: whose FIN came first.
    ClosedFirst,
    /// `reset`: who reset the connection.
    Reset,
    /// `failed_by`: who made the connect fail.
    FailedBy,
}

impl Ending {
    /// The predicate's name, which is that of the JSON schema.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ClosedFirst => "closed_first",
            Self::Reset => "reset",
            Self::FailedBy => "failed_by",
        }
    }

    /// The answers that there are.
    #[must_use]
    pub const fn answers(self) -> [&'static str; 3] {
        match self {
            Self::ClosedFirst => {
                [ClosedFirst::Local.name(), ClosedFirst::Peer.name(), ClosedFirst::Both.name()]
            }
            Self::Reset => [Reset::Local.name(), Reset::Peer.name(), Reset::Either.name()],
            Self::FailedBy => [FailedBy::Local.name(), FailedBy::Peer.name(), FailedBy::Network.name()],
        }
    }
}

/// Some of the answers to one such question, each a bit by its place in [`Ending::answers`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Answers(u8);

impl Answers {
    /// `*`: any of them.
    pub const ANY: Self = Self(0b111);

    /// This one, if it is one.
    #[must_use]
    pub fn one(ending: Ending, name: &str) -> Option<Self> {
        let place = ending.answers().iter().position(|answer| *answer == name)?;
        Some(Self(1 << place))
    }

    /// Those and these.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Their names, in order.
    pub fn names(self, ending: Ending) -> impl Iterator<Item = &'static str> {
        ending.answers().into_iter().enumerate().filter_map(move |(place, name)| {
            let holds = self.0 & (1 << place) != 0;
            holds.then_some(name)
        })
    }
}

/// How a socket ended. What is none did not happen, as far as the kernel reports it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ends {
    /// Whose FIN came first.
    pub closed_first: Option<ClosedFirst>,
    /// Who reset the connection.
    pub reset: Option<Reset>,
    /// Who made the connect fail.
    pub failed_by: Option<FailedBy>,
}

impl Ends {
    /// What an event reports of it; none if it is no end, or nobody saw how it came.
    pub(super) fn of(kind: &EventKind, proto: Proto) -> Option<Self> {
        let unseen = (proto != Proto::Tcp).then(Self::default);
        match kind {
            EventKind::Close { closing, .. } => match closing.as_deref() {
                Some(Closing { closed_first, reset, .. }) => {
                    Some(Self { closed_first: *closed_first, reset: *reset, failed_by: None })
                }
                None => unseen,
            },
            EventKind::ConnectFailed { failed_by: Some(side), .. } => {
                Some(Self { failed_by: Some(*side), ..Self::default() })
            }
            EventKind::ConnectFailed { failed_by: None, .. } => unseen,
            EventKind::Bind { .. }
            | EventKind::Listen { .. }
            | EventKind::Connect { .. }
            | EventKind::Accept
            | EventKind::Open
            | EventKind::State { .. }
            | EventKind::Lost { .. }
            | EventKind::Resync { .. } => None,
        }
    }

    /// Whether the answer is one of those.
    pub(super) fn is(&self, ending: Ending, answers: Answers) -> bool {
        let answer = match ending {
            Ending::ClosedFirst => self.closed_first.map(ClosedFirst::name),
            Ending::Reset => self.reset.map(Reset::name),
            Ending::FailedBy => self.failed_by.map(FailedBy::name),
        };
        answer.is_some_and(|answer| answers.names(ending).any(|name| name == answer))
    }
}

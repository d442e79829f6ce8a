//! The limits as a table (docs/agent.md shows it). Pure.

use std::fmt;
use std::time::Duration;

/// Something that is limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resource {
    /// Open connections.
    Connections,
    /// Cost of the filters of event streams: see [`Filter::cost`](crate::query::Filter::cost).
    FilterCost,
    /// Bytes that wait for clients who are slow to read them.
    Bytes,
}

/// Limits of one user, or of several together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Most {
    /// Open connections.
    pub connections: usize,
    /// Answers that are made at a time; the next ones wait.
    pub work: usize,
    /// How long they wait.
    pub wait: Duration,
    /// How long one answer may take.
    pub answer: Option<Duration>,
    /// Cost of the filters of event streams.
    pub filter_cost: usize,
    /// Cost of one of them.
    pub one_filter: usize,
    /// Bytes that wait for clients.
    pub bytes: usize,
    /// Bytes that the kernel holds for one connection that is slow to read; none to leave it as it is.
    pub kernel_bytes: usize,
}

/// Everybody's limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Of each ordinary user.
    pub user: Most,
    /// Of all ordinary users together.
    pub users: Most,
    /// Of root and the group, apart from those.
    pub own: Most,
    /// Who is refused a connection and waited for until they have asked: so many at a time of ordinary users, and so many
    /// of root and the group.
    pub refused: usize,
}

const MIB: usize = 1 << 20;

const OWN: Most = Most {
    connections: 1024,
    work: 32,
    wait: Duration::from_secs(30),
    answer: None,
    filter_cost: usize::MAX,
    one_filter: usize::MAX,
    bytes: 256 * MIB,
    kernel_bytes: MIB,
};

const USERS: Most = Most {
    connections: 512,
    work: 12,
    wait: Duration::from_secs(10),
    answer: Some(Duration::from_secs(60)),
    filter_cost: 8192,
    one_filter: 512,
    bytes: 64 * MIB,
    kernel_bytes: MIB / 16,
};

const USER: Most = Most { connections: 128, work: 4, filter_cost: 1024, bytes: 16 * MIB, ..USERS };

/// What is waited for of those who are refused: a crowd that asks at once gets its answers.
const REFUSED: usize = 512;

impl Limits {
    /// What there is for a process that may have so many descriptors open.
    #[must_use]
    pub fn for_descriptors(descriptors: u64) -> Self {
        let share = |parts| usize::try_from(descriptors / parts).unwrap_or(usize::MAX).max(1);
        let at_most =
            |most: Most, connections: usize| Most { connections: most.connections.min(connections), ..most };
        Self {
            user: at_most(USER, share(16)),
            users: at_most(USERS, share(4)),
            own: at_most(OWN, share(2)),
            refused: share(16).min(REFUSED),
        }
    }
}

impl Most {
    /// The limit of a resource.
    #[must_use]
    pub const fn of(&self, resource: Resource) -> usize {
        match resource {
            Resource::Connections => self.connections,
            Resource::FilterCost => self.filter_cost,
            Resource::Bytes => self.bytes,
        }
    }
}

impl Resource {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Connections, Self::FilterCost, Self::Bytes];

    /// What to do about too many of one's own.
    #[must_use]
    pub const fn advice(self) -> &'static str {
        match self {
            Self::Connections => "close some",
            Self::FilterCost => "make filters shorter, or close some event streams",
            Self::Bytes => "read them",
        }
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connections => "connections to the agent",
            Self::FilterCost => "predicates and patterns in filters of event streams",
            Self::Bytes => "unread bytes",
        })
    }
}

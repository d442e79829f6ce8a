//! Event: what is reported, in the words of the JSON schema (docs/events.md).

use std::sync::Arc;

use super::Family;
use super::{BootNs, Cgroup, Closing, Cookie, Endpoint, FailedBy, NetnsId, Owner, Proto, State};

/// One event of the live stream.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// When, by the kernel's clock; `render` makes wall-clock time of it.
    pub at: BootNs,
    /// What happened.
    pub kind: EventKind,
    /// The socket it happened to; none for `lost` and `resync`.
    pub subject: Option<Box<Subject>>,
}

/// The socket of an event, as known at that moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Subject {
    /// Identity, 0 where it could not be had.
    pub cookie: Cookie,
    /// Namespace, 0 where it is not known.
    pub netns: NetnsId,
    /// Kind of socket.
    pub proto: Proto,
    /// Address family.
    pub family: Family,
    /// This side.
    pub local: Endpoint,
    /// The other side.
    pub peer: Endpoint,
    /// State after the event.
    pub state: State,
    /// Interface the socket is bound to, 0 for none.
    pub ifindex: u32,
    /// User id, where known.
    pub uid: Option<u32>,
    /// `SO_MARK`.
    pub mark: u32,
    /// Inode of the socket, 0 where not known.
    pub inode: u32,
    /// Cgroup id, 0 where not known.
    pub cgroup: u64,
    /// What that cgroup is, where it was found.
    pub place: Option<Arc<Cgroup>>,
    /// Who opened it.
    pub owner: Owner,
    /// When it opened, where that was seen.
    pub opened: Option<BootNs>,
}

/// An end that history keeps. It says what its event says, held by value: making one allocates nothing.
#[derive(Debug, Clone, PartialEq)]
pub struct Ended {
    /// When, by the kernel's clock.
    pub at: BootNs,
    /// `close`, or `connect_failed` of a TCP socket, which ends with that; or `accept` of a connection that had ended
    /// before it was accepted, whose owner this reports; or a `bind` or `listen` that failed.
    pub kind: EventKind,
    /// The socket.
    pub subject: Subject,
    /// Its event was lost, or there was none, and a dump showed that it was gone: `at` is the time of that.
    pub missed: bool,
}

/// What happened.
#[derive(Debug, Clone, PartialEq)]
pub enum EventKind {
    /// It was bound (errno 0) or could not be.
    Bind {
        /// 0, or what went wrong.
        errno: u16,
    },
    /// It listens (errno 0) or could not.
    Listen {
        /// 0, or what went wrong.
        errno: u16,
    },
    /// The handshake is done (TCP), or connect(2) succeeded (others).
    Connect {
        /// From SYN to established, microseconds; TCP only.
        latency_us: Option<u64>,
    },
    /// The connection did not come about.
    ConnectFailed {
        /// Why; 0 where the kernel did not say.
        errno: u16,
        /// From the call to the failure, microseconds; TCP only.
        latency_us: Option<u64>,
        /// Who made it fail; TCP only.
        failed_by: Option<FailedBy>,
    },
    /// A process accepted the connection.
    Accept,
    /// A datagram socket sent for the first time.
    Open,
    /// It is over.
    Close {
        /// How long it was open, microseconds, where the beginning was seen.
        duration_us: Option<u64>,
        /// The totals, TCP only.
        closing: Option<Box<Closing>>,
        /// No hook reported it: it was gone when the kernel's tables were looked through.
        found: bool,
    },
    /// A state change (only when asked for).
    State {
        /// The state before.
        old: State,
    },
    /// The kernel half lost this many records since the last report.
    Lost {
        /// How many.
        records: u64,
    },
    /// The table was compared with the kernel's and repaired.
    Resync {
        /// Sockets that a dump had and the table had not.
        added: u64,
        /// Sockets that the table had and the dump had not.
        removed: u64,
        /// Sockets that differed.
        changed: u64,
    },
}

impl EventKind {
    /// The word of the JSON schema's `event`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Bind { .. } => "bind",
            Self::Listen { .. } => "listen",
            Self::Connect { .. } => "connect",
            Self::ConnectFailed { .. } => "connect_failed",
            Self::Accept => "accept",
            Self::Open => "open",
            Self::Close { .. } => "close",
            Self::State { .. } => "state",
            Self::Lost { .. } => "lost",
            Self::Resync { .. } => "resync",
        }
    }

    /// How long it was open, or how long it tried to connect, microseconds. `None` where that is not known, or nothing ended.
    #[must_use]
    pub const fn lifetime_us(&self) -> Option<u64> {
        match self {
            Self::Close { duration_us, .. } => *duration_us,
            Self::ConnectFailed { latency_us, .. } => *latency_us,
            Self::Bind { .. }
            | Self::Listen { .. }
            | Self::Connect { .. }
            | Self::Accept
            | Self::Open
            | Self::State { .. }
            | Self::Lost { .. }
            | Self::Resync { .. } => None,
        }
    }

    /// What went over a TCP connection that has closed.
    #[must_use]
    pub fn closing(&self) -> Option<&Closing> {
        match self {
            Self::Close { closing, .. } => closing.as_deref(),
            Self::Bind { .. }
            | Self::Listen { .. }
            | Self::Connect { .. }
            | Self::ConnectFailed { .. }
            | Self::Accept
            | Self::Open
            | Self::State { .. }
            | Self::Lost { .. }
            | Self::Resync { .. } => None,
        }
    }
}

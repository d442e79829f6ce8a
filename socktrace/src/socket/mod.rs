//! What a socket is: values only, no I/O, no clock, no decoding.
//!
//! Floor 1: every other room speaks in these types.

mod address;
mod cgroup;
mod change;
mod counters;
mod detail;
mod ending;
mod event;
pub mod info;
mod kinds;
mod owner;
mod proto;
mod state;
pub mod state_names;
#[cfg(test)]
mod tests;
mod viewer;

pub use address::{Endpoint, UnixName};
pub use cgroup::{Cgroup, Container, Runtime};
pub use change::{Change, ChangeKind, Closing, Segments};
pub use counters::{Counters, FamilyCount};
pub use detail::{Detail, Shutdown, Timer, TimerKind};
pub use ending::{ClosedFirst, Ending, FailedBy, Reset};
pub use event::{Ended, Event, EventKind, Subject};
pub use kinds::KindSet;
pub use owner::{Attribution, Comm, Held, Holder, Opener, Owner, Process};
pub use proto::{Family, Proto};
pub use state::{State, StateSet};
pub use viewer::{Pids, UserRights, Viewer};

/// The kernel's socket cookie (`SO_COOKIE`, ss's `sk:`): unique until reboot, never reused, never 0 for a
/// socket that has one (net/core/sock_diag.c, `__sock_gen_cookie`).
pub type Cookie = u64;

/// Inode number of a network namespace (`stat -L /proc/self/ns/net`), 0 where it is not known.
pub type NetnsId = u32;

/// Nanoseconds of `CLOCK_BOOTTIME`, of no time namespace.
pub type BootNs = u64;

/// Nanoseconds since 1970-01-01 UTC, by the wall clock of that moment.
pub type UnixNs = u64;

/// One socket as sock_diag (or `/proc/net`) reports it: one row of a listing.
#[derive(Debug, Clone, PartialEq)]
pub struct Socket {
    /// What kind of socket it is.
    pub proto: Proto,
    /// Address family of the row: a dual-stack TCP listener is `Inet6`.
    pub family: Family,
    /// The state, as the kernel numbers it.
    pub state: State,
    /// Bytes received and not yet read; for a listener, pending connections.
    pub recv_q: u32,
    /// Bytes sent and not yet acknowledged; for a listener, the backlog.
    pub send_q: u32,
    /// This side.
    pub local: Endpoint,
    /// The other side.
    pub peer: Endpoint,
    /// Interface the socket is bound to (`SO_BINDTODEVICE`), 0 for none.
    pub ifindex: u32,
    /// Inode number of the socket, 0 where no file refers to it.
    pub inode: u32,
    /// The kernel's identity of the socket, 0 where it gave none (`/proc/net`).
    pub cookie: Cookie,
    /// The namespace it was listed in.
    pub netns: NetnsId,
    /// User id of the socket, where the kernel reports it.
    pub uid: Option<u32>,
    /// `IPV6_V6ONLY`, which the kernel reports of every IPv6 socket: `::` is shown as `*` unless it is set.
    pub v6only: Option<bool>,
    /// What only some options show; absent unless asked for.
    pub detail: Option<Box<Detail>>,
}

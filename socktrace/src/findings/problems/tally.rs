//! What the history has of the last while, counted as it is read.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::findings::past::{Past, Side, What};
use crate::findings::row::{End, Proto};
use crate::socket::{Comm, Process, UnixNs};

/// How long a TIME-WAIT lasts, nanoseconds.
const TIME_WAIT_NS: u64 = 60_000_000_000;

/// Why connects fail: the name of the error, `no answer` where nobody answered.
pub(super) type Reason = Box<str>;

/// What is said of a connect that nobody answered.
pub(super) const NO_ANSWER: &str = "no answer";

/// Counts of what has ended.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// The time that it is counted up to.
    now: UnixNs,
    /// Failed connects by reason, destination and program.
    pub(super) failures: BTreeMap<(Reason, End, Option<Comm2>), Failures>,
    /// Segments sent, and sent again, by peer.
    pub(super) segments: BTreeMap<IpAddr, (u64, u64)>,
    /// Who closed first within the time of a TIME-WAIT: by both ends.
    pub(super) closers: BTreeMap<(End, End), Process>,
}

/// The name of a program, in an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Comm2(pub(super) Comm);

impl Ord for Comm2 {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.as_bytes().cmp(other.0.as_bytes())
    }
}

impl PartialOrd for Comm2 {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// Connects that failed.
#[derive(Debug, Clone, Default)]
pub(super) struct Failures {
    pub(super) count: u64,
    /// Who made the last of them fail.
    pub(super) by: Option<Side>,
    /// The last process.
    pub(super) process: Option<Process>,
    pub(super) unit: Option<Box<str>>,
}

impl Tally {
    /// Nothing yet.
    #[must_use]
    pub fn new(now: UnixNs) -> Self {
        Self { now, ..Self::default() }
    }

    /// Counts one.
    pub fn add(&mut self, past: &Past) {
        if past.proto != Proto::Tcp {
            return;
        }
        let Some(peer) = past.peer else { return };
        match past.what {
            What::Closed { leaves_time_wait } => {
                let (sent, again) = self.segments.entry(peer.0).or_default();
                *sent += past.segments.0;
                *again += past.segments.1;
                if let (true, Some(local), Some(process)) = (leaves_time_wait, past.local, past.process)
                    && self.now.saturating_sub(past.at) <= TIME_WAIT_NS
                {
                    self.closers.insert((local, peer), process);
                }
            }
            What::ConnectFailed { by } => {
                // Programs try IPv6 where there is none.
                if past.error.as_deref() == Some("ENETUNREACH") && peer.0.is_ipv6() {
                    return;
                }
                let reason = match past.error.as_deref() {
                    None | Some("ETIMEDOUT") => NO_ANSWER,
                    Some(error) => error,
                };
                let program = past.process.map(|process| Comm2(process.comm));
                let failures = self.failures.entry((reason.into(), peer, program)).or_default();
                failures.count += 1;
                failures.by = by;
                failures.process = past.process;
                failures.unit.clone_from(&past.unit);
            }
            What::BindFailed | What::ListenFailed => {}
        }
    }

    /// How often connects to that destination found no port.
    pub(super) fn without_port(&self, peer: End) -> u64 {
        let of =
            self.failures.iter().filter(|((reason, to, _), _)| &**reason == "EADDRNOTAVAIL" && *to == peer);
        of.map(|(_, failures)| failures.count).sum()
    }
}

//! `socktrace problems`: what is wrong with the sockets of a network namespace, worst first.
//!
//! Two samples of its sockets and counters, some time apart, and what its history has, go in; findings come out. Each kind
//! has a file, and its thresholds (`thresholds`) decide from when on it is one.

mod connects;
mod host;
mod listeners;
mod peers;
mod ports;
mod send_queue;
mod tally;
#[cfg(test)]
mod tests;
mod text;
mod thresholds;
mod waits;
mod watch;

use serde_json::{Map, Value};

use super::row::Row;
use crate::socket::Process;

pub use host::{Counters, Host, PortRange};
pub use tally::Tally;
pub use text::{json, lines, local_stamp, stamp};
pub use thresholds::{NoThreshold, Threshold, Thresholds};
pub use watch::{Change, Watch};

/// A kind of problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// Ephemeral ports to one destination are nearly used up.
    Ports,
    /// Many connections wait in TIME-WAIT.
    TimeWait,
    /// A process does not close what its peers have closed.
    CloseWait,
    /// The queue of a listener is full, or it drops connections.
    ListenQueue,
    /// Connections wait in a listener's queue, and nobody accepts them.
    NotAccepted,
    /// Connects to one destination fail.
    Connects,
    /// A peer is lossy or slow.
    Peers,
    /// What was sent to a peer is not acknowledged.
    SendQueue,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Ports,
        Self::TimeWait,
        Self::CloseWait,
        Self::ListenQueue,
        Self::NotAccepted,
        Self::Connects,
        Self::Peers,
        Self::SendQueue,
    ];

    /// Its word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ports => "ports",
            Self::TimeWait => "time-wait",
            Self::CloseWait => "close-wait",
            Self::ListenQueue => "listen-queue",
            Self::NotAccepted => "not-accepted",
            Self::Connects => "connects",
            Self::Peers => "peers",
            Self::SendQueue => "send-queue",
        }
    }

    /// The kind of that word.
    #[must_use]
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }

    /// What can be done about it, in one line.
    #[must_use]
    pub const fn advice(self) -> &'static str {
        match self {
            Self::Ports => {
                "keep connections open and use them again; else more destination addresses, or a wider ip_local_port_range"
            }
            Self::TimeWait => {
                "harmless while there are ports left; let the other side close first, or keep connections open"
            }
            Self::CloseWait => "the process must close(2) a connection when a read returns 0",
            Self::ListenQueue => {
                "accept more quickly, or raise both the backlog of listen(2) and net.core.somaxconn"
            }
            Self::NotAccepted => "the process listens and does not call accept(2): it may hang, or be busy",
            Self::Connects => {
                "ECONNREFUSED: nobody listens there; no answer: a firewall or a host that is down"
            }
            Self::Peers => "look for loss or a full link on the way to that address",
            Self::SendQueue => "the peer reads nothing, or is gone: set a time-out (TCP_USER_TIMEOUT)",
        }
    }
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Severity {
    /// It will fail, or fails now and then.
    Warning,
    /// It fails now.
    Critical,
}

impl Severity {
    /// Its word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }

    /// Critical if so.
    const fn critical_if(is: bool) -> Self {
        if is { Self::Critical } else { Self::Warning }
    }
}

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// Which kind.
    pub kind: Kind,
    /// How bad.
    pub severity: Severity,
    /// What is wrong with: a process, an end, a peer. With the kind the same each time it is found.
    pub subject: String,
    /// The process that has most to do with it.
    pub process: Option<Process>,
    /// The systemd unit of that.
    pub unit: Option<Box<str>>,
    /// Numbers by name.
    pub evidence: Map<String, Value>,
    /// The same in words.
    pub said: String,
    /// The command that shows the sockets.
    pub show: String,
}

impl Finding {
    /// What it is called, the same each time it is found.
    #[must_use]
    pub fn id(&self) -> String {
        format!("{}:{}", self.kind.word(), self.subject)
    }
}

/// What there was at one moment.
#[derive(Debug, Clone, Default)]
pub struct Sample {
    /// The TCP sockets.
    pub rows: Vec<Row>,
    /// Counters of the network namespace.
    pub counters: Counters,
}

/// All that findings are made of.
#[derive(Debug, Clone, Copy)]
pub struct Scene<'a> {
    /// What there is now.
    pub now: &'a Sample,
    /// What there was before, and how many milliseconds before.
    pub before: Option<(&'a Sample, u64)>,
    /// What the history has of the last while.
    pub tally: &'a Tally,
    /// The limits of the network namespace.
    pub host: &'a Host,
    /// From when on something is a problem.
    pub thresholds: &'a Thresholds,
}

impl Scene<'_> {
    /// How much a count has grown each second; none where there was no sample before.
    fn rate(&self, now: u64, before: impl FnOnce(&Sample) -> u64) -> Option<f64> {
        let (sample, ms) = self.before.filter(|&(_, ms)| ms > 0)?;
        Some((now as f64 - before(sample) as f64) * 1000.0 / ms as f64)
    }
}

/// What is wrong, of these kinds, worst first.
#[must_use]
pub fn find(scene: &Scene<'_>, kinds: &[Kind]) -> Vec<Finding> {
    let mut found = Vec::new();
    ports::find(scene, &mut found);
    waits::time_wait(scene, &mut found);
    waits::close_wait(scene, &mut found);
    listeners::find(scene, &mut found);
    connects::find(scene, &mut found);
    peers::find(scene, &mut found);
    send_queue::find(scene, &mut found);
    found.retain(|finding| kinds.contains(&finding.kind));
    found.sort_by(|a, b| {
        b.severity.cmp(&a.severity).then_with(|| (a.kind, &a.subject).cmp(&(b.kind, &b.subject)))
    });
    found
}

/// Evidence: names and numbers.
fn evidence<const N: usize>(all: [(&str, Value); N]) -> Map<String, Value> {
    all.into_iter()
        .filter(|(_, value)| !value.is_null())
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

/// One digit behind the point.
fn tenths(number: f64) -> f64 {
    (number * 10.0).round() / 10.0
}

/// `a` of `b` in percent.
fn percent(a: u64, b: u64) -> u64 {
    a.saturating_mul(100).checked_div(b).unwrap_or(0)
}

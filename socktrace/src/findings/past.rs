//! A line of `socktrace history --json` (docs/events.md), as far as answers need it.

use serde::Deserialize;
use std::borrow::Cow;
use std::net::IpAddr;

use super::row::{End, Proto, time};
use crate::socket::{Comm, Process, UnixNs};

/// What has happened to a socket that is not there any more, or never was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Past {
    /// When.
    pub at: UnixNs,
    /// What.
    pub what: What,
    /// The kind of socket.
    pub proto: Proto,
    /// This side.
    pub local: Option<End>,
    /// The other side.
    pub peer: Option<End>,
    /// Network namespace, 0 where unknown.
    pub netns: u64,
    /// Who opened it.
    pub process: Option<Process>,
    /// The systemd unit of its cgroup.
    pub unit: Option<Box<str>>,
    /// When it was opened, if that was seen.
    pub opened: Option<UnixNs>,
    /// Name of the error, if there was one.
    pub error: Option<Box<str>>,
    /// Segments sent, and those among them that were sent again.
    pub segments: (u64, u64),
    /// Smoothed round-trip time at the end, microseconds; 0 where it was not measured.
    pub rtt_us: u64,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// It was closed.
    Closed {
        /// This side closed first, or both at once: the port was in TIME-WAIT for a minute.
        leaves_time_wait: bool,
    },
    /// A connect failed.
    ConnectFailed {
        /// Who made it fail: `peer`, `network` or `local`.
        by: Option<Side>,
    },
    /// It could not be bound.
    BindFailed,
    /// It could not listen.
    ListenFailed,
}

/// Who made a connect fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Side {
    /// It was refused.
    Peer,
    /// No answer, or somebody on the way said no.
    Network,
    /// No route, no port, or given up.
    Local,
}

impl Side {
    /// The word of the JSON schema.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Peer => "peer",
            Self::Network => "network",
            Self::Local => "local",
        }
    }
}

impl Past {
    /// From a line of JSON. None if it is none of a socket that ended or failed.
    #[must_use]
    pub fn from_json(line: &[u8]) -> Option<Self> {
        let wire: Wire<'_> = serde_json::from_slice(line).ok()?;
        let what = match &*wire.event {
            "close" => What::Closed { leaves_time_wait: wire.leaves_time_wait() },
            "connect_failed" => What::ConnectFailed {
                by: match wire.failed_by.as_deref() {
                    Some("peer") => Some(Side::Peer),
                    Some("network") => Some(Side::Network),
                    Some("local") => Some(Side::Local),
                    Some(_) | None => None,
                },
            },
            "bind" => What::BindFailed,
            "listen" => What::ListenFailed,
            _ => return None,
        };
        let process = wire.pid.zip(wire.comm.as_deref());
        let process = process.map(|(pid, comm)| Process { pid, comm: Comm::from_bytes(comm.as_bytes()) });
        Some(Self {
            at: time(&wire.ts)?,
            what,
            proto: Proto::named(&wire.proto),
            local: wire.local_addr.map(|addr| (addr.to_canonical(), wire.local_port)),
            peer: wire.peer_addr.map(|addr| (addr.to_canonical(), wire.peer_port)),
            netns: wire.netns,
            process,
            unit: wire.unit.map(|unit| unit.into()),
            opened: wire.opened.as_deref().and_then(time),
            error: wire.error.map(|error| error.into()),
            segments: (wire.segs_out, wire.retrans),
            rtt_us: wire.rtt_us,
        })
    }
}

/// What stands in the line. What is not named is passed over.
#[derive(Deserialize)]
struct Wire<'a> {
    #[serde(borrow)]
    ts: Cow<'a, str>,
    #[serde(borrow)]
    event: Cow<'a, str>,
    #[serde(borrow)]
    proto: Cow<'a, str>,
    #[serde(default)]
    local_addr: Option<IpAddr>,
    #[serde(default)]
    local_port: u16,
    #[serde(default)]
    peer_addr: Option<IpAddr>,
    #[serde(default)]
    peer_port: u16,
    #[serde(default)]
    netns: u64,
    #[serde(default)]
    pid: Option<u32>,
    #[serde(default, borrow)]
    comm: Option<Cow<'a, str>>,
    #[serde(default, borrow)]
    unit: Option<Cow<'a, str>>,
    #[serde(default, borrow)]
    opened: Option<Cow<'a, str>>,
    #[serde(default, borrow)]
    error: Option<Cow<'a, str>>,
    #[serde(default, borrow)]
    failed_by: Option<Cow<'a, str>>,
    #[serde(default, borrow)]
    closed_first: Option<Cow<'a, str>>,
    #[serde(default)]
    reset: Option<serde::de::IgnoredAny>,
    #[serde(default)]
    segs_out: u64,
    #[serde(default)]
    retrans: u64,
    #[serde(default)]
    rtt_us: u64,
}

impl Wire<'_> {
    /// A connection that was reset has no TIME-WAIT.
    fn leaves_time_wait(&self) -> bool {
        matches!(self.closed_first.as_deref(), Some("local" | "both")) && self.reset.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_as_far_as_it_goes() {
        let line = |rest: &str| {
            let line = format!(
                r#"{{"ts":"2026-07-28T15:04:05Z","proto":"tcp","local_addr":"127.0.0.1","local_port":80,"pid":7,"comm":"web",{rest}}}"#
            );
            Past::from_json(line.as_bytes())
        };
        let closed =
            line(r#""event":"close","closed_first":"local","segs_out":9,"retrans":2,"rtt_us":30"#).unwrap();
        assert_eq!(closed.what, What::Closed { leaves_time_wait: true });
        assert_eq!((closed.segments, closed.rtt_us, closed.process.unwrap().pid), ((9, 2), 30, 7));
        let reset = line(r#""event":"close","closed_first":"local","reset":"peer""#).unwrap();
        assert_eq!(reset.what, What::Closed { leaves_time_wait: false });
        let failed = line(r#""event":"connect_failed","failed_by":"peer","error":"ECONNREFUSED""#).unwrap();
        assert_eq!(failed.what, What::ConnectFailed { by: Some(Side::Peer) });
        assert_eq!(failed.error.as_deref(), Some("ECONNREFUSED"));
        assert_eq!(line(r#""event":"bind","error":"EADDRINUSE""#).unwrap().what, What::BindFailed);
        assert_eq!(line(r#""event":"lost""#), None);
    }
}

//! A row of `socktrace ss --json` (docs/json-sockets.md), as far as answers need it.

use serde::Deserialize;
use std::borrow::Cow;
use std::net::IpAddr;

use crate::socket::{Comm, Process, State, StateSet, UnixNs};

/// A socket that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The kind in the words of events: `tcp`, `udp` …
    pub proto: Proto,
    /// The state, as ss words it.
    pub state: State,
    /// Bytes not read; of a listener, connections that wait to be accepted.
    pub recv_q: u64,
    /// Bytes not acknowledged; of a listener, the backlog.
    pub send_q: u64,
    /// This side. None for families without IP addresses.
    pub local: Option<End>,
    /// The other side; none of what is not connected.
    pub peer: Option<End>,
    /// 0 where no file refers to it: nobody holds it (any more, or yet).
    pub inode: u64,
    /// The kernel's identity.
    pub cookie: u64,
    /// Network namespace, 0 where unknown.
    pub netns: u64,
    /// One of those that hold it, else who opened it.
    pub process: Option<Process>,
    /// The systemd unit of its cgroup.
    pub unit: Option<Box<str>>,
    /// When it was opened, if an agent saw it.
    pub opened: Option<UnixNs>,
    /// Which timer runs.
    pub timer: Option<Timer>,
    /// Packets that it dropped since it was opened (`SK_MEMINFO_DROPS`).
    pub drops: u64,
    /// What `tcp_info` says.
    pub tcp: Option<Box<TcpInfo>>,
}

/// A kind of socket with ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Proto {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// Any other.
    Other,
}

/// An IP address and a port.
pub(super) type End = (IpAddr, u16);

/// A running timer: what for, milliseconds until it fires, and how often it has fired.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timer {
    /// Why it runs.
    pub kind: TimerKind,
    /// Milliseconds until it fires.
    pub expires_ms: u64,
    /// Retransmissions or probes so far.
    pub retrans: u64,
}

/// Why a timer runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimerKind {
    /// Something was sent, and no acknowledgement has come.
    Retransmit,
    /// The peer takes no more.
    Persist,
    /// The end of TIME-WAIT.
    TimeWait,
    /// Anything else.
    Other,
}

/// `tcp_info`, as far as answers need it. Times in milliseconds, but for the round-trip time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
pub struct TcpInfo {
    /// Retransmissions of what waits now, without an acknowledgement.
    pub retransmits: u64,
    /// Zero-window probes without an answer.
    pub probes: u64,
    /// Since data was sent; of a connection that never sent, since it was established.
    pub last_data_sent: u64,
    /// Since data was received; of a connection that never received, since it was established.
    pub last_data_recv: u64,
    /// Since an acknowledgement was received.
    pub last_ack_recv: u64,
    /// Smoothed round-trip time, microseconds.
    pub rtt: u64,
    /// Smallest round-trip time, microseconds.
    pub min_rtt: u64,
    /// Segments sent again, in all.
    pub total_retrans: u64,
    /// Segments sent, in all.
    pub segs_out: u64,
    /// Bytes that the peer acknowledged.
    pub bytes_acked: u64,
}

impl Row {
    /// From a line of JSON. None if it is none of a socket with a state.
    #[must_use]
    pub fn from_json(line: &[u8]) -> Option<Self> {
        let wire: Wire<'_> = serde_json::from_slice(line).ok()?;
        let opener = wire.pid.zip(wire.comm).map(|(pid, comm)| Holder { pid, comm });
        let process = wire.processes.first().or(opener.as_ref()).map(Holder::process);
        Some(Self {
            proto: Proto::named(&wire.proto),
            state: state(&wire.state)?,
            recv_q: wire.recv_q,
            send_q: wire.send_q,
            local: wire.local_addr.map(|addr| (addr.to_canonical(), wire.local_port)),
            peer: wire.peer_addr.map(|addr| (addr.to_canonical(), wire.peer_port)),
            inode: wire.inode,
            cookie: wire.cookie,
            netns: wire.netns,
            process,
            unit: wire.unit.map(|unit| unit.into()),
            opened: wire.opened.as_deref().and_then(time),
            timer: wire.timer.map(|timer| Timer {
                kind: match &*timer.kind {
                    "on" => TimerKind::Retransmit,
                    "persist" => TimerKind::Persist,
                    "timewait" => TimerKind::TimeWait,
                    _ => TimerKind::Other,
                },
                expires_ms: timer.expires_ms,
                retrans: timer.retrans,
            }),
            drops: wire.skmem.map_or(0, |memory| memory.drops),
            tcp: wire.tcp_info.map(Box::new),
        })
    }
}

impl Proto {
    /// From the word of the JSON schema.
    #[must_use]
    pub fn named(word: &str) -> Self {
        match word {
            "tcp" | "mptcp" => Self::Tcp,
            "udp" | "udplite" => Self::Udp,
            _ => Self::Other,
        }
    }

    /// What people call it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Other => "other",
        }
    }
}

/// Nanoseconds since 1970, of an RFC 3339 time.
pub(super) fn time(text: &str) -> Option<UnixNs> {
    let time: jiff::Timestamp = text.parse().ok()?;
    u64::try_from(time.as_nanosecond()).ok()
}

/// The state that ss words so.
fn state(word: &str) -> Option<State> {
    (1..=12).map(State::from_number).find(|state| state.word() == word && StateSet::ALL.contains(*state))
}

/// What stands in the line. What is not named is passed over.
#[derive(Deserialize)]
struct Wire<'a> {
    #[serde(borrow)]
    proto: Cow<'a, str>,
    #[serde(borrow)]
    state: Cow<'a, str>,
    #[serde(default)]
    recv_q: u64,
    #[serde(default)]
    send_q: u64,
    #[serde(default)]
    local_addr: Option<IpAddr>,
    #[serde(default)]
    local_port: u16,
    #[serde(default)]
    peer_addr: Option<IpAddr>,
    #[serde(default)]
    peer_port: u16,
    #[serde(default)]
    inode: u64,
    #[serde(default)]
    cookie: u64,
    #[serde(default)]
    netns: u64,
    #[serde(default)]
    pid: Option<u32>,
    #[serde(default, borrow)]
    comm: Option<Cow<'a, str>>,
    #[serde(default, borrow)]
    processes: Vec<Holder<'a>>,
    #[serde(default, borrow)]
    unit: Option<Cow<'a, str>>,
    #[serde(default, borrow)]
    opened: Option<Cow<'a, str>>,
    #[serde(default, borrow)]
    timer: Option<WireTimer<'a>>,
    #[serde(default)]
    skmem: Option<Memory>,
    #[serde(default)]
    tcp_info: Option<TcpInfo>,
}

#[derive(Deserialize)]
struct Holder<'a> {
    pid: u32,
    #[serde(borrow)]
    comm: Cow<'a, str>,
}

impl Holder<'_> {
    fn process(&self) -> Process {
        Process { pid: self.pid, comm: Comm::from_bytes(self.comm.as_bytes()) }
    }
}

#[derive(Deserialize)]
struct WireTimer<'a> {
    #[serde(borrow)]
    kind: Cow<'a, str>,
    #[serde(default)]
    expires_ms: u64,
    #[serde(default)]
    retrans: u64,
}

#[derive(Deserialize)]
struct Memory {
    #[serde(default)]
    drops: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_as_far_as_it_goes() {
        let line = br#"{"netid":"tcp","proto":"tcp","family":"inet6","state":"LISTEN","recv_q":1,"send_q":128,"local_addr":"::ffff:127.0.0.1","local_port":8080,"inode":51966,"cookie":4711,"uid":1000,"netns":4026531840,"processes":[{"pid":7,"comm":"no\u0001de","fd":3}],"timer":{"kind":"timewait","expires_ms":41000,"retrans":0},"skmem":{"drops":3},"tcp_info":{"rtt":5,"new":1}}"#;
        let row = Row::from_json(line).unwrap();
        assert_eq!((row.proto, row.state, row.recv_q, row.send_q), (Proto::Tcp, State::Listen, 1, 128));
        assert_eq!(row.local, Some(([127, 0, 0, 1].into(), 8080)));
        assert_eq!(row.process, Some(Process { pid: 7, comm: Comm::from_bytes(b"no\x01de") }));
        assert_eq!((row.drops, row.tcp.unwrap().rtt), (3, 5));
        assert_eq!(row.timer.unwrap().kind, TimerKind::TimeWait);
        let opened = br#"{"proto":"udp","state":"UNCONN","pid":8,"comm":"dig","opened":"2026-07-28T15:04:05Z","local_addr":"0.0.0.0"}"#;
        let row = Row::from_json(opened).unwrap();
        assert_eq!(row.process.unwrap().pid, 8);
        assert_eq!(row.opened, Some(1_785_251_045_000_000_000));
        for none in ["", "{}", "[]", r#"{"proto":"tcp","state":"OPEN"}"#] {
            assert_eq!(Row::from_json(none.as_bytes()), None, "{none}");
        }
    }
}

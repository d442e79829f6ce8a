//! What happened to a socket, and what became of it: a line of `/v1/events`, `/v1/history` and of `--json`.

use crate::Time;
use serde::{Deserialize, Serialize};

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Kind {
    /// bind(2) returned; with `error` where it failed.
    Bind,
    /// listen(2) returned; with `error` where it failed.
    Listen,
    /// TCP: the handshake of an outgoing connection is done; others: connect(2) succeeded.
    Connect,
    /// An outgoing connection did not come about.
    ConnectFailed,
    /// A process accepted a connection.
    Accept,
    /// A datagram socket that was not bound got its port.
    Open,
    /// The socket is closed.
    Close,
    /// A TCP state change.
    State,
    /// Events were lost.
    Lost,
    /// The table was compared with the kernel's own and repaired.
    Resync,
    /// One that this version does not know.
    #[serde(other)]
    #[cfg_attr(feature = "schema", schemars(skip))]
    Other,
}

/// How a process is known as the owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Attribution {
    /// It made the call.
    Exact,
    /// It held the socket when somebody looked.
    Holder,
    /// It is not known.
    Unknown,
}

/// Which end did something, or what between them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// This one.
    Local,
    /// The other one.
    Peer,
    /// Each before it knew of the other's.
    Both,
    /// One of them; which is not known.
    Either,
    /// Something on the way, or nobody answered.
    Network,
}

/// What happened to a socket; and, in `/v1/history`, that it closed. Of [`Kind::Lost`] and [`Kind::Resync`] there is no socket.
///
/// A field is there where it applies and is known. `pid` and `comm` are null where the owner is not known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Event {
    /// When: RFC 3339, UTC, nanoseconds; taken in the kernel at the moment of the event.
    pub ts: Time,
    /// What.
    pub event: Kind,
    /// The kind of socket in ss's words: `tcp`, `udp`, `u_str`, `u_dgr`, `u_seq` …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub netid: Option<String>,
    /// The kind of socket: `tcp`, `udp`, `udplite`, `raw`, `icmp`, `unix`, `mptcp`, `sctp` …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proto: Option<String>,
    /// `inet`, `inet6`, `unix`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub family: Option<String>,
    /// This side: an IP address without brackets, or the name of a UNIX socket (`@` for a NUL byte).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub local_addr: Option<String>,
    /// This side's port; of a RAW socket the IP protocol.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub local_port: Option<u32>,
    /// The other side, as `local_addr`; none where there is none, as for a listener.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer_addr: Option<String>,
    /// The other side's port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer_port: Option<u32>,
    /// The state after the event, in the words of ss: `ESTAB`, `LISTEN`, `UNCONN` …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// Of a state change: the state before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old_state: Option<String>,
    /// The kernel's identity of the socket, never used again until reboot (`SO_COOKIE`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cookie: Option<u64>,
    /// Inode of its network namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub netns: Option<u32>,
    /// The interface that it is bound to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ifindex: Option<u32>,
    /// User id of the socket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<u32>,
    /// The process that opened it; null where that is not known.
    #[serde(default)]
    pub pid: Option<u32>,
    /// That process's name, at most 15 bytes; null where that is not known.
    #[serde(default)]
    pub comm: Option<String>,
    /// How `pid` is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attribution: Option<Attribution>,
    /// Id of its cgroup (v2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cgroup_id: Option<u64>,
    /// That cgroup's path beneath the mount.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cgroup_path: Option<String>,
    /// The systemd unit that the path names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// Id of the container that the path names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// `docker`, `containerd`, `cri-o`, `podman`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container_runtime: Option<String>,
    /// Uid of the Kubernetes pod that the path names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod: Option<String>,
    /// Of a connect: from SYN to established, or to the failure, microseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_us: Option<u64>,
    /// Of a close: how long it was open, microseconds; none where its beginning was not seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_us: Option<u64>,
    /// Of a close of TCP: bytes sent, each counted once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes_sent: Option<u64>,
    /// Likewise: bytes received.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes_received: Option<u64>,
    /// Likewise: segments sent, those without data and those sent again included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub segs_out: Option<u32>,
    /// Likewise: segments received.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub segs_in: Option<u32>,
    /// Likewise: segments sent again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retrans: Option<u32>,
    /// Likewise: smoothed round-trip time at the end, microseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rtt_us: Option<u32>,
    /// Likewise: smallest round-trip time, microseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_rtt_us: Option<u32>,
    /// Likewise: whose FIN came first, or whose reset where there was no FIN.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed_first: Option<Side>,
    /// Likewise: who reset the connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reset: Option<Side>,
    /// Of a connect of TCP that failed: who made it fail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed_by: Option<Side>,
    /// `dump`: no hook reported it; it was found when the kernel's tables were looked through, and `ts` is the time of that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen_by: Option<String>,
    /// Name of the error: `EADDRINUSE`, `ECONNREFUSED` …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Of lost events: how many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost: Option<u64>,
    /// Of lost events, where: `kernel` (between the kernel and the agent) or `reader` (this reader was too slow).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Of a resync: sockets that the kernel had and the table had not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub added: Option<u64>,
    /// Of a resync: sockets that the table had and the kernel had not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removed: Option<u64>,
    /// Of a resync: sockets that differed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed: Option<u64>,
    /// In `/v1/history`: when the socket opened, if that was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opened: Option<Time>,
}

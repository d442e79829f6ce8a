//! What a listed socket consists of: who holds it, timers, structs of the kernel's.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Members of one of the kernel's structs, under its own names without the prefix (`tcp_info` of `linux/tcp.h`): as many as the
/// kernel sends. Null is a rate without a limit.
pub type Members = BTreeMap<String, Option<u64>>;

/// A process, or with threads one of them, that holds a socket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Holder {
    /// Process id, as the asker sees it.
    pub pid: u32,
    /// Thread id (`threads`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tid: Option<u32>,
    /// Its name, at most 15 bytes.
    pub comm: String,
    /// Through which descriptor.
    pub fd: u32,
    /// SELinux context of the process (`context`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<String>,
    /// SELinux context of the socket's file (`socket_context`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub socket_context: Option<String>,
}

/// A timer of a socket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Timer {
    /// `on` (sends again), `keepalive`, `timewait`, `persist` (zero window), `delack`, `unknown`.
    pub kind: String,
    /// Until it fires, milliseconds.
    pub expires_ms: u32,
    /// How often it fired.
    pub retrans: u32,
}

/// Directions that are shut down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Shutdown {
    /// Nothing more is received.
    pub receive: bool,
    /// Nothing more is sent.
    pub send: bool,
}

/// What became of a socket from one round to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// It was not there.
    New,
    /// It is not there any more.
    Gone,
    /// It was there and is another.
    Changed,
}

/// What has changed of a socket since the round before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Delta {
    /// What became of it.
    pub change: Change,
    /// The state before, if that has changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old_state: Option<String>,
    /// By how much the receive queue grew, bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recv_q: Option<i64>,
    /// By how much the send queue grew, bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub send_q: Option<i64>,
    /// Bytes acknowledged meanwhile (`info`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent: Option<u64>,
    /// Bytes received meanwhile (`info`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub received: Option<u64>,
}

/// `struct tcp_dctcp_info` of `linux/inet_diag.h`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Dctcp {
    /// Whether it is in use.
    pub enabled: bool,
    /// Whether the last segment was marked.
    pub ce_state: u32,
    /// The share that is marked, of 1024.
    pub alpha: u32,
    /// Bytes acknowledged with a mark.
    pub ab_ecn: u32,
    /// Bytes acknowledged.
    pub ab_tot: u32,
}

/// A key of RFC 2385.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Md5Key {
    /// The peer's address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub addr: Option<String>,
    /// Length of its prefix, bits.
    pub prefixlen: u32,
    /// The key.
    pub key: String,
}

/// What runs on top of TCP: numbers of `linux/tls.h` and `linux/mptcp.h`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Ulp {
    /// `tls`, `mptcp` …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// `TLS_INFO_*`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<Members>,
    /// `MPTCP_SUBFLOW_ATTR_*`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mptcp: Option<Members>,
}

/// One of several addresses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Addr {
    /// An IP address.
    pub addr: String,
}

/// What a BPF program stored beside a socket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct BpfStorage {
    /// Id of the map.
    pub map_id: u32,
    /// The bytes, in hexadecimal.
    pub value: String,
}

/// The file that a UNIX socket is bound to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FileOfSocket {
    /// Its inode number.
    pub inode: u32,
    /// Its device, major number.
    pub major: u32,
    /// Its device, minor number.
    pub minor: u32,
}

/// An instruction of classic BPF (`struct sock_filter`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Instruction {
    /// What it does.
    pub code: u32,
    /// How far it jumps if so.
    pub jt: u32,
    /// How far it jumps if not.
    pub jf: u32,
    /// Its constant.
    pub k: u32,
}

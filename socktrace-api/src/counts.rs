//! Counts instead of sockets: of `--count-by`, and the summary of `-s`.

use crate::Time;
use serde::{Deserialize, Serialize};

/// How many there are of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Count {
    /// Of a listing that is repeated: when the round began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ts: Option<Time>,
    /// Likewise: which round it is, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub round: Option<u64>,
    /// How many.
    pub count: u64,
    /// Of which, where they are counted by one key: its text, `-` for what is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Of which, where they are counted by several keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keys: Option<Vec<String>>,
}

/// How many sockets there are, as `/proc/net/sockstat` and its kin say it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Summary {
    /// Of a listing that is repeated: when the round began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ts: Option<Time>,
    /// Likewise: which round it is, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub round: Option<u64>,
    /// Which network namespace, where there are several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub netns: Option<u32>,
    /// What that is called, if it has a name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub netns_name: Option<String>,
    /// A process that lives in it, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub netns_pid: Option<u32>,
    /// Sockets of all families that are in use.
    pub sockets: i64,
    /// TCP by state.
    pub tcp_states: TcpStates,
    /// RAW sockets.
    pub raw: Pair,
    /// UDP sockets.
    pub udp: Pair,
    /// TCP sockets.
    pub tcp: Pair,
    /// Packets that are being put together.
    pub fragments: Pair,
}

/// TCP sockets by state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TcpStates {
    /// All that have memory, TIME-WAIT included.
    pub total: i64,
    /// Established, or closed by the peer (`CurrEstab`).
    pub established: i64,
    /// Neither in use nor orphaned.
    pub closed: i64,
    /// That no process holds any more.
    pub orphaned: i64,
    /// In TIME-WAIT.
    pub timewait: i64,
}

/// A number for both IPs together and for each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Pair {
    /// Both.
    pub total: i64,
    /// IPv4.
    pub inet: i64,
    /// IPv6.
    pub inet6: i64,
}

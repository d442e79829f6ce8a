//! How the agent is doing: what `/v1/status` answers.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How the agent is doing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Status {
    /// Live sockets in the table; told to those who may see all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sockets: Option<u64>,
    /// Records that the kernel programs made since the agent started, lost ones included; told to the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub events_seen: Option<u64>,
    /// Records that were lost since the agent started.
    pub events_lost: u64,
    /// Runs of a program that the kernel skipped, and records that could not be read: what `events_lost` has beyond the
    /// families' own.
    #[serde(default)]
    pub skipped: u64,
    /// The records by the family of hooks that made them: `state`, `call`, `inet`; told to the same.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub families: BTreeMap<String, FamilyStatus>,
    /// How often the table was compared with the kernel's after a loss.
    pub resyncs: u64,
    /// How often it was compared although nothing was lost.
    #[serde(default)]
    pub audits: u64,
    /// Differences that those found, in all. Expected: 0.
    #[serde(default)]
    pub drift: u64,
    /// Closed sockets that are kept in memory, and notes among them; told to the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history_records: Option<u64>,
    /// Memory that those take, bytes; told to the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history_bytes: Option<u64>,
    /// What is attached to the kernel, and what could not be.
    pub hooks: Vec<Hook>,
    /// Whether a filter keeps the agent from system calls that it has no use for.
    #[serde(default)]
    pub seccomp: bool,
    /// Since the agent started, seconds.
    pub uptime_s: u64,
    /// Memory that the agent occupies, bytes.
    pub rss_bytes: u64,
}

/// What became of the records of one family. `seen` is `delivered + lost` when the ring has been read to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FamilyStatus {
    /// Records that the programs made.
    pub seen: u64,
    /// Those that the agent read.
    pub delivered: u64,
    /// Those that found the buffer full.
    pub lost: u64,
}

/// One hook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Hook {
    /// Its name.
    pub name: String,
    /// Whether the agent cannot run without it.
    pub required: bool,
    /// `attached` or `missing`.
    pub state: HookState,
    /// Why it is missing.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
    /// What is not seen while it is missing.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub lost_without: Option<String>,
}

/// Whether a hook is in place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum HookState {
    /// In place.
    Attached,
    /// The kernel refused it.
    Missing,
}

//! How the agent is doing: what `/v1/status` answers.

use crate::socket::{Counters, FamilyCount, Viewer};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How the agent is doing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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

impl Status {
    /// What that viewer is told: how the agent is, but not how much there is that they may not see.
    #[must_use]
    pub fn as_seen_by(self, viewer: Viewer) -> Self {
        if !viewer.is_limited() {
            return self;
        }
        let none = None;
        let families = BTreeMap::new();
        Self {
            sockets: none,
            events_seen: none,
            history_records: none,
            history_bytes: none,
            families,
            ..self
        }
    }
}

/// What became of the records of one family. `seen` is `delivered + lost` when the ring has been read to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FamilyStatus {
    /// Records that the programs made.
    pub seen: u64,
    /// Those that the agent read.
    pub delivered: u64,
    /// Those that found the buffer full.
    pub lost: u64,
}

impl FamilyStatus {
    /// The families of a reading by their names.
    #[must_use]
    pub fn all(counters: &Counters) -> BTreeMap<String, Self> {
        let status =
            |count: FamilyCount| Self { seen: count.seen, delivered: count.delivered, lost: count.ring_full };
        counters.families().map(|(name, count)| (name.to_owned(), status(count))).into()
    }
}

/// One hook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
#[serde(rename_all = "lowercase")]
pub enum HookState {
    /// In place.
    Attached,
    /// The kernel refused it.
    Missing,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn as_json() {
        let hook = |name: &str, state, reason: Option<&str>| Hook {
            name: name.into(),
            required: state == HookState::Attached,
            state,
            reason: reason.map(Into::into),
            lost_without: reason.map(|_| "closes of UNIX sockets".into()),
        };
        let status = Status {
            sockets: Some(1),
            events_seen: Some(2),
            events_lost: 3,
            skipped: 1,
            families: [("state".to_owned(), FamilyStatus { seen: 9, delivered: 7, lost: 2 })].into(),
            resyncs: 4,
            audits: 10,
            drift: 0,
            history_records: Some(7),
            history_bytes: Some(8),
            hooks: vec![
                hook("a", HookState::Attached, None),
                hook("b", HookState::Missing, Some("permission denied")),
            ],
            seccomp: true,
            uptime_s: 5,
            rss_bytes: 6,
        };
        let value = serde_json::to_value(&status).unwrap();
        assert_eq!(
            value,
            json!({
                "sockets": 1, "events_seen": 2, "events_lost": 3, "skipped": 1,
                "families": {"state": {"seen": 9, "delivered": 7, "lost": 2}},
                "resyncs": 4, "audits": 10, "drift": 0, "uptime_s": 5, "rss_bytes": 6,
                "history_records": 7, "history_bytes": 8, "seccomp": true,
                "hooks": [
                    {"name": "a", "required": true, "state": "attached"},
                    {"name": "b", "required": false, "state": "missing", "reason": "permission denied",
                     "lost_without": "closes of UNIX sockets"},
                ],
            })
        );
        assert_eq!(serde_json::from_value::<Status>(value).unwrap(), status);
        let told = serde_json::to_value(status.as_seen_by(Viewer::user(1000, 1))).unwrap();
        assert_eq!(
            told.as_object().unwrap().keys().collect::<Vec<_>>(),
            [
                "audits",
                "drift",
                "events_lost",
                "hooks",
                "resyncs",
                "rss_bytes",
                "seccomp",
                "skipped",
                "uptime_s"
            ]
        );
        // A client of theirs understands it.
        assert_eq!(serde_json::from_value::<Status>(told).unwrap().sockets, None);
    }
}

//! How the agent is doing: what `/v1/status` answers, and how much of it to whom.

pub use socktrace_api::{FamilyStatus, Hook, HookState, Status};

use crate::socket::{Counters, FamilyCount, Viewer};
use std::collections::BTreeMap;

/// What that viewer is told: how the agent is, but not how much there is that they may not see.
#[must_use]
pub fn as_seen_by(status: Status, viewer: Viewer) -> Status {
    if !viewer.is_limited() {
        return status;
    }
    let none = None;
    let families = BTreeMap::new();
    Status {
        sockets: none,
        events_seen: none,
        history_records: none,
        history_bytes: none,
        families,
        ..status
    }
}

/// The families of a reading by their names.
#[must_use]
pub fn families(counters: &Counters) -> BTreeMap<String, FamilyStatus> {
    let status = |count: FamilyCount| FamilyStatus {
        seen: count.seen,
        delivered: count.delivered,
        lost: count.ring_full,
    };
    counters.families().map(|(name, count)| (name.to_owned(), status(count))).into()
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
        let told = serde_json::to_value(as_seen_by(status, Viewer::user(1000, 1))).unwrap();
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

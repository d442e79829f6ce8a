//! One of each kind of event as JSON, field by field.

use super::*;
use crate::render::event_fixtures::{closed, closing, event, inet, one_of_each, subject, unix};
use crate::socket::{Comm, Family, Process, Proto, State};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeSet;

fn encoded(event: &Event) -> String {
    let mut out = b"before\n".to_vec();
    encode(event, &Clock::default(), &mut out);
    let text = String::from_utf8(out).unwrap();
    text.strip_prefix("before\n").unwrap().to_owned()
}

fn parsed(event: &Event) -> Value {
    let line = encoded(event);
    assert_eq!(line.find('\n'), Some(line.len() - 1), "{line}");
    // Whoever reads it as a value can.
    let event: socktrace_api::Event = serde_json::from_str(&line).unwrap();
    assert_ne!(event.event, socktrace_api::Kind::Other, "{line}");
    serde_json::from_str(&line).unwrap()
}

#[test]
fn a_connect_has_everything() {
    assert_eq!(
        parsed(&event(EventKind::Connect { latency_us: Some(117) }, subject())),
        json!({
            "ts": "1970-01-01T00:00:00.123456789Z", "event": "connect", "netid": "tcp", "proto": "tcp", "family": "inet",
            "local_addr": "127.0.0.1", "local_port": 43210, "peer_addr": "127.0.0.1", "peer_port": 443,
            "state": "ESTAB", "cookie": 4711, "netns": 4_026_531_840_u32, "ifindex": 3, "uid": 1000,
            "pid": 1234, "comm": "curl", "attribution": "exact", "cgroup_id": 12, "latency_us": 117,
            "cgroup_path": "/kubepods.slice/kubepods-pod3c1b9a7e_5d42_4f6a_9e0b_1a2b3c4d5e6f.slice/\
                crio-4f2a8e5b0d1c9a7e6f3b2c1d0e9f8a7b6c5d4e3f2a1b0c9d8e7f6a5b4c3d2e1f.scope",
            "unit": "crio-4f2a8e5b0d1c9a7e6f3b2c1d0e9f8a7b6c5d4e3f2a1b0c9d8e7f6a5b4c3d2e1f.scope",
            "container": "4f2a8e5b0d1c9a7e6f3b2c1d0e9f8a7b6c5d4e3f2a1b0c9d8e7f6a5b4c3d2e1f",
            "container_runtime": "cri-o", "pod": "3c1b9a7e-5d42-4f6a-9e0b-1a2b3c4d5e6f",
        })
    );
}

#[test]
fn what_is_not_known_is_absent_and_an_unknown_owner_is_null() {
    let bare = Subject {
        cookie: 0,
        netns: 0,
        proto: Proto::Udp,
        family: Family::Inet6,
        local: inet("::", 53),
        peer: inet("::", 0),
        state: State::Close,
        ifindex: 0,
        uid: None,
        mark: 0,
        inode: 0,
        cgroup: 0,
        place: None,
        owner: Owner::Unknown,
        opened: None,
    };
    assert_eq!(
        parsed(&event(EventKind::Close { found: false, duration_us: None, closing: None }, bare)),
        json!({
            "ts": "1970-01-01T00:00:00.123456789Z", "event": "close", "netid": "udp", "proto": "udp", "family": "inet6",
            "local_addr": "::", "local_port": 53, "state": "UNCONN",
            "pid": null, "comm": null, "attribution": "unknown",
        })
    );
}

#[test]
fn a_close_tells_the_totals() {
    let close = EventKind::Close { found: false, duration_us: Some(0), closing: Some(Box::new(closing())) };
    let value = parsed(&event(close, closed()));
    for (field, expected) in [
        ("duration_us", json!(0)),
        ("bytes_sent", json!(512)),
        ("bytes_received", json!(12_345)),
        ("segs_out", json!(5)),
        ("segs_in", json!(6)),
        ("retrans", json!(2)),
        ("rtt_us", json!(87)),
        ("min_rtt_us", json!(12)),
        ("closed_first", json!("local")),
        ("reset", json!("either")),
        ("error", json!("ECONNRESET")),
    ] {
        assert_eq!(value[field], expected, "{field}");
    }
}

#[test]
fn what_no_hook_told_of_says_so() {
    let close = || EventKind::Close { found: false, duration_us: None, closing: None };
    let held = Owner::Holder(Process { pid: 1, comm: Comm::from_bytes(b"x") });
    let of_unix = || Subject { proto: Proto::UnixStream, family: Family::Unix, ..subject() };
    for (event, expected) in [
        (event(close(), of_unix()), None),
        (event(EventKind::Close { found: true, duration_us: None, closing: None }, of_unix()), Some("dump")),
        (event(close(), subject()), None),
        (event(EventKind::Accept, Subject { owner: held, ..subject() }), Some("dump")),
        (event(EventKind::Accept, of_unix()), None),
        (event(close(), Subject { owner: held, ..subject() }), None),
    ] {
        assert_eq!(parsed(&event).get("seen_by").and_then(Value::as_str), expected);
    }
}

#[test]
fn names_of_unix_sockets() {
    for (name, expected) in [
        (&b"/run/x.sock"[..], json!("/run/x.sock")),
        (b"\0abstract\0x", json!("@abstract@x")),
        (b"", Value::Null),
        (b"/tmp/\"\\\n\x1b\xff", json!("/tmp/\"\\\n\u{1b}\u{fffd}")),
    ] {
        let subject = Subject { local: unix(name), peer: Endpoint::None, ..subject() };
        let value = parsed(&event(EventKind::Accept, subject));
        assert_eq!(value["local_addr"], expected);
        assert_eq!((value.get("local_port"), value.get("peer_addr")), (None, None));
    }
}

#[test]
fn who_lost_what() {
    let lost = Event { at: 0, kind: EventKind::Lost { records: 3 }, subject: None };
    let by_kernel =
        json!({"ts": "1970-01-01T00:00:00.000000000Z", "event": "lost", "lost": 3, "by": "kernel"});
    assert_eq!(parsed(&lost), by_kernel);
    let mut out = Vec::new();
    encode_gap(1, 4, &Clock::default(), &mut out);
    let by_reader =
        json!({"ts": "1970-01-01T00:00:00.000000001Z", "event": "lost", "lost": 4, "by": "reader"});
    assert_eq!(serde_json::from_slice::<Value>(&out).unwrap(), by_reader);
}

#[test]
fn a_socket_of_the_table() {
    let mut out = b"before\n".to_vec();
    encode_socket(&subject(), &Clock::default(), &mut out);
    let text = std::str::from_utf8(&out).unwrap().strip_prefix("before\n").unwrap();
    let value: Value = serde_json::from_str(text).unwrap();
    assert_eq!(
        value,
        json!({
            "netid": "tcp", "proto": "tcp", "family": "inet", "local_addr": "127.0.0.1", "local_port": 43210,
            "peer_addr": "127.0.0.1", "peer_port": 443, "state": "ESTAB", "cookie": 4711,
            "netns": 4_026_531_840_u32, "ifindex": 3, "uid": 1000, "pid": 1234, "comm": "curl",
            "attribution": "exact", "cgroup_id": 12, "inode": 99, "opened": "1970-01-01T00:00:00.000000001Z",
            "cgroup_path": "/kubepods.slice/kubepods-pod3c1b9a7e_5d42_4f6a_9e0b_1a2b3c4d5e6f.slice/\
                crio-4f2a8e5b0d1c9a7e6f3b2c1d0e9f8a7b6c5d4e3f2a1b0c9d8e7f6a5b4c3d2e1f.scope",
            "unit": "crio-4f2a8e5b0d1c9a7e6f3b2c1d0e9f8a7b6c5d4e3f2a1b0c9d8e7f6a5b4c3d2e1f.scope",
            "container": "4f2a8e5b0d1c9a7e6f3b2c1d0e9f8a7b6c5d4e3f2a1b0c9d8e7f6a5b4c3d2e1f",
            "container_runtime": "cri-o", "pod": "3c1b9a7e-5d42-4f6a-9e0b-1a2b3c4d5e6f",
        })
    );
}

/// The fields that docs/events.md promises for a kind.
fn documented(kind: &str) -> BTreeSet<String> {
    include_str!("../../../../docs/events.md")
        .lines()
        .skip_while(|line| *line != "## Fields")
        .filter_map(|line| {
            let mut cells = line.split('|').map(str::trim).skip(1);
            let (name, _type, kinds) = (cells.next()?, cells.next()?, cells.next()?);
            let told = kinds.split(", ").any(|k| match k {
                "all" => true,
                "sockets" => !matches!(kind, "lost" | "resync"),
                other => other == kind,
            });
            told.then(|| name.strip_prefix('`')?.strip_suffix('`').map(str::to_owned))?
        })
        .collect()
}

#[test]
fn fields_and_kinds_are_those_of_the_document() {
    for event in one_of_each() {
        let value = parsed(&event);
        let kind = value["event"].as_str().unwrap();
        let fields: BTreeSet<String> = value.as_object().unwrap().keys().cloned().collect();
        assert_eq!(fields, documented(kind), "{kind}");
        let row = format!("| `{kind}` |");
        assert!(include_str!("../../../../docs/events.md").contains(&row), "{kind} has no row");
    }
}

#[test]
fn the_example_of_the_document_is_ours() {
    let example = include_str!("../../../../docs/events.md").lines().find(|l| l.starts_with('{')).unwrap();
    let clock = Clock { unix_minus_boot_ns: 1_785_251_045_000_000_000, local_offset_s: 0 };
    let subject = Subject { ifindex: 0, cgroup: 0, place: None, ..subject() };
    let mut out = Vec::new();
    encode(&event(EventKind::Connect { latency_us: Some(117) }, subject), &clock, &mut out);
    assert_eq!(std::str::from_utf8(&out), Ok(format!("{example}\n").as_str()));
}

proptest! {
    #[test]
    fn any_name_and_any_number_can_be_read_back(
        comm in proptest::collection::vec(1u8.., 0..16), path: Vec<u8>, cookie in 1u64.., duration: u64,
    ) {
        let owner = Owner::Holder(Process { pid: u32::MAX, comm: Comm::from_bytes(&comm) });
        let subject = Subject { cookie, owner, local: unix(&path), ..subject() };
        let close = EventKind::Close { found: false, duration_us: Some(duration), closing: None };
        let event = event(close, subject);
        let line = encoded(&event);
        prop_assert!(line.trim_end_matches('\n').chars().all(|c| !c.is_control()));
        let value = parsed(&event);
        prop_assert_eq!(&value["cookie"], &json!(cookie));
        prop_assert_eq!(&value["duration_us"], &json!(duration));
        let comm = Comm::from_bytes(&comm);
        prop_assert_eq!(value["comm"].as_str().unwrap(), comm.to_text());
        prop_assert_eq!(&value["attribution"], &json!("holder"));
    }
}

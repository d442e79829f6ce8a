//! `socktrace events`: what real sockets do is told, with the right process beside it.

use crate::support::actor::Actor;
use crate::support::run::{Running, socktrace};
use crate::support::{in_own_netns, may_trace, wait_for};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::process::Stdio;

/// Whether the event is of that kind, in the actors' namespace.
fn is<'a>(actor: &Actor, kind: &'a str) -> impl Fn(&Value) -> bool + 'a {
    let netns = actor.netns();
    move |event| event["event"] == kind && event["netns"] == netns
}

/// The fields of an event that are the same every time.
#[track_caller]
fn check(event: &Value, expected: Value) {
    for (field, value) in expected.as_object().unwrap() {
        assert_eq!(&event[field], value, "{field} of {event}");
    }
}

/// A server that was blocked in accept(2) before anybody looked, and a client.
fn a_connection_and_its_end(family: &str, addr: &str) {
    let mut server = Actor::alone("a-server");
    let port: u16 = server.does(&format!("listen {addr}")).parse().unwrap();
    server.begins("accept");
    server.is_blocked_in_accept();
    let events = Running::events(&["--direct", "--json", "-t"]);

    let mut client = server.beside("a-client");
    let client_port: u16 = client.does(&format!("connect {addr} {port}")).parse().unwrap();
    server.answer();
    client.does("write 0 1000");
    server.does("read 0 1000");
    server.does("write 0 77");
    client.does("read 0 77");
    client.does("close 0");
    server.does("close 0");

    let from_client = json!({
        "proto": "tcp", "family": family, "local_addr": addr, "local_port": client_port, "peer_addr": addr,
        "peer_port": port, "pid": client.pid(), "comm": "a-client", "attribution": "exact", "uid": 0,
    });
    let from_server = json!({
        "proto": "tcp", "family": family, "local_addr": addr, "local_port": port, "peer_addr": addr,
        "peer_port": client_port, "pid": server.pid(), "comm": "a-server", "attribution": "exact",
    });
    let mut seen = Vec::new();
    while seen.len() < 4 {
        seen.push(events.event(|event| {
            is(&server, "connect")(event) || is(&server, "accept")(event) || is(&server, "close")(event)
        }));
    }
    let one = |kind: &str, port: u16| {
        let mut found = seen.iter().filter(|event| event["event"] == kind && event["local_port"] == port);
        match (found.next(), found.next()) {
            (Some(event), None) => event,
            _ => panic!("not exactly one {kind} from port {port}: {seen:#?}"),
        }
    };
    let connect = one("connect", client_port);
    check(connect, from_client.clone());
    assert!(connect["latency_us"].is_u64(), "{connect}");
    check(one("accept", port), from_server.clone());
    let (ours, theirs) = (one("close", client_port), one("close", port));
    check(ours, from_client);
    check(theirs, from_server);
    check(ours, json!({"bytes_sent": 1000, "bytes_received": 77}));
    check(theirs, json!({"bytes_sent": 77, "bytes_received": 1000}));
    assert!(ours["duration_us"].is_u64() && theirs["duration_us"].is_u64(), "{ours} {theirs}");
    assert_ne!(ours["cookie"], theirs["cookie"]);
    let (_, status) = events.finish();
    assert_eq!(status.code(), Some(0));
}

#[test]
fn a_connection_over_ipv4() {
    if may_trace("a_connection_over_ipv4") {
        a_connection_and_its_end("inet", "127.0.0.1");
    }
}

#[test]
fn a_connection_over_ipv6() {
    if may_trace("a_connection_over_ipv6") {
        a_connection_and_its_end("inet6", "::1");
    }
}

#[test]
fn a_refused_connect() {
    if !may_trace("a_refused_connect") {
        return;
    }
    let mut client = Actor::alone("refused");
    let events = Running::events(&["--direct", "--json", "--kinds", "connect_failed"]);
    assert_eq!(client.does("connect 127.0.0.1 9"), format!("error {}", libc::ECONNREFUSED));
    let event = events.event(is(&client, "connect_failed"));
    check(
        &event,
        json!({
            "proto": "tcp", "family": "inet", "peer_addr": "127.0.0.1", "peer_port": 9, "error": "ECONNREFUSED",
            "pid": client.pid(), "comm": "refused", "attribution": "exact",
        }),
    );
}

#[test]
fn listeners_come_and_go() {
    if !may_trace("listeners_come_and_go") {
        return;
    }
    let mut actor = Actor::alone("listener");
    let events = Running::events(&["--direct", "--json", "-t", "--kinds", "bind,listen,close"]);
    let port: u16 = actor.does("listen ::1").parse().unwrap();
    actor.does("close-listener");
    for kind in ["bind", "listen", "close"] {
        let event = events.event(is(&actor, kind));
        check(
            &event,
            json!({"local_addr": "::1", "local_port": port, "pid": actor.pid(), "comm": "listener"}),
        );
        assert_eq!(event.get("peer_addr"), None, "{event}");
    }
}

#[test]
fn udp_from_bind_to_close() {
    if !may_trace("udp_from_bind_to_close") {
        return;
    }
    let mut actor = Actor::alone("datagrams");
    let events = Running::events(&["--direct", "--json", "-u"]);
    let port: u16 = actor.does("udp-bind 127.0.0.1").parse().unwrap();
    actor.does("udp-connect 127.0.0.1 9");
    actor.does("udp-close");
    for kind in ["bind", "connect", "close"] {
        let event = events.event(is(&actor, kind));
        check(&event, json!({"proto": "udp", "local_addr": "127.0.0.1", "local_port": port}));
        check(&event, json!({"pid": actor.pid(), "comm": "datagrams", "attribution": "exact"}));
    }
}

#[test]
fn unix_sockets_are_told_with_their_paths() {
    if !may_trace("unix_sockets_are_told_with_their_paths") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a socket").display().to_string().replace(' ', "_");
    let mut server = Actor::alone("unix-server");
    let mut client = server.beside("unix-client");
    let events = Running::events(&["--direct", "--json", "-x"]);
    server.does(&format!("unix-listen {path}"));
    client.does(&format!("unix-connect {path}"));
    server.does("unix-accept");
    let at_path = |kind: &'static str, end: &'static str| {
        let path = path.clone();
        move |event: &Value| event["event"] == kind && event[end] == path.as_str()
    };
    for kind in ["bind", "listen"] {
        check(&events.event(at_path(kind, "local_addr")), json!({"pid": server.pid(), "family": "unix"}));
    }
    check(&events.event(at_path("connect", "peer_addr")), json!({"pid": client.pid(), "proto": "unix"}));
    check(&events.event(at_path("accept", "local_addr")), json!({"pid": server.pid(), "proto": "unix"}));
}

#[test]
fn states_and_filters() {
    if !may_trace("states_and_filters") {
        return;
    }
    let mut server = Actor::alone("states");
    let port: u16 = server.does("listen 127.0.0.1").parse().unwrap();
    let other: u16 = {
        let mut other = server.beside("other");
        other.does("listen 127.0.0.1").parse().unwrap()
    };
    let filter = format!("dport = :{port}");
    let events = Running::events(&["--direct", "--json", "--states", "--count", "2", &filter]);
    assert!(server.does(&format!("connect 127.0.0.1 {other}")).starts_with("error"));
    server.does(&format!("connect 127.0.0.1 {port}"));
    let event = events.event(is(&server, "state"));
    check(&event, json!({"old_state": "UNCONN", "state": "SYN-SENT", "peer_port": port}));
    let event = events.event(|_| true);
    assert_eq!(event["peer_port"], port, "{event}");
    // The count is reached, so that the stream ends by itself.
    assert_eq!(events.line(), None);
}

#[test]
fn a_reader_that_leaves_ends_it_although_nothing_happens() {
    if !may_trace("a_reader_that_leaves_ends_it_although_nothing_happens") {
        return;
    }
    let mut command = socktrace(&["events", "--direct", "--json", "--comm", "no such name"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = [0; "socktrace: tracing\n".len()];
    child.stderr.as_mut().unwrap().read_exact(&mut said).unwrap();
    drop(child.stdout.take());
    let status = wait_for("the end of events", || child.try_wait().unwrap());
    assert_eq!(status.code(), Some(0));
}

#[test]
fn it_ends_cleanly_however_it_is_ended() {
    if !may_trace("it_ends_cleanly_however_it_is_ended") {
        return;
    }
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        let mut events = Running::events(&["--direct"]);
        events.signal(signal);
        assert_eq!(events.ends().code(), Some(0), "{signal}");
    }
    let mut events = Running::start(&["events", "--direct", "--for", "0.1", "--json"]);
    assert_eq!(events.ends().code(), Some(0));
}

#[test]
fn times_are_of_the_zone_that_tz_names() {
    if !may_trace("times_are_of_the_zone_that_tz_names") {
        return;
    }
    let mut actor = Actor::alone("zoned");
    let day = 24 * 3600;
    for zone in [":Asia/Tokyo", "Asia/Tokyo", "JST-9"] {
        let mut command = socktrace(&["events", "--direct", "--pid", &actor.pid().to_string()]);
        let events = Running::spawn(command.env("TZ", zone).current_dir("/"));
        events.says("socktrace: tracing");
        actor.does("udp-bind 127.0.0.1");
        actor.does("udp-close");
        let line = std::iter::from_fn(|| events.line()).find(|line| line.contains(" bind ")).unwrap();
        let parts: Vec<i64> = line[..8].split(':').map(|part| part.parse().unwrap()).collect();
        let shown = parts[0] * 3600 + parts[1] * 60 + parts[2];
        let now = jiff::Timestamp::now().as_second() + 9 * 3600;
        let late = (now - shown).rem_euclid(day);
        assert!(late < 600, "{zone}: {line} is {late} s ago");
    }
}

#[test]
fn numeric_means_in_events_what_it_means_in_ss() {
    if !may_trace("numeric_means_in_events_what_it_means_in_ss") {
        return;
    }
    in_own_netns(|| {
        let netns = std::fs::metadata("/proc/thread-self/ns/net").unwrap().ino().to_string();
        let filter = format!("netns = {netns} and sport = 443");
        for (options, expected) in [("-t", "127.0.0.1:https"), ("-tn", "127.0.0.1:443")] {
            let events = Running::events(&[
                "--direct",
                options,
                "--columns",
                "local",
                "--kinds",
                "listen",
                "--count",
                "1",
                &filter,
            ]);
            let _listener = std::net::TcpListener::bind("127.0.0.1:443").unwrap();
            assert_eq!(events.line().as_deref(), Some("Local"));
            assert_eq!(events.line().as_deref(), Some(expected), "{options}");
        }
    });
}

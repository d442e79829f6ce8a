//! Sockets of every kind from their first to their last moment: datagrams over IP, and UNIX.

use crate::agent::Agent;
use crate::kernels::version;
use crate::support::actor::Actor;
use crate::support::run::Running;
use crate::support::{may_trace, say, wait_for};
use serde_json::{Value, json};
use std::process::Command;

/// An actor that may have ping sockets.
fn actor_with_ping(name: &str) -> Actor {
    let actor = Actor::alone(name);
    let netns = format!("--net=/proc/{}/ns/net", actor.pid());
    let allow = "echo 0 0 > /proc/sys/net/ipv4/ping_group_range";
    let done = Command::new("nsenter").args([&netns, "sh", "-c", allow]).status().unwrap();
    assert!(done.success());
    actor
}

/// Makes a socket of that kind, if this kernel has it: Linux 7.1 gave UDP-Lite up.
fn makes(actor: &mut Actor, kind: &str) -> bool {
    let made = actor.does(&format!("make {kind}"));
    if kind.starts_with("udplite") && made == format!("error {}", libc::EPROTONOSUPPORT) {
        say(&format!("without {kind}: this kernel has no UDP-Lite"));
        return false;
    }
    assert_eq!(made, "done", "{kind}");
    true
}

#[track_caller]
fn check(event: &Value, expected: &Value) {
    for (field, value) in expected.as_object().unwrap() {
        assert_eq!(&event[field], value, "{field} of {event}");
    }
}

#[test]
fn datagram_sockets_from_their_first_use_to_their_release() {
    const TEST: &str = "datagram_sockets_from_their_first_use_to_their_release";
    if !may_trace(TEST) {
        return;
    }
    let mut actor = actor_with_ping("datagrams");
    let netns = actor.netns();
    let events = Running::events(&["--direct", "--json", &format!("netns {netns}")]);
    // Linux calls the cgroup hooks for sends of UDP and UDP-Lite only.
    for (kind, proto, acts) in [
        ("udp", "udp", &["bind", "connect", "open"][..]),
        ("udp6", "udp", &["bind", "connect", "open"]),
        ("udplite", "udplite", &["bind", "connect", "open"]),
        ("udplite6", "udplite", &["bind", "connect", "open"]),
        ("icmp", "icmp", &["bind", "connect"]),
        ("icmp6", "icmp", &["bind", "connect"]),
        ("raw", "raw", &["bind", "connect"]),
        ("raw6", "raw", &["bind", "connect"]),
    ] {
        let (family, addr, any) =
            if kind.ends_with('6') { ("inet6", "::1", "::") } else { ("inet", "127.0.0.1", "0.0.0.0") };
        for act in acts {
            if !makes(&mut actor, kind) {
                break;
            }
            let cookie: u64 = actor.does("cookie").parse().unwrap();
            let command = match *act {
                "bind" => format!("bind {addr} 0"),
                "connect" => format!("connect-to {addr} 4321"),
                _ => format!("send {addr} 4321"),
            };
            assert_eq!(actor.does(&command), "done", "{kind} {command}");
            let port: u16 = actor.does("port").parse().unwrap();
            actor.does("drop-made");
            let event = events.event(|event| event["netns"] == netns);
            // Without a bind(2) the kernel has chosen the port.
            let port = if proto == "raw" { 89 } else { port };
            assert_ne!(port, 0);
            // Sending to an address leaves the socket's own open.
            let local = if *act == "open" { any } else { addr };
            let all = json!({
                "event": act, "proto": proto, "family": family, "cookie": cookie, "local_addr": local, "local_port": port,
                "pid": actor.pid(), "comm": "datagrams", "attribution": "exact",
            });
            check(&event, &all);
            if *act != "bind" {
                check(&event, &json!({"peer_addr": addr, "peer_port": 4321}));
            }
            let close = events.event(|event| event["netns"] == netns);
            check(
                &close,
                &json!({"event": "close", "cookie": cookie, "local_port": port, "pid": actor.pid()}),
            );
            assert!(close["duration_us"].is_u64() && close.get("seen_by").is_none(), "{close}");
        }
        // One that nobody used is nobody's business.
        if !makes(&mut actor, kind) {
            continue;
        }
        if proto != "raw" {
            actor.does("drop-made");
        }
        actor.does("make udp");
        let marker: u64 = actor.does("cookie").parse().unwrap();
        actor.does("bind 127.0.0.1 0");
        let event = events.event(|event| event["netns"] == netns);
        check(&event, &json!({"event": "bind", "cookie": marker}));
        actor.does("drop-made");
        let closes = if proto == "raw" { 2 } else { 1 };
        for _ in 0..closes {
            check(&events.event(|event| event["netns"] == netns), &json!({"event": "close"}));
        }
    }
}

#[test]
fn connect_of_any_datagram_socket_is_in_the_table_at_once() {
    const TEST: &str = "connect_of_any_datagram_socket_is_in_the_table_at_once";
    if !may_trace(TEST) {
        return;
    }
    let agent = Agent::start(&[]);
    let mut actor = Actor::alone("fickle");
    let events = agent.events(&[]);
    let netns = actor.netns();
    for kind in ["udp", "udp6", "udplite", "udplite6", "raw", "raw6"] {
        let addr = if kind.ends_with('6') { "::1" } else { "127.0.0.1" };
        for bound in [false, true] {
            if !makes(&mut actor, kind) {
                break;
            }
            let cookie: u64 = actor.does("cookie").parse().unwrap();
            if bound {
                assert_eq!(actor.does(&format!("bind {addr} 0")), "done");
                check(&events.event(|event| event["netns"] == netns), &json!({"event": "bind"}));
            }
            for port in [4321, 4322] {
                let told = json!({
                    "event": "connect", "cookie": cookie, "peer_addr": addr, "peer_port": port, "state": "ESTAB",
                    "pid": actor.pid(), "attribution": "exact",
                });
                assert_eq!(actor.does(&format!("connect-to {addr} {port}")), "done");
                agent.is_right_now(&actor);
                // Not every kernel's sock_diag shows RAW sockets; one that was disconnected nothing shows.
                let ours = agent.table(netns);
                let row = ours.get(&cookie).map_or("none", String::as_str);
                let is_connected = row.contains(" ESTAB ") && row.contains(&format!(" {addr} {port} uid "));
                let is_listed = !kind.starts_with("raw") || port == 4321;
                assert!(if is_listed { is_connected } else { row == "none" }, "{row}");
                check(&events.event(|event| event["netns"] == netns), &told);
                // To another address, without a word in between, and after AF_UNSPEC.
                assert_eq!(actor.does(&format!("connect-to {addr} {}", port + 10)), "done");
                agent.is_right_now(&actor);
                check(&events.event(|event| event["netns"] == netns), &json!({"peer_port": port + 10}));
                assert_eq!(actor.does("disconnect"), "done");
                agent.is_right_now(&actor);
            }
            actor.does("drop-made");
            let close = events.event(|event| event["netns"] == netns);
            check(&close, &json!({"event": "close", "cookie": cookie, "pid": actor.pid()}));
            assert!(close["duration_us"].is_u64() && close.get("seen_by").is_none(), "{close}");
        }
    }
}

#[test]
fn a_connect_of_a_datagram_socket_that_fails_says_whither() {
    const TEST: &str = "a_connect_of_a_datagram_socket_that_fails_says_whither";
    if !may_trace(TEST) {
        return;
    }
    let mut actor = Actor::alone("nowhere");
    let events = Running::events(&["--direct", "--json", "--kinds", "connect_failed"]);
    let netns = actor.netns();
    for (kind, addr) in
        [("udplite", "192.0.2.1"), ("udplite6", "2001:db8::1"), ("raw", "192.0.2.1"), ("raw6", "2001:db8::1")]
    {
        if !makes(&mut actor, kind) {
            continue;
        }
        let cookie: u64 = actor.does("cookie").parse().unwrap();
        assert_eq!(actor.does(&format!("connect-to {addr} 7")), format!("error {}", libc::ENETUNREACH));
        check(
            &events.event(|event| event["netns"] == netns),
            &json!({
                "cookie": cookie, "peer_addr": addr, "peer_port": 7, "error": "ENETUNREACH", "pid": actor.pid(),
            }),
        );
    }
}

#[test]
fn unix_sockets_live_and_end_with_their_owners() {
    const TEST: &str = "unix_sockets_live_and_end_with_their_owners";
    if !may_trace(TEST) {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("socket").display().to_string();
    let abstract_name = format!("@socktrace-test-{}", std::process::id());
    let agent = Agent::start(&[]);
    // With a hook on their end it is told at once, otherwise found.
    let seen_by = if agent.is_attached_to("unix_release_sock") { Value::Null } else { "dump".into() };
    let events = agent.events(&["-x"]);
    let mut server = Actor::alone("unix-server");
    let mut client = server.beside("unix-client");
    let netns = server.netns();
    let next = || events.event(|event| event["netns"] == netns);
    for kind in ["unix-stream", "unix-seqpacket"] {
        for name in [&path, &abstract_name] {
            let _ = std::fs::remove_file(&path);
            for act in [&format!("make {kind}"), &format!("bind-name {name}"), "start-listening"] {
                assert_eq!(server.does(act), "done", "{act}");
            }
            client.does(&format!("make {kind}"));
            assert_eq!(client.does(&format!("connect-name {name}")), "done");
            assert_eq!(server.does("accept-made"), "done");
            let of_server = json!({
                "proto": "unix", "local_addr": name, "pid": server.pid(), "comm": "unix-server", "attribution": "exact",
            });
            let of_client = json!({
                "proto": "unix", "peer_addr": name, "pid": client.pid(), "comm": "unix-client", "attribution": "exact",
            });
            for (kind, expected) in [
                ("bind", &of_server),
                ("listen", &of_server),
                ("connect", &of_client),
                ("accept", &of_server),
            ] {
                let event = next();
                check(&event, expected);
                check(&event, &json!({"event": kind}));
            }
            client.does("drop-made");
            server.does("drop-made");
            let mut pids: Vec<Value> = (0..3)
                .map(|_| {
                    let close = next();
                    check(&close, &json!({"event": "close", "attribution": "exact", "seen_by": seen_by}));
                    assert!(close["duration_us"].is_u64(), "{close}");
                    close["pid"].clone()
                })
                .collect();
            pids.sort_by_key(|pid| *pid == client.pid());
            assert_eq!(pids, [server.pid(), server.pid(), client.pid()]);
        }
    }
    // Datagrams: only bind and connect are calls that name the socket.
    for name in [&path, &abstract_name] {
        let _ = std::fs::remove_file(&path);
        server.does("make unix-dgram");
        assert_eq!(server.does(&format!("bind-name {name}")), "done");
        client.does("make unix-dgram");
        assert_eq!(client.does(&format!("connect-name {name}")), "done");
        check(&next(), &json!({"event": "bind", "local_addr": name, "pid": server.pid()}));
        check(&next(), &json!({"event": "connect", "peer_addr": name, "pid": client.pid()}));
        client.does("drop-made");
        server.does("drop-made");
        for _ in 0..2 {
            check(&next(), &json!({"event": "close", "seen_by": seen_by, "attribution": "exact"}));
        }
    }
    // A pair is made without a name: it is found, and so is who holds it.
    for kind in ["unix-stream", "unix-dgram", "unix-seqpacket"] {
        assert_eq!(client.does(&format!("pair {kind}")), "done");
        let cookie: u64 = client.does("cookie").parse().unwrap();
        let row = wait_for("the pair's owner", || {
            let mut rows = agent.rows();
            rows.find(|row| row["cookie"] == cookie && !row["pid"].is_null())
        });
        check(&row, &json!({"pid": client.pid(), "comm": "unix-client", "attribution": "holder"}));
        client.does("drop-made");
        for _ in 0..2 {
            let close = next();
            check(
                &close,
                &json!({"event": "close", "pid": client.pid(), "attribution": "holder", "seen_by": seen_by}),
            );
        }
    }
}

#[test]
fn a_ping_socket_that_sends_first() {
    const TEST: &str = "a_ping_socket_that_sends_first";
    if !may_trace(TEST) {
        return;
    }
    let agent = Agent::start(&[]);
    // Linux 6.3 reports sends.
    let told = version() >= (6, 3) || agent.is_attached_to("ping_get_port");
    let mut actor = actor_with_ping("pinging");
    let events = agent.events(&[]);
    let netns = actor.netns();
    for (kind, addr, any) in [("icmp", "127.0.0.1", "0.0.0.0"), ("icmp6", "::1", "::")] {
        actor.does(&format!("make {kind}"));
        let cookie: u64 = actor.does("cookie").parse().unwrap();
        assert_eq!(actor.does(&format!("send-echo {addr}")), "done");
        let port: u16 = actor.does("port").parse().unwrap();
        assert_ne!(port, 0);
        // Without the hook nothing tells, and sock_diag does not show it.
        let expected = told.then(|| format!("icmp UNCONN {any} {port} none uid 0 interface 0"));
        assert_eq!(agent.table(netns).get(&cookie), expected.as_ref());
        actor.does("drop-made");
        assert_eq!(agent.table(netns).get(&cookie), None);
        if told {
            for kind in ["open", "close"] {
                let event = events.event(|event| event["netns"] == netns);
                let all = json!({
                    "event": kind, "proto": "icmp", "cookie": cookie, "local_port": port, "pid": actor.pid(),
                    "attribution": "exact",
                });
                check(&event, &all);
            }
        }
    }
}

#[test]
fn of_a_flood_of_unix_sockets_every_opener_is_known() {
    const TEST: &str = "of_a_flood_of_unix_sockets_every_opener_is_known";
    const COUNT: usize = 5_000;
    if !may_trace(TEST) {
        return;
    }
    let ring_size = u32::to_string(&(1 << 26));
    let agent = Agent::start(&["--ring-size", &ring_size]);
    let mut actor = Actor::alone("flood");
    let name = format!("@flood-{}-", std::process::id());
    assert_eq!(actor.does(&format!("make-many unix-dgram {name} {COUNT}")), "done");
    // Who asks right after the calls is answered with all of them.
    let rows = agent.rows();
    let ours: Vec<Value> =
        rows.filter(|row| row["local_addr"].as_str().is_some_and(|addr| addr.starts_with(&name))).collect();
    assert_eq!((ours.len(), agent.status()["events_lost"].as_u64()), (COUNT, Some(0)));
    let known = |row: &&Value| row["attribution"] == "exact" && row["pid"] == actor.pid();
    let unknown: Vec<_> = ours.iter().filter(|row| !known(row)).collect();
    assert!(unknown.is_empty(), "{} of {COUNT}, as {}", unknown.len(), unknown[0]);
}

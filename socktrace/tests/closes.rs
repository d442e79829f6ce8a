//! How TCP connections end, and what is told of it: whoever closed, reset or gave up.

mod left;

use crate::agent::Agent;
use crate::support::actor::Actor;
use crate::support::run::{Running, run};
use crate::support::{cannot_run, may_trace};
use serde_json::Value;
use std::process::Command;

/// Who closed first, who reset, and the error; `-` for what is absent.
fn ending(event: &Value) -> [&str; 3] {
    ["closed_first", "reset", "error"].map(|key| event.get(key).map_or("-", |value| value.as_str().unwrap()))
}

/// A connection, what is done to it by client (`c`) and server (`s`), and how each end ends.
struct Case {
    acts: &'static [&'static str],
    client: [&'static str; 3],
    server: [&'static str; 3],
}

const CASES: [Case; 15] = [
    Case { acts: &["c close 0", "s close 0"], client: ["local", "-", "-"], server: ["peer", "-", "-"] },
    Case { acts: &["s close 0", "c close 0"], client: ["peer", "-", "-"], server: ["local", "-", "-"] },
    // Half-closed, and used the other way meanwhile.
    Case {
        acts: &["c shutdown 0", "s write 0 100", "c read 0 100", "s close 0", "c close 0"],
        client: ["local", "-", "-"],
        server: ["peer", "-", "-"],
    },
    // Closed with data unread.
    Case {
        acts: &["c write 0 10", "s close 0", "c close 0"],
        client: ["peer", "peer", "ECONNRESET"],
        server: ["local", "local", "-"],
    },
    Case {
        acts: &["c no-linger 0", "c close 0", "s close 0"],
        client: ["local", "local", "-"],
        server: ["peer", "peer", "ECONNRESET"],
    },
    // A reset that comes when the FIN has come.
    Case {
        acts: &["s write 0 10", "s shutdown 0", "c close 0", "s close 0"],
        client: ["peer", "local", "-"],
        server: ["local", "peer", "ECONNRESET"],
    },
    // One that goes when the FIN has gone: by the peer, and by us, who would not linger, or had not read.
    Case {
        acts: &["c shutdown 0", "s no-linger 0", "s close 0", "c close 0"],
        client: ["local", "peer", "ECONNRESET"],
        server: ["peer", "local", "-"],
    },
    Case {
        acts: &["c shutdown 0", "c no-linger 0", "c close 0", "s close 0"],
        client: ["local", "local", "-"],
        server: ["peer", "peer", "EPIPE"],
    },
    Case {
        acts: &["s write 0 10", "c shutdown 0", "c close 0", "s close 0"],
        client: ["local", "local", "-"],
        server: ["peer", "peer", "EPIPE"],
    },
    // Nothing more is to be received, and a descriptor is still there.
    Case {
        acts: &["c shutdown-both 0", "s no-linger 0", "s close 0", "c close 0"],
        client: ["local", "peer", "ECONNRESET"],
        server: ["peer", "local", "-"],
    },
    // The FIN cannot leave, and nobody holds the socket any more: the peer resets it, or says what nobody will hear.
    Case {
        acts: &["c fill 0", "c close 0", "s close 0"],
        client: ["local", "peer", "ECONNRESET"],
        server: ["local", "local", "-"],
    },
    Case {
        acts: &["c fill 0", "c close 0", "s write 0 10", "s close 0"],
        client: ["local", "either", "ECONNRESET"],
        server: ["peer", "peer", "ECONNRESET"],
    },
    Case {
        acts: &["c fill 0", "c shutdown 0", "c close 0", "s close 0"],
        client: ["local", "peer", "ECONNRESET"],
        server: ["local", "local", "-"],
    },
    // What is said to somebody who has closed.
    Case {
        acts: &["c close 0", "s write 0 10", "s close 0"],
        client: ["local", "-", "-"],
        server: ["peer", "peer", "EPIPE"],
    },
    // Closed by somebody else: SOCK_DESTROY.
    Case {
        acts: &["kill c", "s close 0", "c close 0"],
        client: ["local", "local", "ECONNABORTED"],
        server: ["peer", "peer", "ECONNRESET"],
    },
];

#[test]
fn each_end_of_a_connection_says_how_it_ended() {
    const TEST: &str = "each_end_of_a_connection_says_how_it_ended";
    if !may_trace(TEST) {
        return;
    }
    let events = Running::events(&["--direct", "--json", "-t", "--kinds", "close"]);
    // IPv4, IPv6, and IPv4 through IPv6 sockets.
    for (listens, dials, family) in
        [("127.0.0.1", "127.0.0.1", "inet"), ("::1", "::1", "inet6"), ("::", "::ffff:127.0.0.1", "inet6")]
    {
        let mut server = Actor::alone("closes-server");
        let mut client = server.beside("closes-client");
        let port = server.does(&format!("listen {listens}"));
        for Case { acts, client: of_client, server: of_server } in CASES {
            server.begins("accept");
            let from = client.does(&format!("connect {dials} {port}"));
            server.answer();
            for act in acts {
                match act.split_once(' ').unwrap() {
                    ("kill", _) => {
                        let pid = client.pid().to_string();
                        let filter = format!("sport = :{from} and dport = :{port}");
                        let said = run(&["ss", "--direct", "-N", &pid, "-tK", &filter]);
                        assert_eq!(said.code, Some(0), "{}", said.stderr);
                    }
                    ("c", act) => _ = client.does(act),
                    (_, act) => _ = server.does(act),
                }
            }
            let netns = server.netns();
            for _ in 0..2 {
                let close = events.event(|event| event["netns"] == netns);
                let local = close["local_port"].to_string();
                let (expected, owner) =
                    if local == from { (of_client, &client) } else { (of_server, &server) };
                assert_eq!(ending(&close), expected, "{acts:?} with {dials}: {close}");
                assert_eq!(
                    (&close["pid"], &close["family"]),
                    (&owner.pid().into(), &family.into()),
                    "{close}"
                );
                let number = |key: &str| close[key].as_u64().unwrap_or_else(|| panic!("{key} of {close}"));
                // The kernel does not count the SYN and ACK of who accepts.
                let least = u64::from(local == from);
                assert!(number("duration_us") > 0 && number("segs_in") > 0, "{close}");
                assert!(number("segs_out") >= least, "{close}");
                assert!(number("rtt_us") >= number("min_rtt_us") && number("min_rtt_us") > 0, "{close}");
                // Where nobody reads, the kernel probes on a busy machine.
                let fills = acts.iter().any(|act| act.contains("fill"));
                assert!(number("retrans") == 0 || fills, "{close}");
                assert_eq!(close.get("seen_by"), None, "{close}");
            }
        }
    }
}

#[test]
fn a_connection_to_itself_opens_and_closes_from_both_sides_at_once() {
    const TEST: &str = "a_connection_to_itself_opens_and_closes_from_both_sides_at_once";
    if !may_trace(TEST) {
        return;
    }
    let mut actor = Actor::alone("narcissus");
    let events = Running::events(&["--direct", "--json", "-t", "--states"]);
    let port: u16 = actor.does("connect-to-itself 127.0.0.1").parse().unwrap();
    actor.does("write 0 10");
    actor.does("read 0 10");
    actor.does("close 0");
    let netns = actor.netns();
    let mut told = Vec::new();
    let close = loop {
        let event = events.event(|event| event["netns"] == netns);
        assert_eq!((&event["local_port"], &event["pid"]), (&port.into(), &actor.pid().into()), "{event}");
        match event["event"].as_str().unwrap() {
            "close" => break event,
            "state" => told.push(event["state"].as_str().unwrap().to_owned()),
            kind => told.push(kind.to_owned()),
        }
    };
    // Simultaneous open (SYN-SENT to SYN-RECV) and close (FIN-WAIT-1 to CLOSING).
    let path = ["bind", "SYN-SENT", "SYN-RECV", "ESTAB", "connect", "FIN-WAIT-1", "CLOSING", "UNCONN"];
    assert_eq!(told, path, "{close}");
    assert_eq!(ending(&close), ["both", "-", "-"]);
    assert_eq!((&close["bytes_sent"], &close["bytes_received"]), (&10.into(), &10.into()));
}

#[test]
fn connects_fail_by_the_peer_the_network_and_ourselves() {
    const TEST: &str = "connects_fail_by_the_peer_the_network_and_ourselves";
    if !may_trace(TEST) {
        return;
    }
    let mut actor = Actor::alone("failing");
    // What is sent there comes back, is nobody's, and so is not answered.
    let netns = format!("/proc/{}/ns/net", actor.pid());
    let ip = ["route", "add", "192.0.2.0/24", "dev", "lo"];
    let added = Command::new("nsenter").arg(format!("--net={netns}")).arg("ip").args(ip).status().unwrap();
    assert!(added.success());
    let events = Running::events(&["--direct", "--json", "-t", "--kinds", "connect_failed"]);
    let netns = actor.netns();
    for (act, error, failed_by, dialled) in [
        ("connect 127.0.0.1 9", "ECONNREFUSED", "peer", true),
        ("connect-impatiently 192.0.2.1 9", "ETIMEDOUT", "network", true),
        ("connect 198.51.100.1 9", "ENETUNREACH", "local", false),
    ] {
        assert!(actor.does(act).starts_with("error "), "{act}");
        let event = events.event(|event| event["netns"] == netns);
        assert_eq!((&event["error"], &event["failed_by"]), (&error.into(), &failed_by.into()), "{event}");
        assert_eq!(event["latency_us"].is_u64(), dialled, "{event}");
        assert_eq!(event["pid"], actor.pid());
    }
}

#[test]
fn a_listener_that_closes_resets_those_who_wait_for_it() {
    const TEST: &str = "a_listener_that_closes_resets_those_who_wait_for_it";
    if !may_trace(TEST) {
        return;
    }
    let agent = Agent::start(&[]);
    let mut server = Actor::alone("full");
    let mut client = server.beside("waiting");
    let events = agent.events(&["-t", "--kinds", "close"]);
    // The queue holds one more than its length.
    let port: u16 = server.does("listen-backlog 127.0.0.1 3").parse().unwrap();
    let clients: Vec<u16> =
        (0..4).map(|_| client.does(&format!("connect 127.0.0.1 {port}")).parse().unwrap()).collect();
    agent.is_right(&server);
    server.does("close-listener");
    let netns = server.netns();
    let closes: Vec<Value> = (0..9).map(|_| events.event(|event| event["netns"] == netns)).collect();
    let (of_clients, of_server): (Vec<&Value>, Vec<&Value>) =
        closes.iter().partition(|close| close["local_port"] != port);
    assert_eq!(of_clients.len(), 4);
    for close in &of_clients {
        assert!(clients.iter().any(|&port| close["local_port"] == port), "{close}");
        assert_eq!((ending(close), &close["pid"]), (["peer", "peer", "ECONNRESET"], &client.pid().into()));
    }
    let (listener, queued): (Vec<&Value>, Vec<&Value>) =
        of_server.iter().partition(|close| close.get("peer_port").is_none());
    assert_eq!((listener.len(), &listener[0]["pid"]), (1, &server.pid().into()));
    assert_eq!(ending(listener[0]), ["-", "-", "-"]);
    for close in queued {
        // Nobody has accepted it, so it is nobody's.
        assert_eq!((ending(close), &close["pid"]), (["local", "local", "-"], &Value::Null), "{close}");
    }
    agent.is_right(&server);
}

#[test]
fn an_mptcp_connection_and_its_subflows_are_told_apart() {
    const TEST: &str = "an_mptcp_connection_and_its_subflows_are_told_apart";
    if !may_trace(TEST) {
        return;
    }
    let agent = Agent::start(&[]);
    let mut server = Actor::alone("mptcp-server");
    let mut client = server.beside("mptcp-client");
    let made = server.does("make mptcp");
    if made.starts_with("error") {
        return cannot_run(TEST, &format!("this kernel has no MPTCP ({made})"));
    }
    let events = agent.events(&[]);
    for act in ["bind 127.0.0.1 0", "start-listening"] {
        assert_eq!(server.does(act), "done", "{act}");
    }
    let port = server.does("port");
    client.does("make mptcp");
    assert_eq!(client.does(&format!("connect-to 127.0.0.1 {port}")), "done");
    assert_eq!(server.does("accept-tcp"), "done");
    let pid = server.pid().to_string();
    let rows = |table: &str| {
        let said = run(&[
            "ss",
            "--agent",
            agent.path(),
            "-N",
            &pid,
            table,
            "-anip",
            "--json",
            &format!("port = {port}"),
        ]);
        assert_eq!((said.code, said.stderr.as_str()), (Some(0), ""));
        said.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<Value>>()
    };
    let shown = |rows: &[Value]| {
        let mut shown: Vec<_> = rows
            .iter()
            .map(|row| format!("{} {}", row["netid"].as_str().unwrap(), row["state"].as_str().unwrap()))
            .collect();
        shown.sort();
        shown
    };
    let (connections, subflows) = (rows("-M"), rows("-t"));
    assert_eq!(shown(&connections), ["mptcp ESTAB", "mptcp ESTAB", "mptcp LISTEN"]);
    assert_eq!(shown(&subflows), ["tcp ESTAB", "tcp ESTAB", "tcp LISTEN"]);
    // A process holds the connection; the first subflow is the same file.
    for row in &connections {
        assert_eq!(row["processes"].as_array().unwrap().len(), 1, "{row}");
    }
    for row in &subflows {
        assert_eq!(row["ulp"]["name"], "mptcp", "{row}");
    }
    let cookies = |rows: &[Value]| rows.iter().map(|row| row["cookie"].as_u64().unwrap()).collect::<Vec<_>>();
    let (connections, subflows) = (cookies(&connections), cookies(&subflows));
    assert!(connections.iter().all(|cookie| !subflows.contains(cookie)));
    // In events, too, and each with its process.
    let netns = server.netns();
    for (kind, proto, actor) in [
        ("bind", "mptcp", &server),
        ("listen", "mptcp", &server),
        ("connect", "mptcp", &client),
        ("accept", "mptcp", &server),
    ] {
        let event = events
            .event(|event| event["netns"] == netns && event["event"] == kind && event["proto"] == proto);
        assert_eq!(event["pid"], actor.pid(), "{event}");
    }
    // The table is compared with what ss lists in `mptcp`: its cookies are not each one socket's.
}

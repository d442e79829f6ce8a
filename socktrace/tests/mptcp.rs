//! MPTCP: one connection, with its owner on both ends.

use crate::agent::Agent;
use crate::support::actor::Actor;
use crate::support::{may_trace, wait_for};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// A server that listens with MPTCP, and its port.
fn server(name: &str) -> (Actor, String) {
    let mut server = Actor::alone(name);
    server.does("make mptcp");
    assert_eq!(server.does("bind 127.0.0.1 0"), "done");
    assert_eq!(server.does("start-listening"), "done");
    let port = server.does("port");
    (server, port)
}

/// What ss -M and ss -t show of a namespace, but for what the kernel keeps of closed connections.
fn kernels(actor: &Actor) -> BTreeSet<String> {
    let rows = |option: &str| {
        let said = std::process::Command::new("nsenter")
            .args([&format!("--net=/proc/{}/ns/net", actor.pid()), "ss", "-Hn", option])
            .output()
            .unwrap();
        String::from_utf8(said.stdout).unwrap()
    };
    let words = |proto: &str, text: &str| {
        let rows = text.lines().map(|line| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
        let rows = rows.filter(|row| row[0] != "TIME-WAIT");
        rows.map(|row| format!("{proto} {} {} {}", row[0], row[3], row[4])).collect::<Vec<_>>()
    };
    let mut all: BTreeSet<_> = words("mptcp", &rows("-Ma")).into_iter().collect();
    all.extend(words("tcp", &rows("-ta")));
    all
}

/// The same of the agent's table.
fn ours(agent: &Agent, actor: &Actor) -> BTreeSet<String> {
    let rows = agent.rows().filter(|row| row["netns"] == actor.netns() && row["family"] == "inet");
    rows.map(|row| {
        let end = |addr: &str, port: &str| match (row[addr].as_str(), row[port].as_u64()) {
            (Some(addr), Some(port)) if port != 0 => format!("{addr}:{port}"),
            _ => "0.0.0.0:*".to_owned(),
        };
        let (local, peer) = (end("local_addr", "local_port"), end("peer_addr", "peer_port"));
        format!("{} {} {local} {peer}", row["proto"].as_str().unwrap(), row["state"].as_str().unwrap())
    })
    .collect()
}

#[track_caller]
fn is_right(agent: &Agent, actor: &Actor) {
    let mut last = (BTreeSet::new(), BTreeSet::new());
    for _ in 0..500 {
        last = (ours(agent, actor), kernels(actor));
        if last.0 == last.1 {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    panic!("{last:#?}");
}

#[test]
fn an_mptcp_connection_is_one_connection_with_its_owner_on_both_ends() {
    if !may_trace("an_mptcp_connection_is_one_connection_with_its_owner_on_both_ends") {
        return;
    }
    let agent = Agent::start(&[]);
    let events = agent.events(&[]);
    let (mut server, port) = server("m-server");
    is_right(&agent, &server);
    let mut client = server.beside("m-client");
    client.does("make mptcp");
    assert_eq!(client.does(&format!("connect-to 127.0.0.1 {port}")), "done");
    assert_eq!(server.does("accept-made"), "done");
    is_right(&agent, &server);
    for row in agent.rows().filter(|row| row["netns"] == server.netns()) {
        let is_server = row["local_port"] == json!(port.parse::<u16>().unwrap());
        let owner = if is_server { server.pid() } else { client.pid() };
        assert_eq!((&row["pid"], &row["attribution"]), (&json!(owner), &json!("exact")), "{row}");
    }
    client.does("drop-made");
    wait_for("the server's end", || {
        kernels(&server).iter().any(|row| row.starts_with("mptcp CLOSE-WAIT")).then_some(())
    });
    is_right(&agent, &server);
    server.does("drop-made");
    wait_for("the end of both", || kernels(&server).is_empty().then_some(()));
    is_right(&agent, &server);
    let mut seen: Vec<(String, u64)> = Vec::new();
    while seen.iter().filter(|(what, _)| what == "close mptcp").count() < 3 {
        let event = events.event(|event| event["netns"] == server.netns());
        // The segments are those of its subflows.
        for key in ["segs_out", "segs_in", "retrans"] {
            assert!(event.get(key).is_none(), "{event}");
        }
        let what = format!("{} {}", event["event"].as_str().unwrap(), event["proto"].as_str().unwrap());
        seen.push((what, event["pid"].as_u64().unwrap_or_else(|| panic!("nobody's: {event}"))));
    }
    seen.sort();
    let (server, client) = (u64::from(server.pid()), u64::from(client.pid()));
    let mut expected = [
        ("accept mptcp", server),
        ("bind mptcp", server),
        ("close mptcp", client),
        ("close mptcp", server),
        ("close mptcp", server),
        ("connect mptcp", client),
        ("listen mptcp", server),
    ]
    .map(|(what, pid)| (what.to_owned(), pid));
    expected.sort();
    assert_eq!(seen, expected);
}

#[test]
fn what_is_below_a_bound_or_listening_mptcp_socket_goes_with_it() {
    if !may_trace("what_is_below_a_bound_or_listening_mptcp_socket_goes_with_it") {
        return;
    }
    let agent = Agent::start(&[]);
    let (mut listening, _) = server("m-listening");
    listening.does("make mptcp");
    assert_eq!(listening.does("bind 127.0.0.1 0"), "done");
    let tcp = |row: &Value| row["netns"] == listening.netns() && row["proto"] == "tcp";
    assert_eq!(agent.rows().filter(tcp).count(), 2);
    listening.does("drop-made");
    is_right(&agent, &listening);
    assert_eq!(ours(&agent, &listening), BTreeSet::new());
}

#[test]
fn a_peer_without_mptcp_is_accepted_as_tcp_and_a_refused_connect_says_why() {
    if !may_trace("a_peer_without_mptcp_is_accepted_as_tcp_and_a_refused_connect_says_why") {
        return;
    }
    let agent = Agent::start(&[]);
    let events = agent.events(&["--kinds", "accept,connect,connect_failed,close"]);
    let (mut server, port) = server("m-server");
    let mut client = server.beside("m-client");
    client.does("make tcp");
    assert_eq!(client.does(&format!("connect-to 127.0.0.1 {port}")), "done");
    assert_eq!(server.does("accept-made"), "done");
    let accept = events.event(|event| event["netns"] == server.netns() && event["event"] == "accept");
    assert_eq!((&accept["proto"], &accept["pid"]), (&json!("tcp"), &json!(server.pid())), "{accept}");
    is_right(&agent, &server);
    server.does("drop-made");
    client.does("drop-made");
    client.does("make mptcp");
    assert!(client.does(&format!("connect-to 127.0.0.1 {port}")).starts_with("error"));
    let failed = events.event(|event| event["netns"] == server.netns() && event["event"] == "connect_failed");
    assert_eq!(
        (&failed["proto"], &failed["pid"], &failed["error"]),
        (&json!("mptcp"), &json!(client.pid()), &json!("ECONNREFUSED")),
        "{failed}"
    );
    client.does("drop-made");
    is_right(&agent, &server);
}

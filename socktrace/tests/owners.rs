//! Whose a socket is: who opened it, exactly, and who holds it now, however it came to them.

use crate::agent::Agent;
use crate::support::actor::Actor;
use crate::support::run::{Running, run};
use crate::support::{cannot_run, in_own_netns, may_trace, wait_for};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Established connections of a namespace as ss shows them, those with that local port.
fn listed(agent: &Agent, netns_of: &Actor, port: &str) -> Vec<Value> {
    let (pid, filter) = (netns_of.pid().to_string(), format!("sport = :{port}"));
    let said = run(&["ss", "--agent", agent.path(), "-N", &pid, "-tnap", "--json", &filter]);
    assert_eq!((said.code, said.stderr.as_str()), (Some(0), ""));
    said.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The row of one connection or listener.
#[track_caller]
fn row(agent: &Agent, netns_of: &Actor, port: &str) -> Value {
    let rows = listed(agent, netns_of, port);
    let [row] = &rows[..] else { panic!("not one row: {rows:#?}") };
    row.clone()
}

fn pids(row: &Value) -> BTreeSet<u64> {
    row["processes"].as_array().unwrap().iter().map(|it| it["pid"].as_u64().unwrap()).collect()
}

fn opener(row: &Value) -> (u64, &str, &str) {
    (
        row["pid"].as_u64().unwrap_or(0),
        row["comm"].as_str().unwrap_or("-"),
        row["attribution"].as_str().unwrap(),
    )
}

/// The next event of that kind in the actor's namespace.
fn next(events: &Running, actor: &Actor, kind: &str) -> Value {
    let netns = actor.netns();
    events.event(|event| event["event"] == kind && event["netns"] == netns)
}

#[test]
fn holders_come_by_dup_fork_scm_rights_and_pidfd_getfd_and_the_opener_stays() {
    const TEST: &str = "holders_come_by_dup_fork_scm_rights_and_pidfd_getfd_and_the_opener_stays";
    if !may_trace(TEST) {
        return;
    }
    let agent = Agent::start(&[]);
    let directory = tempfile::tempdir().unwrap();
    let inbox = directory.path().join("inbox").display().to_string();
    let mut server = Actor::alone("server");
    let mut opener_of_it = server.beside("opener");
    let (mut receiver, mut thief) = (server.beside("receiver"), server.beside("thief"));
    let port = server.does("listen 127.0.0.1");
    server.begins("accept");
    let client = opener_of_it.does(&format!("connect 127.0.0.1 {port}"));
    server.answer();
    let ours = u64::from(opener_of_it.pid());
    let exact = (ours, "opener", "exact");

    let connected = row(&agent, &server, &client);
    assert_eq!((opener(&connected), pids(&connected)), (exact, BTreeSet::from([ours])));

    let fd = opener_of_it.does("fd 0");
    let copy = opener_of_it.does("dup 0");
    let shared = row(&agent, &server, &client);
    let fds: BTreeSet<String> =
        shared["processes"].as_array().unwrap().iter().map(|it| it["fd"].to_string()).collect();
    assert_eq!((opener(&shared), fds), (exact, BTreeSet::from([fd.clone(), copy])));

    let child: u64 = opener_of_it.does("fork-holder").parse().unwrap();
    let shared = row(&agent, &server, &client);
    assert_eq!((opener(&shared), pids(&shared)), (exact, BTreeSet::from([ours, child])));

    receiver.does(&format!("inbox {inbox}"));
    opener_of_it.does(&format!("send-fd 0 {inbox}"));
    receiver.does("receive-fd");
    assert_eq!(thief.does(&format!("steal-fd {ours} {fd}")), "done");
    let (by_message, by_theft) = (u64::from(receiver.pid()), u64::from(thief.pid()));
    let shared = row(&agent, &server, &client);
    assert_eq!(
        (opener(&shared), pids(&shared)),
        (exact, BTreeSet::from([ours, child, by_message, by_theft]))
    );

    // The opener ends; the others hold it, and it still names who opened it.
    drop(opener_of_it);
    let rest = BTreeSet::from([by_message, by_theft]);
    let shared = wait_for("the opener letting go", || {
        Some(row(&agent, &server, &client)).filter(|row| pids(row) == rest)
    });
    assert_eq!(opener(&shared), exact);
    let events = agent.events(&["--kinds", "close", "-t"]);
    drop(receiver);
    drop(thief);
    let (netns, client) = (server.netns(), client.parse::<u16>().unwrap());
    let close = events.event(|event| event["netns"] == netns && event["local_port"] == client);
    assert_eq!(opener(&close), exact, "a process that has ended is still named");
}

#[test]
fn a_socket_that_was_handed_on_at_the_start_has_both_opener_and_holder() {
    const TEST: &str = "a_socket_that_was_handed_on_at_the_start_has_both_opener_and_holder";
    if !may_trace(TEST) {
        return;
    }
    let agent = Agent::start(&[]);
    let host = Actor::alone("host");
    let netns = std::fs::File::open(format!("/proc/{}/ns/net", host.pid())).unwrap();
    // As systemd does it: it listens, and the service that it starts finds the socket at descriptor 3.
    let listener = in_own_netns(move || {
        nix::sched::setns(netns, nix::sched::CloneFlags::CLONE_NEWNET).unwrap();
        std::net::TcpListener::bind("127.0.0.1:0").unwrap()
    });
    let port = listener.local_addr().unwrap().port().to_string();
    let mut service = host.activated("service", listener.try_clone().unwrap().into());
    let us = u64::from(std::process::id());
    let shared = row(&agent, &host, &port);
    let by = opener(&shared);
    assert_eq!((by.0, by.2), (us, "exact"), "{shared}");
    assert_eq!(pids(&shared), BTreeSet::from([us, u64::from(service.pid())]));
    drop(listener);
    let alone = row(&agent, &host, &port);
    assert_eq!((opener(&alone).0, pids(&alone)), (us, BTreeSet::from([u64::from(service.pid())])));
    // What the service accepts is its own.
    let events = agent.events(&["--kinds", "accept"]);
    let mut client = host.beside("client");
    service.begins("accept");
    client.does(&format!("connect 127.0.0.1 {port}"));
    service.answer();
    assert_eq!(opener(&next(&events, &host, "accept")), (service.pid().into(), "service", "exact"));
}

#[test]
fn every_way_to_accept_names_who_accepted() {
    const TEST: &str = "every_way_to_accept_names_who_accepted";
    if !may_trace(TEST) {
        return;
    }
    let mut server = Actor::alone("acceptor");
    let mut client = server.beside("caller");
    let port = server.does("listen 127.0.0.1");
    // The first one blocks before anybody looks.
    for (how, blocks_before) in [
        ("accept-plain", true),
        ("accept-plain", false),
        ("accept", true),
        ("accept", false),
        ("thread-accept another-name", true),
        ("thread-accept another-name", false),
    ] {
        let start = || Running::events(&["--direct", "--json", "--kinds", "accept,connect"]);
        let mut events = None;
        if !blocks_before {
            events = Some(start());
        }
        server.begins(how);
        server.is_blocked_in_accept();
        let events = events.unwrap_or_else(start);
        let name = if how.starts_with("thread") { "thread-connect other " } else { "connect " };
        client.does(&format!("{name}127.0.0.1 {port}"));
        assert_ne!(server.answer(), "error");
        // A process is called by the name of its first thread, as ss calls it.
        let accept = next(&events, &server, "accept");
        assert_eq!(opener(&accept), (server.pid().into(), "acceptor", "exact"), "{how}");
        assert!(events.finish().0.iter().all(|line| {
            let event: Value = serde_json::from_str(line).unwrap();
            event["netns"] != server.netns() || opener(&event) == (client.pid().into(), "caller", "exact")
        }));
    }
}

#[test]
fn each_worker_is_named_on_the_connections_that_it_accepted() {
    const TEST: &str = "each_worker_is_named_on_the_connections_that_it_accepted";
    if !may_trace(TEST) {
        return;
    }
    let agent = Agent::start(&[]);
    let mut server = Actor::alone("forking");
    let mut client = server.beside("client");
    let port = server.does("listen 127.0.0.1");
    let workers: BTreeSet<u64> = (0..3).map(|_| server.does("fork-worker").parse().unwrap()).collect();
    let listener = row(&agent, &server, &port);
    assert_eq!(opener(&listener), (server.pid().into(), "forking", "exact"));
    let columns = ["-tlnH", "--columns", "opener,local", "-N", &server.pid().to_string()];
    let said = run(&[&["ss", "--agent", agent.path()], &columns[..]].concat());
    assert_eq!(said.stdout, format!("(\"forking\",pid={}) 127.0.0.1:{port}\n", server.pid()));
    let mut everybody = workers.clone();
    everybody.insert(server.pid().into());
    assert_eq!(pids(&listener), everybody);
    let events = agent.events(&["--kinds", "accept"]);
    let mut accepted = BTreeSet::new();
    for _ in &workers {
        let peer: u16 = client.does(&format!("connect 127.0.0.1 {port}")).parse().unwrap();
        let accept = next(&events, &server, "accept");
        assert_eq!(accept["peer_port"], peer);
        let (pid, comm, attribution) = opener(&accept);
        assert_eq!((comm, attribution), ("a-child", "exact"));
        // And it is the one that holds it.
        let rows = listed(&agent, &server, &port);
        let connection = rows.iter().find(|row| row["peer_port"] == peer).unwrap();
        assert_eq!((opener(connection).0, pids(connection)), (pid, BTreeSet::from([pid])));
        accepted.insert(pid);
    }
    assert_eq!(accepted, workers);
}

#[test]
fn listeners_that_share_a_port_are_told_apart() {
    const TEST: &str = "listeners_that_share_a_port_are_told_apart";
    if !may_trace(TEST) {
        return;
    }
    let agent = Agent::start(&[]);
    let events = agent.events(&["--kinds", "accept"]);
    let mut one = Actor::alone("one");
    let mut two = one.beside("two");
    let mut client = one.beside("client");
    let port = one.does("listen-shared-port 127.0.0.1 0");
    assert_eq!(two.does(&format!("listen-shared-port 127.0.0.1 {port}")), port);
    let listeners: BTreeSet<(u64, BTreeSet<u64>)> =
        listed(&agent, &one, &port).iter().map(|row| (opener(row).0, pids(row))).collect();
    let pid = |actor: &Actor| u64::from(actor.pid());
    assert_eq!(listeners, [&one, &two].map(|it| (pid(it), BTreeSet::from([pid(it)]))).into());
    one.begins("accept");
    two.begins("accept");
    // The kernel chooses by a hash of the addresses: of so many, each gets some.
    for _ in 0..40 {
        client.does(&format!("connect 127.0.0.1 {port}"));
    }
    let told: BTreeSet<u64> = (0..2).map(|_| opener(&next(&events, &one, "accept")).0).collect();
    assert_eq!(told, BTreeSet::from([pid(&one), pid(&two)]));
}

#[test]
fn what_io_uring_connects_and_accepts_has_its_process() {
    const TEST: &str = "what_io_uring_connects_and_accepts_has_its_process";
    if !may_trace(TEST) {
        return;
    }
    let agent = Agent::start(&[]);
    let mut server = Actor::alone("uring-server");
    let mut client = server.beside("uring-client");
    let events = agent.events(&["--kinds", "accept,connect,close"]);
    let port = server.does("listen 127.0.0.1");
    server.begins("uring-accept");
    let connected = client.does(&format!("uring-connect 127.0.0.1 {port}"));
    if connected.starts_with("error") {
        let disabled = std::fs::read_to_string("/proc/sys/kernel/io_uring_disabled").unwrap_or_default();
        let why = format!("io_uring is not allowed here ({connected}, disabled: {})", disabled.trim());
        return cannot_run(TEST, &why);
    }
    assert_eq!((connected, server.answer()), ("done".to_owned(), "done".to_owned()));
    let connect = next(&events, &server, "connect");
    assert_eq!(opener(&connect), (client.pid().into(), "uring-client", "exact"));
    // No system call of it returned: a hook on the accept itself or on the request reports it, or it is found by who holds it.
    let is_seen = ["inet_accept", "io_uring_complete"].iter().any(|hook| agent.is_attached_to(hook));
    let (known, seen_by) = if is_seen { ("exact", None) } else { ("holder", Some("dump")) };
    let accept = next(&events, &server, "accept");
    assert_eq!(opener(&accept), (server.pid().into(), "uring-server", known));
    assert_eq!(accept.get("seen_by").and_then(Value::as_str), seen_by, "{accept}");
    assert_eq!(accept["peer_port"], connect["local_port"]);
    let rows = agent.rows();
    let found = rows.filter(|row| row["cookie"] == accept["cookie"]).collect::<Vec<_>>();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0]["attribution"], json!(known));
    server.does("close 0");
    client.does("close 0");
    let closes = [next(&events, &server, "close"), next(&events, &server, "close")];
    let of_server = closes.iter().find(|close| close["cookie"] == accept["cookie"]).unwrap();
    assert_eq!(opener(of_server), (server.pid().into(), "uring-server", known));
}

#[test]
fn the_other_end_of_a_unix_socket_is_named_with_its_process() {
    const TEST: &str = "the_other_end_of_a_unix_socket_is_named_with_its_process";
    if !may_trace(TEST) {
        return;
    }
    let agent = Agent::start(&[]);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("door").display().to_string();
    let mut server = Actor::alone("server");
    let mut client = server.beside("client");
    server.does(&format!("unix-listen {path}"));
    client.does(&format!("unix-connect {path}"));
    server.does("unix-accept");
    let pid = server.pid().to_string();
    let held_by = |actor: &Actor, name: &str| format!("users:((\"{name}\",pid={},", actor.pid());
    for source in [&["--direct"][..], &["--agent", agent.path()]] {
        let columns = ["-N", &pid, "-xnH", "--columns", "local,process,peerprocess", "state", "connected"];
        let said = run(&[&["ss"], source, &columns].concat());
        let rows: Vec<Vec<_>> = said.stdout.lines().map(|row| row.split_whitespace().collect()).collect();
        let of = |ours: &str| {
            let row = rows.iter().find(|row| row.iter().rev().nth(1).is_some_and(|it| it.starts_with(ours)));
            (*row.unwrap_or_else(|| panic!("none of {ours} in {said:?}")).last().unwrap()).to_owned()
        };
        let (at_server, at_client) = (held_by(&server, "server"), held_by(&client, "client"));
        assert!(of(&at_server).starts_with(&at_client), "{said:?}");
        assert!(of(&at_client).starts_with(&at_server), "{said:?}");
    }
}

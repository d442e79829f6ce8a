//! What is left of a connection: orphans, TIME-WAIT, and a socket that is only bound again.

use crate::agent::Agent;
use crate::support::actor::Actor;
use crate::support::run::run;
use crate::support::{may_trace, wait_for};
use serde_json::Value;

#[test]
fn orphans_and_time_wait_are_shown_as_they_are() {
    const TEST: &str = "orphans_and_time_wait_are_shown_as_they_are";
    if !may_trace(TEST) {
        return;
    }
    let agent = Agent::start(&[]);
    let mut server = Actor::alone("never-reads");
    let mut client = server.beside("leaves");
    let port = server.does("listen 127.0.0.1");
    let connect = |client: &mut Actor, server: &mut Actor| {
        server.begins("accept");
        let from = client.does(&format!("connect 127.0.0.1 {port}"));
        server.answer();
        from
    };
    let pid = server.pid().to_string();
    let rows = |port: &str| {
        let filter = format!("sport = :{port}");
        let said = run(&["ss", "--agent", agent.path(), "-N", &pid, "-tanop", "--json", &filter]);
        assert_eq!((said.code, said.stderr.as_str()), (Some(0), ""));
        said.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<Value>>()
    };

    // So much is unsent that its FIN cannot leave: nobody holds it, and who opened it is known.
    let orphan = connect(&mut client, &mut server);
    client.does("fill 0");
    client.does("close 0");
    let row = wait_for("the orphan", || rows(&orphan).pop());
    assert_eq!(
        (&row["state"], &row["processes"]),
        (&"FIN-WAIT-1".into(), &Value::Array(Vec::new())),
        "{row}"
    );
    assert_eq!((&row["pid"], &row["attribution"]), (&client.pid().into(), &"exact".into()), "{row}");
    agent.is_right(&server);

    let gone = connect(&mut client, &mut server);
    client.does("close 0");
    server.does("close 1");
    let left = || {
        let row = rows(&gone).pop().filter(|row| row["state"] == "TIME-WAIT")?;
        assert_eq!(row["timer"]["kind"], "timewait", "{row}");
        assert!(row["processes"].as_array().unwrap().is_empty(), "{row}");
        row["timer"]["expires_ms"].as_u64()
    };
    let first = wait_for("TIME-WAIT", left);
    assert!(first <= 60_000);
    wait_for("time passing", || left().filter(|&now| now < first));
    // The table has none: no event tells of them.
    assert!(agent.table(server.netns()).values().all(|row| !row.contains("TIME-WAIT")));
}

#[test]
fn an_orphan_has_no_inode_from_its_close_on() {
    const TEST: &str = "an_orphan_has_no_inode_from_its_close_on";
    if !may_trace(TEST) {
        return;
    }
    let agent = Agent::start(&[]);
    let mut server = Actor::alone("never-reads");
    let mut client = server.beside("leaves");
    let port = server.does("listen 127.0.0.1");
    for (acts, before, after) in [
        (&[][..], "ESTAB", "FIN-WAIT-1"),
        // It was closing before: no state change follows the close(2).
        (&["shutdown 0"], "FIN-WAIT-1", "FIN-WAIT-1"),
        (&["shutdown-both 0"], "FIN-WAIT-1", "FIN-WAIT-1"),
        (&["peer shutdown 0"], "CLOSE-WAIT", "LAST-ACK"),
    ] {
        let from: u16 = client.does(&format!("connect 127.0.0.1 {port}")).parse().unwrap();
        server.does("accept");
        server.does("fill 0");
        for act in acts {
            match act.strip_prefix("peer ") {
                Some(act) => client.does(act),
                None => server.does(act),
            };
        }
        let row = || {
            let mut rows = agent.rows();
            rows.find(|row| row["netns"] == server.netns() && row["peer_port"] == from).unwrap()
        };
        let open = row();
        assert!(open["state"] == before && open["inode"].is_u64(), "{open}");
        server.does("close 0");
        let mut rows = agent.rows();
        let orphan = rows.find(|row| row["cookie"] == open["cookie"]).unwrap();
        assert_eq!((&orphan["state"], orphan.get("inode")), (&after.into(), None), "{orphan}");
        assert_eq!((&orphan["pid"], &orphan["attribution"]), (&server.pid().into(), &"exact".into()));
        agent.is_right_now(&server);
        client.does("close 0");
    }
}

#[test]
fn a_bound_socket_is_bound_when_its_connection_is_over() {
    const TEST: &str = "a_bound_socket_is_bound_when_its_connection_is_over";
    if !may_trace(TEST) {
        return;
    }
    let agent = Agent::start(&[]);
    let mut server = Actor::alone("bound-server");
    let mut client = server.beside("bound");
    let events = agent.events(&["-t", "--kinds", "close"]);
    let netns = server.netns();
    let port = server.does("listen 127.0.0.1");
    // Shut down by both, by the peer first, reset, and disconnected by AF_UNSPEC.
    // A port that the kernel chose at bind(2) is given back, one that was asked for stays.
    for (asked, acts) in [
        (0, &["c shutdown-made", "s close 0"][..]),
        (20001, &["c shutdown-made", "s close 0"]),
        (20002, &["s shutdown 0", "c shutdown-made"]),
        (0, &["s no-linger 0", "s close 0"]),
        (20003, &["s no-linger 0", "s close 0"]),
        (20004, &["c disconnect"]),
    ] {
        for act in ["make tcp", &format!("bind 127.0.0.1 {asked}"), &format!("connect-to 127.0.0.1 {port}")] {
            assert_eq!(client.does(act), "done", "{act}");
        }
        server.does("accept");
        let cookie: u64 = client.does("cookie").parse().unwrap();
        for act in acts {
            let (actor, act) = act.split_once(' ').unwrap();
            assert_eq!(if actor == "c" { client.does(act) } else { server.does(act) }, "done", "{act}");
        }
        let is_ours = |event: &Value| event["netns"] == netns && event["cookie"] == cookie;
        events.event(is_ours);
        if acts == ["c disconnect"] {
            // What else AF_UNSPEC takes from it nothing tells.
            let ours = &agent.table(netns)[&cookie];
            assert!(ours.starts_with(&format!("tcp UNCONN 127.0.0.1 {asked} ")), "{ours}");
        } else {
            agent.is_right_now(&client);
        }
        // It is told once, though the socket goes on.
        client.does("drop-made");
        server.does("close 0");
        agent.is_right_now(&client);
    }
}

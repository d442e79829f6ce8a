//! The user of a socket is the socket's own, whoever makes the calls, and whoever the agent is.

use crate::agent::{AGENTS, Agent};
use crate::support::actor::Actor;
use crate::support::may_trace;
use serde_json::Value;

/// An ordinary user.
const OTHER: u64 = 65534;

#[test]
fn a_socket_keeps_its_user_when_its_process_becomes_another() {
    const TEST: &str = "a_socket_keeps_its_user_when_its_process_becomes_another";
    if !may_trace(TEST) {
        return;
    }
    for options in AGENTS {
        keeps_users(&Agent::start(options));
    }
}

fn keeps_users(agent: &Agent) {
    // The first is there before its process becomes another, the second is made afterwards.
    for (first, second, uid) in [("make", "become", 0), ("become", "make", OTHER)] {
        'kinds: for (kind, acts) in [
            ("tcp", &["bind 127.0.0.1 0", "start-listening"][..]),
            ("tcp", &["connect-to 127.0.0.1 9"]),
            ("udp", &["bind 127.0.0.1 0"]),
            ("udp", &["connect-to 127.0.0.1 9"]),
            ("udp6", &["send ::1 9"]),
            ("udplite", &["send 127.0.0.1 9"]),
        ] {
            let mut actor = Actor::alone("dropping");
            let netns = actor.netns();
            let events = agent.events(&[]);
            for act in [first, second] {
                let done = match act {
                    "make" => actor.does(&format!("make {kind}")),
                    _ => actor.does(&format!("become {OTHER}")),
                };
                if kind == "udplite" && done == format!("error {}", libc::EPROTONOSUPPORT) {
                    continue 'kinds;
                }
                assert_eq!(done, "done");
            }
            for act in acts {
                let done = actor.does(act);
                assert!(done == "done" || done == format!("error {}", libc::ECONNREFUSED), "{act}: {done}");
                let event = events.event(|event| event["netns"] == netns);
                assert_eq!(
                    (&event["uid"], &event["pid"]),
                    (&uid.into(), &actor.pid().into()),
                    "{act}: {event}"
                );
            }
            agent.is_right(&actor);
        }
    }
}

#[test]
fn a_worker_of_another_user_accepts() {
    const TEST: &str = "a_worker_of_another_user_accepts";
    if !may_trace(TEST) {
        return;
    }
    for options in AGENTS {
        knows_the_worker(&Agent::start(options));
    }
}

fn knows_the_worker(agent: &Agent) {
    let mut server = Actor::alone("worker");
    let mut client = server.beside("client");
    let port = server.does("listen 127.0.0.1");
    server.does(&format!("become {OTHER}"));
    let events = agent.events(&["--kinds", "accept,close"]);
    let from: u16 = client.does(&format!("connect 127.0.0.1 {port}")).parse().unwrap();
    server.does("accept");
    let netns = server.netns();
    let ours = |event: &Value| event["netns"] == netns && event["peer_port"] == from;
    let accept = events.event(ours);
    assert_eq!((&accept["event"], &accept["uid"]), (&"accept".into(), &OTHER.into()), "{accept}");
    agent.is_right(&server);
    let users = |port: &str| {
        let rows = agent.rows().filter(|row| row["netns"] == server.netns() && row[port] == from);
        rows.map(|row| row["uid"].as_u64()).collect::<Vec<_>>()
    };
    // The listener and the client are root's, as before.
    assert_eq!((users("peer_port"), users("local_port")), (vec![Some(OTHER)], vec![Some(0)]));
    server.does("close 0");
    let close = events.event(ours);
    assert_eq!((&close["event"], &close["uid"]), (&"close".into(), &OTHER.into()), "{close}");
}

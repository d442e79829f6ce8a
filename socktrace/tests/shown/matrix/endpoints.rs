//! The endpoints beside `/v1/sockets`.

use super::ask::{Asker, JSON};
use super::{OTHER, USER, World};
use crate::agent::{AGENTS, Agent};
use crate::shown::ss_as;
use crate::support::actor::Actor;
use crate::support::run::{Running, socktrace};
use crate::support::{in_own_netns, may_trace, wait_for};
use serde_json::Value;
use std::collections::BTreeMap;
use std::net::{TcpListener, UdpSocket};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::os::unix::process::CommandExt as _;

fn lines(body: &str) -> Vec<Value> {
    body.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"))).collect()
}

/// What is known of each socket, by its cookie.
fn by_cookie(rows: Vec<Value>) -> BTreeMap<u64, Value> {
    rows.into_iter().map(|row| (row["cookie"].as_u64().unwrap_or(0), row)).collect()
}

#[test]
fn the_table_shows_no_more_than_the_kernel() {
    if !may_trace("the_table_shows_no_more_than_the_kernel") {
        return;
    }
    for options in AGENTS {
        in_own_netns(|| {
            let _world = World::new();
            let agent = Agent::start(options);
            let table = |uid| lines(&Asker::new(&agent, uid).get(JSON, "/v1/table").body);
            let kernels = lines(&ss_as(USER, "--direct -anep --json").stdout);
            // RAW sockets may be listed by procfs, which has no cookies.
            let kernels_raw = kernels.iter().filter(|row| row["proto"] == "raw").cloned();
            let kernels_raw: BTreeMap<u64, Value> =
                kernels_raw.map(|row| (row["inode"].as_u64().unwrap_or(0), row)).collect();
            let kernels = by_cookie(kernels);
            let beyond = |rows: Vec<Value>| -> Vec<String> {
                let mut beyond = Vec::new();
                for row in rows {
                    let is_askers =
                        row["local_addr"].as_str().is_some_and(|name| name.contains("agent.sock"))
                            || row["peer_addr"].as_str().is_some_and(|name| name.contains("agent.sock"));
                    let by_inode = || kernels_raw.get(&row["inode"].as_u64()?);
                    let told = kernels.get(&row["cookie"].as_u64().unwrap()).or_else(by_inode);
                    let Some(told) = told.filter(|_| !is_askers) else {
                        if !is_askers {
                            beyond.push(format!("row {row}"));
                        }
                        continue;
                    };
                    let holders = told["processes"].as_array().unwrap();
                    let mine = row["uid"] == USER;
                    for (what, is_told) in [
                        ("netns", told["netns"] == row["netns"]),
                        ("uid", told["uid"] == row["uid"]),
                        (
                            "pid",
                            row["pid"].is_null() || holders.iter().any(|holder| holder["pid"] == row["pid"]),
                        ),
                        (
                            "comm",
                            row["comm"].is_null()
                                || holders.iter().any(|holder| holder["comm"] == row["comm"]),
                        ),
                        (
                            "cgroup_id",
                            mine || row["cgroup_id"].is_null() || told["cgroup_id"] == row["cgroup_id"],
                        ),
                        ("unit", mine || row["unit"].is_null() || !told["cgroup_id"].is_null()),
                        ("mark", row["mark"].is_null()),
                    ] {
                        if !is_told {
                            beyond.push(format!("{what} of {row}, where the kernel says {told}"));
                        }
                    }
                }
                beyond
            };
            let shown = table(USER);
            let own = shown.iter().filter(|row| row["comm"] == "mine").count();
            assert!(shown.len() > 20 && own >= 3, "{own} of {}", shown.len());
            assert_eq!(beyond(shown), Vec::<String>::new());
            let more_for_root = beyond(table(0));
            for what in ["row ", "pid of ", "cgroup_id of "] {
                assert!(more_for_root.iter().any(|it| it.starts_with(what)), "{what}: nothing is compared");
            }
            let keys = |uid| -> Vec<String> {
                let status: Value =
                    serde_json::from_str(&Asker::new(&agent, uid).get(JSON, "/v1/status").body).unwrap();
                status.as_object().unwrap().keys().cloned().collect()
            };
            for secret in ["sockets", "events_seen", "families", "history_records", "history_bytes"] {
                assert!(
                    keys(0).iter().any(|key| key == secret) && !keys(USER).iter().any(|key| key == secret),
                    "{secret}"
                );
            }
        });
    }
}

#[test]
fn a_socket_of_root_names_nobody_to_the_user_that_its_process_has_become() {
    if !may_trace("a_socket_of_root_names_nobody_to_the_user_that_its_process_has_become") {
        return;
    }
    for options in AGENTS {
        in_own_netns(|| {
            let agent = Agent::start(options);
            let events = events_as(&agent, USER);
            let mut actors = ["tcp", "udp"].map(|kind| (kind, Actor::here_as("was-root", 0)));
            let mut ports = Vec::new();
            for (kind, actor) in &mut actors {
                actor.does(&format!("make {kind}"));
                actor.does(&format!("become {USER}"));
                assert_eq!(actor.does("bind 127.0.0.1 0"), "done");
                if *kind == "tcp" {
                    assert_eq!(actor.does("start-listening"), "done");
                }
                ports.push(actor.does("port").parse::<u16>().unwrap());
            }
            let table = |uid| lines(&Asker::new(&agent, uid).get(JSON, "/v1/table").body);
            let pids = |uid| {
                let rows =
                    table(uid).into_iter().filter(|row| ports.iter().any(|port| row["local_port"] == *port));
                rows.map(|row| row["pid"].is_u64()).collect::<Vec<_>>()
            };
            assert_eq!((pids(0), pids(USER)), (vec![true; 2], vec![false; 2]));
            for &port in &ports {
                let bind = events.event(|event| event["local_port"] == port);
                assert_eq!(
                    (&bind["uid"], &bind["pid"], &bind["comm"]),
                    (&0.into(), &Value::Null, &Value::Null),
                    "{bind}"
                );
            }
        });
    }
}

/// All events that a user is shown.
fn events_as(agent: &Agent, uid: u32) -> Running {
    let mut command = socktrace(&["events", "--agent", agent.path(), "--json"]);
    let events = Running::spawn(command.uid(uid).gid(uid));
    events.says("socktrace: tracing");
    events
}

/// Whether one of the socket's ends has that name or port. (A time or a cookie may have the digits of a port, too.)
fn has_end(event: &Value, name_or_port: &str) -> bool {
    let port = name_or_port.parse::<u64>().ok();
    ["local", "peer"].iter().any(|side| {
        let has_port = || event[format!("{side}_port")].as_u64() == port;
        event[format!("{side}_addr")] == name_or_port || (port.is_some() && has_port())
    })
}

#[test]
fn what_others_tried_in_vain_is_told_to_nobody_else() {
    if !may_trace("what_others_tried_in_vain_is_told_to_nobody_else") {
        return;
    }
    for options in AGENTS {
        in_own_netns(|| {
            let agent = Agent::start(options);
            let (mut mine, mut other) = (Actor::here_as("mine", USER), Actor::here_as("other", OTHER));
            let (roots, users) = (events_as(&agent, 0), events_as(&agent, USER));
            let secret = "/tmp/secret-of-others";
            // In vain: no table of the kernel ever had them.
            UnixStream::connect(secret).unwrap_err();
            UnixDatagram::unbound().unwrap().connect(secret).unwrap_err();
            other.does(&format!("unix-connect {secret}"));
            let taken = TcpListener::bind("127.0.0.1:7001").unwrap();
            TcpListener::bind("127.0.0.1:7001").unwrap_err();
            // Where there is no route.
            other.does("make tcp");
            other.does("connect-to 203.0.113.77 7077");
            let _ = UdpSocket::bind("127.0.0.1:0").unwrap().connect("203.0.113.77:7077");
            // This one was under way.
            other.does("connect 127.0.0.1 7099");
            // One's own.
            mine.does("unix-connect /tmp/of-mine");
            mine.does("connect 127.0.0.1 7098");
            let end = mine.does("listen 127.0.0.1").parse::<u16>().unwrap();
            let until = |events: &Running| {
                let mut all = Vec::new();
                loop {
                    let event = events.event(|_| true);
                    let is_end = event["event"] == "listen" && event["local_port"] == end;
                    all.push(event);
                    if is_end {
                        return all;
                    }
                }
            };
            let failed = |events: &[Value], to: &str| {
                let is_to = |event: &&Value| event["event"] == "connect_failed" && has_end(event, to);
                events.iter().filter(is_to).count()
            };
            let (roots, users) = (until(&roots), until(&users));
            assert_eq!(failed(&roots, secret), 3, "{roots:?}");
            for own in ["/tmp/of-mine", "7098", "7099"] {
                assert!(failed(&users, own) > 0, "{own}: {users:?}");
            }
            for event in &users {
                assert!(!event.to_string().contains("secret") && !has_end(event, "7077"), "{event}");
                let failed_bind = event["event"] == "bind" && !event["error"].is_null();
                assert!(!failed_bind || event["uid"] == USER, "{event}");
                assert!(event["pid"].is_null() || event["uid"] == USER, "{event}");
            }
            drop(taken);
            mine.does("close-listener");
            let history = |uid: u32| {
                let mut command = socktrace(&["history", "--agent", agent.path(), "--json"]);
                let output = command.uid(uid).gid(uid).output().unwrap();
                lines(&String::from_utf8(output.stdout).unwrap())
            };
            wait_for("the end of the listener", || {
                history(USER)
                    .iter()
                    .any(|ended| ended["local_port"] == end && ended["pid"] == mine.pid())
                    .then_some(())
            });
            let (of_root, of_user) = (history(0), history(USER));
            assert!(
                of_root.iter().any(|ended| ended["local_port"] == 7001 && !ended["pid"].is_null()),
                "{of_root:?}"
            );
            for ended in of_user {
                assert!(!ended.to_string().contains("secret") && !has_end(&ended, "7077"), "{ended}");
                assert!(ended["pid"].is_null() || ended["uid"] == USER, "{ended}");
            }
        });
    }
}

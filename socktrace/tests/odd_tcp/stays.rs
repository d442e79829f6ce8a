//! A bound socket that returns to CLOSE is still bound: the end of a connection is not that of its socket.

use super::Scene;
use crate::support::may_trace;
use libc::ECONNREFUSED;

/// Where sockets are bound: with an address, and without.
const PLACES: [(&str, u16); 2] = [("127.0.0.1", 5011), ("0.0.0.0", 5012)];

#[test]
fn a_bound_socket_stays_after_a_connect_that_was_refused() {
    if !may_trace("a_bound_socket_stays_after_a_connect_that_was_refused") {
        return;
    }
    let mut scene = Scene::begin("refused");
    for (addr, port) in PLACES {
        scene.does(&["make tcp", &format!("bind {addr} {port}")]);
        scene.fails("connect-to 127.0.0.1 9", ECONNREFUSED);
        scene.fails("connect-to 127.0.0.1 9", ECONNREFUSED);
        scene.does(&["disconnect", "start-listening", "drop-made"]);
        let failed = format!("connect_failed 127.0.0.1 {port} ECONNREFUSED");
        let told = [
            format!("bind {addr} {port}"),
            failed.clone(),
            failed,
            format!("listen {addr} {port}"),
            format!("close {addr} {port}"),
        ];
        assert_eq!(scene.reported(), told);
    }
}

#[test]
fn a_bound_socket_stays_after_its_connection() {
    if !may_trace("a_bound_socket_stays_after_its_connection") {
        return;
    }
    let mut scene = Scene::begin("after");
    let mut server = scene.actor.beside("server");
    let port = server.does("listen 127.0.0.1");
    for (addr, ours) in PLACES {
        for end in ["reset", "disconnect"] {
            scene.does(&["make tcp", "set 1 2 1", &format!("bind {addr} {ours}")]);
            scene.does(&[&format!("connect-to 127.0.0.1 {port}")]);
            server.does("accept");
            let cookie: u64 = scene.actor.does("cookie").parse().unwrap();
            if end == "reset" {
                server.does("no-linger 0");
                server.does("close 0");
                scene.agent.is_right(&scene.actor);
                // The error is unread. (Of a socket that has lost its connection the kernel keeps the peer until then.)
                scene.does(&["disconnect"]);
            } else {
                scene.does(&["disconnect"]);
                server.does("close 0");
            }
            scene.does(&["drop-made"]);
            let told = scene.events_until_now();
            let ours: Vec<_> = told.iter().filter(|it| it["cookie"] == cookie).collect();
            let kinds: Vec<_> = ours.iter().map(|it| it["event"].as_str().unwrap()).collect();
            assert_eq!(kinds, ["bind", "connect", "close"], "{told:#?}");
            assert_eq!(ours[2]["error"] == "ECONNRESET", end == "reset", "{told:#?}");
        }
    }
}

#[test]
fn close_with_an_error_unread_ends_a_bound_socket() {
    if !may_trace("close_with_an_error_unread_ends_a_bound_socket") {
        return;
    }
    let mut scene = Scene::begin("unread");
    let mut server = scene.actor.beside("server");
    let port = server.does("listen 127.0.0.1");
    scene.does(&["make tcp", "bind 0.0.0.0 5021", &format!("connect-to 127.0.0.1 {port}")]);
    server.does("accept");
    server.does("no-linger 0");
    server.does("close 0");
    scene.does(&["drop-made"]);
    let rows: Vec<_> =
        scene.agent.table(scene.netns).into_values().filter(|row| row.contains(" 5021 ")).collect();
    assert_eq!(rows, Vec::<String>::new());
}

//! Sockets that wait in SYN-SENT.

use super::Scene;
use crate::support::may_trace;
use libc::EINPROGRESS;

#[test]
fn a_socket_that_waits_has_its_port_and_its_end_is_reported() {
    if !may_trace("a_socket_that_waits_has_its_port_and_its_end_is_reported") {
        return;
    }
    let mut scene = Scene::begin("waits");
    scene.does(&["ip route add 192.0.2.0/24 dev lo"]);
    for bound in [false, true] {
        scene.does(&["make tcp", "does-not-wait"]);
        if bound {
            scene.does(&["bind 0.0.0.0 5061"]);
        }
        // The port is in the table with the second SYN, a second later.
        scene.fails("connect-to 192.0.2.1 9", EINPROGRESS);
        let port = scene.actor.does("port");
        if bound {
            // It stands as bound.
            scene.does(&["shutdown-made-both"]);
        }
        scene.does(&["drop-made"]);
        let told = scene.reported();
        let failed: Vec<_> = told.iter().filter(|it| it.starts_with("connect_failed")).collect();
        assert_eq!(failed.len(), 1, "{told:?}");
        assert!(failed[0].contains(&format!(" {port}")), "{told:?}");
    }
}

#[test]
fn a_connect_that_a_signal_interrupts_is_one_connect() {
    if !may_trace("a_connect_that_a_signal_interrupts_is_one_connect") {
        return;
    }
    let mut scene = Scene::begin("interrupted");
    let mut server = scene.actor.beside("server");
    // Its queue takes one connection: the next SYN is dropped until that is accepted.
    let port = server.does("listen-backlog 127.0.0.1 0");
    let to = format!("connect-to 127.0.0.1 {port}");
    scene.does(&["make tcp"]);
    assert_eq!(scene.actor.does(&to), "done");
    scene.does(&["make tcp"]);
    let cookie: u64 = scene.actor.does("cookie").parse().unwrap();
    scene.actor.begins(&format!("interrupted-{to}"));
    crate::support::wait_for("its SYN", || {
        scene.agent.table(scene.netns).get(&cookie).is_some_and(|row| row.contains("SYN-SENT")).then_some(())
    });
    server.does("accept");
    assert_eq!(scene.actor.answer(), "done");
    let events = scene.events_until_now();
    let ours = events.iter().filter(|event| event["cookie"] == cookie);
    let kinds: Vec<_> = ours.map(|event| event["event"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["connect"], "{events:#?}");
}

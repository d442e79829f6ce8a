//! Connects and binds that fail: each is reported once, with its errno, and history keeps the connects.

use super::Scene;
use crate::support::may_trace;
use crate::support::run::run;
use libc::{
    EACCES, EADDRINUSE, EADDRNOTAVAIL, EAFNOSUPPORT, ECONNREFUSED, EHOSTUNREACH, EINPROGRESS, EINVAL,
    EISCONN, ENETUNREACH,
};
use serde_json::Value;

/// The names of the errors of the `connect_failed` events of a namespace in history.
fn in_history(scene: &Scene) -> Vec<(u64, String)> {
    let filter = format!("netns {}", scene.netns);
    let said = run(&["history", "--agent", scene.agent.path(), "--json", "-t", &filter]);
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    let all = said.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let mut failed: Vec<_> =
        all.filter(|end| end["event"] == "connect_failed").map(|end| which(&end)).collect();
    failed.sort();
    failed
}

fn which(event: &Value) -> (u64, String) {
    (event["cookie"].as_u64().unwrap(), event["error"].as_str().unwrap_or("none").to_owned())
}

/// Checks that the connects of those sockets are reported to have failed so, and nothing else is reported of connects.
#[track_caller]
fn check(scene: &mut Scene, mut expected: Vec<(u64, String)>) {
    let events = scene.events_until_now();
    let pid = scene.actor.pid();
    let ours = events.iter().filter(|event| event["event"] == "connect_failed");
    let mut told: Vec<_> =
        ours.inspect(|event| assert_eq!(event["pid"], pid, "{event}")).map(which).collect();
    told.sort();
    expected.sort();
    assert_eq!(told, expected, "{events:#?}");
    assert_eq!(in_history(scene), expected);
    assert!(!events.iter().any(|event| event["event"] == "connect"), "{events:#?}");
}

fn cookie(scene: &mut Scene) -> u64 {
    scene.actor.does("cookie").parse().unwrap()
}

/// Makes such a socket, and connects it, which fails.
#[track_caller]
fn one(scene: &mut Scene, make: &[&str], act: &str, (errno, name): (i32, &str)) -> (u64, String) {
    for act in make {
        assert_eq!(scene.actor.does(act), "done", "{act}");
    }
    scene.fails(act, errno);
    (cookie(scene), name.to_owned())
}

#[test]
fn every_connect_that_fails_at_once_is_reported_with_its_errno() {
    if !may_trace("every_connect_that_fails_at_once_is_reported_with_its_errno") {
        return;
    }
    let mut scene = Scene::begin("failing");
    scene.does(&[
        "ip route add unreachable 198.51.100.0/25",
        "ip route add blackhole 198.51.100.128/25",
        "ip route add prohibit 203.0.113.0/24",
        "ip route add throw 192.0.2.0/24",
    ]);
    let refused = (ECONNREFUSED, "ECONNREFUSED");
    let unreachable = (EHOSTUNREACH, "EHOSTUNREACH");
    let unroutable = (ENETUNREACH, "ENETUNREACH");
    let invalid = (EINVAL, "EINVAL");
    let mut expected = Vec::new();
    for (make, act, error) in [
        ("make tcp", "connect-to 198.51.100.1 9", unreachable),
        ("make tcp", "connect-to 198.51.100.200 9", invalid),
        ("make tcp", "connect-to 203.0.113.1 9", (EACCES, "EACCES")),
        ("make tcp", "connect-to 192.0.2.1 9", unroutable),
        ("make tcp", "connect-to 100.64.0.1 9", unroutable),
        ("make tcp", "connect-to 127.0.0.1 9", refused),
        ("make tcp", "connect-to ::1 9", (EAFNOSUPPORT, "EAFNOSUPPORT")),
        ("make tcp6", "connect-to ::1 9", refused),
        ("make tcp6", "connect-to 2001:db8::1 9", unroutable),
        ("make tcp6", "connect-to ::ffff:198.51.100.1 9", unreachable),
        ("make tcp6", "connect-to ::ffff:198.51.100.200 9", invalid),
        ("make tcp6", "connect-to ::ffff:127.0.0.1 9", refused),
        // Without the interface that it is meant for.
        ("make tcp6", "connect-to fe80::1 9", invalid),
        ("make tcp6", "connect-to ff02::1 9", unroutable),
    ] {
        expected.push(one(&mut scene, &[make], act, error));
        scene.does(&["drop-made"]);
        // The same of a socket that does not wait, and of one that is bound: it stays where it is bound.
        if error != refused {
            expected.push(one(&mut scene, &[make, "does-not-wait"], act, error));
        }
        scene.does(&["drop-made"]);
        if make == "make tcp" {
            expected.push(one(&mut scene, &[make, "bind 0.0.0.0 0"], act, error));
        }
        scene.does(&["drop-made"]);
    }
    check(&mut scene, expected);
}

#[test]
fn a_connect_without_a_free_port_is_reported_with_its_errno() {
    if !may_trace("a_connect_without_a_free_port_is_reported_with_its_errno") {
        return;
    }
    let mut scene = Scene::begin("no-ports");
    let mut server = scene.actor.beside("server");
    let port = server.does("listen 127.0.0.1");
    let to = format!("connect-to 127.0.0.1 {port}");
    let none = (EADDRNOTAVAIL, "EADDRNOTAVAIL");
    // The tuple is taken.
    let mut expected = Vec::new();
    for _ in 0..2 {
        scene.does(&["make tcp", "set 1 2 1", "bind 127.0.0.1 6000"]);
    }
    assert_eq!(scene.actor.does(&to), "done");
    scene.actor.does("make tcp");
    scene.actor.does("set 1 2 1");
    expected.push(one(&mut scene, &["bind 127.0.0.1 6000"], &to, none));
    // And its address and port.
    scene.actor.does("make tcp");
    scene.fails("bind 127.0.0.1 6000", EADDRINUSE);
    scene.does(&["sysctl ipv4/ip_local_port_range 6001 6001", "make tcp"]);
    assert_eq!(scene.actor.does(&to), "done");
    expected.push(one(&mut scene, &["make tcp"], &to, none));
    let events = {
        let pid = scene.actor.pid();
        let events = scene.events_until_now();
        events.into_iter().filter(|event| event["pid"] == pid).collect::<Vec<_>>()
    };
    let of = |kind: &str| events.iter().filter(|event| event["event"] == kind).map(which).collect::<Vec<_>>();
    assert_eq!(of("connect_failed"), expected);
    assert_eq!(of("connect").len(), 2, "{events:#?}");
    let errors: Vec<_> = of("bind").into_iter().map(|(_, error)| error).collect();
    assert_eq!(errors, ["none", "none", "none", "EADDRINUSE"]);
    expected.sort();
    assert_eq!(in_history(&scene), expected);
}

#[test]
fn a_connect_that_fails_later_is_reported_once_with_its_errno() {
    if !may_trace("a_connect_that_fails_later_is_reported_once_with_its_errno") {
        return;
    }
    let mut scene = Scene::begin("later");
    scene.does(&["ip route add 192.0.2.0/24 dev lo"]);
    let mut expected = Vec::new();
    for make in [&["make tcp"][..], &["make tcp", "bind 127.0.0.1 5001"], &["make tcp6"]] {
        for act in make {
            scene.does(&[act]);
        }
        scene.does(&["does-not-wait"]);
        let to = if make[0] == "make tcp6" { "::1" } else { "127.0.0.1" };
        scene.fails(&format!("connect-to {to} 9"), EINPROGRESS);
        // The answer has come by now; the second connect(2) only hands out the error.
        scene.fails(&format!("connect-to {to} 9"), ECONNREFUSED);
        expected.push((cookie(&mut scene), "ECONNREFUSED".to_owned()));
        // It fails again: that is another one.
        scene.fails(&format!("connect-to {to} 9"), EINPROGRESS);
        expected.push((cookie(&mut scene), "ECONNREFUSED".to_owned()));
        scene.does(&["drop-made"]);
    }
    // Nobody answers.
    scene.does(&["make tcp", "set 6 18 50"]);
    scene.fails("connect-to 192.0.2.1 9", libc::ETIMEDOUT);
    expected.push((cookie(&mut scene), "ETIMEDOUT".to_owned()));
    scene.does(&["drop-made"]);
    check(&mut scene, expected);
}

#[test]
fn a_listener_that_connects_is_still_a_listener() {
    if !may_trace("a_listener_that_connects_is_still_a_listener") {
        return;
    }
    let mut scene = Scene::begin("both");
    scene.does(&["make tcp", "bind 127.0.0.1 5002", "start-listening"]);
    scene.fails("connect-to 127.0.0.1 9", EISCONN);
    let expected = vec![(cookie(&mut scene), "EISCONN".to_owned())];
    check(&mut scene, expected);
}

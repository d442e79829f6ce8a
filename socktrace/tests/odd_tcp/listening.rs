//! Listeners: the port that the kernel chose, what is left after a shutdown, and who opened them.

use super::Scene;
use crate::support::may_trace;
use std::process::Command;

#[test]
fn a_listener_has_the_port_that_the_kernel_chose() {
    if !may_trace("a_listener_has_the_port_that_the_kernel_chose") {
        return;
    }
    let mut scene = Scene::begin("chosen");
    // IP_BIND_ADDRESS_NO_PORT.
    for (before, addr) in [
        (&["make tcp"][..], "0.0.0.0"),
        (&["make tcp6"], "::"),
        (&["make tcp", "set 0 24 1", "bind 127.0.0.3 0"], "127.0.0.3"),
    ] {
        scene.does(before);
        scene.does(&["start-listening"]);
        let port = scene.actor.does("port");
        scene.does(&["start-listening", "drop-made"]);
        let told = scene.reported();
        let ours: Vec<_> = told.iter().map(String::as_str).filter(|it| !it.starts_with("bind")).collect();
        // listen(2) again only changes the backlog.
        let expected = ["listen", "listen", "close"].map(|kind| format!("{kind} {addr} {port}"));
        assert_eq!(ours, expected, "{told:?}");
    }
}

#[test]
fn a_listener_that_is_shut_down_is_bound_and_nothing_more() {
    if !may_trace("a_listener_that_is_shut_down_is_bound_and_nothing_more") {
        return;
    }
    let mut scene = Scene::begin("shut");
    for addr in ["127.0.0.1", "0.0.0.0"] {
        scene.does(&["make tcp", &format!("bind {addr} 5031"), "start-listening", "shutdown-made-both"]);
        scene.does(&["start-listening", "drop-made"]);
        let told = ["bind", "listen", "close", "listen", "close"].map(|kind| format!("{kind} {addr} 5031"));
        assert_eq!(scene.reported(), told);
    }
}

#[test]
fn a_listener_that_ss_kills_closes_once() {
    if !may_trace("a_listener_that_ss_kills_closes_once") {
        return;
    }
    let mut scene = Scene::begin("killed");
    scene.does(&["make tcp", "bind 0.0.0.0 5041", "start-listening"]);
    let pid = scene.actor.pid().to_string();
    let killed = Command::new("nsenter")
        .args([
            "-t",
            &pid,
            "-n",
            env!("CARGO_BIN_EXE_socktrace"),
            "ss",
            "--direct",
            "-K",
            "-tln",
            "sport = 5041",
        ])
        .output()
        .unwrap();
    assert!(killed.status.success(), "{}", String::from_utf8_lossy(&killed.stderr));
    scene.agent.is_right(&scene.actor);
    scene.does(&["drop-made"]);
    let told = ["bind", "listen", "close"].map(|kind| format!("{kind} 0.0.0.0 5041"));
    assert_eq!(scene.reported(), told);
}

#[test]
fn a_listener_whose_opener_has_ended_keeps_its_opener() {
    if !may_trace("a_listener_whose_opener_has_ended_keeps_its_opener") {
        return;
    }
    let scene = Scene::begin("onlooker");
    let mut opener = scene.actor.beside("opener");
    opener.does("make tcp");
    opener.does("start-listening");
    let port: u16 = opener.does("port").parse().unwrap();
    let child: i32 = opener.does("fork-survivor").parse().unwrap();
    let pid = opener.pid();
    drop(opener);
    let row = || scene.agent.rows().find(|row| row["netns"] == scene.netns && row["local_port"] == port);
    scene.agent.is_right(&scene.actor);
    let before = row().unwrap();
    assert_eq!((&before["pid"], &before["attribution"]), (&pid.into(), &"exact".into()), "{before}");
    assert!(before["opened"].is_string() || before["opened"].is_number(), "{before}");
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(child), nix::sys::signal::Signal::SIGKILL).unwrap();
    crate::support::wait_for("its end", || row().is_none().then_some(()));
}

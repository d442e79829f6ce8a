//! Beginnings and ends: what an agent takes, and what it leaves.

use super::{Agent, folder};
use crate::support::run::{run, socktrace};
use crate::support::{may_trace, wait_for};
use nix::sys::signal::Signal;
use std::os::unix::fs::MetadataExt as _;

#[test]
fn after_a_sudden_death_nothing_is_loaded_and_a_new_agent_takes_the_socket() {
    if !may_trace("after_a_sudden_death_nothing_is_loaded_and_a_new_agent_takes_the_socket") {
        return;
    }
    let mut agent = Agent::start(&[]);
    let ours = loaded_by(agent.pid());
    assert!(!ours.is_empty());
    agent.process.signal(Signal::SIGKILL);
    agent.process.ends();
    assert!(agent.path.exists());
    wait_for("the kernel letting go", || {
        let loaded = loaded();
        ours.iter().all(|id| !loaded.contains(id)).then_some(())
    });
    agent.process = Agent::start_on(&agent.path, &[]);
    assert!(agent.status()["sockets"].as_u64().unwrap() > 0);
}

/// Ids of every kernel program that is loaded.
fn loaded() -> Vec<u32> {
    aya::programs::loaded_programs().filter_map(|program| Some(program.ok()?.id())).collect()
}

/// Ids of the kernel programs that a process has open.
fn loaded_by(pid: u32) -> Vec<u32> {
    let infos = std::fs::read_dir(format!("/proc/{pid}/fdinfo")).unwrap();
    infos
        .filter_map(|info| {
            let text = std::fs::read_to_string(info.unwrap().path()).ok()?;
            text.lines().find_map(|line| line.strip_prefix("prog_id:")?.trim().parse().ok())
        })
        .collect()
}

#[test]
fn a_second_agent_is_refused_and_the_first_goes_on() {
    if !may_trace("a_second_agent_is_refused_and_the_first_goes_on") {
        return;
    }
    let agent = Agent::start(&[]);
    let said = run(&["agent", "--socket", agent.path()]);
    assert_eq!(said.code, Some(1));
    let first = format!("socktrace: an agent already listens on {}\n", agent.path());
    assert!(said.stderr.starts_with(&first), "{}", said.stderr);
    assert!(said.stderr.contains("\ntry: "), "{}", said.stderr);
    agent.status();
}

#[test]
fn a_clean_end_leaves_nothing_behind() {
    if !may_trace("a_clean_end_leaves_nothing_behind") {
        return;
    }
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
        let mut agent = Agent::start(&[]);
        let mut events = agent.events(&[]);
        agent.process.signal(signal);
        assert_eq!(agent.process.ends().code(), Some(0), "{signal}");
        let left: Vec<_> = std::fs::read_dir(agent.path.parent().unwrap()).unwrap().collect();
        assert!(left.is_empty(), "{left:?}");
        // Its readers are told.
        assert_eq!(events.ends().code(), Some(1));
        events.says("socktrace: the agent has ended");
    }
}

#[test]
fn systemd_is_told_when_the_agent_is_ready() {
    if !may_trace("systemd_is_told_when_the_agent_is_ready") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let notify = directory.path().join("notify");
    let socket = std::os::unix::net::UnixDatagram::bind(&notify).unwrap();
    let path = directory.path().join("agent.sock");
    let mut command = socktrace(&["agent", "--socket", path.to_str().unwrap()]);
    let mut child =
        command.env("NOTIFY_SOCKET", &notify).stderr(std::process::Stdio::null()).spawn().unwrap();
    let mut buffer = [0; 100];
    let length = socket.recv(&mut buffer).unwrap();
    assert_eq!(std::str::from_utf8(&buffer[..length]).unwrap().trim_end(), "READY=1");
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(child.id() as i32), Signal::SIGTERM).unwrap();
    assert!(child.wait().unwrap().success());
}

#[test]
fn options_come_from_a_file_and_the_command_line_comes_before_it() {
    if !may_trace("options_come_from_a_file_and_the_command_line_comes_before_it") {
        return;
    }
    let directory = folder();
    let file = directory.path().join("agent.toml");
    std::fs::write(&file, "mode = \"0600\"\nhistory-entries = 0\n").unwrap();
    let file = file.to_str().unwrap();
    for (options, expected) in
        [(&["--config", file][..], 0o600), (&["--config", file, "--mode", "0640"], 0o640)]
    {
        let agent = Agent::start(options);
        assert_eq!(std::fs::metadata(&agent.path).unwrap().mode() & 0o777, expected);
    }
    let said = run(&["agent", "--config", file, "--check-config", "--mode", "0640"]);
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    for line in ["mode = \"0640\"", "history-entries = 0", "history-bytes = 25165824"] {
        assert!(said.stdout.lines().any(|said| said == line), "{}", said.stdout);
    }
    // What is shown is a file that means the same.
    std::fs::write(file, &said.stdout).unwrap();
    assert_eq!(run(&["agent", "--config", file, "--check-config"]).stdout, said.stdout);
    std::fs::write(file, "history-entires = 0").unwrap();
    let said = run(&["agent", "--config", file]);
    assert_eq!(said.code, Some(2));
    assert!(
        said.stderr
            .contains("agent.toml: line 1: unknown key \"history-entires\"; did you mean `history-entries`?")
    );
}

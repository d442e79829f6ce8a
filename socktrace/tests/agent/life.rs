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

#[test]
fn sighup_makes_it_read_its_file_again() {
    if !may_trace("sighup_makes_it_read_its_file_again") {
        return;
    }
    let directory = folder();
    let file = directory.path().join("agent.toml");
    let write = |text: &str| std::fs::write(&file, text).unwrap();
    write("history-entries = 1000\n");
    let agent = Agent::start(&["--config", file.to_str().unwrap()]);
    let kept = |agent: &Agent| agent.status()["history_records"].as_u64().unwrap();
    for _ in 0..200 {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        drop(std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap());
    }
    wait_for("the history to have them", || (kept(&agent) > 200).then_some(()));

    write("history-entries = 16\nmode = \"0600\"\n");
    agent.process.signal(Signal::SIGHUP);
    agent
        .process
        .says("socktrace: reload: mode cannot change while the agent runs; a restart makes it count");
    agent.process.says("socktrace: reload: history-entries is 16 now (1000 before)");
    assert!(kept(&agent) <= 16, "{}", kept(&agent));
    assert_eq!(std::fs::metadata(&agent.path).unwrap().mode() & 0o777, 0o666);

    // What is wrong changes nothing.
    write("history-entries = 20\nhistory-bites = 1\n");
    agent.process.signal(Signal::SIGHUP);
    let said = agent.process.says("socktrace: cannot reload: ");
    assert!(said.contains("line 2: unknown key \"history-bites\"; did you mean `history-bytes`?"), "{said}");
    assert!(said.ends_with("; the agent goes on as it was"), "{said}");
    write("history-entries = 16\n");
    agent.process.signal(Signal::SIGHUP);
    agent.process.says("socktrace: reload: nothing has changed");
}

#[test]
fn the_packaged_file_is_right_and_its_comments_are_the_defaults() {
    let packaged = concat!(env!("CARGO_MANIFEST_DIR"), "/../packaging/agent.toml");
    let text = std::fs::read_to_string(packaged).unwrap();
    let directory = folder();
    let shown = |name: &str, text: &str| {
        let file = directory.path().join(name);
        std::fs::write(&file, text).unwrap();
        let mut command = socktrace(&["agent", "--config", file.to_str().unwrap(), "--check-config"]);
        let said = command.env_remove("SOCKTRACE_SOCKET").output().unwrap();
        assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
        let lines = String::from_utf8(said.stdout).unwrap();
        lines.lines().skip(1).map(str::to_owned).collect::<Vec<_>>()
    };
    // On a machine of many processors the buffer's default is another.
    let buffer =
        |lines: Vec<String>| lines.into_iter().filter(|line| !line.starts_with("ring-size")).collect();
    let without: Vec<String> = buffer(shown("a", &text));
    let options =
        |line: &str| line.strip_prefix('#').filter(|rest| !rest.starts_with(' ')).map(str::to_owned);
    let all: Vec<String> =
        text.lines().map(|line| options(line).unwrap_or_else(|| line.to_owned())).collect();
    let with: Vec<String> = buffer(shown("b", &all.join("\n")));
    assert_eq!(without, with);
    // Every option of the command line that a file may have is there.
    let help = run(&["agent", "--help"]).stdout;
    let long = help.split_whitespace().filter_map(|word| word.strip_prefix("--"));
    let known: std::collections::BTreeSet<_> =
        all.iter().filter_map(|line| line.split_once(" = ")).map(|(key, _)| key).collect();
    for option in long.map(|word| word.trim_matches(|c: char| !c.is_alphanumeric())) {
        let other = ["config", "check-config", "help"].contains(&option);
        assert!(
            other || known.contains(option) || !help.contains(&format!("      --{option} <")),
            "{option}"
        );
    }
}

//! The command line: exit codes, and that what is wrong is said in a way that helps.

use crate::support::run::{run, socktrace};
use crate::support::wait_for;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::process::Stdio;

#[test]
fn exit_codes() {
    for (args, code) in [
        (&["--help"][..], 0),
        (&["--version"], 0),
        (&["events", "--help"], 0),
        (&["agent", "--help"], 0),
        (&["status", "--help"], 0),
        (&[], 2),
        (&["nonsense"], 2),
        (&["events", "--no-such-option"], 2),
        (&["events", "--for", "-1"], 2),
        (&["events", "--count", "0"], 2),
        (&["events", "--direct", "--agent", "/x"], 2),
        (&["events", "--kinds", "connected"], 2),
        (&["status", "--agent", "/nonexistent/agent.sock"], 1),
        (&["events", "--agent", "/nonexistent/agent.sock"], 1),
    ] {
        let said = run(args);
        assert_eq!(said.code, Some(code), "{args:?}: {}{}", said.stdout, said.stderr);
    }
}

#[test]
fn an_absent_agent_is_named_with_what_to_try() {
    let said = run(&["status", "--agent", "/nonexistent/agent.sock"]);
    assert_eq!(
        said.stderr,
        "socktrace: no agent answers on /nonexistent/agent.sock: no such file or directory\n\
         try: sudo socktrace agent, or --agent PATH if it listens elsewhere\n"
    );
    assert_eq!(said.stdout, "");
}

#[test]
fn the_environment_names_the_agents_socket() {
    let mut command = socktrace(&["status"]);
    let output = command.env("SOCKTRACE_SOCKET", "/nonexistent/from-env").output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.starts_with("socktrace: no agent answers on /nonexistent/from-env: "), "{said}");
}

#[test]
fn stderr_that_is_gone_changes_nothing() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = socktrace(&["status", "--agent", "/nonexistent/agent.sock"]);
    let status = command.stderr(writer).status().unwrap();
    assert_eq!(status.code(), Some(1));
}

#[test]
fn a_bad_filter_is_pointed_at() {
    let said = run(&["events", "--direct", "dport = :443 and sprot = :22"]);
    assert_eq!(said.code, Some(2));
    let lines: Vec<&str> = said.stderr.lines().collect();
    let line =
        lines.iter().position(|line| line.ends_with("dport = :443 and sprot = :22")).expect(&said.stderr);
    let column = lines[line].find("sprot").unwrap();
    assert_eq!(lines[line + 1].find('^'), Some(column), "{}", said.stderr);
}

#[test]
fn an_unknown_word_is_answered_with_what_was_probably_meant_or_is_possible() {
    for (words, expected) in [
        (
            &["events", "--direct", "--kinds", "connect,opened"][..],
            "socktrace: unknown kind of event \"opened\"; did you mean `open`?\n",
        ),
        (
            &["events", "--direct", "--kinds", "xyzzy"],
            "socktrace: unknown kind of event \"xyzzy\"; choose from bind, listen, connect, connect_failed, accept, ",
        ),
        (&["events", "--colums", "time"], "tip: a similar argument exists: '--columns'"),
        (&["evnts"], "tip: a similar subcommand exists: 'events'"),
        (&["history", "--sort", "-rt"], "socktrace: unknown column \"-rt\"; did you mean `rtt`?"),
        (
            &["ss", "--direct", "--sort", "agee"],
            "socktrace: --sort: unknown key \"agee\"; did you mean `age`?",
        ),
        (
            &["ss", "--direct", "state", "establised"],
            "unknown state \"establised\"; did you mean `established`?",
        ),
        (&["ss", "--direct", "sprot = :22"], "unknown filter keyword \"sprot\"; did you mean `sport`?"),
    ] {
        let said = run(words);
        assert!(said.code == Some(2) && said.stderr.contains(expected), "{words:?}: {}", said.stderr);
    }
}

#[test]
fn an_array_is_for_lists_that_end() {
    let said = run(&["ss", "--direct", "-xan", "--json=array"]);
    let rows: Vec<serde_json::Value> = serde_json::from_str(&said.stdout).unwrap();
    assert!(said.code == Some(0) && rows.iter().all(serde_json::Value::is_object), "{}", said.stderr);
    let none = run(&["ss", "--direct", "-tan", "--json=array", "sport = 1 and sport = 2"]);
    assert_eq!((none.code, none.stdout.as_str()), (Some(0), "[]\n"));
    let said = run(&["events", "--direct", "--json=array"]);
    assert!(said.code == Some(2) && said.stderr.contains("events do not: use --json"), "{}", said.stderr);
}

/// Copies the binary to where everybody may run it, and runs it as nobody.
#[test]
fn without_privilege_it_says_what_is_missing() {
    if !nix::unistd::Uid::effective().is_root() {
        let said = run(&["events", "--direct"]);
        return assert_eq!(said.code, Some(1), "{}", said.stderr);
    }
    let directory = tempfile::tempdir().unwrap();
    std::fs::set_permissions(directory.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let binary = directory.path().join("socktrace");
    std::fs::copy(env!("CARGO_BIN_EXE_socktrace"), &binary).unwrap();
    let mut command = std::process::Command::new(binary);
    command.args(["events", "--direct"]).uid(65534).gid(65534);
    // Another test's child, between fork and exec, may still have the copy open for writing.
    let output = wait_for("running the copy", || match command.output() {
        Err(error) if error.kind() == std::io::ErrorKind::ExecutableFileBusy => None,
        ran => Some(ran.unwrap()),
    });
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.starts_with("socktrace: cannot "), "{said}");
    assert!(said.contains("\ntry: sudo socktrace"), "{said}");
    assert_eq!(said.lines().count(), 2, "{said}");
}

#[test]
fn a_closed_pipe_is_success() {
    let mut child = socktrace(&["--help"]).stdout(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert!(child.wait().unwrap().success());
}

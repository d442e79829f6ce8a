//! A client in a pid namespace of its own: processes have the numbers that it knows them by, and others are not there.

use super::said_as;
use crate::agent::{AGENTS, Agent};
use crate::support::actor::Actor;
use crate::support::run::{Said, socktrace};
use crate::support::{in_own_netns, may_trace, wait_for};
use serde_json::Value;
use std::process::{Child, Command, Stdio};

const USER: u32 = 65534;

/// A pid namespace with a /proc of its own. Dropping it ends everything in it.
struct PidNamespace {
    outside: Child,
    init: u32,
}

impl PidNamespace {
    fn new() -> Self {
        let mut command = Command::new("unshare");
        command.args(["--pid", "--fork", "--kill-child", "--mount-proc", "sleep", "infinity"]);
        let outside = command.stdin(Stdio::null()).spawn().unwrap();
        let children = format!("/proc/{0}/task/{0}/children", outside.id());
        let init = wait_for("its first process", || {
            let init = std::fs::read_to_string(&children).ok()?.trim().parse().ok()?;
            // It has become `sleep` when its /proc is mounted.
            let comm = std::fs::read_to_string(format!("/proc/{init}/comm")).ok()?;
            (comm == "sleep\n").then_some(init)
        });
        Self { outside, init }
    }

    /// A command that runs another one in it, as that user, and in the calling thread's network namespace.
    fn enter(&self, uid: u32) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["--target", &self.init.to_string(), "--pid", "--mount"]);
        command.args([format!("--setuid={uid}"), format!("--setgid={uid}"), "--".to_owned()]);
        command
    }

    fn run(&self, uid: u32, words: &str) -> Said {
        let ours = socktrace(&[]);
        let mut command = self.enter(uid);
        command.arg(ours.get_program()).args(words.split(' ')).stdin(Stdio::null());
        said_as(&mut command)
    }
}

impl Drop for PidNamespace {
    fn drop(&mut self) {
        let _ = self.outside.kill();
        let _ = self.outside.wait();
    }
}

#[test]
fn a_client_in_a_pid_namespace_is_shown_its_own_numbers() {
    if !may_trace("a_client_in_a_pid_namespace_is_shown_its_own_numbers") {
        return;
    }
    for options in AGENTS {
        in_own_netns(|| shows_own_numbers(options));
    }
}

fn shows_own_numbers(options: &[&str]) {
    let agent = Agent::start(options);
    let namespace = PidNamespace::new();
    let mut outside = Actor::here_as("outside", USER);
    let others_port = outside.does("listen 127.0.0.1");
    for uid in [USER, 0] {
        let mut inside = Actor::by("inside", namespace.enter(uid));
        let (port, pid) = (inside.does("listen 127.0.0.1"), inside.does("pid"));
        assert!(pid.parse::<u32>().unwrap() < 1000, "{pid}");
        let agent_is = format!("--agent {}", agent.path());
        for words in
            ["-Htlnp", "-HtlnpT", "-Htlnp comm = inside", "-Htln not comm inside", "-Htln --count-by process"]
        {
            let through = namespace.run(uid, &format!("ss {agent_is} {words}"));
            let direct = namespace.run(uid, &format!("ss --direct {words}"));
            assert_eq!(
                (through.code, &through.stdout),
                (Some(0), &direct.stdout),
                "{uid} {words}: {through:?}"
            );
        }
        let find = |pid: &str| namespace.run(uid, &format!("ss {agent_is} -Htlnp pid = {pid}"));
        let found = find(&pid);
        assert!(found.stdout.contains(&format!(":{port} ")), "{found:?}");
        assert!(found.stdout.contains(&format!("users:((\"inside\",pid={pid},fd=")), "{found:?}");
        // By another's number, and by our own, nothing is found.
        let others = find(&outside.pid().to_string());
        assert!(
            others.stdout.is_empty() && others.stderr.contains("outside this pid namespace"),
            "{others:?}"
        );
        let json = namespace.run(uid, &format!("ss {agent_is} -tlnp --json")).stdout;
        let rows: Vec<Value> = json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let row = |port: &str| {
            let port: u16 = port.parse().unwrap();
            rows.iter().find(|row| row["local_port"] == port).unwrap_or_else(|| panic!("{port}: {json}"))
        };
        assert_eq!(row(&port)["pid"].to_string(), pid);
        assert_eq!(row(&port)["processes"][0]["pid"].to_string(), pid);
        assert_eq!(
            (&row(&others_port)["pid"], row(&others_port)["processes"].as_array().unwrap().len()),
            (&Value::Null, 0)
        );
        // What was recorded has our numbers, which mean nothing there.
        let history = namespace.run(uid, &format!("history {agent_is} --comm inside"));
        assert_eq!(history.code, Some(1), "{history:?}");
        assert!(history.stderr.contains("the processes of another pid or user namespace"), "{history:?}");
        inside.does("close-listener");
        let history = namespace.run(uid, &format!("history {agent_is} --json sport = :{port}"));
        let ended: Value = serde_json::from_str(history.stdout.lines().next().unwrap()).unwrap();
        assert_eq!((&ended["pid"], &ended["attribution"]), (&Value::Null, &"unknown".into()), "{ended}");
        assert!(history.stderr.contains("not shown in your pid namespace"), "{history:?}");
    }
}

#[test]
fn whose_numbers_events_have_is_said_in_another_pid_namespace() {
    if !may_trace("whose_numbers_events_have_is_said_in_another_pid_namespace") {
        return;
    }
    let namespace = PidNamespace::new();
    let warning = "events have the numbers of processes in the initial pid namespace";
    for words in ["--pid 1", "pid = 1", "pid = 4000000"] {
        let asked = format!("events --direct --for 0.1 {words}");
        let within = namespace.run(0, &asked);
        assert!(within.code == Some(0) && within.stderr.contains(warning), "{words}: {within:?}");
        // Which of them there are is not known there.
        assert!(!within.stderr.contains("there is no process"), "{within:?}");
        let without = said_as(&mut socktrace(&asked.split(' ').collect::<Vec<_>>()));
        assert!(without.code == Some(0) && !without.stderr.contains(warning), "{words}: {without:?}");
    }
    let unasked = namespace.run(0, "events --direct --for 0.1 comm = x");
    assert!(unasked.code == Some(0) && !unasked.stderr.contains(warning), "{unasked:?}");
}

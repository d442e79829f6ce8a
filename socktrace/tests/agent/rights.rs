//! Who is shown what: root and the agent's group everything, others what ss would show them.

use super::Agent;
use crate::ss_fixtures::Fixtures;
use crate::ss_parity::{difference, steady};
use crate::support::actor::Actor;
use crate::support::run::{Running, Said, socktrace};
use crate::support::{in_own_netns, may_trace};
use serde_json::Value;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};

/// nobody, and a group that every Debian has.
pub(crate) const USER: u32 = 65534;
const DAEMON: u32 = 1;

/// A command as that user and group, without any others.
fn command(args: &[&str], uid: u32, gid: u32) -> Command {
    let mut command = socktrace(args);
    command.uid(uid).gid(gid);
    command
}

pub(crate) fn run(args: &[&str], uid: u32, gid: u32) -> Said {
    let output = command(args, uid, gid).output().unwrap();
    Said {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// The same request by curl's way, as that user: by a command that we do not have to trust.
pub(super) fn get(agent: &Agent, target: &str, uid: u32) -> String {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "agent::rights::ask_for", "--nocapture"])
        .env("ASK_PATH", agent.path())
        .env("ASK_TARGET", target)
        .uid(uid)
        .gid(uid)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut text = String::new();
    std::io::Read::read_to_string(child.stdout.as_mut().unwrap(), &mut text).unwrap();
    assert!(child.wait().unwrap().success());
    let (_, answer) = text.split_once("@@").unwrap();
    answer.split_once("@@").unwrap().0.to_owned()
}

#[test]
#[ignore = "not a test: what `get` starts as another user"]
fn ask_for() {
    let Some(path) = std::env::var_os("ASK_PATH") else { return };
    let (head, body) = super::get(path.as_ref(), &std::env::var("ASK_TARGET").unwrap());
    println!("@@{}\n{body}@@", head.lines().next().unwrap());
}

#[test]
fn an_ordinary_user_is_shown_through_the_agent_what_ss_would_show() {
    if !may_trace("an_ordinary_user_is_shown_through_the_agent_what_ss_would_show") {
        return;
    }
    in_own_netns(|| {
        let _fixtures = Fixtures::open();
        let agent = Agent::start(&[]);
        let mut mine = Actor::here_as("mine", USER);
        mine.does("listen 127.0.0.1");
        for words in [
            "-tlnp",
            "-tanp",
            "-tanpeimo",
            "-uanpem",
            "-wanp",
            "-Manpi",
            "-0anpeb",
            "-tan fwmark 0x2a",
            "-tanp comm = mine",
            "-tlnp --count-by process",
            "-tln --count-by user",
        ] {
            // Numbers that run are made equal.
            let said = |source: &[&str]| {
                let words: Vec<&str> = words.split(' ').collect();
                let said = run(&[&["ss"], source, &words].concat(), USER, USER);
                let rows: Vec<String> = said.stdout.lines().map(steady).collect();
                // The agent knows which processes would have been of interest; without it, all count.
                let (warning, _processes) =
                    said.stderr.rsplit_once(": no permission to ").unwrap_or_default();
                (said.code, rows.join("\n"), warning.to_owned())
            };
            let both = || (said(&["--agent", agent.path()]), said(&["--direct"]));
            let same = (0..5).any(|_| {
                let (through, direct) = both();
                through == direct
            });
            if !same {
                let (through, direct) = both();
                let rows = difference(&direct.1, &through.1);
                panic!("{words}: {:?} {:?}, {:?} {:?}\n{rows}", direct.0, direct.2, through.0, through.2);
            }
        }
        // It is theirs, and shown; of the fixtures it is not, and it is said that something is not.
        let said = run(&["ss", "--agent", agent.path(), "-Htlnp"], USER, USER);
        let theirs: Vec<&str> = said.stdout.lines().filter(|line| line.contains("users:")).collect();
        assert!(theirs.len() == 1 && theirs[0].contains("((\"mine\","), "{}", said.stdout);
        assert!(said.stderr.contains("socktrace: process unknown for "), "{}", said.stderr);
        let everything = run(&["ss", "--agent", agent.path(), "-Htlnp"], 0, 0).stdout;
        assert!(everything.lines().all(|line| line.contains("users:")), "{everything}");
    });
}

#[test]
fn other_namespaces_are_not_for_everybody() {
    if !may_trace("other_namespaces_are_not_for_everybody") {
        return;
    }
    let agent = Agent::start(&[]);
    let mut elsewhere = Actor::alone("elsewhere");
    elsewhere.does("listen 127.0.0.1");
    for words in [&["-tln", "--all-netns"][..], &["-tln", "-N", "1"]] {
        let said = run(&[&["ss", "--agent", agent.path()], words].concat(), USER, USER);
        assert_eq!((said.code, said.stdout.as_str()), (Some(1), ""), "{words:?}");
        assert!(said.stderr.contains("only root and the agent's group"), "{}", said.stderr);
    }
    let asked = format!("/v1/sockets?tables=tcp&states=listening&asked_from={}", elsewhere.netns());
    assert!(get(&agent, &asked, USER).starts_with("HTTP/1.0 403 "));
    assert!(get(&agent, &asked, 0).starts_with("HTTP/1.0 200 "));
    let own = socktrace::kernel::netns::current().unwrap();
    let rows = |uid| -> Vec<Value> {
        let answer = get(&agent, "/v1/table", uid);
        let (status, body) = answer.split_once('\n').unwrap();
        assert_eq!(status, "HTTP/1.0 200 OK");
        body.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let theirs = rows(USER);
    assert!(!theirs.is_empty() && theirs.iter().all(|row| row["netns"] == own));
    // Everything that has an owner there is theirs.
    assert!(theirs.iter().filter(|row| !row["pid"].is_null()).all(|row| row["uid"] == USER));
    let all = rows(0);
    assert!(all.iter().any(|row| row["netns"] == elsewhere.netns() && row["pid"] == elsewhere.pid()));
}

#[test]
fn events_name_to_an_ordinary_user_their_own_processes() {
    if !may_trace("events_name_to_an_ordinary_user_their_own_processes") {
        return;
    }
    in_own_netns(|| {
        let agent = Agent::start(&[]);
        let mut roots = Actor::here_as("roots", 0);
        let mut mine = Actor::here_as("mine", USER);
        let events = |args: &[&str]| {
            let all =
                [&["events", "--agent", agent.path(), "--json", "-t", "--kinds", "listen"], args].concat();
            let events = Running::spawn(&mut command(&all, USER, USER));
            let said = "socktrace: other users' processes and other network namespaces are not shown";
            events.says(said);
            events.says("socktrace: tracing");
            events
        };
        let all = events(&["--count", "2"]);
        // What one may not see one may not ask about.
        let spying = events(&["--count", "1", "--comm", "roots", "--comm", "mine"]);
        let filtering = events(&["--count", "1", "comm = roots or comm = mine"]);
        let mut elsewhere = Actor::alone("elsewhere");
        elsewhere.does("listen 127.0.0.1");
        roots.does("listen 127.0.0.1");
        mine.does("listen 127.0.0.1");
        let told = [all.event(|_| true), all.event(|_| true)];
        assert_eq!(told.each_ref().map(|event| event["comm"].clone()), [Value::Null, "mine".into()]);
        assert_eq!(told.each_ref().map(|event| event["pid"].clone()), [Value::Null, mine.pid().into()]);
        for narrow in [spying, filtering] {
            assert_eq!(narrow.event(|_| true)["pid"], mine.pid());
        }
    });
}

#[test]
fn the_group_sees_everything_and_a_mode_keeps_others_out() {
    if !may_trace("the_group_sees_everything_and_a_mode_keeps_others_out") {
        return;
    }
    in_own_netns(|| {
        let _listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let agent = Agent::start(&["--group", "daemon", "--mode", "0660"]);
        let said = run(&["ss", "--agent", agent.path(), "-Htlnp"], USER, DAEMON);
        assert!(said.code == Some(0) && said.stdout.contains("users:"), "{}{}", said.stdout, said.stderr);
        let refused = run(&["ss", "--agent", agent.path(), "-Htlnp"], USER, USER);
        assert_eq!(refused.code, Some(1));
        assert!(refused.stderr.contains(": permission denied\n"), "{}", refused.stderr);
        // Who did not ask for the agent gets what they can have without it.
        let mut direct = command(&["ss", "-Htln"], USER, USER);
        let output = direct.env("SOCKTRACE_SOCKET", agent.path()).output().unwrap();
        assert!(output.status.success() && !output.stdout.is_empty());
    });
}

//! What has closed, asked of a real agent about real connections.

mod arranged;
mod files;

use super::rights::{USER, run as as_user};
use super::{Agent, Churn, get};
use crate::support::actor::Actor;
use crate::support::run::{Running, Said, run};
use crate::support::{in_own_netns, may_trace, wait_for};
use nix::sys::signal::Signal;
use nix::sys::socket::{setsockopt, sockopt};
use serde_json::Value;
use socktrace::kernel::netns;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;

/// Runs `history` with these words; where it found what was asked for.
fn ask(words: &[&str]) -> Said {
    let mut args = vec!["history"];
    args.extend_from_slice(words);
    let said = run(&args);
    assert_eq!(said.code, Some(0), "{words:?}: {}", said.stderr);
    said
}

fn objects(said: &Said) -> Vec<Value> {
    said.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

impl Agent {
    fn history(&self, words: &[&str]) -> Vec<Value> {
        let mut args = vec!["--agent", self.path(), "--json"];
        args.extend_from_slice(words);
        objects(&ask(&args))
    }
}

#[test]
fn an_ordinary_user_is_told_of_nobody_elses_processes() {
    if !may_trace("an_ordinary_user_is_told_of_nobody_elses_processes") {
        return;
    }
    in_own_netns(|| {
        let agent = Agent::start(&[]);
        for (name, uid) in [("roots", 0), ("theirs", USER)] {
            let mut actor = Actor::here_as(name, uid);
            actor.does("listen 127.0.0.1");
            actor.does("close-listener");
        }
        connection("elsewhere");
        let comms = |uid, words: &[&str]| {
            let said =
                as_user(&[&["history", "--agent", agent.path(), "--json", "-t"], words].concat(), uid, uid);
            assert_eq!(said.code, Some(0), "{}", said.stderr);
            let comms = objects(&said).iter().map(|end| end["comm"].to_string()).collect::<Vec<_>>();
            (comms, said.stderr.contains("other users' processes and other network namespaces are not shown"))
        };
        let own = netns::current().unwrap();
        let here = format!("netns = {own}");
        let quoted = |names: &[&str]| names.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>();
        assert_eq!(comms(0, &[&here]), (quoted(&["roots", "theirs"]), false));
        assert_eq!(comms(USER, &[]), (vec!["null".to_owned(), "\"theirs\"".to_owned()], true));
        assert_eq!(comms(USER, &["comm = roots"]), (Vec::new(), true));
        assert_eq!(comms(0, &["comm = elsewhere"]).0.len(), 3);
    });
}

#[test]
fn a_connection_that_was_reset_before_its_accept_has_its_acceptor() {
    if !may_trace("a_connection_that_was_reset_before_its_accept_has_its_acceptor") {
        return;
    }
    in_own_netns(|| {
        let agent = Agent::start(&[]);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let client = TcpStream::connect(("127.0.0.1", port)).unwrap();
        setsockopt(&client, sockopt::Linger, &libc::linger { l_onoff: 1, l_linger: 0 }).unwrap();
        let peer = client.local_addr().unwrap().port();
        let filter = format!("sport = :{port} and dport = :{peer}");
        drop(client);
        let before = agent.history(&[&filter]);
        assert_eq!((before.len(), &before[0]["pid"]), (1, &Value::Null), "{before:?}");
        // It has ended, and Linux hands it over all the same.
        drop(listener.accept().unwrap());
        let after = agent.history(&[&filter]);
        assert_eq!((after.len(), &after[0]["pid"]), (1, &std::process::id().into()), "{after:?}");
        assert_eq!((&after[0]["attribution"], &after[0]["error"]), (&"exact".into(), &"ECONNRESET".into()));
    });
}

#[test]
fn readers_who_do_not_read_hold_up_nobody_and_are_not_endless() {
    if !may_trace("readers_who_do_not_read_hold_up_nobody_and_are_not_endless") {
        return;
    }
    let agent = Agent::start(&[]);
    // Some megabytes of answer: more than fits between us. Where the machine is busy some of it may be lost.
    wait_for("enough of history", || {
        Churn::begin(5000).end();
        (agent.status()["history_records"].as_u64()? >= 9000).then_some(())
    });
    let stalled: Vec<UnixStream> = (0..40)
        .map(|_| {
            let mut stream = UnixStream::connect(&agent.path).unwrap();
            stream.write_all(b"GET /v1/history HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
            stream
        })
        .collect();
    // They have all the turns that there are, and keep nobody from asking something else.
    agent.status();
    // Who comes now waits for them, and is not refused.
    let mut next = UnixStream::connect(&agent.path).unwrap();
    next.write_all(b"GET /v1/history?since=1s HTTP/1.0\r\n\r\n").unwrap();
    agent.status();
    drop(stalled);
    let mut answer = String::new();
    next.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.0 200 OK\r\n"), "{answer}");
}

/// Makes one connection to a listener of its own and closes all of it; the listener's port.
fn connection(name: &str) -> (Actor, String) {
    let mut actor = Actor::alone(name);
    let port = actor.does("listen 127.0.0.1");
    actor.does(&format!("connect 127.0.0.1 {port}"));
    actor.does("accept");
    actor.does("write 0 1000");
    actor.does("read 1 1000");
    actor.does("close 1");
    actor.does("close 0");
    actor.does("close-listener");
    (actor, port)
}

#[test]
fn who_was_on_a_port_that_is_closed() {
    if !may_trace("who_was_on_a_port_that_is_closed") {
        return;
    }
    let agent = Agent::start(&[]);
    let (actor, port) = connection("was-here");
    let pid = actor.pid();
    let netns = actor.netns();
    // The number of a namespace is given again when nobody is in it any more.
    let _keeper = actor.beside("keeper");
    drop(actor);
    let told = agent.history(&[&format!("sport = :{port} and netns = {netns}")]);
    // The side of the server, and the listener, in the order in which they were closed.
    assert_eq!(told.len(), 2, "{told:?}");
    for end in &told {
        assert_eq!(
            (&end["event"], &end["pid"], &end["comm"]),
            (&"close".into(), &pid.into(), &"was-here".into())
        );
        assert!(end["duration_us"].as_u64().unwrap() > 0 && end["opened"].is_string(), "{end}");
    }
    assert_eq!((&told[0]["bytes_received"], &told[1]["peer_addr"]), (&1000.into(), &Value::Null));
    assert!(told[0]["ts"].as_str() < told[1]["ts"].as_str(), "{told:?}");
    // The filter language, and the words of `events`.
    // UNIX sockets, which starting a process takes, have no port.
    // Another namespace may have had the same number while the agent was there.
    let netns = format!("netns = {netns} and sport >= :1 and comm = was-here");
    let count = |words: &[&str]| agent.history(&[words, &[netns.as_str()]].concat()).len();
    for (words, expected) in [
        (&[][..], 3),
        (&["--pid", &pid.to_string()], 3),
        (&["--pid", "1"], 0),
        (&["--comm", "was-here", "-t"], 3),
        (&["-u"], 0),
        (&["-6"], 0),
        (&["--since", "1h"], 3),
        (&["--until", "1h"], 0),
        (&["--since", "2020-01-01", "--until", "2020-01-02T10:00:00Z"], 0),
    ] {
        assert_eq!(count(words), expected, "{words:?}");
    }
    for (filter, expected) in [
        (&*format!("port = {port}"), 3),
        (&*format!("dport = :{port}"), 1),
        ("age < 1h and comm = was-*", 3),
        ("age > 1h", 0),
        (&*format!("pid != {pid}"), 0),
        ("dst 127.0.0.1", 2),
    ] {
        let told = agent.history(&[&format!("( {filter} ) and {netns}")]);
        assert_eq!(told.len(), expected, "{filter}: {told:?}");
    }
}

#[test]
fn history_is_the_closes_that_readers_are_told_of() {
    if !may_trace("history_is_the_closes_that_readers_are_told_of") {
        return;
    }
    let agent = Agent::start(&[]);
    let mut actor = Actor::alone("every-kind");
    let filter = format!("netns = {} and sport >= :1", actor.netns());
    let events = agent.events(&["--kinds", "close,connect_failed", &filter]);
    let port = actor.does("listen 127.0.0.1");
    actor.does(&format!("connect 127.0.0.1 {port}"));
    actor.does("accept");
    // Nobody listens there.
    assert_eq!(actor.does("connect 127.0.0.1 1"), "error 111");
    let udp = actor.does("udp-bind 127.0.0.1");
    actor.does(&format!("udp-connect 127.0.0.1 {udp}"));
    actor.does("udp-close");
    actor.does("close 0");
    actor.does("close 1");
    actor.does("close-listener");
    let told: Vec<_> = (0..5).map(|_| events.event(|event| event["event"] != "lost")).collect();
    let mut kept = agent.history(&[&filter]);
    let mut kinds: Vec<_> = kept.iter().map(|end| end["event"].as_str().unwrap()).collect();
    kinds.sort_unstable();
    assert_eq!(kinds, ["close", "close", "close", "close", "connect_failed"]);
    // As events, they say the same; beside that, history says when they opened.
    for (kept, told) in kept.iter_mut().zip(&told) {
        let fields = kept.as_object_mut().unwrap();
        assert!(fields.remove("opened").is_some(), "{fields:?}");
        fields.insert("ts".to_owned(), told["ts"].clone());
    }
    assert_eq!(kept, told);
}

#[test]
fn lines_for_people_show_whose_they_were() {
    if !may_trace("lines_for_people_show_whose_they_were") {
        return;
    }
    let agent = Agent::start(&[]);
    let (actor, port) = connection("for-people");
    let said =
        ask(&["--agent", agent.path(), "-n", "--since", "10m", "-t", &format!("netns = {}", actor.netns())]);
    let lines: Vec<&str> = said.stdout.lines().collect();
    assert!(lines[0].starts_with("Closed ") && lines[0].contains(" Lifetime "), "{}", said.stdout);
    assert_eq!(lines.len(), 4, "{}", said.stdout);
    let users = format!("users:((\"for-people\",pid={}))", actor.pid());
    assert!(lines[1..].iter().all(|line| line.contains(&users)), "{}", said.stdout);
    assert!(lines[1].contains(&format!("127.0.0.1:{port} ")), "{}", said.stdout);
    // Asked for more than there is, it says so.
    assert!(said.stderr.starts_with("socktrace: history starts at "), "{}", said.stderr);
}

#[test]
fn curl_can_ask_and_gets_what_is_to_be_known_in_the_head() {
    if !may_trace("curl_can_ask_and_gets_what_is_to_be_known_in_the_head") {
        return;
    }
    let agent = Agent::start(&[]);
    let (actor, port) = connection("by-hand");
    let (head, body) =
        get(&agent.path, &format!("/v1/history?since=1h&filter=port+%3D+{port}&pid={}", actor.pid()));
    assert!(head.starts_with("HTTP/1.0 200"), "{head}");
    let survey = head.lines().find_map(|line| line.strip_prefix("socktrace-history: ")).expect(&head);
    let survey: Value = serde_json::from_str(survey).unwrap();
    assert!(survey["from"].as_u64() > Some(0), "{survey}");
    assert_eq!(body.lines().count(), 3, "{body}");
}

#[test]
fn memory_is_bounded_by_entries() {
    if !may_trace("memory_is_bounded_by_entries") {
        return;
    }
    let agent = Agent::start(&["--history-entries", "1000"]);
    Churn::begin(5000).end();
    agent.history(&[]);
    let status = agent.status();
    assert!((900..=1000).contains(&status["history_records"].as_u64().unwrap()), "{status}");
    // What is left is the newest: the listener was closed last.
    let told = agent.history(&["--comm", "churn-client", "--comm", "churn-server"]);
    assert!((800..=1000).contains(&told.len()), "{}", told.len());
}

#[test]
fn what_was_lost_in_the_kernel_is_said() {
    if !may_trace("what_was_lost_in_the_kernel_is_said") {
        return;
    }
    let agent = Agent::start(&["--ring-size", "4096"]);
    Churn::begin(20_000).end();
    let said = ask(&["--agent", agent.path(), "--json"]);
    assert!(
        said.stderr.contains("socktrace: records of that time lost in the kernel's buffer: "),
        "{}",
        said.stderr
    );
    // Before that, nothing was lost.
    let said = ask(&["--agent", agent.path(), "--json", "--until", "1h"]);
    assert!(!said.stderr.contains("lost"), "{}", said.stderr);
}

#[test]
fn what_is_asked_wrongly_is_pointed_at() {
    for (words, expected) in [
        (&["--since", "10x"][..], "  --since 10x\n          ^^^\n"),
        (&["--until", "25:00"], "there is no such time\n  --until 25:00\n          ^^^^^\n"),
        (&["--since", "1h", "--until", "2h"], "--until is before --since"),
        (&["--dir", "/tmp", "--agent", "/x"], "cannot be used with"),
        (&["sprot = :22"], "^"),
    ] {
        let said = run(&[&["history"], words].concat());
        assert_eq!(said.code, Some(2), "{words:?}: {}", said.stderr);
        assert!(said.stderr.contains(expected), "{words:?}: {}", said.stderr);
    }
}

#[test]
fn without_agent_and_without_files_it_says_what_to_do() {
    let said = run(&["history", "--agent", "/nonexistent/agent.sock"]);
    assert_eq!(said.code, Some(1));
    assert_eq!(
        said.stderr,
        "socktrace: no agent answers on /nonexistent/agent.sock: no such file or directory\n\
         try: sudo socktrace agent, which keeps what closes from then on, or --dir DIR where an agent has \
         written its history\n"
    );
    let said = run(&["history", "--dir", "/nonexistent/history"]);
    assert_eq!(said.code, Some(1));
    assert_eq!(
        said.stderr,
        "socktrace: cannot read the history in /nonexistent/history: no such file or directory\n"
    );
    let empty = tempfile::tempdir().unwrap();
    let said = run(&["history", "--dir", empty.path().to_str().unwrap()]);
    assert_eq!((said.code, said.stderr.as_str()), (Some(0), "socktrace: there is no history yet\n"));
}

/// The lines of the commands in a document.
fn commands(document: &str) -> Vec<&str> {
    let blocks = document.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    blocks.flat_map(str::lines).collect()
}

#[test]
fn every_example_of_the_document_works_and_every_field_is_described() {
    if !may_trace("every_example_of_the_document_works_and_every_field_is_described") {
        return;
    }
    const HISTORY: &str = include_str!("../../../docs/history.md");
    const EVENTS: &str = include_str!("../../../docs/events.md");
    let directory = tempfile::tempdir().unwrap();
    let dir = directory.path().join("history").to_str().unwrap().to_owned();
    let mut agent = Agent::start(&["--history-dir", &dir]);
    let (actor, _) = connection("documented");
    for end in agent.history(&[&format!("netns = {}", actor.netns())]) {
        for field in end.as_object().unwrap().keys() {
            let row = format!("| `{field}` |");
            assert!(HISTORY.contains(&row) || EVENTS.contains(&row), "{field} is not described");
        }
    }
    let socket = agent.path().to_owned();
    let binary = env!("CARGO_BIN_EXE_socktrace");
    let commands = commands(HISTORY);
    assert!(commands.len() >= 8, "{commands:?}");
    let (agents, questions): (Vec<&str>, Vec<&str>) =
        commands.into_iter().partition(|line| line.contains(" agent "));
    for line in questions {
        let line = line.strip_prefix("sudo ").unwrap_or(line);
        let line =
            line.replace("/var/lib/socktrace/history", &dir).replace("/run/socktrace/agent.sock", &socket);
        let line = line.replacen("socktrace history", &format!("{binary} history"), 1);
        let mut shell = std::process::Command::new("sh");
        let output = shell.args(["-c", &line]).env("SOCKTRACE_SOCKET", &socket).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{line}: {said}");
    }
    assert_eq!(agents.len(), 2);
    for line in agents {
        agent.process.signal(Signal::SIGTERM);
        agent.process.ends();
        let line = line.replace("/var/lib/socktrace/history", &dir);
        let words: Vec<&str> = line.strip_prefix("sudo socktrace agent ").unwrap().split(' ').collect();
        agent.process = Agent::start_on(&agent.path, &words);
        agent.history(&[]);
    }
}

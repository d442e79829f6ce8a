//! Answers through the agent: the same as without it, whoever else asks.

use super::{Agent, Churn};
use crate::support::actor::Actor;
use crate::support::may_trace;
use crate::support::run::{Running, Said, run};
use serde_json::Value;
use socktrace::agent::client;

#[test]
fn events_are_the_same_with_and_without_an_agent() {
    if !may_trace("events_are_the_same_with_and_without_an_agent") {
        return;
    }
    let agent = Agent::start(&[]);
    let mut actor = Actor::alone("the-same");
    let through = agent.events(&["--count", "3", "--comm", "the-same", "-t"]);
    let direct = Running::events(&["--direct", "--json", "--count", "3", "--comm", "the-same", "-t"]);
    actor.does("listen 127.0.0.1");
    actor.does("close-listener");
    let lines = |events: &Running| std::iter::from_fn(|| events.line()).collect::<Vec<_>>();
    let (through, direct) = (lines(&through), lines(&direct));
    assert_eq!(direct.len(), 3, "{direct:?}");
    // Each has kernel programs of its own, which look at the clock one after the other.
    let without_time = |lines: Vec<String>| -> Vec<Value> {
        let events = lines.iter().map(|line| serde_json::from_str::<Value>(line).unwrap());
        events
            .map(|mut event| {
                let fields = event.as_object_mut().unwrap();
                assert!(fields.remove("ts").is_some());
                fields.entry("duration_us").and_modify(|duration| *duration = Value::Null);
                event
            })
            .collect()
    };
    assert_eq!(without_time(through), without_time(direct));
}

#[test]
fn lines_for_people_come_through_the_agent_too() {
    if !may_trace("lines_for_people_come_through_the_agent_too") {
        return;
    }
    let agent = Agent::start(&[]);
    let mut actor = Actor::alone("for-people");
    let events = Running::events(&["--agent", agent.path(), "--count", "2", "--comm", "for-people"]);
    let port = actor.does("listen 127.0.0.1");
    let lines: Vec<_> = std::iter::from_fn(|| events.line()).collect();
    let [names, bind, listen] = &lines[..] else { panic!("{lines:#?}") };
    assert!(names.starts_with("Time") && names.ends_with("Details"), "{names}");
    for (line, kind) in [(bind, "bind"), (listen, "listen")] {
        let words: Vec<_> = line.split_whitespace().skip(1).collect();
        let pid = actor.pid().to_string();
        assert_eq!(words, [kind, "tcp", &format!("127.0.0.1:{port}"), "*", &pid, "for-people"]);
    }
}

#[test]
fn clients_that_behave_badly_disturb_nobody() {
    if !may_trace("clients_that_behave_badly_disturb_nobody") {
        return;
    }
    use std::io::Write as _;
    use std::os::unix::net::UnixStream;
    let agent = Agent::start(&[]);
    let mut silent = Vec::new();
    for _ in 0..200 {
        let mut stream = UnixStream::connect(&agent.path).unwrap();
        stream.write_all(b"GET /v1/events HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        silent.push(stream);
    }
    for request in [&b"GET /v1/ev"[..], b"\x16\x03\x01\x00", &[b'x'; 200_000]] {
        let mut stream = UnixStream::connect(&agent.path).unwrap();
        let _ = stream.write_all(request);
        silent.push(stream);
    }
    let mut churn = Churn::begin(2_000);
    churn.end();
    agent.is_right(&churn.server);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let status = runtime.block_on(client::status(&agent.path)).unwrap();
    assert_eq!(status.events_lost, 0);
}

#[test]
fn one_socket_is_listed_at_once_and_as_without_an_agent() {
    if !may_trace("one_socket_is_listed_at_once_and_as_without_an_agent") {
        return;
    }
    let agent = Agent::start(&[]);
    // Asked for right after it came to be, when the ring has not been read yet.
    for addr in ["127.0.0.1:0", "[::1]:0"] {
        for _ in 0..2 {
            let listener = std::net::TcpListener::bind(addr).unwrap();
            let port = listener.local_addr().unwrap().port();
            let client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            for filter in [format!("sport = :{port}"), format!("dport = :{port}"), format!("port = {port}")] {
                for options in ["-tneH", "-tlneH", "-uneH", "-taneH"] {
                    let through = run(&["ss", "--agent", agent.path(), options, &filter]);
                    let direct = run(&["ss", "--direct", options, &filter]);
                    assert_eq!(through.stderr, "");
                    // Two connected rows lie in the order of the kernel's buckets, which only a dump shows.
                    let rows = |said: Said| {
                        let mut rows: Vec<_> = said.stdout.lines().map(str::to_owned).collect();
                        rows.sort();
                        rows
                    };
                    assert_eq!(rows(through), rows(direct), "{options} {filter}");
                }
            }
            drop(client);
        }
    }
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let filter = format!("sport = :{}", listener.local_addr().unwrap().port());
    let said = run(&["ss", "--agent", agent.path(), "-tln", "--json", &filter]);
    let row: Value = serde_json::from_str(&said.stdout).unwrap();
    assert!(row["opened"].is_string(), "{row}");
}

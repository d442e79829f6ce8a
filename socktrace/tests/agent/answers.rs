//! Answers through the agent: the same as without it, whoever else asks.

use super::{Agent, Churn};
use crate::support::actor::Actor;
use crate::support::run::{Running, run};
use crate::support::{may_trace, wait_for};
use serde_json::Value;
use socktrace::client;

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
    // Room for what others on the machine do meanwhile.
    let agent = Agent::start(&["--ring-size", "134217728"]);
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
                    assert_eq!(through.stdout, direct.stdout, "{options} {filter}");
                }
            }
            drop(client);
        }
    }
}

#[test]
fn when_sockets_were_opened_is_known_through_the_agent() {
    if !may_trace("when_sockets_were_opened_is_known_through_the_agent") {
        return;
    }
    let before = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let agent = Agent::start(&[]);
    let older = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let younger = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let ports = [&older, &younger, &before].map(|listener| listener.local_addr().unwrap().port());
    let listed = |options: &[&str], filter: &str| -> Vec<u16> {
        let mut all = vec!["ss", "--agent", agent.path(), "-Htln"];
        all.extend_from_slice(options);
        let said = run(&[all.as_slice(), &[filter]].concat());
        assert_eq!((said.code, said.stderr.as_str()), (Some(0), ""));
        let port = |line: &str| line.split_whitespace().nth(3)?.rsplit(':').next()?.parse().ok();
        said.stdout.lines().map(|line| port(line).expect("a row")).collect()
    };
    let ours = format!("sport = {{{},{},{}}}", ports[0], ports[1], ports[2]);
    // The oldest first; last comes what was there before the agent.
    assert_eq!(listed(&["--sort", "age"], &ours), ports);
    let mut aged = listed(&[], &format!("{ours} and age < 1h"));
    aged.sort_by_key(|port| ports.iter().position(|known| known == port));
    assert_eq!(aged, ports[..2]);
    assert!(listed(&[], &format!("{ours} and age > 1h")).is_empty());
    let filter = format!("sport = :{}", ports[0]);
    let said = run(&["ss", "--agent", agent.path(), "-tln", "--json", &filter]);
    let row: Value = serde_json::from_str(&said.stdout).unwrap();
    assert!(row["opened"].is_string(), "{row}");
}

#[test]
fn what_is_left_of_a_connection_that_one_side_closed_is_listed() {
    if !may_trace("what_is_left_of_a_connection_that_one_side_closed_is_listed") {
        return;
    }
    // Closed by its client only: the kernel keeps a mini-socket in FIN-WAIT-2 for it, of which no event tells.
    let half_closed = || {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        drop(std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap());
        (listener.accept().unwrap().0, listener.local_addr().unwrap().port())
    };
    let before = half_closed();
    let agent = Agent::start(&[]);
    let after = half_closed();
    for (_accepted, port) in [before, after] {
        let listed = |source: &[&str]| {
            let said = run(&[&["ss"], source, &["-Htn", &format!("dport = :{port}")]].concat());
            said.stdout
        };
        let direct = wait_for("a mini-socket", || {
            Some(listed(&["--direct"])).filter(|text| text.starts_with("FIN-WAIT-2 "))
        });
        assert_eq!(listed(&["--agent", agent.path()]), direct);
    }
}

#[test]
fn what_is_to_be_said_beside_an_answer_is_said_through_the_agent() {
    if !may_trace("what_is_to_be_said_beside_an_answer_is_said_through_the_agent") {
        return;
    }
    let agent = Agent::start(&[]);
    // Kernels lack one or the other of these.
    let said = ["--tipc", "--sctp", "--dccp", "--xdp"].map(|table| {
        let said = |source: &[&str]| run(&[&["ss"], source, &["-Ha", table]].concat()).stderr;
        let direct = said(&["--direct"]);
        assert_eq!(said(&["--agent", agent.path()]), direct);
        direct
    });
    assert!(said.iter().any(|line| line.starts_with("socktrace: this kernel cannot list ")), "{said:?}");
}

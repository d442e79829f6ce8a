//! `socktrace agent`: its table against the kernel's own, through churn, loss and sudden death.

use crate::support::actor::Actor;
use crate::support::run::{Running, Said, run, socktrace};
use crate::support::{may_trace, wait_for};
use nix::sys::signal::Signal;
use serde_json::Value;
use socktrace::agent::client;
use socktrace::kernel::netns::Netns;
use socktrace::kernel::sock_diag::{InetQuery, InetTable, IpVersion, SockDiag, Want};
use socktrace::socket::{Endpoint, Socket, State, StateSet};
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// An agent on a socket of its own.
struct Agent {
    process: Running,
    path: PathBuf,
    _directory: tempfile::TempDir,
}

impl Agent {
    fn start(options: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("agent.sock");
        let process = Self::start_on(&path, options);
        Self { process, path, _directory: directory }
    }

    fn start_on(path: &Path, options: &[&str]) -> Running {
        let mut args = vec!["agent", "--socket", path.to_str().unwrap()];
        args.extend_from_slice(options);
        let process = Running::start(&args);
        let ready = process.says("socktrace: agent ready on ");
        assert!(ready.starts_with(&format!("socktrace: agent ready on {} (", path.display())), "{ready}");
        assert!(ready.ends_with(" sockets)"), "{ready}");
        process
    }

    fn path(&self) -> &str {
        self.path.to_str().unwrap()
    }

    fn events(&self, options: &[&str]) -> Running {
        let mut args = vec!["--agent", self.path(), "--json"];
        args.extend_from_slice(options);
        Running::events(&args)
    }

    fn status(&self) -> Value {
        let said = run(&["status", "--json", "--agent", self.path()]);
        assert_eq!(said.code, Some(0), "{}", said.stderr);
        serde_json::from_str(&said.stdout).unwrap()
    }

    /// The TCP and UDP sockets of a namespace, as the agent knows them.
    fn table(&self, netns: u64) -> BTreeMap<u64, String> {
        let (head, body) = get(&self.path, "/v1/table");
        assert!(head.starts_with("HTTP/1.0 200"), "{head}");
        let rows = body.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let ours = rows.filter(|row| row["netns"] == netns && row["family"] != "unix");
        ours.map(|row| {
            let end = |addr: &str, port: &str| match row[addr].as_str() {
                Some(addr) => format!("{addr} {}", row[port]),
                None => "none".to_owned(),
            };
            let text = format!(
                "{} {} {} {}",
                row["proto"].as_str().unwrap(),
                row["state"].as_str().unwrap(),
                end("local_addr", "local_port"),
                end("peer_addr", "peer_port")
            );
            (row["cookie"].as_u64().unwrap(), text)
        })
        .collect()
    }

    /// Waits until the table is the kernel's.
    #[track_caller]
    fn is_right(&self, actor: &Actor) {
        let mut last = None;
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            let (ours, kernels) = (self.table(actor.netns()), kernels_table(actor.pid()));
            if ours == kernels {
                return;
            }
            // The last events may still be on their way.
            assert!(
                Instant::now() < deadline,
                "differences: {:#?}",
                last.replace(differences(&ours, &kernels))
            );
            last = Some(differences(&ours, &kernels));
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// An HTTP request over a Unix socket, by hand.
fn get(path: &Path, target: &str) -> (String, String) {
    use std::io::{Read as _, Write as _};
    let mut stream = std::os::unix::net::UnixStream::connect(path).unwrap();
    write!(stream, "GET {target} HTTP/1.0\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), body.to_owned())
}

fn differences(ours: &BTreeMap<u64, String>, kernels: &BTreeMap<u64, String>) -> Vec<String> {
    let cookies: std::collections::BTreeSet<_> = ours.keys().chain(kernels.keys()).collect();
    let differ = cookies.into_iter().filter(|cookie| ours.get(cookie) != kernels.get(cookie));
    differ.map(|c| format!("{c}: ours {:?}, the kernel's {:?}", ours.get(c), kernels.get(c))).collect()
}

/// The TCP and UDP sockets in the namespace of a process, as the kernel tells them; without mini-sockets.
fn kernels_table(pid: u32) -> BTreeMap<u64, String> {
    let netns = Netns::of_process(Path::new("/proc"), pid).unwrap();
    let mut diag = SockDiag::open_in(&netns).unwrap();
    let mut rows = BTreeMap::new();
    for table in [InetTable::Tcp, InetTable::Udp] {
        for ip in IpVersion::BOTH {
            let query = InetQuery::new(table, ip, StateSet::ALL.difference(StateSet::of(State::TimeWait)));
            let each = |socket: Socket| {
                if socket.state != State::SynRecv || socket.inode != 0 {
                    rows.insert(socket.cookie, describe(&socket));
                }
            };
            let mut each = each;
            let answer = diag.inet(&query, |row| {
                each(row.to_socket(Want::NONE).unwrap());
                ControlFlow::Continue(())
            });
            assert!(!answer.unwrap().interrupted);
        }
    }
    rows
}

fn describe(socket: &Socket) -> String {
    let end = |end: &Endpoint| match end.inet() {
        Some((addr, port)) => format!("{addr} {port}"),
        None => "none".to_owned(),
    };
    let peer = match socket.peer.inet() {
        Some((addr, 0)) if addr.is_unspecified() => "none".to_owned(),
        _ => end(&socket.peer),
    };
    format!("{} {} {} {peer}", socket.proto.name(), socket.state.word(), end(&socket.local))
}

/// A server that accepts and a client that connects, so many times, at full speed.
struct Churn {
    server: Actor,
    client: Actor,
}

impl Churn {
    fn begin(count: u32) -> Self {
        let mut server = Actor::alone("churn-server");
        let port = server.does("listen 127.0.0.1");
        let mut client = server.beside("churn-client");
        server.begins(&format!("accept-many {count}"));
        client.begins(&format!("connect-many 127.0.0.1 {port} {count}"));
        Self { server, client }
    }

    fn end(&mut self) {
        assert_eq!(self.client.answer(), "done");
        assert_eq!(self.server.answer(), "done");
    }
}

#[test]
fn churn_is_told_completely_and_the_table_is_right_afterwards() {
    if !may_trace("churn_is_told_completely_and_the_table_is_right_afterwards") {
        return;
    }
    const COUNT: usize = 20_000;
    // An unoptimised build reads slower than the churn writes; it gets room for all of it.
    let ring_size = if cfg!(debug_assertions) { 1 << 27 } else { 1 << 24 };
    let agent = Agent::start(&["--ring-size", &u32::to_string(&ring_size)]);
    let events = agent.events(&["--kinds", "accept,close", "-t"]);
    let mut churn = Churn::begin(COUNT as u32);
    let netns = churn.server.netns();
    churn.end();
    let (mut accepts, mut closes) = (0, 0);
    while accepts < COUNT || closes < 2 * COUNT {
        let event = events.event(|event| event["netns"] == netns || event["event"] == "lost");
        match event["event"].as_str() {
            Some("accept") => {
                accepts += 1;
                assert_eq!(event["pid"], churn.server.pid(), "{event}");
            }
            Some("close") => closes += 1,
            _ => panic!("{event} of {}", agent.status()),
        }
    }
    assert_eq!((accepts, closes), (COUNT, 2 * COUNT));
    let status = agent.status();
    assert_eq!(status["events_lost"], 0, "{status}");
    agent.is_right(&churn.server);
}

#[test]
fn an_agent_that_starts_in_the_middle_of_churn_is_right_afterwards() {
    if !may_trace("an_agent_that_starts_in_the_middle_of_churn_is_right_afterwards") {
        return;
    }
    let mut churn = Churn::begin(20_000);
    let agent = Agent::start(&[]);
    churn.end();
    agent.is_right(&churn.server);
    // And it knows whose the listener is, which was there before it.
    let (_, body) = get(&agent.path, "/v1/table");
    let rows = body.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let netns = churn.server.netns();
    let listener = rows.filter(|row| row["netns"] == netns).find(|row| row["state"] == "LISTEN").unwrap();
    assert_eq!(listener["pid"], churn.server.pid(), "{listener}");
    assert_eq!(listener["attribution"], "holder", "{listener}");
}

#[test]
fn loss_is_told_and_repaired() {
    if !may_trace("loss_is_told_and_repaired") {
        return;
    }
    let agent = Agent::start(&["--ring-size", "4096"]);
    let events = agent.events(&["--kinds", "resync"]);
    let mut churn = Churn::begin(20_000);
    let lost = events.event(|event| event["event"] == "lost");
    assert!(lost["lost"].as_u64().unwrap() > 0, "{lost}");
    // How soon is a matter of the machine's load, and so of a benchmark.
    events.event(|event| event["event"] == "resync");
    churn.end();
    agent.is_right(&churn.server);
    let status = agent.status();
    assert!(
        status["events_lost"].as_u64().unwrap() > 0 && status["resyncs"].as_u64().unwrap() > 0,
        "{status}"
    );
}

#[test]
fn after_a_sudden_death_nothing_is_loaded_and_a_new_agent_takes_the_socket() {
    if !may_trace("after_a_sudden_death_nothing_is_loaded_and_a_new_agent_takes_the_socket") {
        return;
    }
    let mut agent = Agent::start(&[]);
    let ours = loaded_by(agent.process.pid());
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

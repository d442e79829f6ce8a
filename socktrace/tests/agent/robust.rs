//! Faults that an agent lives through: crowds, no descriptors left, processes and namespaces that come and go.

use super::{Agent, Churn, folder, get};
use crate::support::actor::Actor;
use crate::support::run::{Running, run, socktrace};
use crate::support::{cookie, in_own_netns, may_trace, wait_for};
use caps::{CapSet, Capability};
use serde_json::Value;
use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;

#[test]
fn five_hundred_clients_at_once_are_answered() {
    if !may_trace("five_hundred_clients_at_once_are_answered") {
        return;
    }
    let agent = Agent::start(&[]);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let questions = [
        format!("/v1/sockets?arg=-tlnH&arg=sport+%3D+:{port}"),
        "/v1/status".to_owned(),
        "/v1/events?kinds=listen&count=1&comm=the-crowd".to_owned(),
        "/v1/history?since=1s".to_owned(),
    ];
    let mut clients: Vec<_> = (0..500)
        .map(|number| {
            let mut stream = UnixStream::connect(&agent.path).unwrap();
            write!(stream, "GET {} HTTP/1.0\r\n\r\n", questions[number % questions.len()]).unwrap();
            stream
        })
        .collect();
    let mut answers: Vec<String> = Vec::new();
    let mut read = |stream: &mut UnixStream| {
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.0 200 OK\r\n"), "{answer}");
        answers.push(answer);
    };
    // All have been asked; those who wait for an event are told one.
    for (number, stream) in clients.iter_mut().enumerate() {
        if number % questions.len() != 2 {
            read(stream);
        }
    }
    let mut crowd = Actor::alone("the-crowd");
    crowd.does("listen 127.0.0.1");
    clients.iter_mut().skip(2).step_by(questions.len()).for_each(read);
    let having = |text: &str| answers.iter().filter(|answer| answer.contains(text)).count();
    assert_eq!(having(&format!("\"local_port\":{port},")), 125);
    assert_eq!(having("\"events_seen\""), 125);
    assert_eq!(having("\"comm\":\"the-crowd\""), 125);
}

/// Lets a process have so many descriptors.
fn limit_descriptors(pid: u32, most: u64) {
    let limit = libc::rlimit { rlim_cur: most, rlim_max: most };
    // SAFETY: the limit lives during the call, and no old one is wanted.
    let status =
        unsafe { libc::prlimit(pid as i32, libc::RLIMIT_NOFILE, &raw const limit, std::ptr::null_mut()) };
    assert_eq!(status, 0, "{}", std::io::Error::last_os_error());
}

#[test]
fn without_descriptors_it_goes_on_and_serves_again_when_there_are_some() {
    if !may_trace("without_descriptors_it_goes_on_and_serves_again_when_there_are_some") {
        return;
    }
    let agent = Agent::start(&[]);
    let pid = agent.process.pid();
    let highest = || {
        let fds = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
        fds.map(|fd| fd.unwrap().file_name().to_str().unwrap().parse::<u64>().unwrap()).max().unwrap()
    };
    limit_descriptors(pid, highest() + 20);
    let clients: Vec<_> = (0..400).map(|_| UnixStream::connect(&agent.path).unwrap()).collect();
    agent.process.says("socktrace: cannot accept clients: ");
    // Nothing is missed meanwhile. (Dumps fail then, and are made good.)
    let mut churn = Churn::begin(500);
    churn.end();
    drop(clients);
    agent.is_right(&churn.server);
    assert_eq!(agent.status()["events_lost"], 0);
}

#[test]
fn what_it_may_not_look_into_is_left_out_and_said() {
    if !may_trace("what_it_may_not_look_into_is_left_out_and_said") {
        return;
    }
    // A process that has ended and is not waited for has a folder in /proc and nothing to be seen in it.
    let mut zombie = std::process::Command::new("true").spawn().unwrap();
    let directory = folder();
    let path = directory.path().join("agent.sock");
    let mut command = socktrace(&["agent", "--socket", path.to_str().unwrap()]);
    let less = || {
        for capability in
            [Capability::CAP_SYS_PTRACE, Capability::CAP_DAC_READ_SEARCH, Capability::CAP_DAC_OVERRIDE]
        {
            caps::drop(None, CapSet::Bounding, capability).map_err(std::io::Error::other)?;
        }
        Ok(())
    };
    // SAFETY: between fork and exec only system calls are made.
    unsafe { command.pre_exec(less) };
    let process = Running::spawn(&mut command);
    process.says("socktrace: agent ready on ");
    let agent = Agent { process, path, _directory: directory };
    // In its own namespace everything is there, but for the holders.
    let mut theirs = Actor::here_as("of-daemon", 1);
    let port = theirs.does("listen 127.0.0.1");
    let said = run(&["ss", "--agent", agent.path(), "-Htlnp", &format!("sport = :{port}")]);
    assert!(
        said.stdout.contains(&format!("127.0.0.1:{port} ")) && !said.stdout.contains("users:"),
        "{}",
        said.stdout
    );
    assert!(said.stderr.starts_with("socktrace: 1 of 1 sockets have no shown process: "), "{}", said.stderr);
    // Who opened it was seen, for that it need not look into anything.
    let (_, body) = get(&agent.path, "/v1/table");
    let mut rows = body.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let row = rows.rfind(|row| row["local_port"] == port.parse::<u16>().unwrap()).unwrap();
    assert_eq!(row["pid"], theirs.pid(), "{row}");
    zombie.wait().unwrap();
}

#[test]
fn namespaces_that_vanish_while_they_are_dumped_leave_nothing() {
    if !may_trace("namespaces_that_vanish_while_they_are_dumped_leave_nothing") {
        return;
    }
    // A small ring loses records all the time, so that there is a dump all the time.
    let agent = Agent::start(&["--ring-size", "4096"]);
    let mut churn = Churn::begin(20_000);
    let mut vanished = BTreeSet::new();
    for _ in 0..60 {
        vanished.extend(in_own_netns(|| {
            let sockets: Vec<_> = (0..20).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
            sockets.iter().map(cookie).collect::<Vec<_>>()
        }));
    }
    churn.end();
    agent.is_right(&churn.server);
    wait_for("the end of what was in them", || {
        let (_, body) = get(&agent.path, "/v1/table");
        let rows = body.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let left = rows.filter(|row| vanished.contains(&row["cookie"].as_u64().unwrap())).count();
        (left == 0).then_some(())
    });
    let status = agent.status();
    assert!(status["resyncs"].as_u64().unwrap() > 0, "{status}");
}

//! Faults that an agent lives through: no descriptors left, processes and namespaces that come and go.

use super::{Agent, Churn, folder, try_get};
use crate::support::actor::Actor;
use crate::support::run::{Running, run, socktrace};
use crate::support::{cookie, in_own_netns, may_trace, wait_for};
use caps::{CapSet, Capability};
use std::collections::BTreeSet;
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;

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
    // Dumps fail then, and are made good.
    let mut churn = Churn::begin(500);
    churn.end();
    drop(clients);
    // Who comes while it still lets go of the others may be turned away.
    wait_for("an answer", || {
        let (head, _) = try_get(&agent.path, "/v1/status").ok()?;
        head.starts_with("HTTP/1.0 200 ").then_some(())
    });
    agent.is_right(&churn.server);
    assert!(agent.status()["sockets"].as_u64().unwrap() > 0);
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
    assert!(said.stdout.contains(&format!("127.0.0.1:{port} ")), "{}", said.stdout);
    // Where many descriptors are open the iterator finds it, which need not look into processes; else it is said.
    let warned = said.stderr.starts_with("socktrace: process unknown for 1 of 1 sockets: ");
    assert!(warned != said.stdout.contains("users:"), "{}{}", said.stdout, said.stderr);
    // Who opened it was seen, for that it need not look into anything.
    let mut rows = agent.rows();
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
        let rows = agent.rows();
        let left = rows.filter(|row| vanished.contains(&row["cookie"].as_u64().unwrap())).count();
        (left == 0).then_some(())
    });
    let status = agent.status();
    assert!(status["resyncs"].as_u64().unwrap() > 0, "{status}");
}

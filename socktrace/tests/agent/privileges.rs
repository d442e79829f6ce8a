//! What an agent keeps of its rights, and that it works with no more than that.

use super::{AGENTS, Agent, Churn, folder};
use crate::support::actor::Actor;
use crate::support::run::run;
use crate::support::{in_own_netns, may_trace};
use nix::sys::signal::Signal;
use socktrace::kernel::capabilities::NEEDED;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// A line of the `status` of each thread.
fn of_each_thread(agent: &Agent, line: &str) -> Vec<String> {
    let threads = std::fs::read_dir(format!("/proc/{}/task", agent.pid())).unwrap();
    let status = |thread: std::io::Result<std::fs::DirEntry>| {
        let text = std::fs::read_to_string(thread.unwrap().path().join("status")).ok()?;
        text.lines().find_map(|text| Some(text.strip_prefix(line)?.trim().to_owned()))
    };
    let mut all: Vec<String> = threads.filter_map(status).collect();
    assert!(!all.is_empty());
    all.dedup();
    all
}

/// The agent has the capabilities that it needs and no others, nor can it get any.
fn has_no_more_than_it_needs(agent: &Agent) {
    let needed = NEEDED.iter().fold(0, |all, (capability, _)| all | capability.bitmask());
    let needed = format!("{needed:016x}");
    let none = "0".repeat(16);
    for (line, expected) in [
        ("CapEff:", &*needed),
        ("CapPrm:", &needed),
        ("CapBnd:", &needed),
        ("CapInh:", &none),
        ("CapAmb:", &none),
        ("NoNewPrivs:", "1"),
        // A filter is in place.
        ("Seccomp:", "2"),
    ] {
        assert_eq!(of_each_thread(agent, line), [expected], "{line}");
    }
}

#[test]
fn as_root_it_keeps_what_it_needs() {
    if !may_trace("as_root_it_keeps_what_it_needs") {
        return;
    }
    let agent = Agent::start(&[]);
    // Threads of all kinds have been started by then.
    run(&["ss", "--agent", agent.path(), "-tanp"]);
    has_no_more_than_it_needs(&agent);
    assert_eq!(agent.status()["seccomp"], true);
    assert_eq!(of_each_thread(&agent, "Uid:"), ["0\t0\t0\t0"]);
}

#[test]
fn as_another_user_it_is_as_right_as_before() {
    if !may_trace("as_another_user_it_is_as_right_as_before") {
        return;
    }
    let directory = folder();
    let path = directory.path().join("made/agent.sock");
    let options = ["--user", "nobody", "--ring-size", "134217728"];
    let process = Agent::start_on(&path, &options);
    let mut agent = Agent { process, path, _directory: directory };
    let nobody = nix::unistd::User::from_name("nobody").unwrap().unwrap();
    assert_eq!(of_each_thread(&agent, "Uid:"), [vec![nobody.uid.to_string(); 4].join("\t")]);
    assert_eq!(of_each_thread(&agent, "Gid:"), [vec![nobody.gid.to_string(); 4].join("\t")]);
    assert_eq!(std::fs::metadata(&agent.path).unwrap().gid(), nobody.gid.as_raw());

    // Events, resyncs and dumps of other namespaces, and the processes of others there.
    let events = agent.events(&["--kinds", "listen", "--count", "1", "--comm", "of-daemon"]);
    let mut churn = Churn::begin(1_000);
    churn.end();
    agent.is_right(&churn.server);
    let mut theirs = in_own_netns(|| Actor::here_as("of-daemon", 1));
    let port = theirs.does("listen 127.0.0.1");
    assert_eq!(events.event(|_| true)["pid"], theirs.pid());
    agent.is_right(&theirs);
    let netns = theirs.pid().to_string();
    let filter = format!("sport = :{port}");
    let said = run(&["ss", "--agent", agent.path(), "-Htlnp", "-N", &netns, &filter]);
    let holder = format!("users:((\"of-daemon\",pid={},", theirs.pid());
    assert!(said.stdout.contains(&holder), "{}{}", said.stdout, said.stderr);
    // Marks are told to who may know them.
    let path = agent.path();
    in_own_netns(|| {
        let marked = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        nix::sys::socket::setsockopt(&marked, nix::sys::socket::sockopt::Mark, &42).unwrap();
        let said = run(&["ss", "--agent", path, "-Htlne", "fwmark 42"]);
        assert!(said.stdout.contains(" fwmark:0x2a"), "{}{}", said.stdout, said.stderr);
    });
    has_no_more_than_it_needs(&agent);
    assert_eq!(agent.status()["seccomp"], true);
    assert!(agent.status()["sockets"].as_u64().unwrap() > 0);

    // It can take its socket away.
    agent.process.signal(Signal::SIGTERM);
    assert_eq!(agent.process.ends().code(), Some(0));
    let left: Vec<_> = std::fs::read_dir(agent.path.parent().unwrap()).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_user_that_there_is_not_is_said_before_anything_is_done() {
    let directory = folder();
    let path = directory.path().join("agent.sock");
    let said = run(&["agent", "--socket", path.to_str().unwrap(), "--user", "no-such-user"]);
    assert_eq!((said.code, &*said.stderr), (Some(1), "socktrace: no user is called no-such-user\n"));
    assert!(!path.exists());
}

#[test]
fn nobody_gets_at_its_maps() {
    if !may_trace("nobody_gets_at_its_maps") {
        return;
    }
    for options in AGENTS {
        keeps_its_maps(&Agent::start(options));
    }
}

fn keeps_its_maps(agent: &Agent) {
    let infos = std::fs::read_dir(format!("/proc/{}/fdinfo", agent.pid())).unwrap();
    let mut maps = Vec::new();
    for info in infos.map(Result::unwrap) {
        let text = std::fs::read_to_string(info.path()).unwrap();
        let value = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        maps.extend(value("map_id:").map(|id| id.parse::<u32>().unwrap()));
        let flags = u32::from_str_radix(value("flags:").unwrap(), 8).unwrap();
        let of_bpf = ["map_id:", "prog_id:", "link_id:"].iter().any(|name| value(name).is_some());
        // A program that it started would get them.
        assert!(!of_bpf || flags & libc::O_CLOEXEC as u32 != 0, "{:?}: {text}", info.path());
    }
    assert!(!maps.is_empty());
    // Nor are they in a file system.
    assert_eq!(pinned(Path::new("/sys/fs/bpf")), Vec::<String>::new());
    // And by number they are for those who have CAP_SYS_ADMIN.
    let asked =
        || -> Vec<bool> { maps.iter().map(|&id| socktrace::kernel::bpf_maps::open(id).is_ok()).collect() };
    assert!(asked().iter().all(|&opened| opened));
    let without = std::thread::spawn(move || {
        caps::clear(None, caps::CapSet::Effective).unwrap();
        maps.iter().map(|&id| socktrace::kernel::bpf_maps::open(id).is_ok()).collect::<Vec<_>>()
    });
    assert!(without.join().unwrap().iter().all(|&opened| !opened));
}

/// Names that look like ours, anywhere below that folder.
fn pinned(folder: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut found = Vec::new();
    for entry in entries.map(Result::unwrap) {
        let name = entry.file_name().to_string_lossy().into_owned();
        if ["LANES", "COUNTERS", "WAKE", "BELL", "socktrace"].iter().any(|ours| name.contains(ours)) {
            found.push(name);
        }
        found.extend(pinned(&entry.path()));
    }
    found
}

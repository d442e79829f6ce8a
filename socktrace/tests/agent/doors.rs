//! What an ordinary user cannot make an agent do: each attack against an agent of root and against one that has become
//! another user. Whether a stranger's agent is believed is its clients' matter alone: there is none of ours. With what the
//! kernel's programs were built is settled before any agent runs.

use super::rights::get;
use super::{Agent, folder};
use crate::agent::AGENTS;
use crate::support::actor::Actor;
use crate::support::may_trace;
use crate::support::run::{Running, run, socktrace};
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::Signal;
use nix::sys::stat::Mode;
use nix::unistd::{chown, mkfifo};
use std::io::Write as _;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

/// An ordinary user; the agents of these tests are of others.
const STRANGER: u32 = 1001;

/// The value of a parameter.
fn escaped(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

#[test]
fn no_path_in_a_question_is_opened() {
    if !may_trace("no_path_in_a_question_is_opened") {
        return;
    }
    let hidden = tempfile::tempdir().unwrap();
    std::fs::set_permissions(hidden.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
    let fifo = hidden.path().join("fifo");
    mkfifo(&fifo, Mode::S_IRWXU).unwrap();
    std::fs::create_dir(hidden.path().join("directory")).unwrap();
    let hidden = hidden.path().to_str().unwrap();
    let up = "../../../../../../..";
    // What is there, and what is not.
    let pairs = [
        (format!("netns = {hidden}/fifo"), format!("netns = {hidden}/none")),
        (format!("netns = {up}{hidden}/fifo"), format!("netns = {up}{hidden}/none")),
        ("netns = /proc/1/ns/net".to_owned(), "netns = /proc/0/ns/net".to_owned()),
        ("netns = ../../proc/1/ns/net".to_owned(), "netns = ../../proc/0/ns/net".to_owned()),
        (format!("cgroup = {up}{hidden}/directory"), format!("cgroup = {up}{hidden}/no-folder")),
        (format!("cgroup = {hidden}/directory"), format!("cgroup = {hidden}/no-folder")),
        ("cgroup = ../../proc/1".to_owned(), "cgroup = ../../proc/0".to_owned()),
    ];
    for options in AGENTS {
        let mut agent = Agent::start(options);
        let answer = |filter: &str| {
            let word = escaped(filter);
            let name = filter.rsplit(' ').next().unwrap();
            [
                format!("/v1/sockets?tables=tcp&states=all&filter={word}"),
                format!("/v1/events?count=1&filter={word}"),
                format!("/v1/history?filter={word}"),
            ]
            .map(|target| get(&agent, &target, STRANGER).replace(name, "NAME"))
        };
        for (there, absent) in &pairs {
            let said = answer(there);
            assert_eq!(said, answer(absent), "{options:?} {there}");
            assert!(said.iter().all(|said| said.starts_with("HTTP/1.0 400 ")), "{there}: {said:?}");
        }
        for name in [format!("{hidden}/fifo"), "/proc/1/ns/net".to_owned(), "../netns/x".to_owned()] {
            let said = get(&agent, &format!("/v1/sockets?netns={}", escaped(&name)), STRANGER);
            assert!(said.starts_with("HTTP/1.0 400 "), "{said}");
        }
        // Nobody waits there for somebody to write.
        let writer = nix::fcntl::open(&fifo, OFlag::O_WRONLY | OFlag::O_NONBLOCK, Mode::empty());
        assert_eq!(writer.map(drop), Err(Errno::ENXIO));
        agent.process.signal(Signal::SIGTERM);
        assert_eq!(agent.process.ends().code(), Some(0));
    }
}

#[test]
fn it_ends_whatever_its_threads_wait_for() {
    if !may_trace("it_ends_whatever_its_threads_wait_for") {
        return;
    }
    let directory = folder();
    // Whoever looks up the name of a service waits for good.
    let fifo = directory.path().join("fifo");
    mkfifo(&fifo, Mode::S_IRWXU).unwrap();
    for options in AGENTS {
        let path = directory.path().join("agent.sock");
        let mut command = socktrace(&[&["agent", "--socket", path.to_str().unwrap()], options].concat());
        let fifo = fifo.clone();
        let hide = move || -> nix::Result<()> {
            let none = None::<&str>;
            unshare(CloneFlags::CLONE_NEWNS)?;
            mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)?;
            mount(Some(&fifo), "/etc/services", none, MsFlags::MS_BIND, none)
        };
        // SAFETY: between fork and exec only system calls are made.
        unsafe { command.pre_exec(move || hide().map_err(std::io::Error::from)) };
        let mut agent = Running::spawn(&mut command);
        agent.says("socktrace: agent ready on ");
        let stuck: Vec<_> = (0..8)
            .map(|_| asks(&path, "/v1/sockets?tables=tcp&states=listening&filter=sport+%3D+:http"))
            .collect();
        crate::support::wait_for("threads that wait", || (readers_of(agent.pid()) > 0).then_some(()));
        let begun = Instant::now();
        agent.signal(Signal::SIGTERM);
        assert_eq!(agent.ends().code(), Some(0), "{options:?}");
        assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
        drop(stuck);
    }
}

#[test]
fn it_listens_in_nobody_elses_directory() {
    if !may_trace("it_listens_in_nobody_elses_directory") {
        return;
    }
    let theirs = folder();
    chown(theirs.path(), Some(STRANGER.into()), None).unwrap();
    let inner = theirs.path().join("inner");
    std::fs::create_dir(&inner).unwrap();
    let squatted = folder();
    mkfifo(&squatted.path().join("agent.sock.lock"), Mode::S_IRWXU).unwrap();
    for options in AGENTS {
        for (directory, why) in [
            (theirs.path(), format!("{} belongs to user {STRANGER}, ", theirs.path().display())),
            (&inner, format!("{} belongs to user {STRANGER}, ", theirs.path().display())),
            (squatted.path(), "agent.sock.lock is not a lock file of an agent's\n".to_owned()),
        ] {
            let path = directory.join("agent.sock");
            let said = run(&[&["agent", "--socket", path.to_str().unwrap()], options].concat());
            assert_eq!(said.code, Some(1), "{options:?}");
            assert!(
                said.stderr.contains(&why) && said.stderr.contains("\ntry: --socket "),
                "{}",
                said.stderr
            );
            assert!(!path.exists());
        }
    }
    assert_eq!(std::fs::read_dir(&inner).unwrap().count(), 0);
}

#[test]
fn a_made_directory_has_its_mode_whatever_the_umask_and_goes_with_the_agent() {
    if !may_trace("a_made_directory_has_its_mode_whatever_the_umask_and_goes_with_the_agent") {
        return;
    }
    for options in AGENTS {
        makes_its_directory(options);
    }
}

fn makes_its_directory(options: &[&str]) {
    let directory = folder();
    let made = directory.path().join("made");
    let path = made.join("agent.sock");
    let mut command = socktrace(&[&["agent", "--socket", path.to_str().unwrap()], options].concat());
    let no_umask = || {
        nix::sys::stat::umask(Mode::empty());
        Ok(())
    };
    // SAFETY: between fork and exec only system calls are made.
    unsafe { command.pre_exec(no_umask) };
    let mut agent = Running::spawn(&mut command);
    agent.says("socktrace: agent ready on ");
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    assert_eq!((mode(&made), mode(&path), mode(&made.join("agent.sock.lock"))), (0o755, 0o666, 0o600));
    // The kernel's name of it is the one at which it is found.
    let listed = run(&["ss", "--direct", "-Hxln", &format!("src unix:{}", path.display())]);
    assert!(listed.stdout.contains(&format!(" {} ", path.display())), "{}", listed.stdout);
    agent.signal(Signal::SIGTERM);
    assert_eq!(agent.ends().code(), Some(0));
    // Another user may not remove it from root's.
    assert_eq!(made.exists(), !options.is_empty());
}

#[test]
fn a_strangers_agent_is_not_believed() {
    let theirs = folder();
    chown(theirs.path(), Some(STRANGER.into()), None).unwrap();
    let path = theirs.path().join("agent.sock");
    let path = path.to_str().unwrap();
    let mut squatter = Actor::here_as("squatter", STRANGER);
    squatter.does(&format!("unix-listen {path}"));
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o666)).unwrap();
    let why = format!(
        "socktrace: the agent on {path} is neither root's nor yours but of user {STRANGER}, who could make its answers up"
    );
    for uid in [0, 65534] {
        for words in [&["events"][..], &["ss", "-tln"], &["history"], &["status"]] {
            let said = super::rights::run(&[words, &["--agent", path]].concat(), uid, uid);
            assert_eq!((said.code, &*said.stdout), (Some(1), ""), "{words:?}");
            let remedy = format!("try: SOCKTRACE_AGENT_USER={STRANGER} ");
            assert!(
                said.stderr.contains(&why) && said.stderr.contains(&remedy),
                "{words:?}: {}",
                said.stderr
            );
        }
        // Where an agent is only looked for, it is not asked, and that is said.
        let mut looks = socktrace(&["ss", "-Haxn"]);
        let output = looks.uid(uid).gid(uid).env("SOCKTRACE_SOCKET", path).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(stderr, format!("{why}: not using it\n"));
        assert!(output.status.success() && String::from_utf8(output.stdout).unwrap().contains(path));
    }
    // Who believes them asks them.
    let mut believes = socktrace(&["status", "--agent", path]);
    let mut believes = Running::spawn(believes.env("SOCKTRACE_AGENT_USER", STRANGER.to_string()));
    for _ in 0..11 {
        squatter.does("unix-accept");
    }
    drop(squatter);
    believes.says("socktrace: lost the agent on ");
    assert_eq!(believes.ends().code(), Some(1));
    let mut nobody = socktrace(&["status", "--agent", path]);
    let output = nobody.env("SOCKTRACE_AGENT_USER", "no-such-user").output().unwrap();
    let said = "socktrace: SOCKTRACE_AGENT_USER=no-such-user: no user is called that\n";
    assert_eq!((output.status.code(), &*String::from_utf8(output.stderr).unwrap()), (Some(2), said));
}

#[test]
fn what_its_parent_had_open_is_closed() {
    if !may_trace("what_its_parent_had_open_is_closed") {
        return;
    }
    for options in AGENTS {
        closes_what_it_inherits(options);
    }
}

fn closes_what_it_inherits(options: &[&str]) {
    let directory = folder();
    let path = directory.path().join("agent.sock");
    let secret = std::fs::File::create(directory.path().join("secret")).unwrap();
    let mut command = socktrace(&[&["agent", "--socket", path.to_str().unwrap()], options].concat());
    let hand_on = move || {
        for number in [3, 77, 1000] {
            // SAFETY: what is at these numbers goes with exec, or is not there.
            nix::errno::Errno::result(unsafe { libc::dup2(secret.as_raw_fd(), number) })?;
        }
        Ok(())
    };
    // SAFETY: between fork and exec only system calls are made.
    unsafe { command.pre_exec(hand_on) };
    let agent = Running::spawn(&mut command);
    agent.says("socktrace: agent ready on ");
    let open = std::fs::read_dir(format!("/proc/{}/fd", agent.pid())).unwrap();
    let open: Vec<_> = open.filter_map(|fd| std::fs::read_link(fd.unwrap().path()).ok()).collect();
    assert!(!open.is_empty() && open.iter().all(|file| !file.ends_with("secret")), "{open:?}");
}

/// A request of which no answer is awaited.
fn asks(path: &Path, target: &str) -> UnixStream {
    let mut stream = UnixStream::connect(path).unwrap();
    write!(stream, "GET {target} HTTP/1.1\r\nhost: agent\r\n\r\n").unwrap();
    stream
}

/// How many threads of a process wait in openat(2).
fn readers_of(pid: u32) -> usize {
    let number = libc::SYS_openat.to_string();
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let waits = |task: std::io::Result<std::fs::DirEntry>| {
        let call = std::fs::read_to_string(task.ok()?.path().join("syscall")).ok()?;
        (call.split(' ').next() == Some(&number)).then_some(())
    };
    tasks.filter_map(waits).count()
}

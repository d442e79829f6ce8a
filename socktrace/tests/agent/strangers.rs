//! Attacks of ordinary users on an agent of root: each costs the attacker an answer, and root nothing.

mod work;

use super::{Agent, Churn, get};
use crate::agent::AGENTS;
use crate::support::actor::Actor;
use crate::support::run::run;
use crate::support::{in_own_netns, may_trace, patience, wait_for};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use std::io::{self, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

/// Nobody whom a machine knows.
const FIRST: u32 = 70_001;
/// A user, and a group, that every Debian has.
const DAEMON: u32 = 1;

/// Does something on a thread that is that user, and that nobody vouches for otherwise.
fn as_user<T: Send>(uid: u32, work: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let thread = scope.spawn(move || {
            let ids = [uid, uid, uid];
            for call in [libc::SYS_setresgid, libc::SYS_setresuid] {
                // The system call itself is the thread's alone; the C library's would change every thread.
                // SAFETY: takes numbers only.
                let done = unsafe { libc::syscall(call, ids[0], ids[1], ids[2]) };
                assert_eq!(done, 0, "{}", io::Error::last_os_error());
            }
            work()
        });
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// Connects and asks; the answer can wait.
fn ask(path: &Path, target: &str) -> UnixStream {
    let mut stream = UnixStream::connect(path).unwrap();
    // One that is refused may be told before it has asked.
    let _ = write!(stream, "GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    stream
}

/// Likewise, with text for an answer.
fn ask_for_text(path: &Path, target: &str) -> UnixStream {
    let mut stream = UnixStream::connect(path).unwrap();
    write!(stream, "GET {target} HTTP/1.1\r\nHost: x\r\nAccept: text/plain\r\nConnection: close\r\n\r\n")
        .unwrap();
    stream
}

/// The status of an answer, and of one that is not good the rest.
fn status(stream: &mut UnixStream) -> (u16, String) {
    let mut head = [0; 12];
    stream.read_exact(&mut head).unwrap();
    let status = std::str::from_utf8(&head[9..]).unwrap().parse().unwrap();
    let mut rest = String::new();
    if status != 200 {
        // It closes with our request unread, perhaps.
        let _ = stream.read_to_string(&mut rest);
    }
    (status, rest)
}

impl Agent {
    fn rss(&self) -> u64 {
        self.status()["rss_bytes"].as_u64().unwrap()
    }

    fn threads(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/task", self.pid())).unwrap().count()
    }

    /// How long root waits for its status, in the middle.
    fn wait_of_root(&self) -> Duration {
        let mut waits: Vec<Duration> = (0..20)
            .map(|_| {
                let begun = Instant::now();
                let (head, _) = get(&self.path, "/v1/status");
                assert!(head.starts_with("HTTP/1.0 200"), "{head}");
                begun.elapsed()
            })
            .collect();
        waits.sort_unstable();
        waits[waits.len() / 2]
    }

    /// That root waits for nobody else, on a machine of any speed.
    fn serves_root(&self) {
        let wait = self.wait_of_root();
        assert!(wait < patience() / 20, "root waited {wait:?}");
    }
}

const MIB: u64 = 1 << 20;

#[test]
fn a_number_beyond_every_bound_is_refused_and_takes_no_memory() {
    if !may_trace("a_number_beyond_every_bound_is_refused_and_takes_no_memory") {
        return;
    }
    for options in AGENTS {
        let agent = Agent::start(options);
        let before = agent.rss();
        for (target, said) in [
            (
                "/v1/sockets?tables=tcp&width=18446744073709551615",
                "width=18446744073709551615: expected a number",
            ),
            ("/v1/sockets?tables=tcp&width=300000000", "width=300000000: expected a number, 1 to 10000"),
            ("/v1/events?width=65536", "width=65536: expected a number, 1 to 10000"),
            ("/v1/history?utc_offset=-2147483648", "utc_offset=-2147483648: expected a number, -93600 to"),
            ("/v1/events?count=-1", "count=-1: expected a positive number"),
            ("/v1/events?pid=4294967296", "pid=4294967296: expected a process id"),
            ("/v1/sockets?tables=tcp&top=18446744073709551616", "expected a number, 1 to"),
            ("/v1/history?since=999999w", "since=999999w: there is no such time"),
        ] {
            let (status, rest) = as_user(FIRST, || status(&mut ask(&agent.path, target)));
            assert!(status == 400 && rest.contains(said), "{target}: {status} {rest}");
        }
        // As wide as it may be, and as long.
        let wide = "/v1/sockets?states=all&width=10000&columns=".to_owned() + &["local"; 64].join(",");
        let (status, _) = as_user(FIRST, || status(&mut ask_for_text(&agent.path, &wide)));
        assert_eq!(status, 200);
        assert!(agent.rss() < before + 32 * MIB, "{} after {before}", agent.rss());
    }
}

#[test]
fn strangers_on_many_user_ids_do_not_shut_root_out() {
    if !may_trace("strangers_on_many_user_ids_do_not_shut_root_out") {
        return;
    }
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, most, most).unwrap();
    for options in AGENTS {
        let agent = Agent::start(options);
        let mut held = Vec::new();
        let mut counts = [0; 3];
        for uid in FIRST..FIRST + 8 {
            let streams: Vec<_> = as_user(uid, || {
                (0..140).map(|_| ask(&agent.path, "/v1/events?kinds=listen&comm=nobody")).collect()
            });
            for mut stream in streams {
                match status(&mut stream) {
                    (200, _) => {
                        counts[0] += 1;
                        held.push(stream);
                    }
                    (429, rest) if rest.contains("your user has as many connections") => counts[1] += 1,
                    (503, rest) if rest.contains("ordinary users have as many connections") => counts[2] += 1,
                    (status, rest) => panic!("{status} {rest}"),
                }
            }
        }
        // Four users have all that there is for ordinary users, and each 12 too many.
        assert_eq!(counts, [4 * 128, 4 * 12, 4 * 140]);
        agent.serves_root();
        let roots: Vec<_> = (0..200).map(|_| ask(&agent.path, "/v1/events?comm=nobody")).collect();
        for mut stream in roots {
            assert_eq!(status(&mut stream).0, 200);
        }
        // A command says why, and lists all the same: it asks the kernel itself.
        let refused = super::rights::run(&["status", "--agent", agent.path()], FIRST + 20, FIRST + 20);
        assert_eq!(refused.code, Some(1));
        assert!(refused.stderr.contains("ordinary users have as many connections"), "{}", refused.stderr);
        let refused = super::rights::run(&["ss", "--agent", agent.path(), "-t"], FIRST + 20, FIRST + 20);
        assert!(refused.stderr.contains("ordinary users have as many connections"), "{}", refused.stderr);
        drop(held);
        wait_for("a place for a stranger", || {
            (as_user(FIRST + 20, || status(&mut ask(&agent.path, "/v1/status"))).0 == 200).then_some(())
        });
    }
}

#[test]
fn filters_of_many_patterns_neither_slow_nor_blind_the_agent() {
    if !may_trace("filters_of_many_patterns_neither_slow_nor_blind_the_agent") {
        return;
    }
    for options in AGENTS {
        in_own_netns(|| {
            const COUNT: usize = 4000;
            let agent = Agent::start(options);
            let events = agent.events(&["-t", "--kinds", "accept,close"]);
            // What took 16 s is refused.
            let glob = |n: usize| format!("src+unix:*{}{n}*a*b*c*d*e*f*g*h*", "a".repeat(20));
            let globs = |count: usize| (0..count).map(glob).collect::<Vec<_>>().join("+or+");
            let (refused, rest) = as_user(FIRST, || {
                status(&mut ask(&agent.path, &format!("/v1/events?filter={}", globs(500))))
            });
            assert!(refused == 400 && rest.contains("this filter is too long"), "{refused} {rest}");
            // As many of the longest that several users may have, and sockets that make each of them look long.
            let mut held = Vec::new();
            for uid in FIRST..FIRST + 8 {
                let target = format!("/v1/events?filter={}", globs(40));
                let streams: Vec<_> = as_user(uid, || (0..4).map(|_| ask(&agent.path, &target)).collect());
                for mut stream in streams {
                    match status(&mut stream) {
                        (200, _) => held.push(stream),
                        (429, rest) => assert!(rest.contains("make filters shorter"), "{rest}"),
                        (status, rest) => panic!("{status} {rest}"),
                    }
                }
            }
            assert_eq!(held.len(), 8 * 2);
            let folder = super::folder();
            let path = folder.path().join("a".repeat(80));
            let mut binder = Actor::alone("binder");
            let mut churn = Churn::begin(COUNT as u32);
            let netns = churn.server.netns();
            for _ in 0..200 {
                binder.does(&format!("unix-listen {}", path.display()));
                let _ = std::fs::remove_file(&path);
            }
            agent.serves_root();
            churn.end();
            let (mut accepts, mut closes) = (0, 0);
            while accepts < COUNT || closes < 2 * COUNT {
                let event = events.event(|event| event["netns"] == netns || event["event"] == "lost");
                match event["event"].as_str() {
                    Some("accept") => accepts += 1,
                    Some("close") => closes += 1,
                    _ => panic!("{event} of {}", agent.status()),
                }
            }
            assert_eq!(agent.status()["events_lost"], 0);
        });
    }
}

#[test]
fn who_does_not_read_takes_no_more_than_its_share() {
    if !may_trace("who_does_not_read_takes_no_more_than_its_share") {
        return;
    }
    for options in AGENTS {
        in_own_netns(|| {
            let agent = Agent::start(options);
            // History has its memory first.
            Churn::begin(15_000).end();
            let before = agent.rss();
            let mut held = Vec::new();
            for uid in FIRST..FIRST + 2 {
                as_user(uid, || {
                    held.extend((0..16).map(|_| ask(&agent.path, "/v1/events?states=1")));
                    held.extend((0..16).map(|_| ask(&agent.path, "/v1/table")));
                });
            }
            // A connection of this user's own makes many events that it sees: here is where it is.
            let quick = agent.events(&["--states", "-t"]);
            let mut client = Actor::here_as("churn-client", FIRST);
            let mut server = Actor::here_as("churn-server", FIRST);
            let port = server.does("listen 127.0.0.1");
            server.begins("accept-many 6000");
            client.begins(&format!("connect-many 127.0.0.1 {port} 6000"));
            let mut told = 0;
            while told < 6000 {
                let event = quick.event(|event| event["event"] == "accept" || event["event"] == "lost");
                assert_eq!(event["event"], "accept", "{event}");
                told += 1;
            }
            assert_eq!((client.answer(), server.answer()), ("done".to_owned(), "done".to_owned()));
            agent.serves_root();
            // 16 of them would have been 6000 times ten lines of 400 bytes each: 384 MB.
            let after = agent.rss();
            assert!(after < before + 100 * MIB, "{after} after {before}");
            // Who reads again is told what is missing.
            let mut text = String::new();
            let stream = &mut held[0];
            stream.set_read_timeout(Some(patience())).unwrap();
            let mut piece = [0; 65536];
            while !text.contains("\"by\":\"reader\"") {
                let length = stream.read(&mut piece).expect("a line about lost ones");
                assert!(length > 0, "it ended");
                text = String::from_utf8_lossy(&piece[..length]).into_owned();
            }
        });
    }
}

#[test]
fn names_in_filters_are_resolved_by_whoever_asks() {
    if !may_trace("names_in_filters_are_resolved_by_whoever_asks") {
        return;
    }
    in_own_netns(|| {
        let agent = Agent::start(&[]);
        let mut mine = Actor::here_as("named", FIRST);
        let port = mine.does("listen 127.0.0.1");
        let as_them = |words: &[&str]| super::rights::run(words, FIRST, FIRST);
        for filter in [
            "src localhost and sport = :",
            "state listening and src localhost sport = :",
            "uid = root or sport = :",
            "( user != daemon ) and sport = :",
        ] {
            let filter = format!("{filter}{port}");
            let through = as_them(&["ss", "--agent", agent.path(), "-Htln", &filter, "-o"]);
            let direct = as_them(&["ss", "--direct", "-Htln", &filter, "-o"]);
            assert_eq!(
                (through.code, &through.stdout),
                (Some(0), &direct.stdout),
                "{filter}: {}",
                through.stderr
            );
            assert!(through.stdout.contains(&format!("127.0.0.1:{port} ")), "{filter}: {}", through.stdout);
        }
        let said = as_them(&["history", "--agent", agent.path(), "src localhost or uid = root"]);
        assert_eq!(said.code, Some(0), "{}", said.stderr);
        // For whom the agent looks up names: whoever has no command of ours, and is root.
        let (head, body) = get(&agent.path, "/v1/sockets?tables=tcp&states=listening&filter=src+localhost");
        assert!(head.starts_with("HTTP/1.0 200"), "{body}");
        let said = run(&["ss", "--agent", agent.path(), "-Htln", "src no-such-host.invalid"]);
        assert_eq!(said.code, Some(2));
        assert!(said.stderr.contains("is not an address or a known host"), "{}", said.stderr);
    });
}

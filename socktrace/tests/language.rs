//! The filter language over real sockets, the same in `ss`, `events` and `history`, with and without an agent.

use crate::agent::{Agent, get};
use crate::support::run::{Running, run};
use crate::support::{in_own_netns, may_trace};
use serde_json::Value;
use std::collections::BTreeSet;
use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr as UnixAddr, UnixListener};

/// Which of the two sockets these lines of JSON are about: those of that port, or of that name.
fn families(lines: impl Iterator<Item = String>, port: u16, name: &str) -> BTreeSet<&'static str> {
    let mut seen = BTreeSet::new();
    for line in lines {
        let row: Value = serde_json::from_str(&line).unwrap();
        match row["family"].as_str() {
            Some("unix") if row["local_addr"] == name => seen.insert("unix"),
            Some("inet") if row["local_port"] == port => seen.insert("inet"),
            Some(_) => panic!("neither of both: {row}"),
            None => false,
        };
    }
    seen
}

#[test]
fn a_family_prefix_in_one_branch_of_an_or_leaves_the_others_alone() {
    if !may_trace("a_family_prefix_in_one_branch_of_an_or_leaves_the_others_alone") {
        return;
    }
    in_own_netns(|| {
        let agent = Agent::start(&[]);
        let name = format!("@language-{}", std::process::id());
        let both = BTreeSet::from(["inet", "unix"]);
        for (port, unix_first) in [(19300, false), (19301, true)] {
            let (one, two) = (format!("port = {port}"), format!("src unix:{name}*"));
            let filter = if unix_first { format!("{two} or {one}") } else { format!("{one} or {two}") };
            let direct = Running::events(&["--direct", "--json", &filter]);
            let asked = agent.events(&[&filter]);
            let tcp = TcpListener::bind(("127.0.0.1", port)).unwrap();
            let unix = UnixAddr::from_abstract_name(&name[1..]).unwrap();
            let unix = UnixListener::bind_addr(&unix).unwrap();
            for source in [["--agent", agent.path()].as_slice(), &["--direct"]] {
                let said = run(&[&["ss", "-a", "--json"], source, &[&filter]].concat());
                let rows = said.stdout.lines().map(str::to_owned);
                assert_eq!(families(rows, port, &name), both, "{filter}: {}", said.stderr);
            }
            drop((tcp, unix));
            for events in [direct, asked] {
                let mut seen = BTreeSet::new();
                while seen != both {
                    let event = events.event(|event| event["event"] == "close");
                    seen.extend(families([event.to_string()].into_iter(), port, &name));
                }
            }
            let said = run(&["history", "--json", "--agent", agent.path(), &filter]);
            let rows = said.stdout.lines().map(str::to_owned);
            assert_eq!(families(rows, port, &name), both, "{filter}: {}", said.stderr);
        }
    });
}

/// Runs it; it is refused, says this first, and shows nothing.
#[track_caller]
fn refused(args: &[&str], expected: &str) {
    let said = run(args);
    assert_eq!((said.code, said.stdout.as_str()), (Some(2), ""), "{args:?}: {}", said.stderr);
    let first = said.stderr.lines().next().unwrap_or_default();
    assert_eq!(first, format!("socktrace: {expected}"), "{args:?}");
}

const AGE: &str = "\"age\" is known to an agent only: start one (sudo socktrace agent), or leave it out";

#[test]
fn a_question_that_can_never_match_says_why() {
    let never = |why: &str| format!("the filter can never match: {why}");
    let ended = "\"closed_first\" is known of what has ended: use socktrace history, or socktrace events --kinds close";
    let queues = "\"recvq\" is known in listings only (socktrace ss)";
    let name = "the kernel keeps 15 bytes of a process's name; did you mean \"systemd-resolve\"?";
    let web = "\"web\" is not the id of a container: 64 hexadecimal digits, the first 12 or more of them, or a pattern \
               like 4f2a*";
    for (args, why) in [
        (&["ss", "--direct", "-tan", "age > 1s"][..], never(AGE)),
        (&["ss", "--direct", "-E", "age > 1s"], never(AGE)),
        (&["ss", "--direct", "-K", "age > 1s"], never(AGE)),
        (&["ss", "--direct", "-tan", "--all-netns", "age > 1s"], never(AGE)),
        (&["ss", "--direct", "-tan", "--sort", "age"], format!("--sort age: {AGE}")),
        (
            &["ss", "--direct", "-xa", "--sort", "rtt"],
            "--sort rtt: \"rtt\" is known of TCP sockets only".into(),
        ),
        (&["ss", "--direct", "-tan", "closed_first peer"], never(ended)),
        (&["events", "--direct", "recvq > 0"], never(queues)),
        (
            &["events", "--direct", "--kinds", "connect", "rtt > 1ms"],
            never("\"rtt\" is known when a TCP connection closes: --kinds close"),
        ),
        (
            &["events", "--direct", "-u", "--kinds", "accept"],
            "accept: only TCP, MPTCP, SCTP and DCCP, UNIX sockets have such events".into(),
        ),
        (&["events", "--direct", "--comm", "systemd-resolved"], format!("comm systemd-resolved: {name}")),
        (&["events", "--direct", "comm = systemd-resolved"], never(name)),
        (&["ss", "--direct", "-tan", "comm = systemd-resolved"], never(name)),
        (&["ss", "--direct", "-tan", "container web"], never(web)),
        (&["history", "--dir", "/tmp", "recvq > 0"], never(queues)),
        (
            &["history", "--dir", "/tmp", "state established"],
            never("what has closed is in the state `closed`"),
        ),
    ] {
        refused(args, &why);
    }
    let said = run(&["history", "--since", "2199-11-22", "--agent", "/nonexistent"]);
    assert_eq!(said.code, Some(2), "{}", said.stderr);
    assert_eq!(
        said.stderr.lines().next(),
        Some("socktrace: nothing has closed since 2199-11-22T00:00:00Z: that is ahead of now"),
    );
}

#[test]
fn what_can_match_in_part_is_answered_with_a_warning() {
    in_own_netns(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let pid = std::process::id();
        for (source, filter, warning) in [
            ("-tln", format!("age > 1s or sport = {port}"), AGE),
            ("-tln", format!("src unix:@x or sport = {port}"), "no UNIX sockets are asked for, but TCP"),
        ] {
            let said = run(&["ss", "--direct", "-H", source, &filter]);
            assert_eq!((said.code, said.stdout.lines().count()), (Some(0), 1), "{filter}: {}", said.stderr);
            assert_eq!(
                said.stderr,
                format!("socktrace: a part of the filter can never match: {warning}\n"),
                "{filter}"
            );
        }
        let said = run(&["ss", "--direct", "-Htln", "pid 4194304"]);
        assert_eq!((said.code, said.stdout.as_str()), (Some(0), ""));
        assert_eq!(said.stderr, "socktrace: there is no process 4194304\n");
        let said = run(&["ss", "--direct", "-Htln", &format!("pid {pid}"), "--columns", "local,opener"]);
        assert_eq!((said.code, said.stdout.lines().count()), (Some(0), 1));
        assert_eq!(
            said.stderr,
            format!("socktrace: --columns opener: {}\n", AGE.replace("\"age\"", "\"opener\""))
        );
    });
}

#[test]
fn quotes_in_a_filter_are_quotes() {
    in_own_netns(|| {
        let _listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let comm = std::fs::read_to_string("/proc/self/comm").unwrap();
        for filter in ["comm = \"NAME\"", "comm 'NAME'", "comm {\"NAME\",x}", "comm = NAME"] {
            let said = run(&["ss", "--direct", "-Htln", &filter.replace("NAME", comm.trim_end())]);
            assert_eq!((said.code, said.stdout.lines().count()), (Some(0), 1), "{filter}: {}", said.stderr);
        }
        let said = run(&["ss", "--direct", "-Htln", "comm = \"x"]);
        assert_eq!(
            said.stderr,
            "socktrace: bad filter: this quote is never closed\n  comm = \"x\n         ^\n"
        );
    });
}

#[test]
fn an_agent_says_what_it_does_not_know_either() {
    if !may_trace("an_agent_says_what_it_does_not_know_either") {
        return;
    }
    in_own_netns(|| {
        let agent = Agent::start(&[]);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let filter = format!("sport = {port} and age < 1h");
        let said = run(&["ss", "--agent", agent.path(), "-Htln", "--sort", "age", &filter]);
        assert_eq!((said.code, said.stdout.lines().count(), said.stderr.as_str()), (Some(0), 1, ""));
        let said = run(&["ss", "--agent", agent.path(), "-Htln", &format!("reset peer or sport = {port}")]);
        assert_eq!((said.code, said.stdout.lines().count()), (Some(0), 1), "{}", said.stderr);
        let warning = "a part of the filter can never match: \"reset\" is known of what has ended: use socktrace history, \
                       or socktrace events --kinds close";
        assert_eq!(said.stderr, format!("socktrace: {warning}\n"));
        refused(
            &["ss", "--agent", agent.path(), "-tln", "failed_by peer"],
            "the filter can never match: \"failed_by\" is known of what has ended: use socktrace history, or socktrace \
             events --kinds connect_failed",
        );
        refused(
            &["events", "--agent", agent.path(), "recvq > 0"],
            "the filter can never match: \"recvq\" is known in listings only (socktrace ss)",
        );
        for (target, status, said) in [
            ("/v1/events?filter=recvq+%3E+0", " 400 ", "known in listings only"),
            (
                "/v1/history?kinds=accept",
                " 400 ",
                "accept: history keeps close, connect_failed, and the bind",
            ),
            ("/v1/history?since=2199-01-01", " 400 ", "that is ahead of now"),
            (
                "/v1/history?filter=recvq+%3E+0+or+sport+%3D+1",
                " 200 ",
                "socktrace-warnings: a part of the filter",
            ),
            ("/v1/sockets?tables=tcp&filter=failed_by+peer", " 400 ", "use socktrace history"),
        ] {
            let (head, body) = get(&agent.path, target);
            assert!(head.lines().next().unwrap().contains(status), "{target}: {head}\n{body}");
            assert!(head.contains(said) || body.contains(said), "{target}: {head}\n{body}");
        }
    });
}

#[test]
fn a_unit_without_a_type_is_a_service() {
    let said = run(&["ss", "--direct", "-Htln", "unit backup.timer"]);
    assert_eq!(said.code, Some(2), "{}", said.stderr);
    let id = "4f2a8e5b0d1c9a7e6f3b2c1d0e9f8a7b6c5d4e3f2a1b0c9d8e7f6a5b4c3d2e1f";
    for filter in ["unit nginx", "unit nginx.service", &format!("container docker://{id}")] {
        let said = run(&["ss", "--direct", "-Htln", filter]);
        assert_eq!((said.code, said.stdout.as_str(), said.stderr.as_str()), (Some(0), "", ""), "{filter}");
    }
}

//! The language of the scripts.
//!
//! A line is one change: `microseconds cookie proto verb local peer [pid]`, or a part of a dump: `begin us`,
//! `row cookie proto state local peer`, `done us`. `-` is an end that is not told.

use super::*;
use crate::socket::{Closing, Comm, Endpoint, EventKind, Family, State, UnixName};

#[track_caller]
pub(super) fn check(script: &str, told: &[&str], table: &[&str]) {
    check_with(&mut Table::new(true), KindSet::USUAL, script, told, table);
}

#[track_caller]
pub(super) fn check_with(it: &mut Table, wanted: KindSet, script: &str, told: &[&str], table: &[&str]) {
    let out = run(it, wanted, script);
    assert_eq!(out.iter().map(told_line).collect::<Vec<_>>(), told, "events");
    let mut rows: Vec<String> = it.iter().map(|view| table_line(&view)).collect();
    rows.sort();
    assert_eq!(rows, table, "table");
    assert_eq!(it.len(), rows.len());
}

/// What was told.
pub(super) fn run(it: &mut Table, wanted: KindSet, script: &str) -> Vec<Event> {
    let mut out = Vec::new();
    for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let words: Vec<&str> = line.split_whitespace().collect();
        match *words {
            ["begin", us] => it.begin(ns(us), true),
            ["applied", us] => {
                it.applied(ns(us));
                it.report_overdue(wanted, &mut out);
            }
            ["row", ref rest @ ..] => it.row(&row(rest)),
            ["scope", proto, outcome] => {
                let (proto, family) = proto_of(proto);
                let outcomes = [Outcome::Complete, Outcome::Partial, Outcome::Unsupported];
                it.scope(Scope { netns: 1, family, proto }, outcomes[outcome.parse::<usize>().unwrap()]);
            }
            ["elsewhere", proto] => {
                let (proto, family) = proto_of(proto);
                it.scope(Scope { netns: 2, family, proto }, Outcome::Complete);
            }
            ["done", us] => {
                for proto in ["tcp", "udp", "unix"] {
                    let (proto, family) = proto_of(proto);
                    it.scope(Scope { netns: 1, family, proto }, Outcome::Complete);
                }
                it.end(ns(us));
                it.finish(wanted, &mut out);
            }
            ["hold", us, ref pairs @ ..] => {
                let pair = |pair: &&str| {
                    let (inode, pid) = pair.split_once(':').unwrap();
                    (inode.parse().unwrap(), process(pid).into())
                };
                it.hold(&pairs.iter().map(pair).collect(), ns(us), wanted, &mut out);
            }
            ["finish", us] => {
                it.end(ns(us));
                it.finish(wanted, &mut out);
            }
            _ => it.apply(change(&words), wanted, &mut out),
        }
    }
    out
}

pub(super) fn ns(us: &str) -> BootNs {
    1_000_000_000 + us.parse::<u64>().unwrap() * 1000
}

pub(super) fn proto_of(word: &str) -> (Proto, Family) {
    match word {
        "tcp" => (Proto::Tcp, Family::Inet),
        "tcp6" => (Proto::Tcp, Family::Inet6),
        "mptcp" => (Proto::Mptcp, Family::Inet),
        "udp" => (Proto::Udp, Family::Inet),
        "raw" => (Proto::Raw(89), Family::Inet),
        "ping" => (Proto::Ping(1), Family::Inet),
        "unix" => (Proto::UnixStream, Family::Unix),
        "unix-dgram" => (Proto::UnixDgram, Family::Unix),
        _ => panic!("{word}"),
    }
}

pub(super) fn end(word: &str) -> Endpoint {
    if word == "-" {
        Endpoint::None
    } else if word.starts_with('/') {
        Endpoint::Unix { name: UnixName::from_bytes(word.as_bytes()), inode: 0 }
    } else {
        let (addr, port) = word.rsplit_once(':').unwrap();
        Endpoint::Inet { addr: addr.parse().unwrap(), port: port.parse().unwrap() }
    }
}

pub(super) fn state_of(word: &str) -> State {
    let all = (1..=13).map(State::from_number);
    let word = word.to_uppercase();
    match word.as_str() {
        "BOUND" => State::BoundInactive,
        "CLOSE" => State::Close,
        word => all.into_iter().find(|state| state.word() == word).unwrap(),
    }
}

pub(super) fn verb(word: &str) -> ChangeKind {
    if let Some((old, new)) = word.split_once('>') {
        let (new, errno) = new.split_once(':').unwrap_or((new, "0"));
        let (old, new) = (state_of(old), state_of(new));
        // `!`: close(2) leaves it to the kernel; `+`: it is open, and keeps its port.
        let (orphan, bound) = (errno == "!", errno.ends_with('+'));
        let errno = errno.trim_end_matches(['!', '+']).parse().unwrap_or(0);
        let closing = Closing { errno, bound, ..Closing::default() };
        let closing = (new == State::Close).then(|| Box::new(closing));
        return ChangeKind::State { old, new, orphan, closing };
    }
    let (word, errno) = word.split_once(':').unwrap_or((word, "0"));
    let errno = errno.parse().unwrap();
    match word {
        "create" => ChangeKind::Create,
        "post-bind" => ChangeKind::PostBind,
        "bind" => ChangeKind::Bind { errno },
        "listen" => ChangeKind::Listen { errno, backlog: 1 },
        "connect" => ChangeKind::Connect { errno },
        "disconnect" => ChangeKind::Disconnect,
        "accept" => ChangeKind::Accept { fd: 3, early: false },
        "accept-early" => ChangeKind::Accept { fd: 3, early: true },
        "waits" => ChangeKind::Waits,
        "taken-back" => ChangeKind::TakenBack { bound: false },
        "taken-back-bound" => ChangeKind::TakenBack { bound: true },
        "send" => ChangeKind::FirstSend,
        "dial" => ChangeKind::Dial,
        "release" | "release-connected" => ChangeKind::Release,
        "orphan" => ChangeKind::Orphan,
        _ => panic!("{word}"),
    }
}

pub(super) fn change(words: &[&str]) -> Change {
    let [us, cookie, proto, what, local, peer, ref rest @ ..] = *words else { panic!("{words:?}") };
    let (proto, family) = proto_of(proto);
    Change {
        at: ns(us),
        cookie: cookie.parse().unwrap(),
        netns: 1,
        proto,
        family,
        local: end(local),
        peer: end(peer),
        state: (what == "release-connected").then_some(State::Established),
        ifindex: 0,
        uid: None,
        mark: 0,
        cgroup: 0,
        process: rest.first().map(|pid| process(pid)),
        inode: 0,
        msk: 0,
        kind: verb(what),
    }
}

pub(super) fn process(pid: &str) -> Process {
    Process { pid: pid.parse().unwrap(), comm: Comm::from_bytes(b"x") }
}

pub(super) fn row(words: &[&str]) -> Socket {
    let [cookie, proto, state, local, peer, ref rest @ ..] = *words else { panic!("{words:?}") };
    let (proto, family) = proto_of(proto);
    Socket {
        proto,
        family,
        state: state_of(state),
        recv_q: 0,
        send_q: 0,
        local: end(local),
        peer: end(peer),
        ifindex: 0,
        inode: rest.first().map_or(0, |inode| inode.parse().unwrap()),
        cookie: cookie.parse().unwrap(),
        netns: 1,
        uid: Some(7),
        v6only: None,
        detail: None,
    }
}

pub(super) fn show(end: &Endpoint) -> String {
    match end {
        Endpoint::Inet { addr, port } => format!("{addr}:{port}"),
        Endpoint::Unix { name, .. } => String::from_utf8_lossy(name.as_bytes()).into_owned(),
        _ => "-".into(),
    }
}

pub(super) fn owner(owner: &Owner) -> String {
    match owner {
        Owner::Exact(process) => process.pid.to_string(),
        Owner::Holder(process) => format!("held:{}", process.pid),
        Owner::Unknown => "?".into(),
    }
}

pub(super) fn told_line(event: &Event) -> String {
    let it = event.subject.as_ref().unwrap();
    let more = match &event.kind {
        EventKind::Bind { errno } | EventKind::Listen { errno } => format!(" errno={errno}"),
        EventKind::Connect { latency_us } => format!(" after={latency_us:?}"),
        EventKind::ConnectFailed { errno, latency_us, failed_by: _ } => {
            format!(" errno={errno} after={latency_us:?}")
        }
        EventKind::Close { duration_us, .. } => format!(" after={duration_us:?}"),
        EventKind::State { old } => format!(" {}>{}", old.word(), it.state.word()),
        _ => String::new(),
    };
    let (local, peer) = (show(&it.local), show(&it.peer));
    format!("{} {} {local} {peer} {}{more}", event.kind.name(), it.cookie, owner(&it.owner))
}

pub(super) fn table_line(view: &View<'_>) -> String {
    let it = view.subject();
    let (local, peer) = (show(&it.local), show(&it.peer));
    format!("{} {} {local} {peer} {}", it.cookie, it.state.word(), owner(&it.owner))
}

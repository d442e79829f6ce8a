//! What is known where is what the evaluator can see there.

use std::sync::Arc;

use proptest::prelude::*;

use super::super::knowable::{Ground, Listing, Sort, Sorts};
use super::super::words::WORDS;
use super::super::{Facts, Filter, InCgroup, Processes};
use super::laws::expr;
use super::read;
use super::zoo::{inet, zoo};
use crate::socket::{
    Cgroup, ClosedFirst, Closing, Comm, Detail, Endpoint, Event, EventKind, FailedBy, Family, Holder,
    KindSet, Owner, Process, Proto, Reset, Socket, State, StateSet, Subject, UnixName,
};

const EVERY: Listing =
    Listing { openers: true, holders: true, marks: true, states: StateSet::ALL, netns: None };
/// A service in a pod's container.
const PATH: &[u8] = b"/kubepods.slice/kubepods-pod3c1b9a7e_5d42_4f6a_9e0b_1a2b3c4d5e6f.slice/\
    cri-containerd-4f2a8e5b0d1c9a7e6f3b2c1d0e9f8a7b6c5d4e3f2a1b0c9d8e7f6a5b4c3d2e1f.scope";
/// A predicate of each word that the samples pass wherever it is known of them.
const PASSED: [&str; 34] = [
    "src 10.0.0.1",
    "src [::ffff:10.0.0.1]",
    "src unix:/run/x",
    "src link:arp",
    "src netlink:genl",
    "src vsock:3",
    "src inet6:*",
    "dst any",
    "host any",
    "sport = 22",
    "dport < 70000",
    "port = 22",
    "dev 2",
    "fwmark 5",
    "cgroup /a\\ b",
    "not autobound",
    "state {established,closed}",
    "pid 77",
    "comm curl",
    "unit *.scope",
    "container 4f2a*",
    "pod 3c1b*",
    "user 1000",
    "uid 1000",
    "netns 7",
    "inode 22",
    "cookie 9",
    "recvq 3",
    "sendq 4",
    "rtt 5ms",
    "retrans 6",
    "age 1s",
    "closed_first local",
    "failed_by network",
];

fn end(sort: Sort) -> Endpoint {
    match sort {
        Sort::Tcp4 | Sort::Mptcp4 | Sort::Datagram4 | Sort::OtherIp4 => inet("10.0.0.1", 22),
        Sort::Tcp6 | Sort::Mptcp6 | Sort::Datagram6 | Sort::OtherIp6 => inet("::ffff:10.0.0.1", 22),
        Sort::Unix => Endpoint::Unix { name: UnixName::from_bytes(b"/run/x"), inode: 22 },
        Sort::Packet => Endpoint::Packet { protocol: 0x806, ifindex: 22 },
        Sort::Netlink => Endpoint::Netlink { protocol: 16, portid: 22 },
        Sort::Vsock => Endpoint::Vsock { cid: 3, port: 22 },
        Sort::Tipc => Endpoint::Tipc { node: 1, reference: 22 },
        Sort::Xdp => Endpoint::Xdp { ifindex: 2, queue: 22 },
    }
}

const fn proto(sort: Sort) -> Proto {
    match sort {
        Sort::Tcp4 | Sort::Tcp6 => Proto::Tcp,
        Sort::Mptcp4 | Sort::Mptcp6 => Proto::Mptcp,
        Sort::Datagram4 | Sort::Datagram6 => Proto::Udp,
        Sort::OtherIp4 | Sort::OtherIp6 => Proto::Sctp,
        Sort::Unix => Proto::UnixStream,
        Sort::Packet => Proto::PacketRaw,
        Sort::Netlink => Proto::Netlink,
        Sort::Vsock => Proto::VsockStream,
        Sort::Tipc => Proto::TipcStream,
        Sort::Xdp => Proto::Xdp,
    }
}

fn is_ip(sort: Sort) -> bool {
    matches!(sort.family(), Family::Inet | Family::Inet6)
}

/// A row of which all is known that the kernel lists of such a socket.
fn socket(sort: Sort) -> Socket {
    let mut info = vec![0; 104];
    info[68..72].copy_from_slice(&5000u32.to_ne_bytes());
    info[100..104].copy_from_slice(&6u32.to_ne_bytes());
    let detail = Detail { mark: Some(5), cgroup_id: Some(78), info: Some(info.into()), ..Detail::default() };
    let bound = is_ip(sort) || matches!(sort, Sort::Packet | Sort::Xdp);
    Socket {
        proto: proto(sort),
        family: sort.family(),
        state: State::Established,
        recv_q: 3,
        send_q: 4,
        local: end(sort),
        peer: end(sort),
        ifindex: if bound { 2 } else { 0 },
        inode: 22,
        cookie: 9,
        netns: 7,
        uid: Some(1000),
        v6only: None,
        detail: is_ip(sort).then(|| Box::new(detail)),
    }
}

/// Whether the row passes, as a listing asks.
fn is_listed(filter: &Filter, sort: Sort, listing: Listing) -> bool {
    let mut socket = socket(sort);
    if !listing.marks
        && let Some(detail) = &mut socket.detail
    {
        detail.mark = None;
    }
    let process = Process { pid: 77, comm: Comm::from_bytes(b"curl") };
    let holders = [Holder { process, tid: None, fd: 3 }];
    let cgroup = Cgroup::new(PATH);
    let mut facts = Facts::of_socket(&socket);
    if let Some(1..) = facts.cgroup_id {
        facts.cgroup = InCgroup::Known(&cgroup);
    }
    if listing.holders {
        facts.processes = Processes::Holders(&holders);
    }
    facts.age_us = listing.openers.then_some(1_000_000);
    filter.matches(&facts)
}

/// An event of which all is known that its kind can tell; none if there is none of such sockets.
fn event(kind: &EventKind, sort: Sort) -> Option<Event> {
    let kinds = KindSet::of(kind);
    if Ground::events(kinds, Sorts::of(&[sort])).is_empty() {
        return None;
    }
    let subject = Subject {
        cookie: 9,
        netns: 7,
        proto: proto(sort),
        family: sort.family(),
        local: end(sort),
        peer: end(sort),
        state: State::Close,
        ifindex: if is_ip(sort) { 2 } else { 0 },
        uid: Some(1000),
        mark: 5,
        inode: 22,
        cgroup: 78,
        place: Some(Arc::new(Cgroup::new(PATH))),
        owner: Owner::Exact(Process { pid: 77, comm: Comm::from_bytes(b"curl") }),
        opened: Some(1_000_000),
    };
    Some(Event { at: 1_001_000_000, kind: kind.clone(), subject: Some(Box::new(subject)) })
}

fn kinds(sort: Sort) -> [EventKind; 8] {
    let closing = Closing {
        rtt_us: 5000,
        retrans: 6,
        closed_first: Some(ClosedFirst::Local),
        reset: Some(Reset::Local),
        ..Closing::default()
    };
    let is_stream = is_ip(sort) && proto(sort) != Proto::Udp;
    [
        EventKind::Bind { errno: 0 },
        EventKind::Listen { errno: 0 },
        EventKind::Connect { latency_us: None },
        EventKind::ConnectFailed { errno: 1, latency_us: None, failed_by: Some(FailedBy::Network) },
        EventKind::Accept,
        EventKind::Open,
        EventKind::Close { found: false, duration_us: None, closing: is_stream.then(|| Box::new(closing)) },
        EventKind::State { old: State::Close },
    ]
}

/// Every kind of socket, listed in three ways and in every kind of event: its ground, and whether the filter passes it.
fn everywhere(filter: &Filter) -> Vec<(String, Ground, bool)> {
    let mut all = Vec::new();
    for sort in Sort::ALL {
        let sorts = Sorts::of(&[sort]);
        let bare = Listing { openers: false, holders: false, marks: false, ..EVERY };
        for listing in [EVERY, Listing { openers: false, netns: Some(7), ..EVERY }, bare] {
            let name = format!("{sort:?} in {listing:?}");
            all.push((name, Ground::listing(sorts, listing), is_listed(filter, sort, listing)));
        }
        for kind in kinds(sort) {
            let Some(event) = event(&kind, sort) else { continue };
            let passes = filter.matches(&Facts::of_event(&event).unwrap());
            let set = KindSet::of(&kind);
            all.push((format!("{sort:?} in {}", kind.name()), Ground::events(set, sorts), passes));
            let history = Ground::history(set, sorts);
            if !history.is_empty() {
                all.push((format!("{sort:?} in history of {}", kind.name()), history, passes));
            }
        }
    }
    all
}

#[test]
fn no_word_is_unmatched_in_silence_and_none_is_refused_that_can_match() {
    for word in WORDS {
        let has = |text: &&str| text.split(' ').any(|part| part == word.name);
        assert!(word.name == "reset" || PASSED.iter().any(has), "no predicate of {}", word.name);
    }
    for text in PASSED.into_iter().chain(["reset *", "not rtt > 1h", "not reset peer", "not comm = sshd"]) {
        let filter = read(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        for (place, ground, passes) in everywhere(&filter) {
            let judged = filter.judge(&ground);
            assert_eq!(judged.is_ok(), passes, "{text} of {place}: {judged:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    #[test]
    fn what_can_match_is_never_refused(expr in expr()) {
        let filter = Filter::from_expr(expr);
        for (place, ground, passes) in everywhere(&filter) {
            prop_assert!(!passes || filter.judge(&ground).is_ok(), "{} of {}", filter, place);
        }
        for animal in zoo() {
            let sort = Sort::of(animal.socket.proto, animal.socket.family).unwrap();
            let ground = Ground::listing(Sorts::of(&[sort]), EVERY);
            let passes = filter.matches(&animal.facts());
            prop_assert!(!passes || filter.judge(&ground).is_ok(), "{} of {}", filter, animal.name);
        }
    }
}

/// `listing`, `agent`, `events` or `history`, of these sockets; with its words and carets, or the warnings.
#[track_caller]
fn check(place: &str, sorts: Sorts, text: &str, expected: &str) {
    let ground = match place {
        "listing" => Ground::listing(sorts, Listing { openers: false, netns: Some(7), ..EVERY }),
        "agent" => Ground::listing(sorts, EVERY),
        "user" => Ground::listing(sorts, Listing { marks: false, ..EVERY }),
        "destroyed" => Ground::listing(sorts, Listing { holders: false, ..EVERY }),
        "listening" => Ground::listing(sorts, Listing { states: StateSet::of(State::Listen), ..EVERY }),
        "history" => Ground::history(KindSet::USUAL, sorts),
        "events" => Ground::events(KindSet::USUAL, sorts),
        kind => Ground::events(KindSet::from_name(kind).unwrap(), sorts),
    };
    let filter = read(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    let words = [text.to_owned()];
    let said = match filter.judge(&ground) {
        Ok(idle) => idle.iter().map(|idle| format!("in part: {idle}")).collect::<Vec<_>>().join("; "),
        Err(error) => format!("{error}\n{}", error.render(&words)),
    };
    assert_eq!(said, expected, "{place}: {text}");
}

#[test]
fn what_can_never_match_is_pointed_at_and_says_where_it_is_known() {
    let all = Sorts::ALL;
    let agent = "\"age\" is known to an agent only: start one (sudo socktrace agent), or leave it out";
    check("agent", all, "age > 1s", "");
    check("listing", all, "age > 1s", &format!("{agent}\nage > 1s\n^^^"));
    check("listing", all, "not age > 1s", &format!("{agent}\nnot age > 1s\n    ^^^"));
    check(
        "listing",
        all,
        "sport = 22 and age > 1s",
        &format!("{agent}\nsport = 22 and age > 1s\n               ^^^"),
    );
    check("listing", all, "age > 1s or sport = 22", &format!("in part: {agent}"));
    check("listing", all, "not ( age > 1s and sport = 22 )", &format!("in part: {agent}"));
    check(
        "listing",
        all,
        "closed_first peer",
        "\"closed_first\" is known of what has ended: use socktrace history, or socktrace events --kinds close\n\
         closed_first peer\n^^^^^^^^^^^^",
    );
    for place in ["events", "history"] {
        check(
            place,
            all,
            "recvq > 0",
            "\"recvq\" is known in listings only (socktrace ss)\nrecvq > 0\n^^^^^",
        );
    }
    check(
        "connect",
        all,
        "rtt > 1ms",
        "\"rtt\" is known when a TCP connection closes: --kinds close\nrtt > 1ms\n^^^",
    );
    check("events", Sorts::DATAGRAM, "rtt > 1ms", "\"rtt\" is known of TCP sockets only\nrtt > 1ms\n^^^");
    check(
        "events",
        all,
        "rtt > 1ms and failed_by peer",
        "nothing has this and the rest of the filter together\nrtt > 1ms and failed_by peer\n              ^^^^^^^^^",
    );
    check(
        "events",
        all,
        "comm = systemd-resolved",
        "the kernel keeps 15 bytes of a process's name; did you mean \"systemd-resolve\"?\n\
         comm = systemd-resolved\n       ^^^^^^^^^^^^^^^^",
    );
    check("events", all, "comm = systemd-resolv*", "");
    check(
        "destroyed",
        all,
        "pid 1",
        "\"pid\" is not known of sockets that are being destroyed: use socktrace events\npid 1\n^^^",
    );
    check(
        "listing",
        all,
        "container web",
        "\"web\" is not the id of a container: 64 hexadecimal digits, the first 12 or more of them, or a pattern like 4f2a*\n\
         container web\n          ^^^",
    );
    check("listing", all, "container docker://4f2a8e5b0d1c", "");
    check("listing", all, "unit nginx", "");
    check(
        "listing",
        all,
        "unit backup.timer",
        "\"backup.timer\": such a unit has no processes; those that have are .service, .scope, .slice, .socket, .mount, \
         .swap\nunit backup.timer\n     ^^^^^^^^^^^^",
    );
    check("events", Sorts::of(&[Sort::Unix]), "unit nginx", "");
    check(
        "listing",
        Sorts::of(&[Sort::Unix]),
        "unit nginx",
        "the kernel lists no cgroup of UNIX sockets, so \"unit\" is not known (events and history know it)\n\
         unit nginx\n^^^^",
    );
    check(
        "user",
        Sorts::IP,
        "fwmark 5",
        "the kernel reports \"fwmark\" to those with CAP_NET_ADMIN only (try: sudo)\nfwmark 5\n^^^^^^",
    );
    check(
        "listing",
        all,
        "netns blue",
        "another network namespace is not listed: use -N NAME, or --all-netns\nnetns blue\n      ^^^^",
    );
    check("listing", all, "netns 7", "");
    check(
        "listening",
        all,
        "state established",
        "no socket in that state is asked for\nstate established\n^^^^^",
    );
    check(
        "history",
        all,
        "state established",
        "what has closed is in the state `closed`\nstate established\n^^^^^",
    );
    check(
        "events",
        all,
        "src netlink:genl",
        "netlink sockets have no events: they are known in listings only (socktrace ss)\n\
         src netlink:genl\n    ^^^^^^^^^^^^",
    );
    check(
        "listing",
        Sorts::TCP,
        "sport = 22 or src unix:@x",
        "in part: no UNIX sockets are asked for, but TCP",
    );
    check(
        "listing",
        Sorts::of(&[Sort::Tcp4]),
        "dst [::1]",
        "no IPv6 sockets are asked for, but TCP\ndst [::1]\n    ^^^^^",
    );
    check("listing", Sorts::of(&[Sort::Tcp4]), "dst multi.test", "");
    check("events", Sorts::of(&[Sort::Unix]), "sport = 22", "UNIX sockets have no ports\nsport = 22\n^^^^^");
    check(
        "listing",
        Sorts::TCP,
        "sport = 70000",
        "a port is a number from 0 to 65535\nsport = 70000\n        ^^^^^",
    );
}

/// What the document's table says of a predicate in one place: of which sockets, or of which events, it is known.
fn known(text: &str, place: &str) -> String {
    let filter = read(text).unwrap();
    let knows = |ground: Ground| !ground.is_empty() && filter.judge(&ground).is_ok();
    let sorts = |ground: &dyn Fn(Sorts) -> Ground| {
        let of = |sorts: &[Sort]| sorts.iter().filter(|sort| knows(ground(Sorts::of(&[**sort])))).count();
        let (ip, others) = Sort::ALL.split_at(8);
        match (of(ip), of(others)) {
            (0, 0) => "-".to_owned(),
            (8, 6) => "yes".to_owned(),
            (8, 0) => "IP".to_owned(),
            (2, 0) => "TCP".to_owned(),
            other => panic!("{text} in {place}: {other:?} have no name"),
        }
    };
    let openers = place == "through an agent";
    if place == "listing" || openers {
        return sorts(&|sorts| Ground::listing(sorts, Listing { openers, ..EVERY }));
    }
    let ground = |kind| match place {
        "events" => Ground::events(kind, Sorts::ALL),
        "history" => Ground::history(kind, Sorts::ALL),
        other => panic!("no place is called {other}"),
    };
    let all = KindSet::names().iter().filter(|name| !ground(KindSet::from_name(name).unwrap()).is_empty());
    let (yes, no): (Vec<&str>, Vec<&str>) =
        all.partition(|name| knows(ground(KindSet::from_name(name).unwrap())));
    match (yes.as_slice(), no.as_slice()) {
        ([], _) => "-".to_owned(),
        (_, []) => "yes".to_owned(),
        (yes, _) => format!("`{}`", yes.join("`, `")),
    }
}

#[test]
fn the_document_says_what_is_known_where() {
    const DOC: &str = include_str!("../../../../docs/filter.md");
    let rows: Vec<Vec<&str>> = DOC
        .lines()
        .skip_while(|line| !line.starts_with("| predicate | listing |"))
        .take_while(|line| line.starts_with('|'))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    let (head, rows) = (&rows[0], &rows[2..]);
    let mut told = Vec::new();
    for row in rows {
        for word in row[0].split(", ").filter_map(|word| word.strip_prefix('`')?.strip_suffix('`')) {
            told.push(word);
            let of_word = |text: &&&str| text.split(' ').next() == Some(word);
            let text = if word == "reset" { &"reset *" } else { PASSED.iter().find(of_word).unwrap() };
            for (place, cell) in head.iter().zip(row).skip(1) {
                assert_eq!(*cell, known(text, place), "{word} in {place}");
            }
        }
    }
    // Of the others all is known everywhere, as far as there is such a socket.
    for text in PASSED {
        let word = text.split(' ').next().unwrap();
        if !told.contains(&word) && !text.contains(':') && !text.starts_with("not ") {
            for place in ["events", "history"] {
                assert_eq!(known(text, place), "yes", "{word} in {place}");
            }
        }
    }
}

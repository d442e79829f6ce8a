//! Filters of events: of sockets as the hooks report them, and of their ends.

use std::sync::Arc;

use super::super::Facts;
use super::evaluate::passing;
use super::read;
use crate::socket::{
    Cgroup, ClosedFirst, Closing, Comm, Event, EventKind, FailedBy, Family, Owner, Process, Proto, Reset,
    State, Subject,
};

#[test]
fn events_are_asked_the_same_questions() {
    let inet = |addr: &str, port| super::fixtures::inet(addr, port);
    let subject = Subject {
        cookie: 5,
        netns: 0,
        proto: Proto::Tcp,
        family: Family::Inet,
        local: inet("10.0.0.1", 40000),
        peer: inet("10.0.0.2", 443),
        state: State::Close,
        ifindex: 0,
        uid: None,
        mark: 0,
        inode: 0,
        cgroup: 5,
        place: Some(Arc::new(Cgroup::new(b"/system.slice/curl.service"))),
        owner: Owner::Exact(Process { pid: 9, comm: Comm::from_bytes(b"curl") }),
        opened: Some(1_000_000),
    };
    let closing = Closing { rtt_us: 900, segs_out: 9, retrans: 1, ..Default::default() };
    let kind = EventKind::Close { found: false, duration_us: None, closing: Some(Box::new(closing)) };
    let event = Event { at: 6_000_000, kind, subject: Some(Box::new(subject)) };
    let facts = Facts::of_event(&event).unwrap();
    for (text, expected) in [
        ("dport = 443 and comm curl and age = 5ms and rtt < 1ms and retrans 1", true),
        ("state closed and fwmark 0", true),
        ("uid != 0", false),
        ("uid = 0", false),
        ("recvq >= 0", false),
        ("inode != 7", false),
        ("netns != 7", false),
        ("cgroup != /user.slice", true),
        ("unit curl.service and not container * and not pod *", true),
    ] {
        assert_eq!(read(text).unwrap().matches(&facts), expected, "{text}");
    }
    let lost = Event { at: 0, kind: EventKind::Lost { records: 1 }, subject: None };
    assert!(Facts::of_event(&lost).is_none());
}

#[test]
fn how_it_ended_is_asked_of_ends() {
    let end = super::fixtures::inet("10.0.0.1", 40000);
    let subject = |proto| Subject {
        cookie: 5,
        netns: 0,
        proto,
        family: Family::Inet,
        local: end.clone(),
        peer: end.clone(),
        state: State::Close,
        ifindex: 0,
        uid: None,
        mark: 0,
        inode: 0,
        cgroup: 0,
        place: None,
        owner: Owner::Unknown,
        opened: None,
    };
    let of = |proto, kind| Event { at: 1, kind, subject: Some(Box::new(subject(proto))) };
    let close = |proto, closed_first, reset| {
        let closing = Closing { closed_first, reset, ..Default::default() };
        of(proto, EventKind::Close { found: false, duration_us: None, closing: Some(Box::new(closing)) })
    };
    let unseen = |proto| of(proto, EventKind::Close { found: false, duration_us: None, closing: None });
    let failed =
        |proto, failed_by| of(proto, EventKind::ConnectFailed { errno: 1, latency_us: None, failed_by });
    let events = [
        ("fin", close(Proto::Tcp, Some(ClosedFirst::Local), None)),
        ("rst", close(Proto::Tcp, Some(ClosedFirst::Peer), Some(Reset::Peer))),
        ("timeout", close(Proto::Tcp, None, None)),
        ("unseen", unseen(Proto::Tcp)),
        ("udp", unseen(Proto::Udp)),
        ("refused", failed(Proto::Tcp, Some(FailedBy::Peer))),
        ("lost", failed(Proto::Tcp, Some(FailedBy::Network))),
        ("unix", failed(Proto::UnixStream, None)),
        // No ends, so nothing is known yet.
        ("accept", of(Proto::Tcp, EventKind::Accept)),
        ("connect", of(Proto::Tcp, EventKind::Connect { latency_us: None })),
    ];
    for (text, expected) in [
        ("closed_first local", "fin"),
        ("closed_first = {local,peer}", "fin rst"),
        ("closed_first local,both", "fin"),
        ("closed_first *", "fin rst"),
        ("not closed_first *", "timeout udp refused lost unix"),
        ("closed_first != local", "rst timeout udp refused lost unix"),
        ("reset peer", "rst"),
        ("reset *", "rst"),
        ("not reset * and closed_first *", "fin"),
        ("failed_by network", "lost"),
        ("failed_by {peer,network}", "refused lost"),
        ("failed_by *", "refused lost"),
        ("failed_by != peer", "fin rst timeout udp lost unix"),
    ] {
        let filter = read(text).unwrap();
        let passes = |event: &Event| filter.matches(&Facts::of_event(event).unwrap());
        let names: Vec<_> = events.iter().filter(|(_, event)| passes(event)).map(|(name, _)| *name).collect();
        assert_eq!(names.join(" "), expected, "{text}");
        assert_eq!(passing(&filter), "", "{text}");
    }
}

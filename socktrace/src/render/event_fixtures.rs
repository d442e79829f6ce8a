//! Events for tests: one of each kind, everything known.

use std::sync::Arc;

use crate::socket::{
    Cgroup, ClosedFirst, Closing, Comm, Endpoint, Event, EventKind, FailedBy, Family, Owner, Process, Proto,
    Reset, State, Subject, UnixName,
};

/// A container of a pod.
const PATH: &[u8] = b"/kubepods.slice/kubepods-pod3c1b9a7e_5d42_4f6a_9e0b_1a2b3c4d5e6f.slice/\
    crio-4f2a8e5b0d1c9a7e6f3b2c1d0e9f8a7b6c5d4e3f2a1b0c9d8e7f6a5b4c3d2e1f.scope";

/// A TCP socket of `curl` with every field set.
pub(super) fn subject() -> Subject {
    Subject {
        cookie: 4711,
        netns: 4_026_531_840,
        proto: Proto::Tcp,
        family: Family::Inet,
        local: inet("127.0.0.1", 43210),
        peer: inet("127.0.0.1", 443),
        state: State::Established,
        ifindex: 3,
        uid: Some(1000),
        mark: 0,
        inode: 99,
        cgroup: 12,
        place: Some(Arc::new(Cgroup::new(PATH))),
        owner: Owner::Exact(Process { pid: 1234, comm: Comm::from_bytes(b"curl") }),
        opened: Some(1),
    }
}

/// The same socket after its end.
pub(super) fn closed() -> Subject {
    Subject { state: State::Close, ..subject() }
}

pub(super) fn inet(addr: &str, port: u16) -> Endpoint {
    Endpoint::Inet { addr: addr.parse().unwrap(), port }
}

pub(super) fn unix(name: &[u8]) -> Endpoint {
    Endpoint::Unix { name: UnixName::from_bytes(name), inode: 7 }
}

pub(super) fn event(kind: EventKind, subject: Subject) -> Event {
    Event { at: 123_456_789, kind, subject: Some(Box::new(subject)) }
}

pub(super) fn closing() -> Closing {
    Closing {
        bytes_sent: 512,
        bytes_acked: 512,
        bytes_received: 12_345,
        segs_out: 5,
        segs_in: 6,
        retrans: 2,
        rtt_us: 87,
        min_rtt_us: 12,
        errno: 104,
        closed_first: Some(ClosedFirst::Local),
        reset: Some(Reset::Either),
        fin_received: true,
        bound: false,
    }
}

/// One of each kind, with everything known that the kind can tell.
pub(super) fn one_of_each() -> Vec<Event> {
    vec![
        event(EventKind::Bind { errno: 98 }, subject()),
        event(EventKind::Listen { errno: 98 }, subject()),
        event(EventKind::Connect { latency_us: Some(117) }, subject()),
        event(
            EventKind::ConnectFailed { errno: 111, latency_us: Some(45), failed_by: Some(FailedBy::Peer) },
            closed(),
        ),
        event(EventKind::Accept, subject()),
        event(EventKind::Open, subject()),
        event(
            EventKind::Close {
                found: false,
                duration_us: Some(1_234_567),
                closing: Some(Box::new(closing())),
            },
            closed(),
        ),
        event(EventKind::State { old: State::SynSent }, subject()),
        Event { at: 5, kind: EventKind::Lost { records: 17 }, subject: None },
        Event { at: 5, kind: EventKind::Resync { added: 1, removed: 2, changed: 3 }, subject: None },
    ]
}

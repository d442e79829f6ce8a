//! One sample of every kind of socket, at every moment at which it is seen, of which all is known that can be.

use std::sync::Arc;

use super::super::super::knowable::{Ground, Listing, Sort, Sorts};
use super::super::super::{Facts, Filter, InCgroup, Processes};
use super::super::fixtures::inet;
use crate::socket::{
    Cgroup, ClosedFirst, Closing, Comm, Detail, Endpoint, Event, EventKind, FailedBy, Family, Holder,
    KindSet, Owner, Process, Proto, Reset, Socket, State, StateSet, Subject, UnixName,
};

pub(super) const EVERY: Listing =
    Listing { openers: true, holders: true, marks: true, states: StateSet::ALL, netns: None };
/// A service in a pod's container.
const PATH: &[u8] = b"/kubepods.slice/kubepods-pod3c1b9a7e_5d42_4f6a_9e0b_1a2b3c4d5e6f.slice/\
    cri-containerd-4f2a8e5b0d1c9a7e6f3b2c1d0e9f8a7b6c5d4e3f2a1b0c9d8e7f6a5b4c3d2e1f.scope";
/// A predicate of each word that the samples pass wherever it is known of them.
pub(super) const PASSED: [&str; 34] = [
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
    // Of others the kernel counts none; an MPTCP connection's are its subflows'.
    let counted = u32::from(proto(sort) == Proto::Tcp);
    let closing = Closing {
        rtt_us: 5000 * counted,
        segs_out: 7 * counted,
        retrans: 6 * counted,
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
pub(super) fn everywhere(filter: &Filter) -> Vec<(String, Ground, bool)> {
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

//! Any end of any socket.

use super::super::context::{CLOSED_FIRST, FAILED_BY, RESET};
use crate::socket::{
    Cgroup, Closing, Comm, Ended, Endpoint, EventKind, Family, Owner, Process, Proto, State, Subject,
    UnixName,
};
use proptest::prelude::*;
use proptest::strategy::Union;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

fn process() -> impl Strategy<Value = Process> {
    // Few, so that some come again.
    (1u32..20, prop_oneof![Just("nginx"), Just("curl"), Just("a\u{1b}[2J"), Just("fifteen-bytes-x")])
        .prop_map(|(pid, name)| Process { pid, comm: Comm::from_bytes(name.as_bytes()) })
}

fn owner() -> impl Strategy<Value = Owner> {
    prop_oneof![process().prop_map(Owner::Exact), process().prop_map(Owner::Holder), Just(Owner::Unknown)]
}

fn endpoint() -> impl Strategy<Value = Endpoint> {
    let v4 = prop_oneof![Just(Ipv4Addr::LOCALHOST), any::<u32>().prop_map(Ipv4Addr::from)];
    let v6 = prop_oneof![Just(Ipv6Addr::LOCALHOST), any::<u128>().prop_map(Ipv6Addr::from)];
    // One number for all bytes: a strategy for each of them takes most of the time of these tests.
    let name = (any::<u64>(), 0usize..108).prop_map(|(seed, length)| {
        let bytes = std::iter::successors(Some(seed), |at| {
            Some(at.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1))
        });
        bytes.map(|at| (at >> 56) as u8).take(length).collect::<Vec<_>>()
    });
    Union::new([
        Just(Endpoint::None).boxed(),
        (v4, any::<u16>()).prop_map(|(addr, port)| Endpoint::Inet { addr: addr.into(), port }).boxed(),
        (v6, any::<u16>()).prop_map(|(addr, port)| Endpoint::Inet { addr: addr.into(), port }).boxed(),
        (name, any::<u32>())
            .prop_map(|(name, inode)| Endpoint::Unix { name: UnixName::from_bytes(&name), inode })
            .boxed(),
        (any::<u16>(), any::<u32>())
            .prop_map(|(protocol, ifindex)| Endpoint::Packet { protocol, ifindex })
            .boxed(),
        (any::<u8>(), any::<u32>())
            .prop_map(|(protocol, portid)| Endpoint::Netlink { protocol, portid })
            .boxed(),
        (any::<u32>(), any::<u32>())
            .prop_map(|(group, portid)| Endpoint::NetlinkPeer { group, portid })
            .boxed(),
        (any::<u32>(), any::<u32>()).prop_map(|(cid, port)| Endpoint::Vsock { cid, port }).boxed(),
        (any::<u32>(), any::<u32>()).prop_map(|(node, reference)| Endpoint::Tipc { node, reference }).boxed(),
        (any::<u32>(), any::<u32>()).prop_map(|(ifindex, queue)| Endpoint::Xdp { ifindex, queue }).boxed(),
    ])
}

fn proto() -> impl Strategy<Value = Proto> {
    let plain = [
        Proto::Tcp,
        Proto::Mptcp,
        Proto::Udp,
        Proto::UdpLite,
        Proto::Sctp,
        Proto::Dccp,
        Proto::UnixStream,
        Proto::UnixDgram,
        Proto::UnixSeqpacket,
        Proto::PacketRaw,
        Proto::PacketDgram,
        Proto::Netlink,
        Proto::VsockStream,
        Proto::VsockDgram,
        Proto::VsockSeqpacket,
        Proto::TipcStream,
        Proto::TipcDgram,
        Proto::TipcRdm,
        Proto::TipcSeqpacket,
        Proto::Xdp,
    ];
    prop_oneof![
        4 => proptest::sample::select(plain.to_vec()),
        1 => any::<u16>().prop_map(Proto::Raw),
        1 => any::<u8>().prop_map(Proto::Ping),
        1 => any::<u16>().prop_map(Proto::Other),
    ]
}

fn closing() -> impl Strategy<Value = Closing> {
    let bytes = (any::<u64>(), any::<u64>(), any::<u64>());
    let small = (any::<u32>(), any::<u32>(), any::<u32>(), any::<u32>(), any::<u32>());
    let sides = (
        proptest::option::of(proptest::sample::select(CLOSED_FIRST.to_vec())),
        proptest::option::of(proptest::sample::select(RESET.to_vec())),
    );
    (bytes, small, any::<u16>(), (any::<bool>(), any::<bool>()), sides).prop_map(
        |(
            (bytes_sent, bytes_acked, bytes_received),
            (segs_out, segs_in, retrans, rtt_us, min_rtt_us),
            errno,
            (fin_received, bound),
            (closed_first, reset),
        )| Closing {
            bytes_sent,
            bytes_acked,
            bytes_received,
            segs_out,
            segs_in,
            retrans,
            rtt_us,
            min_rtt_us,
            errno,
            closed_first,
            reset,
            fin_received,
            bound,
        },
    )
}

fn subject() -> impl Strategy<Value = Subject> {
    let parts = [
        "/system.slice",
        "/nginx.service",
        "/a",
        "/user@1000.service",
        "/kubepods-pod3c1b9a7e_5d42.slice",
        "/:.x",
    ];
    let path = proptest::collection::vec(proptest::sample::select(parts.to_vec()), 0..20);
    let place = prop_oneof![Just(None), path.prop_map(|parts| Some(parts.concat()))];
    let cgroup = (0u64..30, place.prop_map(|path| Some(Arc::new(Cgroup::new(path?.as_bytes())))));
    let numbers = (any::<u64>(), 0u32..3, any::<u8>(), 0u32..3, any::<u32>(), 0u32..2, cgroup);
    let ends = (endpoint(), endpoint());
    (numbers, proto(), 0u16..50, ends, any::<Option<u32>>(), owner()).prop_map(
        |(
            (cookie, netns, state, ifindex, mark, inode, (cgroup, place)),
            proto,
            family,
            (local, peer),
            uid,
            owner,
        )| {
            Subject {
                cookie,
                netns,
                proto,
                family: Family::from_number(family),
                local,
                peer,
                state: State::from_number(state),
                ifindex,
                uid,
                mark,
                inode,
                cgroup,
                place,
                owner,
                opened: None,
            }
        },
    )
}

/// An end as the table reports it: how long it lived follows from when it opened.
pub(super) fn ended() -> impl Strategy<Value = Ended> {
    let kind = prop_oneof![
        3 => proptest::option::of(closing())
            .prop_map(|closing| EventKind::Close { found: false, duration_us: None, closing: closing.map(Box::new) }),
        1 => (any::<u16>(), proptest::option::of(proptest::sample::select(FAILED_BY.to_vec())))
            .prop_map(|(errno, failed_by)| EventKind::ConnectFailed { errno, latency_us: None, failed_by }),
        1 => (1u16.., any::<bool>()).prop_map(|(errno, bind)| match bind {
            true => EventKind::Bind { errno },
            false => EventKind::Listen { errno },
        }),
    ];
    (0u64..1 << 60, proptest::option::of(0u64..1 << 60), kind, subject(), any::<bool>()).prop_map(
        |(at, opened, mut kind, mut subject, missed)| {
            subject.opened = opened.map(|opened| opened.min(at));
            let us = subject.opened.map(|opened| (at - opened) / 1000);
            if let EventKind::Close { found: false, duration_us: known, .. }
            | EventKind::ConnectFailed { latency_us: known, .. } = &mut kind
            {
                *known = us;
            }
            Ended { at, kind, subject, missed }
        },
    )
}

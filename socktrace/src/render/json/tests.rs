//! Objects of sockets, and that the document tells of every field.

use serde_json::{Value, json};

use super::*;
use crate::api::sockets::show::Users;
use crate::render::names::NoNames;
use crate::render::ss::UnixPeer;
use crate::socket::{Comm, Family, Owner, Process, Proto, Shutdown, State, Timer, TimerKind, info};

const DOCUMENT: &str = include_str!("../../../../docs/json-sockets.md");

fn tcp() -> Socket {
    Socket {
        proto: Proto::Tcp,
        family: Family::Inet,
        state: State::Listen,
        recv_q: 0,
        send_q: 128,
        local: Endpoint::Inet { addr: [127, 0, 0, 1].into(), port: 8080 },
        peer: Endpoint::Inet { addr: [0, 0, 0, 0].into(), port: 0 },
        ifindex: 0,
        inode: 51966,
        cookie: 4711,
        netns: 4_026_531_840,
        uid: Some(1000),
        v6only: None,
        detail: None,
    }
}

const ALL: Show = Show {
    netns: true,
    netid: true,
    state: true,
    queues: true,
    users: Some(Users { threads: true, process_context: false, socket_context: false }),
    timers: true,
    extended: true,
    memory: true,
    info: true,
    tos: true,
    cgroup: true,
    sockopt: true,
    bpf: true,
    tipcinfo: true,
    oneline: false,
    numeric: false,
    resolve: false,
};

fn object(row: &Row<'_>, show: &Show) -> Value {
    let mut out = Vec::new();
    encode(&mut out, row, show, &mut NoNames, None);
    assert_eq!(out.last(), Some(&b'\n'));
    let value = serde_json::from_slice(&out).unwrap();
    check_documented(&value);
    // Whoever reads it as a value can.
    serde_json::from_slice::<socktrace_api::Socket>(&out).unwrap();
    value
}

/// Every key is told in the document.
fn check_documented(value: &Value) {
    match value {
        Value::Object(members) => {
            for (key, value) in members {
                assert!(DOCUMENT.contains(&format!("`{key}`")), "{key} is not documented");
                check_documented(value);
            }
        }
        Value::Array(items) => items.iter().for_each(check_documented),
        _ => {}
    }
}

#[test]
fn the_example_of_the_document_is_ours() {
    let mut out = Vec::new();
    encode(&mut out, &Row::of(&tcp()), &Show { queues: true, ..Show::default() }, &mut NoNames, None);
    let example = DOCUMENT.lines().find(|line| line.starts_with('{')).unwrap();
    assert_eq!(std::str::from_utf8(&out), Ok(format!("{example}\n").as_str()));
}

#[test]
fn every_member_that_the_kernel_sent() {
    let bytes = |length: usize| -> Box<[u8]> { (0..length).map(|n| n as u8).collect() };
    for (proto, key, all) in [
        (Proto::Tcp, "tcp_info", info::tcp::ALL),
        (Proto::Mptcp, "mptcp_info", info::mptcp::ALL),
        (Proto::Sctp, "sctp_info", info::sctp::ALL),
    ] {
        for length in [0, 60, 400] {
            let info = bytes(length);
            let sent = all.iter().filter(|member| member.of(&info).is_some()).count();
            let detail = Detail { info: Some(info), ..Detail::default() };
            let socket = Socket { proto, detail: Some(Box::new(detail)), ..tcp() };
            let mut out = Vec::new();
            encode(&mut out, &Row::of(&socket), &ALL, &mut NoNames, None);
            let object: Value = serde_json::from_slice(&out).unwrap();
            assert_eq!(object[key].as_object().unwrap().len(), sent, "{key} {length}");
        }
    }
    for member in info::tcp::ALL.iter().chain(info::mptcp::ALL) {
        assert!(DOCUMENT.contains(&format!("`{}`", member.name)), "{}", member.name);
    }
    let unlimited = Detail { info: Some([0xff; 280].into()), ..Detail::default() };
    let socket = Socket { detail: Some(Box::new(unlimited)), ..tcp() };
    assert_eq!(object(&Row::of(&socket), &ALL)["tcp_info"]["pacing_rate"], Value::Null);
}

#[test]
fn what_options_add() {
    let words = |words: &[u32]| -> Box<[u8]> { words.iter().flat_map(|word| word.to_ne_bytes()).collect() };
    let mut key = vec![0; 100];
    key[..8].copy_from_slice(&[2, 24, 2, 0, 192, 0, 2, 0]);
    key[20..22].copy_from_slice(b"\"k");
    let detail = Detail {
        timer: Some(Timer { kind: TimerKind::On, expires_ms: 40, retrans: 2 }),
        skmem: Some(vec![1, 2, 3, 4, 5, 6, 7, 8, 9]),
        mark: Some(42),
        cgroup_id: Some(7),
        shutdown: Some(Shutdown { receive: true, send: false }),
        tos: Some(16),
        tclass: Some(1),
        class_id: Some(2),
        sockopt: Some([1, 4]),
        congestion: Some("bbr".into()),
        vegas: Some(words(&[1, 2, 3, 4])),
        dctcp: Some(words(&[1, 2, 3, 4])),
        bbr: Some(words(&[1, 1, 3, 4, 5])),
        md5: Some(key.into()),
        ulp: Some([&8u16.to_ne_bytes()[..], &1u16.to_ne_bytes(), b"tls\0"].concat().into()),
        ..Detail::default()
    };
    let socket = Socket { v6only: Some(true), ifindex: 3, detail: Some(Box::new(detail)), ..tcp() };
    let user = Holder { process: Process { pid: 5, comm: Comm::from_bytes(b"a\"b") }, tid: Some(6), fd: 7 };
    let row = Row { users: &[user], ..Row::of(&socket) };
    let mut expected = object(&Row::of(&tcp()), &Show { queues: true, ..Show::default() });
    let added = json!({
        "ifindex": 3,
        "processes": [{ "pid": 5, "tid": 6, "comm": "a\"b", "fd": 7 }],
        "timer": { "kind": "on", "expires_ms": 40, "retrans": 2 },
        "mark": 42,
        "v6only": true,
        "shutdown": { "receive": true, "send": false },
        "cgroup_id": 7,
        "tos": 16,
        "tclass": 1,
        "class_id": 2,
        "inet_sockopt": ["recverr", "defer_connect"],
        "skmem": {
            "rmem_alloc": 1, "rcvbuf": 2, "wmem_alloc": 3, "sndbuf": 4, "fwd_alloc": 5, "wmem_queued": 6,
            "optmem": 7, "backlog": 8, "drops": 9,
        },
        "congestion": "bbr",
        "vegas": { "enabled": 1, "rttcnt": 2, "rtt": 3, "minrtt": 4 },
        "dctcp": { "enabled": true, "ce_state": 0, "alpha": 2, "ab_ecn": 3, "ab_tot": 4 },
        "bbr": { "bw": 4_294_967_297_u64, "min_rtt": 3, "pacing_gain": 4, "cwnd_gain": 5 },
        "md5_keys": [{ "addr": "192.0.2.0", "prefixlen": 24, "key": "\"k" }],
        "ulp": { "name": "tls" },
    });
    for (key, value) in added.as_object().unwrap() {
        expected[key] = value.clone();
    }
    assert_eq!(object(&row, &ALL), expected);
}

#[test]
fn an_opener_is_told_where_somebody_keeps_account_of_them() {
    let process = Process { pid: 5, comm: Comm::from_bytes(b"web") };
    let row = |owner| Row { opener: Some(Opener { owner, opened: None }), ..Row::of(&TCP) };
    static TCP: std::sync::LazyLock<Socket> = std::sync::LazyLock::new(tcp);
    for (row, expected) in [
        (row(Owner::Exact(process)), json!([5, "web", "exact"])),
        (row(Owner::Holder(process)), json!([5, "web", "holder"])),
        (row(Owner::Unknown), json!([null, null, "unknown"])),
    ] {
        let object = object(&row, &Show::default());
        assert_eq!(json!([object["pid"], object["comm"], object["attribution"]]), expected);
    }
    assert_eq!(object(&Row::of(&TCP), &Show::default()).get("attribution"), None);
}

#[test]
fn a_cgroup_is_told_with_what_its_path_says() {
    struct Path;
    impl Names for Path {
        fn name(&mut self, of: Named) -> Option<&[u8]> {
            (of == Named::Cgroup(7)).then_some(b"/system.slice/web.service")
        }
    }
    let detail = |id| Some(Box::new(Detail { cgroup_id: Some(id), ..Detail::default() }));
    let path = [("cgroup_path", "/system.slice/web.service"), ("unit", "web.service")];
    for (id, expected) in [(7, &path[..]), (8, &[]), (0, &[])] {
        let mut out = Vec::new();
        let socket = Socket { detail: detail(id), ..tcp() };
        encode(&mut out, &Row::of(&socket), &Show { cgroup: true, ..Show::default() }, &mut Path, None);
        let object: Value = serde_json::from_slice(&out).unwrap();
        check_documented(&object);
        let keys = ["cgroup_path", "unit", "container", "container_runtime", "pod"];
        let told: Vec<_> = keys.iter().filter_map(|key| Some((*key, object.get(key)?.as_str()?))).collect();
        assert_eq!(told, expected, "{id}");
        assert_eq!(object.get("cgroup_id").is_some(), id != 0);
    }
}

#[test]
fn other_families_have_other_ends() {
    fn check(socket: &Socket, peer: Option<UnixPeer<'_>>, expected: Value) {
        let object = object(&Row { peer, ..Row::of(socket) }, &ALL);
        for (key, value) in expected.as_object().unwrap() {
            assert_eq!(object.get(key), Some(value), "{key} of {object}");
        }
    }
    fn absent(socket: &Socket, keys: &[&str]) {
        let object = object(&Row::of(socket), &ALL);
        keys.iter().for_each(|key| assert_eq!(object.get(key), None, "{key} of {object}"));
    }
    let words = |words: &[u32]| -> Box<[u8]> { words.iter().flat_map(|word| word.to_ne_bytes()).collect() };
    let of = |proto, family, local, peer, detail: Detail| Socket {
        proto,
        family,
        local,
        peer,
        detail: Some(Box::new(detail)),
        ..tcp()
    };
    let unix = of(
        Proto::UnixStream,
        Family::Unix,
        Endpoint::Unix { name: UnixName::from_bytes(b"\0a\0b\xff"), inode: 5 },
        Endpoint::Unix { name: UnixName::default(), inode: 6 },
        Detail { unix_vfs: Some((8 << 20 | 1, 9)), unix_queue: Some(vec![3]), ..Detail::default() },
    );
    let name = UnixName::from_bytes(b"/run/x");
    let user = Holder { process: Process { pid: 5, comm: Comm::from_bytes(b"x") }, tid: None, fd: 7 };
    check(
        &unix,
        Some(UnixPeer { name: &name, users: &[user] }),
        json!({
            "local_addr": "@a@b\u{fffd}", "peer_addr": "/run/x", "peer_inode": 6,
            "peer_processes": [{ "pid": 5, "comm": "x", "fd": 7 }],
            "path": { "inode": 9, "major": 8, "minor": 1 }, "pending": [3],
        }),
    );
    check(&unix, None, json!({ "proto": "unix", "peer_inode": 6 }));
    let unnamed = Socket { local: unix.peer.clone(), ..unix };
    absent(&unnamed, &["local_addr", "local_port", "peer_addr", "peer_port", "peer_processes"]);
    let raw = vec![
        (0, words(&[0, 2, 0, 9, 0, 3])),
        (2, words(&[1, 2, 3, 4, 5, 6, 7])),
        (4, words(&[7 | 1 << 16])),
        (7, words(&[0x0102_0020, 9])),
    ];
    let packet = of(
        Proto::PacketRaw,
        Family::Packet,
        Endpoint::Packet { protocol: 3, ifindex: 0 },
        Endpoint::None,
        Detail { raw, ..Detail::default() },
    );
    check(
        &packet,
        None,
        json!({
            "ethertype": 3, "version": 2, "copy_thresh": 9,
            "flags": ["running", "auxdata"], "fanout": { "id": 7, "type": 1 },
            "rx_ring": {
                "block_size": 1, "block_nr": 2, "frame_size": 3, "frame_nr": 4, "retire_tmo": 5, "sizeof_priv": 6,
                "features": 7,
            },
            "filter": [{ "code": 32, "jt": 2, "jf": 1, "k": 9 }],
        }),
    );
    absent(&packet, &["interface", "local_addr", "local_port", "peer_addr", "peer_port"]);
    // As in events.
    absent(&tcp(), &["peer_addr", "peer_port"]);
    let netlink = of(
        Proto::Netlink,
        Family::Netlink,
        Endpoint::Netlink { protocol: 0, portid: u32::MAX },
        Endpoint::NetlinkPeer { group: 1, portid: 2 },
        Detail { raw: vec![(1, words(&[0x8000_0001, 1]))], ..Detail::default() },
    );
    check(
        &netlink,
        None,
        json!({ "protocol": 0, "portid": u32::MAX, "peer_group": 1, "peer_portid": 2, "groups": [1, 32, 33] }),
    );
    let vsock = of(
        Proto::VsockStream,
        Family::Vsock,
        Endpoint::Vsock { cid: 2, port: 3 },
        Endpoint::Vsock { cid: 4, port: 5 },
        Detail::default(),
    );
    check(&vsock, None, json!({ "local_cid": 2, "local_port": 3, "peer_cid": 4, "peer_port": 5 }));
    let tipc = of(
        Proto::TipcRdm,
        Family::Tipc,
        Endpoint::Tipc { node: 1, reference: 2 },
        Endpoint::None,
        Detail { raw: vec![(5, words(&[4 | 3 << 16, 8 | 4 << 16, 12]))], ..Detail::default() },
    );
    check(
        &tipc,
        None,
        json!({
            "local_node": 1, "local_port": 2, "published": false, "link_congested": false,
            "connection_congested": true, "dropped": 12,
        }),
    );
    let raw = vec![
        (3, words(&[64])),
        (5, words(&[4096, 0, 1, 2, 3, 4, 5, 6, 7, 8])),
        (6, words(&[128])),
        (9, words(&[1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0])),
    ];
    let xdp = of(
        Proto::Xdp,
        Family::Xdp,
        Endpoint::Xdp { ifindex: 2, queue: 1 },
        Endpoint::None,
        Detail { raw, ..Detail::default() },
    );
    check(
        &xdp,
        None,
        json!({
            "queue": 1, "rx_ring": { "entries": 64 }, "fill_ring": { "entries": 128 },
            "umem": {
                "size": 4096, "id": 1, "num_pages": 2, "chunk_size": 3, "headroom": 4, "ifindex": 5, "queue_id": 6,
                "flags": 7, "refs": 8,
            },
            "stats": {
                "rx_dropped": 1, "rx_invalid": 2, "rx_full": 3, "fill_ring_empty": 4, "tx_invalid": 5,
                "tx_ring_empty": 6,
            },
        }),
    );
}

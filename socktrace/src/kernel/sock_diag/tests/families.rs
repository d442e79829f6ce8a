//! The rows of every family, also of those that this kernel may lack.

use super::*;

fn unix_row() -> Bytes {
    Bytes::default()
        .raw(&[1, 1, 10, 0])
        .words(&[4711, COOKIE as u32, (COOKIE >> 32) as u32])
        .attribute(0, b"/run/x.sock\0")
        .attribute(1, &attribute_words(&[99, 0x0010_0003]))
        .attribute(2, &attribute_words(&[4712]))
        .attribute(3, &attribute_words(&[50, 51]))
        .attribute(4, &attribute_words(&[2, 128]))
        .attribute(5, &attribute_words(&[1, 2, 3, 4, 5, 6, 7, 8, 9]))
        .attribute(6, &[3])
        .attribute(7, &attribute_words(&[1000]))
}

fn packet_row() -> Bytes {
    Bytes::default()
        .raw(&[17, 3])
        .raw(&0x0806u16.to_ne_bytes())
        .words(&[4711, COOKIE as u32, (COOKIE >> 32) as u32])
        .attribute(0, &attribute_words(&[2, 2, 0, 0, 0, 1]))
        .attribute(2, &[2; 28])
        .attribute(5, &attribute_words(&[1000]))
        .attribute(6, &attribute_words(&[832, 2, 3, 4, 5, 6, 7, 8, 9]))
        .attribute(7, &[7; 16])
}

fn netlink_row() -> Bytes {
    Bytes::default()
        .raw(&[16, 3, 4, 1])
        .words(&[1234, 7, 9, 4711, COOKIE as u32, (COOKIE >> 32) as u32])
        .attribute(0, &attribute_words(&[832, 2, 64, 4, 5, 6, 7, 8, 9]))
        .attribute(1, &[5, 0, 0, 0])
        .attribute(4, &attribute_words(&[1]))
}

fn vsock_row() -> Bytes {
    let words = [2, 1024, u32::MAX, 9999, 4711, COOKIE as u32, (COOKIE >> 32) as u32];
    Bytes::default().raw(&[40, 1, 1, 2]).words(&words)
}

pub(super) fn tipc_row() -> Bytes {
    let word = |number: u32| number.to_ne_bytes();
    let inner = Bytes::default()
        .attribute(1, &word(0x0100_1001))
        .attribute(2, &word(555))
        .nest(3, Bytes::default().attribute(1, &[]).attribute(2, &word(0x0100_1002)).attribute(3, &word(556)))
        .attribute(4, &[])
        .nest(5, Bytes::default().attribute(0, &word(3)).attribute(1, &word(4)))
        .attribute(6, &word(1))
        .attribute(7, &word(4711))
        .attribute(8, &word(1000))
        .attribute(9, &word(1))
        .attribute(10, &COOKIE.to_ne_bytes());
    Bytes::default().nest(2, inner)
}

fn xdp_row() -> Bytes {
    Bytes::default()
        .raw(&[44, 3, 0, 0])
        .words(&[4711, COOKIE as u32, (COOKIE >> 32) as u32])
        .attribute(1, &attribute_words(&[2, 5]))
        .attribute(2, &attribute_words(&[1000]))
        .attribute(3, &attribute_words(&[2048]))
        .attribute(5, &[5; 40])
        .attribute(8, &attribute_words(&[832, 2, 3, 4, 5, 6, 7, 8, 9]))
}

pub(super) type Decode = fn(&[u8], Want, NetnsId) -> Result<Socket, Malformed>;

/// Every decoder with a row of its family.
pub(super) fn families() -> [(Decode, Bytes); 8] {
    [
        (|bytes, want, netns| InetRow::decode(bytes, InetTable::Tcp, netns)?.to_socket(want), established()),
        (|bytes, want, netns| InetRow::decode(bytes, InetTable::Tcp, netns)?.to_socket(want), listener_v6()),
        (unix::decode, unix_row()),
        (packet::decode, packet_row()),
        (nl::decode, netlink_row()),
        (vsock::decode, vsock_row()),
        (tipc::decode, tipc_row()),
        (xdp::decode, xdp_row()),
    ]
}

#[test]
fn every_family_has_its_row() {
    let unix_end = |name: &[u8], inode| Endpoint::Unix { name: UnixName::from_bytes(name), inode };
    let peer = Endpoint::NetlinkPeer { group: 9, portid: 7 };
    let vsock = |cid, port| Endpoint::Vsock { cid, port };
    let tipc = |node, reference| Endpoint::Tipc { node, reference };
    #[rustfmt::skip]
    let expected = [
        (Proto::UnixStream, State::Listen, (2, 128), unix_end(b"/run/x.sock", 4711), unix_end(b"", 4712), Some(1000)),
        (Proto::PacketRaw, State::Close, (832, 0), Endpoint::Packet { protocol: 0x0806, ifindex: 2 }, Endpoint::None, Some(1000)),
        (Proto::Netlink, State::Close, (832, 64), Endpoint::Netlink { protocol: 4, portid: 1234 }, peer, None),
        (Proto::VsockStream, State::Established, (0, 0), vsock(2, 1024), vsock(u32::MAX, 9999), None),
        (Proto::TipcStream, State::Established, (3, 4), tipc(0x0100_1001, 555), tipc(0x0100_1002, 556), Some(1000)),
        (Proto::Xdp, State::Close, (832, 0), Endpoint::Xdp { ifindex: 2, queue: 5 }, Endpoint::None, Some(1000)),
    ];
    for ((decode, bytes), expected) in families().into_iter().skip(2).zip(expected) {
        let row = decode(&bytes.0, Want::NONE, NETNS).expect("well-formed");
        assert_eq!((row.inode, row.cookie, row.netns, &row.detail), (4711, COOKIE, NETNS, &None));
        assert_eq!((row.proto, row.state, (row.recv_q, row.send_q), row.local, row.peer, row.uid), expected);
    }
}

#[test]
fn every_family_has_its_details() {
    let skmem = |first, third| Some(vec![first, 2, third, 4, 5, 6, 7, 8, 9]);
    let unix = Detail {
        skmem: skmem(1, 3),
        shutdown: Some(Shutdown { receive: true, send: true }),
        unix_vfs: Some((0x0010_0003, 99)),
        unix_queue: Some(vec![50, 51]),
        ..Detail::default()
    };
    let vsock = Detail { shutdown: Some(Shutdown { receive: false, send: true }), ..Detail::default() };
    let raw = |skmem, kinds: &[u16]| (skmem, kinds.to_vec());
    let expected = [
        raw(skmem(832, 3), &[0, 2, 7]),
        raw(skmem(832, 64), &[1, 4]),
        raw(None, &[3, 4, 5]),
        raw(skmem(832, 3), &[3, 5]),
    ];
    let details: Vec<_> = families()
        .into_iter()
        .skip(2)
        .map(|(decode, bytes)| *decode(&bytes.0, Want::ALL, NETNS).expect("fits").detail.expect("wanted"))
        .collect();
    let [a, b, c, d, e, f] = details.as_slice() else { panic!("six families") };
    assert_eq!((a, d), (&unix, &vsock));
    for (detail, expected) in [b, c, e, f].into_iter().zip(expected) {
        let kinds: Vec<_> = detail.raw.iter().map(|(kind, _)| *kind).collect();
        assert_eq!((detail.skmem.clone(), kinds), expected);
    }
}

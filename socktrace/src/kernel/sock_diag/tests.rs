//! Rows out of bytes; nothing here opens a socket.

mod families;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;

use families::{families, tipc_row};

use super::*;
use crate::kernel::netlink::Messages;
use crate::socket::{Detail, Endpoint, Family, Proto, Shutdown, State, Timer, TimerKind, UnixName};

const NETNS: NetnsId = 4_026_531_840;
const COOKIE: u64 = 0x0000_0007_0000_0042;

/// Bytes with words, halves and attributes in host byte order.
#[derive(Default, Clone)]
struct Bytes(Vec<u8>);

impl Bytes {
    fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    fn words(self, words: &[u32]) -> Self {
        words.iter().fold(self, |bytes, word| bytes.raw(&word.to_ne_bytes()))
    }

    fn attribute(mut self, kind: u16, payload: &[u8]) -> Self {
        self = self.raw(&(payload.len() as u16 + 4).to_ne_bytes()).raw(&kind.to_ne_bytes()).raw(payload);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
        self
    }

    fn nest(self, kind: u16, inner: Self) -> Self {
        self.attribute(kind | 0x8000, &inner.0)
    }
}

fn attribute_words(words: &[u32]) -> Vec<u8> {
    Bytes::default().words(words).0
}

/// The fixed part of an IP row: family, state, timer, retransmits, ports, addresses.
fn inet_head(head: [u8; 4], ports: [u16; 2], local: &[u8], peer: &[u8]) -> Bytes {
    let padded = |address: &[u8]| [address, &[0; 16]].concat()[..16].to_vec();
    Bytes::default()
        .raw(&head)
        .raw(&ports[0].to_be_bytes())
        .raw(&ports[1].to_be_bytes())
        .raw(&padded(local))
        .raw(&padded(peer))
        // Interface, cookie, expires, queues, uid, inode.
        .words(&[3, COOKIE as u32, (COOKIE >> 32) as u32, 7_180_937, 5, 6, 1000, 15057])
}

fn established() -> Bytes {
    inet_head([2, 1, 2, 4], [36266, 22], &[10, 0, 0, 1], &[10, 0, 0, 2])
        .attribute(2, &[0xaa; 280])
        .attribute(3, &attribute_words(&[1, 2, 3, 4]))
        .attribute(4, b"cubic\0")
        .attribute(5, &[0x10])
        .attribute(6, &[0x20])
        .attribute(7, &attribute_words(&[1, 2, 3, 4, 5, 6, 7, 8, 9]))
        .attribute(8, &[2])
        .attribute(9, &[9; 16])
        .attribute(15, &attribute_words(&[0x1234]))
        .attribute(16, &[16; 20])
        .attribute(17, &attribute_words(&[77]))
        .attribute(18, &[18; 100])
        .nest(19, Bytes::default().attribute(1, b"tls\0"))
        .attribute(21, &0x1_0000_002au64.to_ne_bytes())
        .attribute(22, &[0x81, 0x02])
        .attribute(99, b"of tomorrow")
}

fn listener_v6() -> Bytes {
    let any = [0; 16];
    inet_head([10, 10, 0, 0], [22, 0], &any, &any).attribute(8, &[0]).attribute(11, &[1])
}

fn inet(bytes: &Bytes, table: InetTable, want: Want) -> Result<Socket, Malformed> {
    InetRow::decode(&bytes.0, table, NETNS)?.to_socket(want)
}

#[test]
fn an_ip_row_is_read_where_it_lies() {
    let socket = inet(&established(), InetTable::Tcp, Want::NONE).expect("well-formed");
    let expected = Socket {
        proto: Proto::Tcp,
        family: Family::Inet,
        state: State::Established,
        recv_q: 5,
        send_q: 6,
        local: Endpoint::Inet { addr: IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)), port: 36266 },
        peer: Endpoint::Inet { addr: IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2)), port: 22 },
        ifindex: 3,
        inode: 15057,
        cookie: COOKIE,
        netns: NETNS,
        uid: Some(1000),
        v6only: None,
        detail: None,
    };
    assert_eq!(socket, expected);
    let listener = inet(&listener_v6(), InetTable::Tcp, Want::NONE).expect("well-formed");
    assert_eq!(listener.local, Endpoint::Inet { addr: IpAddr::V6(Ipv6Addr::UNSPECIFIED), port: 22 });
    assert_eq!((listener.state, listener.v6only, listener.detail), (State::Listen, Some(true), None));
}

#[test]
fn every_ip_attribute_has_its_place() {
    let detail = inet(&established(), InetTable::Tcp, Want::ALL).expect("well-formed").detail;
    let expected = Detail {
        timer: Some(Timer { kind: TimerKind::Keepalive, expires_ms: 7_180_937, retrans: 4 }),
        skmem: Some(vec![1, 2, 3, 4, 5, 6, 7, 8, 9]),
        mark: Some(0x1234),
        cgroup_id: Some(0x1_0000_002a),
        shutdown: Some(Shutdown { receive: false, send: true }),
        tos: Some(0x10),
        tclass: Some(0x20),
        class_id: Some(77),
        sockopt: Some([0x81, 0x02]),
        congestion: Some("cubic".into()),
        info: Some([0xaa; 280].into()),
        vegas: Some(attribute_words(&[1, 2, 3, 4]).into()),
        dctcp: Some([9; 16].into()),
        bbr: Some([16; 20].into()),
        md5: Some([18; 100].into()),
        ulp: Some(Bytes::default().attribute(1, b"tls\0").0.into()),
        raw: vec![(99, b"of tomorrow"[..].into())],
        ..Detail::default()
    };
    assert_eq!(detail.as_deref(), Some(&expected));
}

#[test]
fn only_what_is_wanted_is_kept() {
    let detail = |want| *inet(&established(), InetTable::Tcp, want).expect("fits").detail.expect("wanted");
    let tomorrow = vec![(99, b"of tomorrow"[..].into())];
    let memory = detail(Want { memory: true, ..Want::NONE });
    let skmem = Some(vec![1, 2, 3, 4, 5, 6, 7, 8, 9]);
    assert_eq!(memory, Detail { skmem, raw: tomorrow.clone(), ..Detail::default() });
    let tos = detail(Want { tos: true, ..Want::NONE });
    let expected = Detail {
        tos: Some(0x10),
        tclass: Some(0x20),
        class_id: Some(77),
        raw: tomorrow,
        ..Detail::default()
    };
    assert_eq!(tos, expected);
}

#[test]
fn a_row_says_what_its_table_is() {
    let raw = inet_head([2, 7, 0, 0], [89, 0], &[0; 4], &[0; 4]);
    let proto = |table| inet(&raw, table, Want::NONE).expect("well-formed").proto;
    for (table, expected) in [
        (InetTable::Raw, Proto::Raw(89)),
        (InetTable::Udp, Proto::Udp),
        (InetTable::UdpLite, Proto::UdpLite),
        (InetTable::Mptcp, Proto::Mptcp),
        (InetTable::Sctp, Proto::Sctp),
        (InetTable::Dccp, Proto::Dccp),
    ] {
        assert_eq!(proto(table), expected);
        assert_eq!(InetTable::of(expected), Some(table));
    }
    let udp = raw.attribute(10, &[17]);
    let row = InetRow::decode(&udp.0, InetTable::Tcp, NETNS).expect("well-formed");
    assert_eq!(row.told_table(), Ok(InetTable::Udp));
}

#[test]
fn a_state_timer_or_family_of_tomorrow_is_kept() {
    let odd = inet_head([77, 200, 9, 0], [1, 2], &[1; 16], &[2; 16]);
    let socket = inet(&odd, InetTable::Tcp, Want::ALL).expect("well-formed");
    assert_eq!((socket.family, socket.state), (Family::Other(77), State::Other(200)));
    assert_eq!(socket.local.inet(), Some((IpAddr::V6(Ipv6Addr::from([1; 16])), 1)));
    let timer = socket.detail.and_then(|detail| detail.timer).map(|timer| timer.kind);
    assert_eq!(timer, Some(TimerKind::Other(9)));
}

#[test]
fn every_truncation_is_a_row_or_an_error() {
    for (decode, bytes) in families() {
        let whole = bytes.0.len();
        for length in 0..whole {
            let cut = decode(&bytes.0[..length], Want::ALL, NETNS);
            let head = decode(&bytes.0[..length], Want::NONE, NETNS);
            assert!(cut.is_err() || head.is_ok(), "details need more than the row does");
        }
        assert!(decode(&[], Want::ALL, NETNS).is_err() || bytes.0 == tipc_row().0);
        assert!(decode(&bytes.0, Want::ALL, NETNS).is_ok());
    }
}

#[test]
fn a_file_holds_the_dumps_of_both_ips() {
    let message = |kind: u16, payload: &[u8]| {
        let mut bytes = Bytes::default()
            .words(&[16 + payload.len() as u32])
            .raw(&kind.to_ne_bytes())
            .raw(&2u16.to_ne_bytes())
            .words(&[123_456, 0])
            .raw(payload);
        bytes.0.resize(bytes.0.len().next_multiple_of(4), 0);
        bytes.0
    };
    let done = message(3, &0i32.to_ne_bytes());
    let file = [message(20, &established().0), done.clone(), message(20, &listener_v6().0), done].concat();
    let read = |file: &[u8]| {
        let mut states = Vec::new();
        let end = replay(file, NETNS, |row| {
            states.push(row.state());
            ControlFlow::Continue(())
        });
        (states, end.is_ok())
    };
    assert_eq!(read(&file), (vec![State::Established, State::Listen], true));
    assert_eq!(read(&file[..file.len() - 30]), (vec![State::Established], false));
    assert_eq!(read(&[]), (vec![], true));
}

#[test]
fn requests_lie_as_the_kernel_reads_them() {
    let sent = |request: Result<Request, Malformed>| {
        let bytes = request.expect("short").into_bytes(1);
        let message = Messages::new(&bytes).next().expect("one").expect("well-formed");
        (message.kind, message.flags, message.payload.to_vec())
    };
    let query = InetQuery {
        want: Want::ALL,
        bytecode: &[1, 2, 3, 4],
        ..InetQuery::new(InetTable::Mptcp, IpVersion::V6, StateSet::ALL)
    };
    let (kind, flags, payload) = sent(query.request());
    assert_eq!((kind, flags), (20, 0x301));
    // Protocol 262 does not fit its byte: 0 there, and an attribute.
    assert_eq!(payload[..8], [&[10, 0, 0x7e, 0], &StateSet::ALL.bits().to_ne_bytes()[..]].concat());
    assert_eq!(payload[8..56], [0; 48]);
    let attributes = Bytes::default().attribute(3, &262u32.to_ne_bytes()).attribute(1, &[1, 2, 3, 4]);
    assert_eq!(payload[56..], attributes.0);

    let query = InetQuery {
        bpf_storages: Some(&[5, 6]),
        ..InetQuery::new(InetTable::Tcp, IpVersion::V4, StateSet::of(State::Listen))
    };
    let (_, _, payload) = sent(query.request());
    assert_eq!(payload[..8], [2, 6, 0, 0, 0, 4, 0, 0]);
    let maps = Bytes::default().attribute(1, &5u32.to_ne_bytes()).attribute(1, &6u32.to_ne_bytes());
    assert_eq!(payload[56..], Bytes::default().attribute(2, &maps.0).0);

    let (kind, flags, both) = sent(InetQuery { want: Want::ALL, ..query }.request_of_both());
    assert_eq!((kind, flags, &both[..4]), (18, 0x301, &[0, 0, 0, 0x7e][..]));
    assert_eq!(both[4..60], [&[0; 48], &query.states.bits().to_ne_bytes()[..], &[0; 4]].concat());
    assert_eq!(both[60..], payload[56..]);

    let row = inet(&established(), InetTable::Udp, Want::NONE).expect("well-formed");
    let id = InetId::of(&row).expect("an IP socket");
    let (kind, flags, find) = sent(id.find(Want::NONE));
    assert_eq!((kind, flags, &find[..4]), (20, 5, &[2, 17, 0, 0][..]));
    assert_eq!(find[8..16], [0, 22, 0x8d, 0xaa, 10, 0, 0, 2], "UDP is asked for the wrong way round");
    let (kind, _, destroy) = sent(id.destroy());
    assert_eq!((kind, &destroy[8..16]), (21, &[0x8d, 0xaa, 0, 22, 10, 0, 0, 1][..]));
    let cookie = attribute_words(&[3, COOKIE as u32, (COOKIE >> 32) as u32]);
    assert_eq!((&find[44..56], &destroy[44..56]), (&cookie[..], &cookie[..]));

    let raw = InetId { table: InetTable::Raw, local: (id.local.0, 89), cookie: 0, ..id };
    let (_, _, find) = sent(raw.find(Want::NONE));
    assert_eq!((&find[..4], &find[48..56]), (&[2, 255, 0, 89][..], &[0xff; 8][..]));
}

proptest! {
    #[test]
    fn any_bytes_are_a_row_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        for (decode, _) in families() {
            let _ = decode(&bytes, Want::ALL, NETNS);
            let _ = decode(&bytes, Want::NONE, NETNS);
        }
        let _ = replay(&bytes, NETNS, |_| ControlFlow::Continue(()));
    }

    #[test]
    fn a_flipped_byte_is_a_row_or_an_error(family in 0usize..8, at in 0usize..600, value in any::<u8>()) {
        let (decode, Bytes(mut bytes)) = families()[family].clone();
        let length = bytes.len();
        bytes[at % length] = value;
        let _ = decode(&bytes, Want::ALL, NETNS);
    }
}

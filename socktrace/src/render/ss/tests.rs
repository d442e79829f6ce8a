//! Golden rows: sockets in, the table out.

use std::net::IpAddr;

use super::*;
use crate::render::names::{Named, NoNames};
use crate::socket::{
    Comm, Detail, Endpoint, Family, Process, Proto, Shutdown, State, Timer, TimerKind, info,
};

/// A socket with the given ends.
fn socket(proto: Proto, family: Family, state: State, local: Endpoint, peer: Endpoint) -> Socket {
    Socket {
        proto,
        family,
        state,
        recv_q: 0,
        send_q: 0,
        local,
        peer,
        ifindex: 0,
        inode: 100,
        cookie: 0xabc,
        netns: 1,
        uid: Some(1000),
        v6only: None,
        detail: None,
    }
}

fn end(addr: &str, port: u16) -> Endpoint {
    Endpoint::Inet { addr: addr.parse::<IpAddr>().unwrap(), port }
}

fn tcp(local: (&str, u16), peer: (&str, u16)) -> Socket {
    let family = if local.0.contains(':') { Family::Inet6 } else { Family::Inet };
    socket(Proto::Tcp, family, State::Established, end(local.0, local.1), end(peer.0, peer.1))
}

fn with(mut socket: Socket, detail: Detail) -> Socket {
    socket.detail = Some(Box::new(detail));
    socket
}

fn show() -> Show {
    Show { netid: true, state: true, queues: true, ..Show::default() }
}

/// Says the name of everything.
struct Known;

impl Names for Known {
    fn name(&mut self, of: Named) -> Option<&[u8]> {
        Some(match of {
            Named::Service { port: 22, .. } => b"ssh",
            Named::Service { .. } => return None,
            Named::Host(_) => b"host.test",
            Named::Interface(_) => b"eth0",
            Named::IpProtocol(_) => b"icmp",
            Named::NetlinkProtocol(_) => b"rtnl",
            Named::Process(_) => b"evil\x1b[2J",
            Named::User(_) => b"root",
            Named::Cgroup(_) => b"/user.slice",
            Named::ProcessContext(_) => b"unconfined_t",
            Named::FileContext { .. } => b"socket_t",
        })
    }
}

fn table_of(
    rows: &[Row<'_>],
    show: Show,
    names: &mut dyn Names,
    screen: Option<usize>,
    header: bool,
) -> String {
    let mut table = Table::new(show);
    if header {
        table.header();
    }
    for row in rows {
        table.push(*row, names);
    }
    let mut out = Vec::new();
    table.write(&mut out, screen).unwrap();
    String::from_utf8(out).unwrap()
}

/// The details of one socket: what follows the peer's port.
fn details(socket: &Socket, show: Show) -> String {
    let show = Show { netid: false, state: false, queues: false, ..show };
    let text = table_of(&[Row::of(socket)], show, &mut Known, None, false);
    let bare = Socket { detail: None, ..socket.clone() };
    let plain = Show { numeric: show.numeric, resolve: show.resolve, ..Show::default() };
    let columns = table_of(&[Row::of(&bare)], plain, &mut Known, None, false);
    text.strip_prefix(columns.trim_end()).unwrap().trim_end_matches('\n').to_owned()
}

#[test]
fn columns_are_as_wide_as_their_longest_cell() {
    let mut listener = tcp(("0.0.0.0", 22), ("0.0.0.0", 0));
    listener.state = State::Listen;
    listener.send_q = 128;
    let mut long = tcp(("2001:db8::1", 443), ("2001:db8::abcd:1", 50000));
    long.recv_q = 1_234_567;
    let rows = [Row::of(&listener), Row::of(&long)];
    let numeric = Show { numeric: true, ..show() };
    assert_eq!(
        table_of(&rows, numeric, &mut NoNames, None, true),
        "Netid State  Recv-Q  Send-Q Local Address:Port       Peer Address:Port\n\
         tcp   LISTEN 0       128          0.0.0.0:22              0.0.0.0:*\n\
         tcp   ESTAB  1234567 0      [2001:db8::1]:443  [2001:db8::abcd:1]:50000\n"
    );
    // Nothing of a header counts for the widths when there is none.
    assert_eq!(
        table_of(&rows, numeric, &mut NoNames, None, false),
        "tcp LISTEN 0       128          0.0.0.0:22             0.0.0.0:*\n\
         tcp ESTAB  1234567 0      [2001:db8::1]:443 [2001:db8::abcd:1]:50000\n"
    );
    assert_eq!(table_of(&[], numeric, &mut NoNames, None, false), "");
}

#[test]
fn a_screen_is_filled() {
    let row = tcp(("127.0.0.1", 22), ("127.0.0.1", 40000));
    assert_eq!(
        table_of(&[Row::of(&row)], show(), &mut Known, Some(80), true),
        "Netid   State   Recv-Q   Send-Q     Local Address:Port     Peer Address:Port\n\
         tcp     ESTAB   0        0              127.0.0.1:ssh         127.0.0.1:40000\n"
    );
    // Too narrow: as many columns as fit, then the terminal wraps.
    let narrow = table_of(&[Row::of(&row)], show(), &mut Known, Some(40), true);
    for line in narrow.lines() {
        assert!(line.len() <= 80, "{line:?}");
    }
    let wide = table_of(&[Row::of(&row)], show(), &mut Known, Some(10), true);
    assert!(wide.lines().count() == 2);
}

#[test]
fn addresses_and_ports() {
    fn check(socket: &Socket, show: Show, expected: &str) {
        let show = Show { netid: false, state: false, queues: false, ..show };
        assert_eq!(table_of(&[Row::of(socket)], show, &mut Known, None, false).trim_end(), expected);
    }
    let mut any = tcp(("::", 22), ("::", 0));
    check(&any, show(), "*:ssh *:*");
    any.v6only = Some(true);
    check(&any, show(), "[::]:ssh [::]:*");
    let mapped = tcp(("::ffff:127.0.0.1", 80), ("::ffff:127.0.0.1", 9));
    check(&mapped, show(), "[::ffff:127.0.0.1]:80 [::ffff:127.0.0.1]:9");
    check(&mapped, Show { resolve: true, ..show() }, "host.test:80 host.test:9");
    let mut bound = tcp(("fe80::1", 546), ("fe80::2", 547));
    bound.ifindex = 3;
    check(&bound, show(), "[fe80::1]%eth0:546 [fe80::2]:547");
    let raw = socket(Proto::Raw(1), Family::Inet, State::Close, end("0.0.0.0", 1), end("0.0.0.0", 0));
    check(&raw, show(), "0.0.0.0:icmp 0.0.0.0:*");
    check(&raw, Show { numeric: true, ..show() }, "0.0.0.0:1 0.0.0.0:*");

    let unix = |name: &[u8], inode, peer| {
        let name = UnixName::from_bytes(name);
        let local = Endpoint::Unix { name, inode };
        let peer = Endpoint::Unix { name: UnixName::default(), inode: peer };
        socket(Proto::UnixStream, Family::Unix, State::Established, local, peer)
    };
    check(&unix(b"/run/x.sock\0", 5, 6), show(), "/run/x.sock 5 * 6");
    check(&unix(b"\0hid\0den", 5, 0), show(), "@hid@den 5 * 0");
    check(&unix(b"/tmp/\x1b]0;x\x07\n", 5, 0), show(), "/tmp/\\033]0;x\\007\\012 5 * 0");

    let packet = |protocol, ifindex| {
        let local = Endpoint::Packet { protocol, ifindex };
        socket(Proto::PacketRaw, Family::Packet, State::Close, local, Endpoint::None)
    };
    check(&packet(3, 0), show(), "*:* *");
    check(&packet(0x806, 2), show(), "arp:eth0 *");
    check(&packet(0x806, 2), Show { numeric: true, ..show() }, "[2054]:eth0 *");
    check(&packet(0x1234, 0), show(), "[4660]:* *");

    let netlink = |portid, peer| {
        let local = Endpoint::Netlink { protocol: 0, portid };
        socket(Proto::Netlink, Family::Netlink, State::Close, local, peer)
    };
    check(&netlink(0, Endpoint::None), show(), "rtnl:kernel *");
    check(&netlink(0, Endpoint::None), Show { numeric: true, ..show() }, "0:0 *");
    check(&netlink(812, Endpoint::None), show(), "rtnl:evil\\033[2J/812 *");
    check(&netlink(u32::MAX - 5, Endpoint::NetlinkPeer { group: 3, portid: 7 }), show(), "rtnl:-6 3:7");

    let vsock = |local, peer| {
        let end = |(cid, port)| Endpoint::Vsock { cid, port };
        socket(Proto::VsockStream, Family::Vsock, State::Listen, end(local), end(peer))
    };
    check(&vsock((2, 1024), (3, 99)), show(), "2:1024 3:99");
    check(&vsock((u32::MAX, 22), (u32::MAX, u32::MAX)), show(), "*:22 *:*");

    let tipc = |peer| {
        let local = Endpoint::Tipc { node: 1, reference: 77 };
        socket(Proto::TipcRdm, Family::Tipc, State::Close, local, peer)
    };
    check(&tipc(Endpoint::None), show(), "1:77 -");
    check(&tipc(Endpoint::Tipc { node: 2, reference: 88 }), show(), "1:77 2:88");

    let xdp = |ifindex| {
        let local = Endpoint::Xdp { ifindex, queue: 4 };
        socket(Proto::Xdp, Family::Xdp, State::Close, local, Endpoint::None)
    };
    check(&xdp(2), show(), "eth0:q4 *");
    check(&xdp(0), show(), "* *");
}

#[test]
fn who_holds_it() {
    let row = tcp(("127.0.0.1", 22), ("127.0.0.1", 4));
    let holder = |comm: &[u8], pid, tid, fd| Holder {
        process: Process { pid, comm: Comm::from_bytes(comm) },
        tid,
        fd,
    };
    let users = [holder(b"my sshd", 1234, Some(1235), 3), holder(b"a\x1b[m\"b", 77, Some(77), 10)];
    let text = |users: &[Holder], style: Users| {
        let show = Show { users: Some(style), ..Show::default() };
        table_of(&[Row { users, ..Row::of(&row) }], show, &mut Known, None, false)
    };
    let plain = Users::default();
    assert_eq!(
        text(&users, plain),
        "127.0.0.1:ssh 127.0.0.1:4 users:((\"my sshd\",pid=1234,fd=3),(\"a\\033[m\"b\",pid=77,fd=10))\n"
    );
    assert_eq!(text(&[], plain), "127.0.0.1:ssh 127.0.0.1:4\n");
    assert_eq!(
        text(&users[..1], Users { threads: true, process_context: true, socket_context: true }),
        "127.0.0.1:ssh 127.0.0.1:4 \
         users:((\"my sshd\",pid=1234,tid=1235,proc_ctx=unconfined_t,fd=3,sock_ctx=socket_t))\n"
    );
}

#[test]
fn identity_marks_and_timers() {
    fn check(socket: &Socket, show: Show, expected: &str) {
        assert_eq!(details(socket, show), expected);
    }
    let extended = Show { extended: true, timers: true, ..Show::default() };
    let plain = tcp(("127.0.0.1", 1), ("127.0.0.1", 2));
    check(&plain, extended, " uid:1000 ino:100 sk:abc");
    let root = Socket { uid: Some(0), ..plain.clone() };
    check(&root, extended, " ino:100 sk:abc");
    let full = Detail {
        timer: Some(Timer { kind: TimerKind::Keepalive, expires_ms: 7_180_950, retrans: 0 }),
        mark: Some(0x2a),
        cgroup_id: Some(9),
        shutdown: Some(Shutdown { receive: true, send: false }),
        ..Detail::default()
    };
    check(
        &with(plain.clone(), full.clone()),
        extended,
        " timer:(keepalive,119min,0) uid:1000 ino:100 sk:abc fwmark:0x2a cgroup:/user.slice -->",
    );
    let six = Socket { v6only: Some(false), ..with(tcp(("::1", 1), ("::1", 2)), full) };
    check(
        &six,
        extended,
        " timer:(keepalive,119min,0) uid:1000 ino:100 sk:abc fwmark:0x2a cgroup:/user.slice v6only:0 -->",
    );
    let timer = |kind, proto| {
        let timer = Some(Timer { kind, expires_ms: 40, retrans: 2 });
        Socket { proto, ..with(plain.clone(), Detail { timer, ..Detail::default() }) }
    };
    let timers = Show { timers: true, ..Show::default() };
    check(&timer(TimerKind::On, Proto::Tcp), timers, " timer:(on,040ms,2)");
    check(&timer(TimerKind::Persist, Proto::Tcp), timers, " timer:(persist,040ms,2)");
    check(&timer(TimerKind::TimeWait, Proto::Tcp), timers, " timer:(timewait,040ms,2)");
    check(&timer(TimerKind::Other(5), Proto::Tcp), timers, " timer:(delack,040ms,2)");
    check(&timer(TimerKind::Other(9), Proto::Tcp), timers, " timer:(unknown,040ms,2)");
    check(&timer(TimerKind::On, Proto::Sctp), timers, " timer:(T3_RTX,040ms,2)");
    let tos = Detail { tos: Some(0x10), tclass: Some(0), class_id: Some(0x1f), ..Detail::default() };
    check(
        &with(plain.clone(), tos),
        Show { tos: true, ..Show::default() },
        " tos:0x10 tclass:0 class_id:0x1f",
    );
    let options = Detail { sockopt: Some([0b1000_0011, 0b101]), ..Detail::default() };
    check(
        &with(plain, options),
        Show { sockopt: true, ..Show::default() },
        "\n\tinet-sockopt: ( recverr is_icsk nodefrag bind_addr_no_port defer_connect)",
    );
}

/// A `tcp_info` with these members.
fn tcp_info(length: usize, members: &[(info::Member, u64)]) -> Box<[u8]> {
    let mut bytes = vec![0; length];
    for (member, value) in members {
        member.put(&mut bytes, *value);
    }
    bytes.into()
}

#[test]
fn every_token_of_tcp_in_order() {
    use info::tcp as t;
    let show = Show { info: true, timers: true, memory: true, oneline: true, ..Show::default() };
    let everything = tcp_info(
        280,
        &[
            (t::OPTIONS, 0x7f),
            (t::SND_WSCALE, 7),
            (t::RCV_WSCALE, 8),
            (t::RTO, 204_000),
            (t::BACKOFF, 2),
            (t::RTT, 12_345),
            (t::RTTVAR, 6_000),
            (t::ATO, 40_000),
            (t::SND_MSS, 1448),
            (t::PMTU, 1500),
            (t::RCV_MSS, 536),
            (t::ADVMSS, 1449),
            (t::SND_CWND, 10),
            (t::SND_SSTHRESH, 20),
            (t::BYTES_SENT, 1),
            (t::BYTES_RETRANS, 2),
            (t::BYTES_ACKED, 3),
            (t::BYTES_RECEIVED, 4),
            (t::SEGS_OUT, 5),
            (t::SEGS_IN, 6),
            (t::DATA_SEGS_OUT, 7),
            (t::DATA_SEGS_IN, 8),
            (t::LAST_DATA_SENT, 9),
            (t::LAST_DATA_RECV, 10),
            (t::LAST_ACK_RECV, 11),
            (t::PACING_RATE, 1_000_000),
            (t::MAX_PACING_RATE, 2_000_000),
            (t::DELIVERY_RATE, 500),
            (t::DELIVERED, 12),
            (t::DELIVERED_CE, 13),
            (t::DELIVERY_RATE_APP_LIMITED, 1),
            (t::BUSY_TIME, 8_000),
            (t::RWND_LIMITED, 4_000),
            (t::SNDBUF_LIMITED, 1_000),
            (t::UNACKED, 14),
            (t::RETRANS, 15),
            (t::TOTAL_RETRANS, 16),
            (t::LOST, 17),
            (t::SACKED, 18),
            (t::DSACK_DUPS, 19),
            (t::FACKETS, 20),
            (t::REORDERING, 5),
            (t::REORD_SEEN, 21),
            (t::RCV_RTT, 1_500),
            (t::RCV_SPACE, 22),
            (t::RCV_SSTHRESH, 23),
            (t::NOTSENT_BYTES, 24),
            (t::MIN_RTT, 25),
            (t::RCV_OOOPACK, 26),
            (t::SND_WND, 27),
            (t::RCV_WND, 28),
            (t::REHASH, 29),
        ],
    );
    let detail = Detail {
        skmem: Some(vec![0, 131_072, 0, 87_040, 0, 0, 0, 0, 3]),
        congestion: Some("cubic".into()),
        info: Some(everything),
        ..Detail::default()
    };
    let row = with(tcp(("127.0.0.1", 1), ("127.0.0.1", 2)), detail);
    assert_eq!(
        details(&row, show),
        " skmem:(r0,rb131072,t0,tb87040,f0,w0,o0,bl0,d3) ts usec_ts sack ecn ecnseen fastopen cubic wscale:7,8 rto:204 \
         backoff:2 rtt:12.345/6 ato:40 mss:1448 pmtu:1500 rcvmss:536 advmss:1449 cwnd:10 ssthresh:20 bytes_sent:1 \
         bytes_retrans:2 bytes_acked:3 bytes_received:4 segs_out:5 segs_in:6 data_segs_out:7 data_segs_in:8 \
         send 9.38Mbps lastsnd:9 lastrcv:10 lastack:11 pacing_rate 8Mbps/16Mbps delivery_rate 4kbps delivered:12 \
         delivered_ce:13 app_limited busy:8ms rwnd_limited:4ms(50.0%) sndbuf_limited:1ms(12.5%) unacked:14 \
         retrans:15/16 lost:17 sacked:18 dsack_dups:19 fackets:20 reordering:5 reord_seen:21 rcv_rtt:1.5 rcv_space:22 \
         rcv_ssthresh:23 notsent:24 minrtt:0.025 rcv_ooopack:26 snd_wnd:27 rcv_wnd:28 rehash:29"
    );
    assert!(details(&row, Show { numeric: true, ..show }).contains(" send 9383556bps "));
}

#[test]
fn tcp_tokens_that_follow_no_simple_rule() {
    use info::tcp as t;
    fn check(state: State, detail: Detail, expected: &str) {
        let show = Show { info: true, oneline: true, ..Show::default() };
        let row = Socket { state, ..with(tcp(("127.0.0.1", 1), ("127.0.0.1", 2)), detail) };
        assert_eq!(details(&row, show), expected);
    }
    let of = |members: &[(info::Member, u64)]| Detail {
        info: Some(tcp_info(280, &[members, &[(t::REORDERING, 3)]].concat())),
        ..Detail::default()
    };
    let established = State::Established;
    check(established, of(&[(t::RTO, 3_000_000)]), "");
    check(established, of(&[(t::SND_SSTHRESH, 0xffff)]), "");
    check(established, of(&[(t::MIN_RTT, u32::MAX.into())]), "");
    check(established, of(&[(t::PACING_RATE, u64::MAX)]), "");
    check(established, of(&[(t::PACING_RATE, 1), (t::MAX_PACING_RATE, u64::MAX)]), " pacing_rate 8bps");
    check(established, of(&[(t::TOTAL_RETRANS, 2)]), " retrans:0/2");
    check(State::Listen, of(&[(t::UNACKED, 1), (t::SACKED, 128)]), " unacked:1");
    // The flags of what was negotiated need -o.
    check(established, of(&[(t::OPTIONS, 3)]), "");
    // An older kernel's shorter struct: the rest counts as 0, and a reordering of 0 is shown.
    let short = Detail { info: Some(tcp_info(60, &[(t::RTO, 200_000)])), ..Detail::default() };
    check(established, short, " rto:200 reordering:0");
    let nothing = Detail { info: None, ..Detail::default() };
    check(established, nothing, "");

    let words = |words: &[u32]| -> Option<Box<[u8]>> {
        Some(words.iter().flat_map(|word| word.to_ne_bytes()).collect())
    };
    let base = of(&[(t::SND_CWND, 10), (t::SND_MSS, 1000), (t::RTT, 1000)]);
    let vegas = Detail { vegas: words(&[1, 5, 2000, 1]), ..base.clone() };
    check(established, vegas, " rtt:1/0 mss:1000 cwnd:10 send 40Mbps");
    let unused = Detail { vegas: words(&[1, 5, 0x7fff_ffff, 1]), ..base.clone() };
    check(established, unused, " rtt:1/0 mss:1000 cwnd:10 send 80Mbps");
    let dctcp = Detail { dctcp: words(&[0x0002_0001, 512, 3, 4]), ..of(&[]) };
    check(established, dctcp, " dctcp:(ce_state:2,alpha:512,ab_ecn:3,ab_tot:4)");
    let fallback = Detail { dctcp: words(&[0, 0, 0, 0]), ..of(&[]) };
    check(established, fallback, " dctcp:fallback_mode");
    let bbr = Detail { bbr: words(&[0, 1, 25_000, 739, 0]), ..of(&[]) };
    check(established, bbr, " bbr:(bw:34.4Gbps,mrtt:25,pacing_gain:2.88672)");
}

#[test]
fn keys_and_upper_layers() {
    fn check(detail: Detail, expected: &str) {
        let show = Show { info: true, oneline: true, ..Show::default() };
        assert_eq!(details(&with(tcp(("127.0.0.1", 1), ("127.0.0.1", 2)), detail), show), expected);
    }
    let mut key = vec![0; 100];
    key[..8].copy_from_slice(&[2, 24, 9, 0, 192, 0, 2, 0]);
    key[20..29].copy_from_slice(b"a,b \\c\x01de");
    let mut six = vec![0; 100];
    six[..4].copy_from_slice(&[10, 128, 1, 0]);
    six[19] = 1;
    six[20] = b'k';
    let md5 = Some([key, six].concat().into());
    check(Detail { md5, ..Detail::default() }, " md5keys:192.0.2.0/24=a\\054b\\040\\134c\\001de,::1/128=k");

    let attribute = |kind: u16, payload: &[u8]| {
        let mut bytes = ((payload.len() + 4) as u16).to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(payload);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    };
    let tls = [
        attribute(1, &0x0304u16.to_ne_bytes()),
        attribute(2, &52u16.to_ne_bytes()),
        attribute(3, &2u16.to_ne_bytes()),
        attribute(4, &9u16.to_ne_bytes()),
        attribute(5, &[]),
        attribute(6, &[]),
    ]
    .concat();
    let ulp = Some([attribute(1, b"tls\0"), attribute(2 | 0x8000, &tls)].concat().into());
    check(
        Detail { ulp, ..Detail::default() },
        " tcp-ulp-tls version: 1.3 cipher: aes-gcm-256 rxconf: unknown(9) txconf: sw zc_ro_tx no_pad_rx",
    );
    let subflow = [
        attribute(1, &0xbb_u32.to_ne_bytes()),
        attribute(2, &0xcccc_dddd_u32.to_ne_bytes()),
        attribute(4, &77u64.to_ne_bytes()),
        attribute(5, &5u32.to_ne_bytes()),
        attribute(6, &6u32.to_ne_bytes()),
        attribute(7, &300u16.to_ne_bytes()),
        attribute(8, &0b1_1100_0011u32.to_ne_bytes()),
        attribute(9, &[1]),
        attribute(10, &[2]),
    ]
    .concat();
    let ulp = Some([attribute(1, b"mptcp\0"), attribute(3, &subflow)].concat().into());
    check(
        Detail { ulp, ..Detail::default() },
        " tcp-ulp-mptcp flags:Mmecv token:00bb(id:1)/ccccdddd(id:2) seq:77 sfseq:5 ssnoff:6 maplen:300",
    );
}

#[test]
fn what_bpf_programs_stored() {
    let attribute = |kind: u16, payload: &[u8]| {
        let mut bytes = ((payload.len() + 4) as u16).to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(payload);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    };
    let entry = [attribute(2, &7u32.to_ne_bytes()), attribute(3, &[1, 0xab])].concat();
    let block = attribute(1 | 0x8000, &entry).into();
    let row = with(
        tcp(("127.0.0.1", 1), ("127.0.0.1", 2)),
        Detail { bpf_storages: Some(block), ..Detail::default() },
    );
    assert_eq!(details(&row, Show::default()), "\n\tmap_id:7 [ 01 ab ]");
    assert_eq!(details(&row, Show { oneline: true, ..Show::default() }), " map_id:7 [ 01 ab ]");
}

#[test]
fn sctp_associations_stand_under_their_endpoint() {
    use info::sctp as s;
    let row = |state, inode| Socket {
        inode,
        ..socket(Proto::Sctp, Family::Inet, State::from_number(state), end("10.0.0.1", 5), end("10.0.0.2", 6))
    };
    let (endpoint, association, other) = (row(10, 7), row(3, 7), row(10, 8));
    let rows = [Row::of(&endpoint), Row::of(&association), Row::of(&other)];
    assert_eq!(
        table_of(&rows, show(), &mut NoNames, None, false),
        "sctp LISTEN   0      0      10.0.0.1:5 10.0.0.2:6\n     \
         `- ESTAB 0      0      10.0.0.1:5 10.0.0.2:6\n\
         sctp LISTEN   0      0      10.0.0.1:5 10.0.0.2:6\n"
    );
    let mut address = vec![0; 256];
    address[..8].copy_from_slice(&[2, 0, 0, 5, 10, 0, 0, 1]);
    address[128] = 10;
    address[128 + 23] = 1;
    let mut bytes = vec![0; 368];
    for (member, value) in
        [(s::TAG, 0xab), (s::STATE, 3), (s::RWND, 65536), (s::PEER_TAG, 0xcd), (s::S_NODELAY, 1)]
    {
        member.put(&mut bytes, value);
    }
    let detail = Detail { locals: Some(address.into()), info: Some(bytes.into()), ..Detail::default() };
    let info = Show { info: true, oneline: true, ..Show::default() };
    assert_eq!(
        details(&with(association, detail), info),
        " locals:10.0.0.1,::1 tag:ab state:ESTAB rwnd:65536 ptag:cd nodelay:1"
    );
}

#[test]
fn details_of_families_that_stay_on_the_machine() {
    let words = |words: &[u32]| -> Box<[u8]> { words.iter().flat_map(|word| word.to_ne_bytes()).collect() };
    let all =
        Show { extended: true, timers: true, memory: true, bpf: true, tipcinfo: true, ..Show::default() };
    let oneline = Show { oneline: true, ..all };
    let memory = Some(vec![1, 2, 3, 4, 5, 6, 7]);

    let unix = with(
        socket(
            Proto::UnixStream,
            Family::Unix,
            State::Listen,
            Endpoint::Unix { name: UnixName::from_bytes(b"/x"), inode: 1 },
            Endpoint::Unix { name: UnixName::default(), inode: 0 },
        ),
        Detail {
            shutdown: Some(Shutdown::default()),
            unix_vfs: Some((8 << 20 | 2, 55)),
            unix_queue: Some(vec![3, 4]),
            skmem: memory.clone(),
            ..Detail::default()
        },
    );
    assert_eq!(details(&unix, all), " skmem:(r1,rb2,t3,tb4,f5,w6,o7) <-> ino:55 dev:8/2 peers: 3 4");

    let packet = with(
        socket(
            Proto::PacketRaw,
            Family::Packet,
            State::Close,
            Endpoint::Packet { protocol: 3, ifindex: 0 },
            Endpoint::None,
        ),
        Detail {
            raw: vec![
                (0, words(&[0, 2, 0, 9, 0, 0b1_0011])),
                (2, words(&[4096, 2, 2048, 4, 50, 0, 1])),
                (4, words(&[7 | 1 << 16])),
                (7, words(&[0x20, 0, 6, 0xffff])),
            ],
            skmem: memory,
            ..Detail::default()
        },
    );
    assert_eq!(
        details(&packet, all),
        " uid:1000 ino:100 sk:abc\n\tver:2 cpy_thresh:9 flags( running auxdata loss )\n\
         \tring_rx(blk_size:4096,blk_nr:2,frm_size:2048,frm_nr:4,tmo:50,features:0x1)\n\tfanout(id:7,type:lb)\n\
         \tbpf filter (2):  0x20 0 0 0, 0x06 0 0 65535, skmem:(r1,rb2,t3,tb4,f5,w6,o7)"
    );
    assert!(details(&packet, oneline).contains(" fanout(id:7,type:lb) bpf filter (2): "));

    let netlink = with(
        socket(
            Proto::Netlink,
            Family::Netlink,
            State::Close,
            Endpoint::Netlink { protocol: 0, portid: 0 },
            Endpoint::None,
        ),
        Detail { raw: vec![(1, words(&[0x11, 0]))], ..Detail::default() },
    );
    assert_eq!(details(&netlink, all), " sk=0 cb=0 groups=0x00000011\t");
    let with_users = Show { users: Some(Users::default()), ..all };
    assert_eq!(details(&netlink, with_users), " sk=0 cb=0 groups=0x00000011\t");

    let xdp = with(
        socket(Proto::Xdp, Family::Xdp, State::Close, Endpoint::Xdp { ifindex: 2, queue: 0 }, Endpoint::None),
        Detail {
            raw: vec![
                (3, words(&[64])),
                (5, words(&[4096, 0, 1, 2, 2048, 3, 4, 5, 1, 6])),
                (6, words(&[128])),
                (9, words(&[1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0])),
            ],
            ..Detail::default()
        },
    );
    assert_eq!(
        details(&xdp, oneline),
        " uid:1000 ino:100 sk:abc rx(entries:64) \
         umem(id:1,size:4096,num_pages:2,chunk_size:2048,headroom:3,ifindex:4,qid:5,zc:1,refs:6) fr(entries:128) \
         stats(rx dropped:1,rx invalid:2,rx queue full:3,rx fill ring empty:4,tx invalid:5,tx ring empty:6)"
    );

    let tipc = with(
        socket(
            Proto::TipcStream,
            Family::Tipc,
            State::Established,
            Endpoint::Tipc { node: 1, reference: 2 },
            Endpoint::Tipc { node: 3, reference: 4 },
        ),
        Detail {
            raw: vec![
                (3, words(&[4 | 1 << 16, 8 | 4 << 16, 18, 8 | 5 << 16, 19])),
                (4, Box::default()),
                (5, words(&[4 | 3 << 16, 8 | 4 << 16, 12])),
            ],
            ..Detail::default()
        },
    );
    assert_eq!(
        details(&tipc, oneline),
        " uid:1000 ino:100 sk:abc type:STREAM cong:conn  drop:12  publ via {18,19}"
    );
}

#[test]
fn rows_of_procfs_have_no_second_line() {
    let all = Show { extended: true, timers: true, memory: true, info: true, ..Show::default() };
    let row = Socket { cookie: 0, ..tcp(("127.0.0.1", 1), ("127.0.0.1", 2)) };
    assert_eq!(details(&row, all), " uid:1000 ino:100 sk:0");
    assert_eq!(details(&Socket { proto: Proto::Raw(255), ..row }, all), "");
}

#[test]
fn a_later_batch_is_never_narrower() {
    let mut table = Table::new(Show { numeric: true, ..show() });
    let (long, short) =
        (tcp(("192.168.100.100", 50000), ("127.0.0.1", 2)), tcp(("127.0.0.1", 1), ("127.0.0.1", 2)));
    let mut out = Vec::new();
    table.push(Row::of(&long), &mut NoNames);
    table.write(&mut out, None).unwrap();
    table.push(Row::of(&short), &mut NoNames);
    table.write(&mut out, None).unwrap();
    assert_eq!(
        String::from_utf8(out).unwrap(),
        "tcp ESTAB 0      0      192.168.100.100:50000 127.0.0.1:2\n\
         tcp ESTAB 0      0            127.0.0.1:1     127.0.0.1:2\n"
    );
}

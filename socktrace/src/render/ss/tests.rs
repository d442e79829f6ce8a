//! Golden rows: sockets in, the table out.

mod others;
mod tcp;

use std::net::IpAddr;

use super::*;
use crate::api::screen::Screen;
use crate::api::sockets::show::Users;
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
            Named::Interface { .. } => b"eth0",
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
    screen: Option<u16>,
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
    table.write(&mut out, screen.and_then(Screen::of)).unwrap();
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
        "127.0.0.1:ssh 127.0.0.1:4 users:((\"my sshd\",pid=1234,fd=3),(\"a\\033[m\\\"b\",pid=77,fd=10))\n"
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

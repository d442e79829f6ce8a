//! sock_diag against real sockets: each is found by the cookie that the kernel tells its owner.

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::ops::ControlFlow;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::path::Path;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, setsockopt, socket, sockopt};
use socktrace::kernel::netns::{self, Netns};
use socktrace::kernel::procfs_net::{self, ProcTable};
use socktrace::kernel::sock_diag::{
    DestroyEvents, Destroyed, DiagError, Groups, InetId, InetQuery, InetTable, IpVersion, Received, SockDiag,
    UnixQuery, Want, replay,
};
use socktrace::socket::{Endpoint, Family, Proto, Socket, State, StateSet, UnixName, info};

use crate::support::{cookie, in_own_netns, netns_cookie};

/// The rows of a table, of both IPs.
fn inet(table: InetTable, states: StateSet, want: Want) -> Vec<Socket> {
    let mut diag = SockDiag::open().expect("netlink");
    let mut rows = Vec::new();
    for ip in IpVersion::BOTH {
        let query = InetQuery { want, ..InetQuery::new(table, ip, states) };
        let answer = diag.inet(&query, |row| {
            rows.push(row.to_socket(want).expect("well-formed"));
            ControlFlow::Continue(())
        });
        assert!(!answer.expect("an answer").stopped);
    }
    rows
}

fn tcp(want: Want) -> Vec<Socket> {
    inet(InetTable::Tcp, StateSet::ALL, want)
}

fn unix(want: Want) -> Vec<Socket> {
    let query = UnixQuery { states: StateSet::ALL, want };
    collect(|diag, each| diag.unix(&query, each))
}

/// The rows that a dump gives.
fn collect(
    dump: impl FnOnce(
        &mut SockDiag,
        &mut dyn FnMut(Socket) -> ControlFlow<()>,
    ) -> Result<socktrace::kernel::netlink::Answer, DiagError>,
) -> Vec<Socket> {
    let mut rows = Vec::new();
    let mut diag = SockDiag::open().expect("netlink");
    let _ = dump(&mut diag, &mut |row| {
        rows.push(row);
        ControlFlow::Continue(())
    })
    .expect("an answer");
    rows
}

fn find(rows: &[Socket], socket: &impl AsRawFd) -> Socket {
    let cookie = cookie(socket);
    rows.iter().find(|row| row.cookie == cookie).expect("the socket is listed").clone()
}

fn endpoint(address: SocketAddr) -> Endpoint {
    Endpoint::Inet { addr: address.ip(), port: address.port() }
}

/// The row that a point look-up finds is the one that the dump has.
fn check_found(row: &Socket) {
    let mut diag = SockDiag::open().expect("netlink");
    let id = InetId::of(row).expect("an IP socket");
    let found = diag.find(&id, Want::NONE).expect("an answer").expect("the socket is there");
    assert_eq!(found, Socket { detail: None, ..row.clone() });
    let other = InetId { cookie: row.cookie ^ 1 << 40, ..id };
    assert_eq!(diag.find(&other, Want::NONE).expect("an answer"), None, "another cookie");
}

/// A connected pair over an address: listener, client, accepted.
fn pair(address: &str) -> (TcpListener, TcpStream, TcpStream) {
    let listener = TcpListener::bind(address).expect("loopback");
    let client = TcpStream::connect(listener.local_addr().expect("bound")).expect("a listener");
    let (accepted, _) = listener.accept().expect("a client");
    (listener, client, accepted)
}

#[test]
fn listeners_of_both_ips_are_listed() {
    // A socket that is bound to an IPv6 address serves nothing else (net/ipv6/af_inet6.c, `__inet6_bind`).
    for (address, v6only) in [("127.0.0.1:0", None), ("[::1]:0", Some(true)), ("[::]:0", Some(false))] {
        let listener = TcpListener::bind(address).expect("loopback");
        let row = find(&inet(InetTable::Tcp, StateSet::of(State::Listen), Want::NONE), &listener);
        assert_eq!(row.local, endpoint(listener.local_addr().expect("bound")));
        assert_eq!((row.state, row.recv_q, row.send_q), (State::Listen, 0, 128));
        assert_eq!((row.v6only, &row.detail), (v6only, &None));
        assert_eq!(Some(row.netns), netns::current().ok());
        check_found(&row);
    }
}

#[test]
fn a_connection_has_two_ends_and_its_unread_bytes() {
    for (address, family) in [("127.0.0.1:0", Family::Inet), ("[::1]:0", Family::Inet6)] {
        let (_listener, mut client, accepted) = pair(address);
        client.write_all(b"unread").expect("a peer");
        let rows = tcp(Want { info: true, memory: true, ..Want::NONE });
        let (near, far) = (find(&rows, &client), find(&rows, &accepted));
        assert_eq!((&near.local, &near.peer), (&far.peer, &far.local));
        assert_eq!((near.family, near.state, near.proto), (family, State::Established, Proto::Tcp));
        assert_eq!((near.recv_q, far.recv_q), (0, 6));
        let detail = far.detail.as_deref().expect("details were wanted");
        let tcp_info = detail.info.as_deref().expect("tcp_info");
        assert_eq!(info::tcp::BYTES_RECEIVED.of(tcp_info), Some(6));
        assert_eq!(detail.skmem.as_deref().map(<[u32]>::len), Some(9));
        assert!(detail.congestion.is_some() && detail.cgroup_id.is_none());
        check_found(&near);
        check_found(&far);
    }
}

#[test]
fn a_v4_mapped_connection_stays_ipv6() {
    let listener = TcpListener::bind("[::]:0").expect("loopback");
    let port = listener.local_addr().expect("bound").port();
    let client = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("a listener");
    let (accepted, _) = listener.accept().expect("a client");
    let row = find(&tcp(Want::NONE), &accepted);
    assert_eq!(row.local, endpoint(SocketAddr::new(Ipv4Addr::LOCALHOST.to_ipv6_mapped().into(), port)));
    assert_eq!(row.family, Family::Inet6);
    check_found(&row);
    drop(client);
}

#[test]
fn udp_is_found_connected_or_not() {
    let receiver = UdpSocket::bind("127.0.0.1:0").expect("loopback");
    let sender = UdpSocket::bind("127.0.0.1:0").expect("loopback");
    sender.connect(receiver.local_addr().expect("bound")).expect("udp connects at once");
    sender.send(b"some bytes").expect("a receiver");
    let v6 = UdpSocket::bind("[::1]:0").expect("loopback");
    let rows = inet(InetTable::Udp, StateSet::ALL, Want::ALL);
    for (socket, state, peer) in [
        (&receiver, State::Close, None),
        (&sender, State::Established, receiver.local_addr().ok()),
        (&v6, State::Close, None),
    ] {
        let row = find(&rows, socket);
        assert_eq!((row.state, &row.local), (state, &endpoint(socket.local_addr().expect("bound"))));
        assert_eq!(row.peer.inet().filter(|&(_, port)| port != 0), peer.map(|p| (p.ip(), p.port())));
        let skmem = row.detail.as_deref().and_then(|detail| detail.skmem.as_deref());
        assert_eq!(skmem.and_then(|skmem| skmem.first()), Some(&row.recv_q));
        check_found(&row);
    }
    assert!(find(&rows, &receiver).recv_q >= 10);
}

#[test]
fn time_wait_keeps_the_cookie_and_has_a_timer() {
    in_own_netns(|| {
        let (_listener, client, accepted) = pair("127.0.0.1:0");
        let old = cookie(&client);
        drop(client);
        drop(accepted);
        let rows = inet(InetTable::Tcp, StateSet::of(State::TimeWait), Want::ALL);
        let [row] = rows.as_slice() else { panic!("one mini-socket, not {rows:?}") };
        // The mini-socket inherits it (net/ipv4/inet_timewait_sock.c, `inet_twsk_alloc`).
        assert_eq!((row.state, row.inode, row.cookie), (State::TimeWait, 0, old));
        let timer = row.detail.as_deref().and_then(|detail| detail.timer).expect("a timer runs");
        assert!(timer.expires_ms <= 60_000, "{timer:?}");
    });
}

#[test]
fn a_request_socket_is_listed_while_the_listener_waits_for_data() {
    in_own_netns(|| {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
        // With a deferred accept the handshake's last ACK is dropped, and the request stays.
        // SAFETY: the pointer is to a c_int of the length that is told, live during the call.
        let done = unsafe {
            let seconds: libc::c_int = 30;
            let length = size_of::<libc::c_int>() as libc::socklen_t;
            let fd = listener.as_raw_fd();
            libc::setsockopt(fd, 6, libc::TCP_DEFER_ACCEPT, (&raw const seconds).cast(), length)
        };
        assert_eq!(done, 0, "TCP_DEFER_ACCEPT");
        let client = TcpStream::connect(listener.local_addr().expect("bound")).expect("a listener");
        let rows = inet(InetTable::Tcp, StateSet::of(State::SynRecv), Want::NONE);
        let [row] = rows.as_slice() else { panic!("one request socket, not {rows:?}") };
        assert_eq!(row.state, State::SynRecv);
        assert_eq!(row.peer, endpoint(client.local_addr().expect("connected")));
    });
}

#[test]
fn a_socket_that_is_only_bound_is_asked_for_by_a_state_of_its_own() {
    in_own_netns(|| {
        let bound = socket(AddressFamily::Inet, SockType::Stream, SockFlag::empty(), None).expect("tcp");
        let any = nix::sys::socket::SockaddrIn::new(127, 0, 0, 1, 4711);
        nix::sys::socket::bind(bound.as_raw_fd(), &any).expect("a free port");
        let row = find(&inet(InetTable::Tcp, StateSet::of(State::BoundInactive), Want::NONE), &bound);
        // 13 is only what one asks with; the row says what the socket says.
        assert_eq!((row.state, row.local.port()), (State::Close, 4711));
        assert!(inet(InetTable::Tcp, StateSet::of(State::Close), Want::NONE).is_empty());
    });
}

#[test]
fn mptcp_connections_and_their_subflows_are_apart() {
    in_own_netns(|| {
        let fd = |_| socket_of(libc::AF_INET, libc::SOCK_STREAM, 262);
        let [listener, client] = [0, 1].map(fd);
        let address = nix::sys::socket::SockaddrIn::new(127, 0, 0, 1, 4712);
        nix::sys::socket::bind(listener.as_raw_fd(), &address).expect("a free port");
        nix::sys::socket::listen(&listener, nix::sys::socket::Backlog::new(1).expect("small"))
            .expect("bound");
        nix::sys::socket::connect(client.as_raw_fd(), &address).expect("a listener");
        let row = find(&inet(InetTable::Mptcp, StateSet::ALL, Want::ALL), &client);
        assert_eq!((row.proto, row.state, row.peer.port()), (Proto::Mptcp, State::Established, 4712));
        assert!(row.detail.as_deref().is_some_and(|detail| detail.info.is_some()));
        let mut diag = SockDiag::open().expect("netlink");
        let found = diag.find(&InetId::of(&row).expect("an IP socket"), Want::NONE).expect("an answer");
        assert_eq!(found.map(|found| found.cookie), Some(row.cookie));
        let subflows = tcp(Want::ALL);
        let subflow = subflows.iter().find(|s| s.peer.port() == 4712).expect("a subflow");
        assert!(subflow.detail.as_deref().is_some_and(|detail| detail.ulp.is_some()));
    });
}

#[test]
fn a_filter_in_the_kernel_narrows() {
    in_own_netns(|| {
        let listeners = ["127.0.0.1:4713", "127.0.0.1:4714"].map(|a| TcpListener::bind(a).expect("free"));
        // INET_DIAG_BC_S_EQ (11): yes, skip these 8 bytes; no, skip beyond the end. Then the port, as a u16 in
        // the place of an operation's `no`.
        let port = 4714u16.to_ne_bytes();
        let bytecode = [11, 8, 12, 0, 0, 0, port[0], port[1]];
        let query =
            InetQuery { bytecode: &bytecode, ..InetQuery::new(InetTable::Tcp, IpVersion::V4, StateSet::ALL) };
        let mut ports = Vec::new();
        let mut diag = SockDiag::open().expect("netlink");
        let _ = diag
            .inet(&query, |row| {
                ports.push(row.local_port());
                ControlFlow::Continue(())
            })
            .expect("the kernel knows the bytecode");
        assert_eq!(ports, [4714]);
        drop(listeners);
    });
}

#[test]
fn a_reader_may_stop_and_ask_again() {
    in_own_netns(|| {
        let listeners: Vec<_> = (0..2000).map(|_| TcpListener::bind("127.0.0.1:0").expect("free")).collect();
        let mut diag = SockDiag::open().expect("netlink");
        let query = InetQuery::new(InetTable::Tcp, IpVersion::V4, StateSet::ALL);
        for stop_after in [1, 700, 3] {
            let mut rows = 0;
            let answer = diag.inet(&query, |_| {
                rows += 1;
                if rows == stop_after { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            });
            assert!(answer.expect("an answer").stopped && rows == stop_after);
        }
        let mut rows = 0;
        let answer = diag.inet(&query, |_| {
            rows += 1;
            ControlFlow::Continue(())
        });
        assert!(!answer.expect("an answer").stopped);
        assert_eq!(rows, listeners.len());
    });
}

#[test]
fn a_closed_socket_is_closed_and_told_and_gone() {
    in_own_netns(|| {
        let mut events = DestroyEvents::open(Groups::TCP).expect("no privilege needed");
        let (_listener, client, _accepted) = pair("127.0.0.1:0");
        let row = find(&tcp(Want::NONE), &client);
        let id = InetId::of(&row).expect("an IP socket");
        let mut diag = SockDiag::open().expect("netlink");
        assert_eq!(diag.destroy(&id).expect("root may"), Destroyed::Closed);
        assert_eq!(diag.destroy(&id).expect("root may"), Destroyed::Gone);
        assert_eq!(client.take_error().expect("an option").and_then(|e| e.raw_os_error()), Some(103));
        drop(client);

        let mut told = Vec::new();
        while !told.iter().any(|socket: &Socket| socket.cookie == row.cookie) {
            let received = events.receive(|row| told.push(row.to_socket(Want::ALL).expect("well-formed")));
            assert_eq!(received.expect("a socket"), Received::Rows);
        }
        let last = told.iter().find(|socket| socket.cookie == row.cookie).expect("it was told");
        assert_eq!((last.proto, last.local.port()), (Proto::Tcp, row.local.port()));
        assert!(last.detail.as_deref().is_some_and(|detail| detail.info.is_some()));
    });
}

#[test]
fn events_tell_udp_from_tcp() {
    in_own_netns(|| {
        let mut events = DestroyEvents::open(Groups::UDP.and(Groups::V6)).expect("no privilege needed");
        let socket = UdpSocket::bind("[::1]:0").expect("loopback");
        let (cookie, port) = (cookie(&socket), socket.local_addr().expect("bound").port());
        drop(socket);
        let mut told = None;
        while told.is_none() {
            let _ = events.receive(|row| told = Some((row.cookie(), row.proto(), row.local_port())));
        }
        assert_eq!(told, Some((cookie, Proto::Udp, port)));
    });
}

#[test]
fn what_nobody_reads_is_lost_and_told() {
    in_own_netns(|| {
        let mut events = DestroyEvents::open(Groups::ALL).expect("no privilege needed");
        setsockopt(&events, sockopt::RcvBuf, &1).expect("the smallest there is");
        // Each round destroys two hundred and reads once.
        let lost = (0..100).any(|_| {
            for _ in 0..200 {
                drop(UdpSocket::bind("127.0.0.1:0").expect("loopback"));
            }
            readable(&events) && events.receive(|_| {}).expect("a socket") == Received::Lost
        });
        assert!(lost);
        // It goes on: what is destroyed once the queue has been read is told. The kernel tells from a work queue,
        // so that the first ones may still run into the full queue.
        let goes_on = (0..100).any(|_| {
            drop(UdpSocket::bind("127.0.0.1:4715").expect("free"));
            let mut last = 0;
            while readable(&events) {
                let _ = events.receive(|row| last = row.local_port()).expect("a socket");
            }
            last == 4715
        });
        assert!(goes_on);
    });
}

/// Whether something comes within a tenth of a second.
fn readable(socket: &impl AsFd) -> bool {
    let mut wait = [PollFd::new(socket.as_fd(), PollFlags::POLLIN)];
    poll(&mut wait, 100u8).expect("poll") > 0
}

#[test]
fn unix_sockets_have_names_peers_and_queues() {
    let path = std::env::temp_dir().join(format!("socktrace-diag-{}.sock", std::process::id()));
    let listener = UnixListener::bind(&path).expect("a free path");
    let waiting = UnixStream::connect(&path).expect("a listener");
    let (mut left, right) = UnixStream::pair().expect("a pair");
    left.write_all(b"unread").expect("a peer");
    left.shutdown(std::net::Shutdown::Write).expect("connected");
    let name = format!("socktrace-{}\0abstract", std::process::id());
    let address = std::os::unix::net::SocketAddr::from_abstract_name(&name).expect("a short name");
    let dgram = UnixDatagram::bind_addr(&address).expect("a free name");
    let rows = unix(Want::ALL);
    let vfs = std::fs::metadata(&path).map(|m| std::os::unix::fs::MetadataExt::ino(&m) as u32);
    std::fs::remove_file(&path).expect("it was there");

    let row = find(&rows, &listener);
    let bound = UnixName::from_bytes(path.as_os_str().as_encoded_bytes());
    assert_eq!(row.local, Endpoint::Unix { name: bound, inode: row.inode });
    assert_eq!((row.state, row.proto, row.recv_q), (State::Listen, Proto::UnixStream, 1));
    let detail = row.detail.as_deref().expect("details were wanted");
    assert_eq!(detail.unix_vfs.map(|(_, inode)| inode), vfs.ok());
    assert_eq!(detail.unix_queue.as_deref().map(<[u32]>::len), Some(1));
    assert_eq!(row.uid, Some(nix::unistd::getuid().as_raw()));

    let [left, right, dgram, waiting] =
        [left.as_raw_fd(), right.as_raw_fd(), dgram.as_raw_fd(), waiting.as_raw_fd()]
            .map(|fd| find(&rows, &fd));
    assert_eq!(left.peer, Endpoint::Unix { name: UnixName::default(), inode: right.inode });
    assert_eq!((left.recv_q, right.recv_q), (0, 6));
    let shut = |row: &Socket| row.detail.as_deref().and_then(|d| d.shutdown).map(|s| (s.receive, s.send));
    assert_eq!((shut(&left), shut(&right)), (Some((false, true)), Some((true, false))));
    let Endpoint::Unix { name: abstract_name, .. } = &dgram.local else { panic!("a UNIX socket") };
    assert_eq!(abstract_name.as_bytes(), format!("\0{name}").as_bytes());
    assert_eq!((dgram.proto, waiting.state), (Proto::UnixDgram, State::Established));

    let mut diag = SockDiag::open().expect("netlink");
    for (cookie, expected) in [(left.cookie, true), (0, true), (left.cookie ^ 1 << 40, false)] {
        let found = diag.find_unix(left.inode, cookie, Want::ALL).expect("an answer");
        assert_eq!(found.map(|found| found.inode), expected.then_some(left.inode));
    }
}

#[test]
fn packet_and_netlink_sockets_are_listed() {
    in_own_netns(|| {
        let arp = 0x0806u16;
        let packet = socket_of(libc::AF_PACKET, libc::SOCK_DGRAM, i32::from(arp.to_be()));
        let row = find(&collect(|diag, each| diag.packet(Want::ALL, each)), &packet);
        assert_eq!((row.proto, row.family), (Proto::PacketDgram, Family::Packet));
        assert_eq!(row.local, Endpoint::Packet { protocol: arp, ifindex: 0 });
        let detail = row.detail.expect("details were wanted");
        assert!(detail.skmem.is_some() && detail.raw.iter().any(|(kind, _)| *kind == 0));

        let route = socket_of(libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_ROUTE);
        let address = nix::sys::socket::NetlinkAddr::new(0, 0b101);
        nix::sys::socket::bind(route.as_raw_fd(), &address).expect("groups are free for all");
        let row = find(&collect(|diag, each| diag.netlink(Want::ALL, each)), &route);
        let Endpoint::Netlink { protocol: 0, portid } = row.local else { panic!("{row:?}") };
        let own: nix::sys::socket::NetlinkAddr =
            nix::sys::socket::getsockname(route.as_raw_fd()).expect("bound");
        assert_eq!((portid, row.peer), (own.pid(), Endpoint::None));
        let groups = row.detail.expect("details were wanted").raw;
        let (_, groups) = groups.iter().find(|(kind, _)| *kind == 1).expect("GROUPS");
        assert_eq!(groups.first(), Some(&0b101));
    });
}

fn socket_of(family: libc::c_int, kind: libc::c_int, protocol: libc::c_int) -> OwnedFd {
    // SAFETY: socket(2) takes no pointers.
    let fd = unsafe { libc::socket(family, kind | libc::SOCK_CLOEXEC, protocol) };
    assert!(fd >= 0, "socket({family}, {kind}, {protocol}): {}", std::io::Error::last_os_error());
    // SAFETY: the kernel just gave us this descriptor and nobody else has it.
    unsafe { std::os::fd::FromRawFd::from_raw_fd(fd) }
}

#[test]
fn a_table_without_a_handler_is_not_an_empty_table() {
    let mut diag = SockDiag::open().expect("netlink");
    // No kernel has a handler for DCCP any more (removed in 6.16), and few have one for TIPC.
    let query = InetQuery::new(InetTable::Dccp, IpVersion::V4, StateSet::ALL);
    let answer = diag.inet(&query, |_| ControlFlow::Continue(()));
    if !Path::new("/proc/sys/net/dccp").exists() {
        assert!(matches!(answer, Err(DiagError::Unsupported("dccp"))), "{answer:?}");
    }
    if !Path::new("/proc/sys/net/tipc").exists() {
        let answer = diag.tipc(StateSet::ALL, Want::NONE, |_| ControlFlow::Continue(()));
        assert!(matches!(answer, Err(DiagError::Unsupported("tipc"))), "{answer:?}");
    }
}

#[test]
fn a_recorded_dump_replays() {
    in_own_netns(|| {
        let v4 = pair("127.0.0.1:0");
        let v6 = pair("[::1]:0");
        let mut diag = SockDiag::open().expect("netlink");
        let mut file = Vec::new();
        for ip in IpVersion::BOTH {
            let query = InetQuery { want: Want::ALL, ..InetQuery::new(InetTable::Tcp, ip, StateSet::ALL) };
            diag.record(&query, &mut file).expect("an answer");
        }
        let mut rows = Vec::new();
        replay(&file, diag.netns(), |row| {
            rows.push(row.to_socket(Want::NONE).expect("well-formed"));
            ControlFlow::Continue(())
        })
        .expect("well-formed");
        assert_eq!(rows, tcp(Want::NONE));
        assert_eq!(rows.len(), 6);
        drop((v4, v6));
    });
}

#[test]
fn a_namespace_is_listed_and_asked_from_outside() {
    let outside = netns::current().expect("own namespace");
    let (listener, inside, namespace_cookie, thread) = in_own_netns(|| {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
        let cookie = netns_cookie(&listener);
        (listener, Netns::current().expect("own namespace"), cookie, netns::current().ok())
    });
    // The thread is gone; the namespace lives by our handle and the socket.
    assert_eq!(Some(inside.id), thread);
    assert_ne!(inside.id, outside);
    assert_eq!(inside.cookie().expect("since Linux 5.14"), namespace_cookie);
    let mut diag = SockDiag::open_in(&inside).expect("root may enter");
    assert_eq!(diag.netns(), inside.id);
    let query = InetQuery::new(InetTable::Tcp, IpVersion::V4, StateSet::ALL);
    let mut cookies = Vec::new();
    let _ = diag
        .inet(&query, |row| {
            cookies.push(row.cookie());
            ControlFlow::Continue(())
        })
        .expect("an answer");
    assert_eq!(cookies, [cookie(&listener)]);
    assert_eq!(netns::current().ok(), Some(outside), "the asking thread stayed where it was");
}

#[test]
fn a_namespace_is_found_by_its_process() {
    // A child that waits in a namespace of its own until its input ends.
    let mut child = std::process::Command::new("unshare")
        .args(["--net", "sh", "-c", "echo up; read line"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("util-linux");
    let mut up = [0; 3];
    let mut output = child.stdout.take().expect("piped");
    std::io::Read::read_exact(&mut output, &mut up).expect("the child is up");
    let netns = Netns::of_process(Path::new("/proc"), child.id()).expect("it lives");
    let listed = netns::list(Path::new("/proc"));
    let found = listed.namespaces.iter().find(|listed| listed.id == netns.id).expect("it is listed");
    assert_eq!(found.pid, Some(child.id()));
    drop(child.stdin.take());
    child.wait().expect("our child");
    let gone = Netns::of_process(Path::new("/proc"), child.id());
    assert!(gone.is_err_and(|error| error.is_gone()));
    assert!(netns.run(|| Duration::ZERO).is_ok(), "our handle still leads there");
}

#[test]
fn procfs_has_the_raw_sockets_that_this_kernel_may_not_diagnose() {
    in_own_netns(|| {
        let raw = socket_of(libc::AF_INET6, libc::SOCK_RAW, libc::IPPROTO_ICMPV6);
        let inode = nix::sys::stat::fstat(&raw).expect("open").st_ino as u32;
        let table = ProcTable::Inet(InetTable::Raw, IpVersion::V6);
        let path = Path::new("/proc/thread-self/net").join(table.file_name().expect("a file"));
        let mut rows = Vec::new();
        procfs_net::list(table, &path, 1, |row| {
            rows.push((row.proto, row.inode));
            ControlFlow::Continue(())
        })
        .expect("procfs");
        assert_eq!(rows, [(Proto::Raw(58), inode)]);

        let mut diag = SockDiag::open().expect("netlink");
        let query = InetQuery::new(InetTable::Raw, IpVersion::V6, StateSet::ALL);
        let mut diagnosed = Vec::new();
        match diag.inet(&query, |row| {
            diagnosed.push((row.proto(), row.inode()));
            ControlFlow::Continue(())
        }) {
            Ok(_) => assert_eq!(diagnosed, rows),
            Err(error) => assert!(matches!(error, DiagError::Unsupported("raw")), "{error}"),
        }
    });
}

#[test]
fn procfs_lists_what_sock_diag_lists() {
    in_own_netns(|| {
        let streams = [pair("127.0.0.1:0"), pair("[::1]:0")];
        let datagrams = ["127.0.0.1:0", "[::1]:0"].map(|address| UdpSocket::bind(address).expect("free"));
        let packet = socket_of(libc::AF_PACKET, libc::SOCK_RAW, 0);
        let name = std::os::unix::net::SocketAddr::from_abstract_name("a b").expect("a short name");
        let local = (UnixListener::bind_addr(&name).expect("free"), UnixDatagram::pair().expect("a pair"));
        let path =
            |table: ProcTable| Path::new("/proc/thread-self/net").join(table.file_name().expect("a file"));
        let listed = |table: ProcTable| {
            let mut rows = Vec::new();
            procfs_net::list(table, &path(table), 0, |row| {
                rows.push((row.local.inet(), row.peer.inet(), row.state, row.inode, row.uid));
                ControlFlow::Continue(())
            })
            .expect("procfs");
            rows.sort_by_key(|row| row.3);
            rows
        };
        for table in [InetTable::Tcp, InetTable::Udp] {
            let mut expected: Vec<_> = inet(table, StateSet::ALL, Want::NONE)
                .into_iter()
                .map(|row| (row.local.inet(), row.peer.inet(), row.state, row.inode, row.uid))
                .collect();
            expected.sort_by_key(|row| row.3);
            let mut rows = listed(ProcTable::Inet(table, IpVersion::V4));
            rows.extend(listed(ProcTable::Inet(table, IpVersion::V6)));
            rows.sort_by_key(|row| row.3);
            assert_eq!(rows, expected);
            assert!(rows.len() >= 2);
        }
        assert_eq!(listed(ProcTable::Packet).len(), 1);
        let here = |row: &Socket| (row.inode, row.local.clone(), row.state);
        let mut unix_rows = Vec::new();
        procfs_net::list(ProcTable::Unix, &path(ProcTable::Unix), 0, |row| {
            unix_rows.push(here(&row));
            ControlFlow::Continue(())
        })
        .expect("procfs");
        assert_eq!(unix_rows, unix(Want::NONE).iter().map(here).collect::<Vec<_>>());
        assert_eq!(unix_rows.len(), 3);
        drop((streams, datagrams, packet, local));
    });
}

//! IP sockets: each is found by the cookie that the kernel tells its owner.

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsRawFd;

use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};
use socktrace::kernel::netns;
use socktrace::kernel::sock_diag::{InetId, InetTable, SockDiag, Want};
use socktrace::socket::{Family, Proto, State, StateSet, info};

use super::{check_found, endpoint, find, inet, pair, socket_of, tcp};
use crate::support::{cookie, in_own_netns};

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

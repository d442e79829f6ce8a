//! Closing sockets, and hearing of those that are destroyed.

use std::net::UdpSocket;
use std::ops::ControlFlow;
use std::os::fd::{AsFd, AsRawFd};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::socket::{setsockopt, sockopt};
use socktrace::kernel::sock_diag::{
    DestroyEvents, Destroyed, DiagError, Groups, InetId, InetQuery, InetTable, IpVersion, Received, SockDiag,
    Want,
};
use socktrace::socket::{Proto, Socket, State, StateSet};

use super::{find, inet, pair, socket_of, tcp};
use crate::support::{cookie, in_own_netns};

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
fn closing_without_the_privilege_is_refused_and_said_so() {
    in_own_netns(|| {
        let (_listener, client, _accepted) = pair("127.0.0.1:0");
        let row = find(&tcp(Want { extended: true, ..Want::NONE }), &client);
        let id = InetId::of(&row).expect("an IP socket");
        assert!(
            row.detail.as_deref().is_some_and(|detail| detail.mark.is_some()),
            "marks are told to admins"
        );
        drop_net_admin();
        let mut diag = SockDiag::open().expect("netlink is for all");
        let error = diag.destroy(&id).expect_err("no privilege");
        assert_eq!(error.refused(), Some(Errno::EPERM));
        assert_eq!(
            error.to_string(),
            "cannot close tcp sockets: the kernel refused the request: operation not permitted"
        );
        let row = find(&tcp(Want { extended: true, ..Want::NONE }), &client);
        assert_eq!(row.state, State::Established);
        assert_eq!(row.detail.and_then(|detail| detail.mark), None);
    });
}

#[test]
fn mptcp_sockets_can_never_be_closed_which_is_not_a_refusal() {
    in_own_netns(|| {
        let mptcp = socket_of(libc::AF_INET, libc::SOCK_STREAM, 262);
        let address = nix::sys::socket::SockaddrIn::new(127, 0, 0, 1, 4716);
        nix::sys::socket::bind(mptcp.as_raw_fd(), &address).expect("a free port");
        nix::sys::socket::listen(&mptcp, nix::sys::socket::Backlog::new(1).expect("small")).expect("bound");
        let row = find(&inet(InetTable::Mptcp, StateSet::ALL, Want::NONE), &mptcp);
        let mut diag = SockDiag::open().expect("netlink");
        let error = diag.destroy(&InetId::of(&row).expect("an IP socket")).expect_err("it never can");
        assert!(matches!(error, DiagError::CannotClose("mptcp")), "{error}");
    });
}

#[test]
fn a_kind_that_has_no_handler_is_not_gone() {
    in_own_netns(|| {
        // A name that nobody has, in a table that this kernel may or may not have.
        let name = (std::net::Ipv4Addr::LOCALHOST.into(), 1);
        let mut diag = SockDiag::open().expect("netlink");
        for table in [InetTable::Tcp, InetTable::Udp, InetTable::Dccp] {
            let id = InetId { table, ip: IpVersion::V4, local: name, peer: name, ifindex: 0, cookie: 0 };
            let query = InetQuery::new(table, IpVersion::V4, StateSet::EMPTY);
            let listed = diag.inet(&query, |_| ControlFlow::Continue(())).is_ok();
            match diag.destroy(&id) {
                Ok(destroyed) => assert_eq!((destroyed, listed), (Destroyed::Gone, true)),
                Err(error) => assert!(!listed && matches!(error, DiagError::CannotClose(_)), "{error}"),
            }
        }
    });
}

/// Takes CAP_NET_ADMIN from the calling thread.
fn drop_net_admin() {
    /// `_LINUX_CAPABILITY_VERSION_3` and `CAP_NET_ADMIN` (include/uapi/linux/capability.h).
    const VERSION: u32 = 0x2008_0522;
    const NET_ADMIN: u32 = 1 << 12;
    let mut header = [VERSION, 0];
    // Effective, permitted, inheritable; the low words, then the high ones.
    let mut sets = [0u32; 6];
    // SAFETY: the pointers are to a header and to two sets of capabilities, as version 3 has them.
    let got = unsafe { libc::syscall(libc::SYS_capget, header.as_mut_ptr(), sets.as_mut_ptr()) };
    sets[0] &= !NET_ADMIN;
    // SAFETY: as above.
    let set = unsafe { libc::syscall(libc::SYS_capset, header.as_mut_ptr(), sets.as_ptr()) };
    assert_eq!((got, set), (0, 0), "capabilities: {}", std::io::Error::last_os_error());
}

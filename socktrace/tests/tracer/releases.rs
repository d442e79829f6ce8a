//! Which ends of TCP sockets their release tells.

use std::cell::Cell;
use std::net::TcpListener;
use std::os::fd::{AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, Backlog, MsgFlags, Shutdown, SockFlag, SockType, SockaddrIn, bind, connect, getsockname,
    listen, recv, setsockopt, shutdown, socket, sockopt,
};
use socktrace::socket::{ChangeKind, Cookie};

use super::traced;
use crate::support::cookie;

/// A TCP socket of its own for each case.
fn tcp(make: impl FnOnce(&OwnedFd)) -> (Cookie, OwnedFd) {
    let made = socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None).expect("a socket");
    make(&made);
    (cookie(&made), made)
}

#[test]
fn of_tcp_only_the_end_of_what_has_a_port_is_told_by_its_release() {
    let loopback = |port| SockaddrIn::new(127, 0, 0, 1, port);
    let name = |socket: &OwnedFd| getsockname::<SockaddrIn>(socket.as_raw_fd()).expect("a name");
    let bound = |socket: &OwnedFd, port| bind(socket.as_raw_fd(), &loopback(port)).expect("bound");
    // A port of its own: one that the kernel chooses is given back when a connection ends.
    let free = || name(&tcp(|socket| bound(socket, 0)).1).port();
    let refused = |socket: &OwnedFd, by: u16| {
        let errno = connect(socket.as_raw_fd(), &loopback(by)).expect_err("nobody listens");
        assert_eq!(errno, Errno::ECONNREFUSED);
    };
    let reset = |socket: &OwnedFd| {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
        let port = listener.local_addr().expect("bound").port();
        connect(socket.as_raw_fd(), &loopback(port)).expect("a listener");
        let (server, _) = listener.accept().expect("a client");
        setsockopt(&server, sockopt::Linger, &libc::linger { l_onoff: 1, l_linger: 0 }).expect("an option");
        drop(server);
        assert_eq!(recv(socket.as_raw_fd(), &mut [0; 1], MsgFlags::empty()), Err(Errno::ECONNRESET));
    };
    let no_more = |socket: &OwnedFd| {
        listen(socket, Backlog::MAXCONN).expect("listens");
        shutdown(socket.as_raw_fd(), Shutdown::Both).expect("a listener");
    };
    let (silent, told) = (Cell::default(), Cell::default());
    let changes = traced(|| {
        let cookies =
            |sockets: Vec<(Cookie, OwnedFd)>| sockets.into_iter().map(|(cookie, _)| cookie).collect();
        silent.set(cookies(vec![
            tcp(|_| {}),
            tcp(|socket| refused(socket, free())),
            tcp(reset),
            tcp(no_more),
            tcp(|socket| {
                let nobodys = SockaddrIn::new(192, 0, 2, 1, 1);
                bind(socket.as_raw_fd(), &nobodys).expect_err("an address of somebody else");
            }),
            tcp(|socket| {
                setsockopt(socket, sockopt::IpBindAddressNoPort, &true).expect("an option");
                bound(socket, 0);
                assert_eq!(name(socket).port(), 0);
            }),
        ]));
        told.set(cookies(vec![
            tcp(|socket| bound(socket, 0)),
            tcp(|socket| bound(socket, free())),
            tcp(|socket| {
                bound(socket, free());
                refused(socket, free());
            }),
            tcp(|socket| {
                bound(socket, free());
                reset(socket);
            }),
            tcp(|socket| {
                bound(socket, free());
                no_more(socket);
            }),
        ]));
    });
    let told_of = |cookies: Cell<Vec<Cookie>>| -> Vec<bool> {
        let is_release = |cookie| changes.iter().any(|c| c.cookie == cookie && c.kind == ChangeKind::Release);
        cookies.take().into_iter().map(is_release).collect()
    };
    assert_eq!(told_of(silent), [false; 6]);
    assert_eq!(told_of(told), [true; 5]);
}

//! Closing sockets, and hearing of those that are destroyed.

use std::net::UdpSocket;
use std::os::fd::AsFd;

use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::socket::{setsockopt, sockopt};
use socktrace::kernel::sock_diag::{DestroyEvents, Destroyed, Groups, InetId, Received, SockDiag, Want};
use socktrace::socket::{Proto, Socket};

use super::{find, pair, tcp};
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

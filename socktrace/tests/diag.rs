//! sock_diag against real sockets: each is found by the cookie that the kernel tells its owner.

use std::net::{TcpListener, UdpSocket};
use std::ops::ControlFlow;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixListener;

use socktrace::kernel::sock_diag::{InetQuery, InetTable, IpVersion, SockDiag, UnixQuery, Want};
use socktrace::socket::{Endpoint, Socket, State, StateSet, UnixName};

use crate::support::cookie;

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

fn unix(want: Want) -> Vec<Socket> {
    let mut rows = Vec::new();
    let mut diag = SockDiag::open().expect("netlink");
    let query = UnixQuery { states: StateSet::ALL, want };
    let _ = diag
        .unix(&query, |row| {
            rows.push(row);
            ControlFlow::Continue(())
        })
        .expect("an answer");
    rows
}

fn find(rows: Vec<Socket>, socket: &impl AsRawFd) -> Socket {
    let cookie = cookie(socket);
    rows.into_iter().find(|row| row.cookie == cookie).expect("the socket is listed")
}

#[test]
fn listeners_of_both_ips_are_listed() {
    // A socket that is bound to an IPv6 address serves nothing else (net/ipv6/af_inet6.c, `__inet6_bind`).
    for (address, v6only) in [("127.0.0.1:0", None), ("[::1]:0", Some(true)), ("[::]:0", Some(false))] {
        let listener = TcpListener::bind(address).expect("loopback");
        let row = find(inet(InetTable::Tcp, StateSet::of(State::Listen), Want::NONE), &listener);
        let local = listener.local_addr().expect("bound");
        assert_eq!(row.local, Endpoint::Inet { addr: local.ip(), port: local.port() });
        assert_eq!((row.state, row.recv_q, row.detail), (State::Listen, 0, None));
        assert_eq!(row.v6only, v6only);
    }
}

#[test]
fn udp_is_listed_with_its_details() {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("loopback");
    let row = find(inet(InetTable::Udp, StateSet::ALL, Want::ALL), &socket);
    let detail = row.detail.expect("details were wanted");
    assert_eq!(row.state, State::Close);
    assert_eq!(detail.skmem.map(|skmem| skmem.len()), Some(9));
}

#[test]
fn a_unix_listener_is_listed_by_name() {
    let path = std::env::temp_dir().join(format!("socktrace-test-{}.sock", std::process::id()));
    let listener = UnixListener::bind(&path).expect("a free path");
    let row = find(unix(Want::NONE), &listener);
    std::fs::remove_file(&path).expect("it was there");
    let name = UnixName::from_bytes(path.as_os_str().as_encoded_bytes());
    assert_eq!(row.local, Endpoint::Unix { name, inode: row.inode });
    assert_eq!(row.state, State::Listen);
}

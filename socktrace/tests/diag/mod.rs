//! sock_diag, namespaces and `/proc/net` against real sockets.

mod dumps;
mod ending;
mod inet;
mod local;
mod namespaces;
mod procfs;
mod rare;

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::ops::ControlFlow;
use std::os::fd::{AsRawFd, OwnedFd};

use socktrace::kernel::sock_diag::{
    DiagError, InetId, InetQuery, InetTable, IpVersion, SockDiag, UnixQuery, Want,
};
use socktrace::socket::{Endpoint, Socket, StateSet};

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

fn socket_of(family: libc::c_int, kind: libc::c_int, protocol: libc::c_int) -> OwnedFd {
    // SAFETY: socket(2) takes no pointers.
    let fd = unsafe { libc::socket(family, kind | libc::SOCK_CLOEXEC, protocol) };
    assert!(fd >= 0, "socket({family}, {kind}, {protocol}): {}", std::io::Error::last_os_error());
    // SAFETY: the kernel just gave us this descriptor and nobody else has it.
    unsafe { std::os::fd::FromRawFd::from_raw_fd(fd) }
}

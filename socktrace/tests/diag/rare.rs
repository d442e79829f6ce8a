//! Kinds of sockets that not every kernel has. Where this one lacks them, the test says so and is content: what their
//! rows look like is also tested on constructed messages.

use std::ops::ControlFlow;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{Backlog, SockaddrIn, VsockAddr, accept, bind, connect, getsockname, listen};
use socktrace::kernel::netlink::Answer;
use socktrace::kernel::sock_diag::{DiagError, InetId, InetQuery, InetTable, IpVersion, SockDiag, Want};
use socktrace::socket::{Endpoint, Family, Proto, Socket, State, StateSet};

use super::{check_found, find};
use crate::support::{cookie, in_own_netns, say};

/// A socket, or word that there are none here.
fn open(what: &str, family: i32, kind: i32, protocol: i32) -> Option<OwnedFd> {
    // SAFETY: socket(2) takes no pointers.
    let fd = unsafe { libc::socket(family, kind | libc::SOCK_CLOEXEC, protocol) };
    match Errno::result(fd) {
        // SAFETY: the kernel just gave us this descriptor and nobody else has it.
        Ok(fd) => Some(unsafe { OwnedFd::from_raw_fd(fd) }),
        Err(Errno::EAFNOSUPPORT | Errno::EPROTONOSUPPORT | Errno::ESOCKTNOSUPPORT) => not_here(what),
        Err(errno) => panic!("{what}: {errno}"),
    }
}

/// The rows of a dump, or word that this kernel cannot list them.
fn rows(
    what: &str,
    dump: impl FnOnce(&mut SockDiag, &mut dyn FnMut(Socket) -> ControlFlow<()>) -> Result<Answer, DiagError>,
) -> Option<Vec<Socket>> {
    let mut rows = Vec::new();
    let mut diag = SockDiag::open().expect("netlink");
    match dump(&mut diag, &mut |row| {
        rows.push(row);
        ControlFlow::Continue(())
    }) {
        Ok(_) => Some(rows),
        Err(DiagError::Unsupported(_)) => not_here(what),
        Err(error) => panic!("{what}: {error}"),
    }
}

fn inet_rows(what: &str, table: InetTable) -> Option<Vec<Socket>> {
    rows(what, |diag, each| {
        let query = InetQuery {
            want: Want::ALL,
            ..InetQuery::new(table, IpVersion::V4, StateSet::from_bits(u32::MAX))
        };
        diag.inet(&query, |row| each(row.to_socket(Want::ALL).expect("well-formed")))
    })
}

fn not_here<T>(what: &str) -> Option<T> {
    say(&format!("not tested: this kernel has no {what}"));
    None
}

fn port_of(socket: &OwnedFd) -> u16 {
    getsockname::<SockaddrIn>(socket.as_raw_fd()).expect("bound").port()
}

#[test]
fn raw_sockets_are_found_and_closed() {
    in_own_netns(|| {
        let [one, other] =
            [(); 2].map(|()| open("raw sockets", libc::AF_INET, libc::SOCK_RAW, libc::IPPROTO_ICMP));
        let raw = [one?, other?];
        for socket in &raw {
            bind(socket.as_raw_fd(), &SockaddrIn::new(127, 0, 0, 1, 0)).expect("loopback");
        }
        let all = inet_rows("raw_diag", InetTable::Raw)?;
        let mut diag = SockDiag::open().expect("netlink");
        let closed = raw.each_ref().map(|socket| {
            let row = find(&all, socket);
            assert_eq!((row.proto, row.state, row.local.port()), (Proto::Raw(1), State::Close, 1));
            check_found(&row);
            diag.destroy(&InetId::of(&row).expect("an IP socket"))
        });
        // They have the same addresses, and the kernel only ever closes the first.
        let mut words =
            closed.map(|closed| closed.map_or_else(|error| error.to_string(), |done| format!("{done:?}")));
        words.sort();
        assert_eq!(words, ["Closed", "another raw socket with the same addresses is in the way"]);
        Some(())
    });
}

#[test]
fn udplite_sockets_are_apart_from_udp() {
    in_own_netns(|| {
        let lite = open("UDP-Lite", libc::AF_INET, libc::SOCK_DGRAM, 136)?;
        bind(lite.as_raw_fd(), &SockaddrIn::new(127, 0, 0, 1, 0)).expect("loopback");
        let row = find(&inet_rows("UDP-Lite in sock_diag", InetTable::UdpLite)?, &lite);
        assert_eq!((row.proto, row.local.port()), (Proto::UdpLite, port_of(&lite)));
        check_found(&row);
        assert!(inet_rows("udp_diag", InetTable::Udp)?.is_empty());
        Some(())
    });
}

#[test]
fn sctp_has_endpoints_and_associations() {
    in_own_netns(|| {
        let [listener, client] = [(); 2].map(|()| open("SCTP", libc::AF_INET, libc::SOCK_STREAM, 132));
        let (listener, client) = (listener?, client?);
        bind(listener.as_raw_fd(), &SockaddrIn::new(127, 0, 0, 1, 0)).expect("loopback");
        listen(&listener, Backlog::new(4).expect("small")).expect("bound");
        let port = port_of(&listener);
        connect(client.as_raw_fd(), &SockaddrIn::new(127, 0, 0, 1, port)).expect("a listener");
        let all = inet_rows("sctp_diag", InetTable::Sctp)?;
        let row = find(&all, &listener);
        assert_eq!((row.proto, row.state, row.local.port()), (Proto::Sctp, State::Listen, port));
        // The client's socket is an endpoint and an association, both with its cookie; only the latter has peers.
        let of_client: Vec<_> = all.iter().filter(|row| row.cookie == cookie(&client)).collect();
        let [endpoint, association] = of_client.as_slice() else { panic!("two rows, not {of_client:?}") };
        let peers = |row: &Socket| row.detail.as_deref().is_some_and(|detail| detail.peers.is_some());
        assert_eq!((peers(endpoint), peers(association)), (false, true));
        assert_eq!((association.peer.port(), association.inode), (port, endpoint.inode));
        let detail = association.detail.as_deref().expect("details were wanted");
        assert!(detail.locals.is_some() && detail.info.is_some());
        // SCTP_STATE_ESTABLISHED (include/net/sctp/constants.h); another enumeration than TCP's.
        assert_eq!(association.state.number(), 3);
        Some(())
    });
}

#[test]
fn vsock_sockets_have_a_context_and_a_port() {
    let Some([listener, client]) = (|| {
        let open = || open("vsock", libc::AF_VSOCK, libc::SOCK_STREAM, 0);
        Some([open()?, open()?])
    })() else {
        return;
    };
    let port = 4711 + std::process::id() % 1000;
    bind(listener.as_raw_fd(), &VsockAddr::new(libc::VMADDR_CID_ANY, port)).expect("a free port");
    listen(&listener, Backlog::new(4).expect("small")).expect("bound");
    let list = || rows("vsock_diag", |diag, each| diag.vsock(StateSet::ALL, Want::ALL, each));
    let Some(all) = list() else { return };
    let row = find(&all, &listener);
    assert_eq!((row.proto, row.family, row.state), (Proto::VsockStream, Family::Vsock, State::Listen));
    assert_eq!(row.local, Endpoint::Vsock { cid: u32::MAX, port });
    match connect(client.as_raw_fd(), &VsockAddr::new(libc::VMADDR_CID_LOCAL, port)) {
        Ok(()) => {}
        Err(_) => return say("not tested: this kernel has no vsock loopback"),
    }
    let accepted = accept(listener.as_raw_fd()).expect("a client");
    let all = list().expect("as before");
    let (near, far) = (find(&all, &client), find(&all, &accepted));
    assert_eq!((near.state, far.state), (State::Established, State::Established));
    assert_eq!(near.peer, Endpoint::Vsock { cid: libc::VMADDR_CID_LOCAL, port });
    // Whoever did not bind keeps "any" as its own context.
    let port = |end: &Endpoint| if let Endpoint::Vsock { port, .. } = end { Some(*port) } else { None };
    assert_eq!((port(&near.local), port(&near.peer)), (port(&far.peer), port(&far.local)));
}

#[test]
fn tipc_pairs_know_each_other() {
    in_own_netns(|| {
        /// `AF_TIPC` and `SOCK_RDM`.
        const TIPC: i32 = 30;
        const RDM: i32 = 4;

        let rdm = open("TIPC", TIPC, RDM, 0)?;
        let mut fds = [0; 2];
        // SAFETY: the pointer is to two descriptors, live during the call.
        let done = unsafe { libc::socketpair(TIPC, libc::SOCK_STREAM, 0, fds.as_mut_ptr()) };
        assert_eq!(done, 0, "a pair: {}", std::io::Error::last_os_error());
        // SAFETY: the kernel just gave us these descriptors and nobody else has them.
        let [left, right] = fds.map(|fd| unsafe { OwnedFd::from_raw_fd(fd) });
        let all = rows("tipc_diag", |diag, each| diag.tipc(StateSet::ALL, Want::ALL, each))?;
        let row = find(&all, &rdm);
        assert_eq!((row.proto, row.family, row.uid), (Proto::TipcRdm, Family::Tipc, Some(0)));
        assert_eq!(row.peer, Endpoint::None);
        let (near, far) = (find(&all, &left), find(&all, &right));
        assert_eq!((near.proto, near.state), (Proto::TipcStream, State::Established));
        assert_ne!(near.inode, 0);
        let (Endpoint::Tipc { reference: a, .. }, Endpoint::Tipc { reference: b, .. }) =
            (&near.local, &far.peer)
        else {
            panic!("{near:?} {far:?}")
        };
        assert_eq!(a, b);
        Some(())
    });
}

#[test]
fn xdp_sockets_are_listed() {
    in_own_netns(|| {
        let xdp = open("XDP", libc::AF_XDP, libc::SOCK_RAW, 0)?;
        let row = find(&rows("xsk_diag", |diag, each| diag.xdp(Want::ALL, each))?, &xdp);
        assert_eq!((row.proto, row.family, row.uid), (Proto::Xdp, Family::Xdp, Some(0)));
        assert!(row.detail.is_some_and(|detail| detail.skmem.is_some()));
        Some(())
    });
}

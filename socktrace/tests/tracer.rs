//! Each hook fires, and says what truly happened. Needs the rights to load programs.

mod places;
mod releases;

use std::cell::Cell;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::Duration;

use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, SockaddrStorage, sendto, socket};
use socktrace::kernel::ebpf::{Config, HolderIter, Tracer};
use socktrace::kernel::owners::{Holders, Pass, walk};
use socktrace::socket::{Change, ChangeKind, Endpoint, KindSet, Proto, State};

use crate::support::{cookie, may_be_missing, wait_for};

/// Everything that this process does to sockets during `act`, as the hooks told it.
fn traced(act: impl FnOnce()) -> Vec<Change> {
    traced_until(act, |_| true)
}

/// The same, and what follows until it is all: a process that another test is starting has our sockets open for a moment,
/// so that they may end later than we close them.
fn traced_until(act: impl FnOnce(), all: impl Fn(&[Change]) -> bool) -> Vec<Change> {
    traced_for(&Config::default(), None, act, all)
}

/// The two ways to learn what a call was asked: from saved registers, and remembered from its beginning.
fn both_ways() -> [Config; 2] {
    [true, false].map(|registers| Config { registers, ..Config::default() })
}

/// The same, by a tracer that has been told which kinds of event are wanted.
fn traced_for(
    config: &Config,
    wanted: Option<KindSet>,
    act: impl FnOnce(),
    all: impl Fn(&[Change]) -> bool,
) -> Vec<Change> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let mut tracer = Tracer::load(config).expect("the rights to load programs");
        for status in tracer.hooks() {
            if let Some(reason) = &status.missing {
                assert!(status.hook.is_often_missing(), "{} did not attach: {reason}", status.hook.name);
                may_be_missing(status.hook.name, &reason.to_string());
            }
        }
        if let Some(kinds) = wanted {
            tracer.want(kinds, false);
        }
        act();
        // The last thing: a listener's end, by which we know that everything before it has been read.
        let marker = TcpListener::bind("127.0.0.1:0").expect("loopback");
        let last = cookie(&marker);
        drop(marker);
        let mut changes = Vec::new();
        let (mut done, mut delivered) = (false, 0);
        while !(done && all(&changes) && is_balanced(&tracer, delivered)) {
            tokio::time::timeout(Duration::from_secs(20), tracer.readable())
                .await
                .expect("records")
                .expect("a ring");
            let drained = tracer.drain(10_000, |change| {
                done |= change.cookie == last
                    && matches!(change.kind, ChangeKind::State { new: State::Close, .. });
                changes.push(change);
            });
            delivered += drained.records;
        }
        changes
    })
}

/// Whether everything that was seen has been delivered: nothing is lost, and what is not delivered is not counted. Somebody
/// else on this machine may just have made a record.
fn is_balanced(tracer: &Tracer, delivered: usize) -> bool {
    let counters = tracer.counters();
    assert_eq!(counters.lost(), 0);
    counters.seen() == delivered as u64
}

fn port(change: &Change) -> u16 {
    change.local.port()
}

fn states(changes: &[Change], cookie: u64) -> Vec<(State, State)> {
    let of_socket = changes.iter().filter(|c| c.cookie == cookie);
    of_socket
        .filter_map(|c| match &c.kind {
            ChangeKind::State { old, new, .. } => Some((*old, *new)),
            _ => None,
        })
        .collect()
}

fn tcp_conversation(config: &Config, address: &str) {
    let cookies = Cell::new([0; 3]);
    let act = || {
        let listener = TcpListener::bind(address).expect("loopback");
        let mut client = TcpStream::connect(listener.local_addr().expect("bound")).expect("a listener");
        let (mut server, _) = listener.accept().expect("a client");
        cookies.set([cookie(&listener), cookie(&client), cookie(&server)]);
        client.write_all(&[b'x'; 100]).expect("open");
        server.read_exact(&mut [0; 100]).expect("sent");
        server.write_all(&[b'y'; 2000]).expect("open");
        drop(server);
        client.read_to_end(&mut Vec::new()).expect("sent");
        drop(client);
    };
    let is_end = |c: &&Change| matches!(c.kind, ChangeKind::State { new: State::Close, .. });
    let ended = |changes: &[Change], cookie| changes.iter().filter(is_end).any(|c| c.cookie == cookie);
    let all = |changes: &[Change]| cookies.get().into_iter().all(|cookie| ended(changes, cookie));
    let changes = traced_for(config, None, act, all);
    let [listener, client, server] = cookies.get();
    let own = Some(std::process::id());
    let find = |cookie, wanted: fn(&ChangeKind) -> bool| {
        changes
            .iter()
            .find(|c| c.cookie == cookie && wanted(&c.kind))
            .unwrap_or_else(|| panic!("none in {changes:#?}"))
    };

    let bind = find(listener, |k| matches!(k, ChangeKind::PostBind));
    let listen = find(listener, |k| matches!(k, ChangeKind::Listen { errno: 0, .. }));
    assert_eq!((bind.process.map(|p| p.pid), listen.process.map(|p| p.pid)), (own, own));
    assert_ne!((port(bind), bind.inode), (0, 0));
    let accept = find(server, |k| matches!(k, ChangeKind::Accept { .. }));
    assert_eq!((accept.process.map(|p| p.pid), port(accept), accept.proto), (own, port(bind), Proto::Tcp));
    assert_ne!(accept.inode, 0);
    let connect = find(client, |k| matches!(k, ChangeKind::State { new: State::SynSent, .. }));
    assert_eq!(connect.process.map(|p| p.pid), own);
    // The first event of the child carries the cookie of its listener on some kernels (6.1, 6.12).
    let first = states(&changes, server).first().copied();
    assert!(
        matches!(first, Some((State::Listen, State::SynRecv) | (State::SynRecv, State::Established))),
        "{first:?}"
    );

    let closing =
        |cookie| match &find(cookie, |k| matches!(k, ChangeKind::State { new: State::Close, .. })).kind {
            ChangeKind::State { closing: Some(closing), .. } => **closing,
            other => panic!("{other:?}"),
        };
    let (at_client, at_server) = (closing(client), closing(server));
    assert_eq!((at_client.bytes_sent, at_client.bytes_received), (100, 2000));
    assert_eq!((at_server.bytes_sent, at_server.bytes_received), (2000, 100));
    let ports = |cookie| port(find(cookie, |k| matches!(k, ChangeKind::State { new: State::Close, .. })));
    assert_eq!(ports(server), port(bind), "the port is told though it has been given back");
    assert_ne!(ports(client), 0);
}

#[test]
fn a_conversation_over_ipv4() {
    both_ways().iter().for_each(|config| tcp_conversation(config, "127.0.0.1:0"));
}

#[test]
fn a_conversation_over_ipv6() {
    tcp_conversation(&Config::default(), "[::1]:0");
}

#[test]
fn the_birth_of_a_child_is_told_unless_nobody_wants_states() {
    let states = KindSet::from_name("state");
    for (wanted, expected) in [(None, 1), (Some(KindSet::USUAL), 0), (states, 1)] {
        let port_and_server = Cell::new((0, 0));
        let act = || {
            let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
            let address = listener.local_addr().expect("bound");
            let _client = TcpStream::connect(address).expect("a listener");
            let (server, _) = listener.accept().expect("a client");
            port_and_server.set((address.port(), cookie(&server)));
        };
        let changes = traced_for(&Config::default(), wanted, act, |_| true);
        let (of, server) = port_and_server.get();
        let is = |change: &&Change, from: State, to: State| matches!(&change.kind, ChangeKind::State { old, new, .. } if (*old, *new) == (from, to));
        // It carries the cookie of the listener on some kernels (6.1, 6.12).
        let births = changes.iter().filter(|c| is(c, State::Listen, State::SynRecv) && port(c) == of);
        assert_eq!(births.count(), expected, "{wanted:?}");
        let mut grown = changes.iter().filter(|c| is(c, State::SynRecv, State::Established));
        assert!(grown.any(|change| change.cookie == server), "{wanted:?}");
    }
}

#[test]
fn a_refused_connect_tells_its_errno() {
    let changes = traced(|| {
        let free = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("loopback");
        let refused = TcpStream::connect(free).expect_err("nobody listens");
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    });
    let errno = changes.iter().find_map(|c| match &c.kind {
        ChangeKind::State { old: State::SynSent, new: State::Close, closing, .. } => {
            closing.as_ref().map(|c| c.errno)
        }
        _ => None,
    });
    assert_eq!(errno, Some(libc::ECONNREFUSED as u16));
}

#[test]
fn a_connect_that_never_began_is_told() {
    let network = "192.0.2.1:9".parse::<SocketAddr>().expect("an address");
    let alone = std::thread::spawn(move || {
        // A namespace without any route.
        nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET).expect("root");
        traced(|| {
            let failed = TcpStream::connect(network).expect_err("no route");
            assert_eq!(failed.kind(), ErrorKind::NetworkUnreachable);
        })
    });
    let changes = alone.join().expect("traced");
    let told =
        changes.iter().find(|c| c.peer.inet() == Some((network.ip(), network.port()))).expect("a connect");
    assert_eq!(
        (&told.kind, told.proto),
        (&ChangeKind::Connect { errno: libc::ENETUNREACH as u16 }, Proto::Tcp)
    );
    assert_ne!(told.cookie, 0);
    assert_eq!(told.process.map(|p| p.pid), Some(std::process::id()));
}

#[test]
fn a_failed_bind_tells_the_address_that_was_asked_for() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let address = taken.local_addr().expect("bound");
    for config in both_ways() {
        let act = || {
            TcpListener::bind(address).expect_err("taken");
        };
        let changes = traced_for(&config, None, act, |_| true);
        let is_failed = |c: &&Change| matches!(c.kind, ChangeKind::Bind { errno } if errno != 0);
        let failed = changes.iter().find(is_failed).expect("a bind");
        assert_eq!(failed.kind, ChangeKind::Bind { errno: libc::EADDRINUSE as u16 });
        assert_eq!(failed.local.inet(), Some((address.ip(), address.port())));
    }
}

fn unbound_udp(like: SocketAddr) -> OwnedFd {
    let family = if like.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
    socket(family, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None).expect("a socket")
}

#[test]
fn udp_from_its_first_use_to_its_release() {
    let any = ["127.0.0.1:0", "[::1]:0"];
    for (config, any) in both_ways().iter().flat_map(|config| any.map(|any| (config, any))) {
        let any: SocketAddr = any.parse().expect("an address");
        let mut cookies = [0; 3];
        let mut to = any;
        let act = || {
            let receiver = UdpSocket::bind(any).expect("loopback");
            to = receiver.local_addr().expect("bound");
            let sender = UdpSocket::bind(any).expect("loopback");
            sender.send_to(b"a", to).expect("sent");
            sender.send_to(b"b", to).expect("sent");
            sender.connect(to).expect("connected");
            let unbound = unbound_udp(any);
            sendto(unbound.as_raw_fd(), b"a", &SockaddrStorage::from(to), MsgFlags::empty()).expect("sent");
            sendto(unbound.as_raw_fd(), b"b", &SockaddrStorage::from(to), MsgFlags::empty()).expect("sent");
            cookies = [cookie(&receiver), cookie(&sender), cookie(&unbound)];
        };
        let changes = traced_for(config, None, act, |_| true);
        let kinds = |cookie| {
            let of_socket = changes.iter().filter(|c| c.cookie == cookie);
            of_socket
                .inspect(|c| assert!(c.process.is_some() && c.proto == Proto::Udp))
                .map(|c| &c.kind)
                // That a bind returned says nothing new, and is told only where it has to be looked into; which sockets are
                // new is of interest only until the first dump.
                .filter(|kind| !matches!(kind, ChangeKind::Bind { errno: 0 } | ChangeKind::Create))
                .collect::<Vec<_>>()
        };
        use ChangeKind::{Connect, FirstSend, PostBind, Release};
        assert_eq!(kinds(cookies[0]), [&PostBind, &Release]);
        assert_eq!(kinds(cookies[1]), [&PostBind, &Connect { errno: 0 }, &Release]);
        assert_eq!(kinds(cookies[2]), [&FirstSend, &Release]);
        let sent = changes.iter().find(|c| c.kind == FirstSend && c.cookie == cookies[2]).expect("a send");
        assert_eq!(sent.peer.inet(), Some((to.ip(), to.port())));
        assert_ne!(sent.local.port(), 0);
        let connected =
            changes.iter().find(|c| c.kind == Connect { errno: 0 } && c.cookie == cookies[1]).expect("one");
        assert_eq!(connected.peer.inet(), Some((to.ip(), to.port())));
        assert_ne!(connected.local.port(), 0);
    }
}

/// A TCP connect is told by its state changes, and its return is not looked into. The next one of that thread is, even if
/// the one before did not return from connect(2).
#[test]
fn a_connect_of_udp_is_told_whatever_came_before_it() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let to = listener.local_addr().expect("bound");
    let tcp = |flags| socket(AddressFamily::Inet, SockType::Stream, flags, None).expect("a socket");
    let by_connect = || drop(TcpStream::connect(to).expect("a listener"));
    let unfinished = || {
        let stream = tcp(SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK);
        let _ = nix::sys::socket::connect(stream.as_raw_fd(), &SockaddrStorage::from(to));
    };
    let by_send = || {
        let stream = tcp(SockFlag::SOCK_CLOEXEC);
        let sent = sendto(
            stream.as_raw_fd(),
            b"x",
            &SockaddrStorage::from(to),
            MsgFlags::from_bits_retain(libc::MSG_FASTOPEN),
        );
        assert_eq!(sent, Ok(1));
    };
    for before in [&by_connect as &dyn Fn(), &unfinished, &by_send] {
        let of = Cell::new(0);
        let changes = traced(|| {
            let udp = UdpSocket::bind("127.0.0.1:0").expect("loopback");
            of.set(cookie(&udp));
            before();
            udp.connect(to).expect("connected");
        });
        let mut told = changes.iter().filter(|c| c.cookie == of.get());
        assert!(told.any(|c| c.kind == ChangeKind::Connect { errno: 0 }), "{changes:#?}");
    }
}

#[test]
fn unix_sockets_are_told_with_their_names() {
    both_ways().iter().for_each(unix_sockets);
}

fn unix_sockets(config: &Config) {
    let path = std::env::temp_dir().join(format!("socktrace-tracer-{}", std::process::id()));
    let act = || {
        let listener = UnixListener::bind(&path).expect("a free path");
        let _client = UnixStream::connect(&path).expect("a listener");
        let _server = listener.accept().expect("a client");
        UnixListener::bind(&path).expect_err("taken");
    };
    let changes = traced_for(config, None, act, |_| true);
    std::fs::remove_file(&path).expect("ours");
    let name = |end: &Endpoint| match end {
        Endpoint::Unix { name, .. } => String::from_utf8_lossy(name.as_bytes()).into_owned(),
        _ => String::new(),
    };
    let ours: Vec<_> = changes
        .iter()
        .filter(|c| c.proto == Proto::UnixStream && c.process.is_some_and(|p| p.pid == std::process::id()))
        .filter(|c| [&c.local, &c.peer].iter().any(|end| name(end) == path.to_string_lossy()))
        .collect();
    let kinds: Vec<_> = ours.iter().map(|c| std::mem::discriminant(&c.kind)).collect();
    let expected = [
        ChangeKind::Bind { errno: 0 },
        ChangeKind::Listen { errno: 0, backlog: 0 },
        ChangeKind::Connect { errno: 0 },
        ChangeKind::Accept { fd: 0, early: false },
        ChangeKind::Bind { errno: libc::EADDRINUSE as u16 },
    ];
    assert_eq!(kinds, expected.iter().map(std::mem::discriminant).collect::<Vec<_>>(), "{ours:#?}");
    assert!(ours.iter().all(|c| c.inode != 0));
    assert_eq!(ours.last().map(|c| &c.kind), expected.last());
}

#[test]
fn the_iterator_and_proc_agree() {
    let sockets: Vec<_> = (0..20).map(|_| UdpSocket::bind("127.0.0.1:0").expect("loopback")).collect();
    let inodes: Vec<(u32, RawFd)> = sockets
        .iter()
        .map(|s| (nix::sys::stat::fstat(s).expect("open").st_ino as u32, s.as_raw_fd()))
        .collect();
    let wanted = inodes.iter().map(|(inode, _)| *inode).collect();
    let iter = HolderIter::load().expect("the rights to load programs");
    let expected: Vec<_> =
        inodes.iter().map(|&(inode, fd)| (inode, vec![(std::process::id(), fd)])).collect();
    // A process that another test has just forked may hold them too, for a moment.
    wait_for("the only holder", || {
        let by_kernel = Pass::make(&iter).expect("a pass").holders_of(&wanted);
        let by_proc =
            walk(std::path::Path::new("/proc"), false, |inode| wanted.contains(&inode)).expect("procfs");
        let of = |holders: &Holders| {
            let of = |inode| holders.of(inode).map(|h| (h.process.pid, h.fd as RawFd)).collect::<Vec<_>>();
            inodes.iter().map(|&(inode, _)| (inode, of(inode))).collect::<Vec<_>>()
        };
        (of(&by_kernel.holders) == expected && of(&by_proc.holders) == expected).then_some(())
    });
}

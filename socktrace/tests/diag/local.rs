//! Sockets of the families that do not leave the machine.

use std::io::Write;
use std::os::fd::AsRawFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};

use socktrace::kernel::sock_diag::{SockDiag, Want};
use socktrace::socket::{Endpoint, Family, Proto, Socket, State, UnixName};

use super::{collect, find, socket_of, unix};
use crate::support::in_own_netns;

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

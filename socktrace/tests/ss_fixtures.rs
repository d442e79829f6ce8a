//! A fixtures of sockets in a network namespace: every family and state that this kernel can make.

mod plain;

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr as UnixAddr, UnixDatagram, UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::ss_ghost::Ghost;
use crate::support::ip;
pub(crate) use plain::socket;
use plain::{bind, bind_packet, call, connect, listen, md5_key, set, set_int, socket_pair};

/// The animals, alive as long as this is; and the folder of their paths.
pub(crate) struct Fixtures {
    kept: Vec<OwnedFd>,
    folder: PathBuf,
}

impl Drop for Fixtures {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

impl Fixtures {
    /// Opens it in the calling thread's namespace, which has loopback up and nothing else.
    pub(crate) fn open() -> Self {
        static ZOOS: AtomicU32 = AtomicU32::new(0);
        let number = ZOOS.fetch_add(1, Ordering::Relaxed);
        let folder = PathBuf::from(format!("/tmp/fixtures{}-{number}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).expect("a folder for UNIX sockets");
        let mut fixtures = Self { kept: Vec::new(), folder };
        fixtures.tcp();
        fixtures.tcp_options();
        fixtures.tcp_with_a_ghost();
        fixtures.udp();
        fixtures.raw();
        fixtures.unix();
        fixtures.packet();
        fixtures.netlink();
        fixtures.mptcp();
        fixtures
    }

    fn keep(&mut self, animal: impl Into<OwnedFd>) {
        self.kept.push(animal.into());
    }

    fn pair(&mut self, listener: TcpListener, to: &str) -> (TcpStream, TcpStream) {
        let client = TcpStream::connect(to).expect("a listener");
        let (accepted, _) = listener.accept().expect("a client");
        self.keep(listener);
        (client, accepted)
    }

    fn tcp(&mut self) {
        // Unread on one side.
        let (mut client, accepted) =
            self.pair(TcpListener::bind("127.0.0.1:8080").expect("free"), "127.0.0.1:8080");
        client.write_all(b"unread").expect("a peer");
        self.keep(client);
        self.keep(accepted);
        // Dual stack: an IPv6 client and a v4-mapped one.
        let dual = TcpListener::bind("[::]:8081").expect("free");
        for to in ["[::1]:8081", "127.0.0.1:8081"] {
            let (client, accepted) = self.pair(dual.try_clone().expect("a copy"), to);
            self.keep(client);
            self.keep(accepted);
        }
        self.keep(dual);
        // In the accept queue.
        let waiting = TcpListener::bind("[::1]:8083").expect("free");
        for _ in 0..2 {
            self.keep(TcpStream::connect("[::1]:8083").expect("a listener"));
        }
        self.keep(waiting);
        // Ports that are services.
        let (client, accepted) =
            self.pair(TcpListener::bind("127.0.0.1:443").expect("free"), "127.0.0.1:443");
        self.keep(client);
        self.keep(accepted);
        self.keep(TcpListener::bind("0.0.0.0:22").expect("free"));
        // Half closed: FIN-WAIT-2 and CLOSE-WAIT.
        let (client, accepted) =
            self.pair(TcpListener::bind("127.0.0.1:8085").expect("free"), "127.0.0.1:8085");
        client.shutdown(std::net::Shutdown::Write).expect("connected");
        self.keep(client);
        self.keep(accepted);
        // Unsent: more than the peer's window.
        let (client, accepted) =
            self.pair(TcpListener::bind("127.0.0.2:8086").expect("free"), "127.0.0.2:8086");
        client.set_nonblocking(true).expect("a socket");
        while (&client).write(&[0; 65536]).is_ok() {}
        self.keep(client);
        self.keep(accepted);
        // TIME-WAIT, on the client's side, that closes first.
        let listener = TcpListener::bind("127.0.0.1:8087").expect("free");
        let (client, mut accepted) = self.pair(listener, "127.0.0.1:8087");
        drop(client);
        assert_eq!(accepted.read(&mut [0; 1]).expect("connected"), 0);
        drop(accepted);
    }

    fn tcp_options(&mut self) {
        let v6only = socket(libc::AF_INET6, libc::SOCK_STREAM, 0);
        set_int(&v6only, libc::IPPROTO_IPV6, libc::IPV6_V6ONLY, 1);
        bind(&v6only, "[::]:8082");
        listen(&v6only);
        self.keep(v6only);

        let bound = socket(libc::AF_INET, libc::SOCK_STREAM, 0);
        set(&bound, libc::SOL_SOCKET, libc::SO_BINDTODEVICE, b"lo");
        bind(&bound, "0.0.0.0:8084");
        listen(&bound);
        self.keep(bound);

        let many = socket(libc::AF_INET, libc::SOCK_STREAM, 0);
        for (level, name, value) in [
            (libc::SOL_IP, libc::IP_FREEBIND, 1),
            (libc::SOL_IP, libc::IP_TRANSPARENT, 1),
            (libc::SOL_IP, libc::IP_RECVERR, 1),
            (libc::SOL_IP, libc::IP_TOS, 0x10),
            (libc::SOL_SOCKET, libc::SO_MARK, 0x2a),
            (libc::SOL_SOCKET, libc::SO_KEEPALIVE, 1),
        ] {
            set_int(&many, level, name, value);
        }
        set(&many, libc::IPPROTO_TCP, libc::TCP_CONGESTION, b"reno");
        set(
            &many,
            libc::IPPROTO_TCP,
            libc::TCP_MD5SIG,
            &md5_key(Ipv4Addr::new(192, 0, 2, 7), b"se cret,\x01"),
        );
        bind(&many, "127.0.0.3:8088");
        listen(&many);
        let client = socket(libc::AF_INET, libc::SOCK_STREAM, 0);
        set_int(&client, libc::SOL_SOCKET, libc::SO_MARK, 0x11);
        set_int(&client, libc::SOL_SOCKET, libc::SO_KEEPALIVE, 1);
        connect(&client, "127.0.0.3:8088");
        self.keep(many);
        self.keep(client);

        // Bound, and nothing else.
        let inactive = socket(libc::AF_INET, libc::SOCK_STREAM, 0);
        bind(&inactive, "127.0.0.1:7777");
        self.keep(inactive);
    }

    /// The states that a live peer leaves too soon.
    fn tcp_with_a_ghost(&mut self) {
        ip("link add v0 type veth peer name v1");
        ip("address add 192.0.2.1/24 dev v0");
        ip("address add fe80::1/64 dev v0 nodad");
        ip("link set v0 up");
        ip("link set v1 up");
        ip("neighbour add 192.0.2.99 lladdr 02:00:00:00:00:63 dev v0");

        let silent = socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_NONBLOCK, 0);
        connect(&silent, "192.0.2.99:80");
        self.keep(silent);

        let listener = TcpListener::bind("192.0.2.1:9000").expect("free");
        let mut ghost =
            Ghost::new("v1", "v0", Ipv4Addr::new(192, 0, 2, 99), Ipv4Addr::new(192, 0, 2, 1), 9000);
        ghost.syn(40_001);
        ghost.connect(40_002);
        let (fin_wait_1, _) = listener.accept().expect("the ghost");
        drop(fin_wait_1);
        ghost.connect(40_003);
        let (closing, _) = listener.accept().expect("the ghost");
        drop(closing);
        ghost.fin(40_003);
        ghost.connect(40_004);
        let (mut last_ack, _) = listener.accept().expect("the ghost");
        ghost.fin(40_004);
        assert_eq!(last_ack.read(&mut [0; 1]).expect("connected"), 0);
        drop(last_ack);
        ghost.connect(40_005);
        let (mut unacked, _) = listener.accept().expect("the ghost");
        unacked.write_all(b"nobody hears me").expect("room");
        self.keep(unacked);
        self.keep(listener);
        self.keep(ghost.into_socket());

        let local = socket(libc::AF_INET6, libc::SOCK_STREAM, 0);
        set(&local, libc::SOL_SOCKET, libc::SO_BINDTODEVICE, b"v0");
        bind(&local, "[fe80::1]:8089");
        listen(&local);
        self.keep(local);
    }

    fn udp(&mut self) {
        let server = UdpSocket::bind("127.0.0.1:53").expect("free");
        let client = UdpSocket::bind("127.0.0.1:5353").expect("free");
        client.connect("127.0.0.1:53").expect("an address");
        client.send(b"unread").expect("room");
        self.keep(server);
        self.keep(client);
        self.keep(UdpSocket::bind("0.0.0.0:123").expect("free"));
        self.keep(UdpSocket::bind("[::]:5354").expect("free"));
        let six = UdpSocket::bind("[::1]:5355").expect("free");
        six.connect("[::1]:5354").expect("an address");
        self.keep(six);
        let bound = socket(libc::AF_INET, libc::SOCK_DGRAM, 0);
        set(&bound, libc::SOL_SOCKET, libc::SO_BINDTODEVICE, b"lo");
        bind(&bound, "127.0.0.53:67");
        self.keep(bound);
    }

    fn raw(&mut self) {
        self.keep(socket(libc::AF_INET, libc::SOCK_RAW, libc::IPPROTO_ICMP));
        self.keep(socket(libc::AF_INET, libc::SOCK_RAW, 89));
        self.keep(socket(libc::AF_INET6, libc::SOCK_RAW, libc::IPPROTO_ICMPV6));
        let connected = socket(libc::AF_INET, libc::SOCK_RAW, libc::IPPROTO_UDP);
        connect(&connected, "127.0.0.1:0");
        self.keep(connected);
    }

    fn unix(&mut self) {
        let path = |name: &str| self.folder.join(name);
        let listener = UnixListener::bind(path("stream")).expect("a path");
        let mut client = UnixStream::connect(path("stream")).expect("a listener");
        let (accepted, _) = listener.accept().expect("a client");
        client.write_all(b"unread").expect("a peer");
        accepted.shutdown(std::net::Shutdown::Write).expect("connected");
        let waiting = UnixStream::connect(path("stream")).expect("a listener");
        let datagrams = UnixDatagram::bind(path("with blank ünïcode")).expect("a path");
        let sender = UnixDatagram::unbound().expect("a socket");
        sender.connect(path("with blank ünïcode")).expect("a receiver");
        sender.send(b"unread").expect("room");
        let name = UnixAddr::from_abstract_name(format!("fixtures\0{}", std::process::id())).expect("a name");
        let hidden = UnixListener::bind_addr(&name).expect("a name");
        let (left, right) = UnixDatagram::pair().expect("a pair");
        let packets = socket_pair(libc::SOCK_SEQPACKET);
        self.keep(listener);
        self.keep(client);
        self.keep(accepted);
        self.keep(waiting);
        self.keep(datagrams);
        self.keep(sender);
        self.keep(hidden);
        self.keep(left);
        self.keep(right);
        self.kept.extend(packets);
    }

    fn packet(&mut self) {
        self.keep(socket(libc::AF_PACKET, libc::SOCK_RAW, i32::from((libc::ETH_P_ALL as u16).to_be())));
        let filtered = socket(libc::AF_PACKET, libc::SOCK_DGRAM, i32::from((libc::ETH_P_IP as u16).to_be()));
        // ld [0]; ret #0xffff
        let program = [0x20u16, 0, 0, 0, 6, 0, 0xffff, 0].map(u16::to_ne_bytes).concat();
        let fprog = libc::sock_fprog { len: 2, filter: program.as_ptr().cast_mut().cast() };
        // SAFETY: a sock_fprog is plain data, read as the bytes that it is.
        let bytes = unsafe {
            std::slice::from_raw_parts((&raw const fprog).cast::<u8>(), size_of::<libc::sock_fprog>())
        };
        set(&filtered, libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, bytes);
        set_int(&filtered, libc::SOL_PACKET, libc::PACKET_AUXDATA, 1);
        bind_packet(&filtered, libc::ETH_P_IP as u16, 1);
        self.keep(filtered);
        let ring = socket(libc::AF_PACKET, libc::SOCK_RAW, i32::from((libc::ETH_P_ARP as u16).to_be()));
        bind_packet(&ring, libc::ETH_P_ARP as u16, 1);
        // struct tpacket_req: block size and number, frame size and number.
        let request = [4096u32, 2, 2048, 4].map(u32::to_ne_bytes).concat();
        set(&ring, libc::SOL_PACKET, libc::PACKET_RX_RING, &request);
        set_int(&ring, libc::SOL_PACKET, libc::PACKET_FANOUT, 7 | 1 << 16);
        self.keep(ring);
    }

    fn netlink(&mut self) {
        // The widest port id keeps the columns as they are, whichever others the kernel chooses.
        let widest = i32::MIN.cast_unsigned();
        for (protocol, portid, groups) in [
            (libc::NETLINK_ROUTE, 0, 0x11),
            (libc::NETLINK_KOBJECT_UEVENT, 0, 1),
            (libc::NETLINK_KOBJECT_UEVENT, widest, 0),
            (2, 0, 0),
        ] {
            let animal = socket(libc::AF_NETLINK, libc::SOCK_RAW, protocol);
            // struct sockaddr_nl: family, padding, port id (the kernel chooses for 0), groups.
            let mut address = vec![0; 12];
            address[..2].copy_from_slice(&(libc::AF_NETLINK as u16).to_ne_bytes());
            address[4..8].copy_from_slice(&u32::to_ne_bytes(portid));
            address[8..].copy_from_slice(&u32::to_ne_bytes(groups));
            call(libc::bind, &animal, &address);
            if protocol == 2 {
                address[4..8].copy_from_slice(&4711u32.to_ne_bytes());
                call(libc::connect, &animal, &address);
            }
            self.keep(animal);
        }
    }

    fn mptcp(&mut self) {
        let listener = socket(libc::AF_INET, libc::SOCK_STREAM, 262);
        bind(&listener, "127.0.0.1:8090");
        listen(&listener);
        let client = socket(libc::AF_INET, libc::SOCK_STREAM, 262);
        connect(&client, "127.0.0.1:8090");
        // SAFETY: the addresses are not wanted; the descriptor is new and ours.
        let accepted = unsafe {
            let fd = libc::accept4(
                listener.as_raw_fd(),
                std::ptr::null_mut(),
                std::ptr::null_mut(),
                libc::SOCK_CLOEXEC,
            );
            assert!(fd >= 0, "accept: {}", std::io::Error::last_os_error());
            OwnedFd::from_raw_fd(fd)
        };
        self.keep(listener);
        self.keep(client);
        self.keep(accepted);
        let six = socket(libc::AF_INET6, libc::SOCK_STREAM, 262);
        bind(&six, "[::]:8091");
        listen(&six);
        self.keep(six);
    }

    /// Where its UNIX sockets have their paths.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }
}

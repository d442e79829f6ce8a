//! Filters over real sockets: our evaluator, our bytecode in the kernel, and ss must agree.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::ops::ControlFlow;
use std::os::fd::OwnedFd;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr as UnixAddr, UnixListener, UnixStream};
use std::path::Path;
use std::process::Command;

use nix::sys::socket::{AddressFamily, SockFlag, SockProtocol, SockType, setsockopt, socket, sockopt};
use socktrace::kernel::netlink::{Netlink, Protocol};
use socktrace::kernel::sock_diag::{InetQuery, InetTable, IpVersion, SockDiag, UnixQuery, Want};
use socktrace::query::bytecode::{Able, Target};
use socktrace::query::{Context, Device, Dialect, Facts, Filter, Names, parse};
use socktrace::socket::{Cookie, Endpoint, Family, NetnsId, Socket, StateSet};

use crate::ss_parity::oracle;
use crate::support::in_own_netns;

/// What the filters name.
struct World {
    cgroup: u64,
}

impl Names for World {
    fn host(&self, _: &str, _: Option<Family>) -> Vec<IpAddr> {
        Vec::new()
    }
    fn service(&self, _: &str, _: &str) -> Option<u16> {
        None
    }
    fn device(&self, name: &str) -> Option<Device> {
        (name == "lo").then_some(Device::Index(1))
    }
    fn cgroup(&self, path: &str) -> Option<u64> {
        (path == "mine").then_some(self.cgroup)
    }
    fn user(&self, _: &str) -> Option<u32> {
        None
    }
    fn netns(&self, _: &str) -> Option<NetnsId> {
        None
    }
}

/// TCP and UDP sockets of many kinds; they live as long as what is returned.
fn sockets() -> Vec<OwnedFd> {
    let mut all: Vec<OwnedFd> = Vec::new();
    let listen = |address: &str| TcpListener::bind(address).expect("free");
    let (four, six) = (listen("127.0.0.1:22022"), listen("[::]:22023"));
    for (listener, address) in [
        (&four, "127.0.0.1:22022"),
        (&six, "[::1]:22023"),
        (&six, "127.0.0.1:22023"),
        (&four, "127.0.0.1:22022"),
    ] {
        let address: SocketAddr = address.parse().expect("an address");
        all.push(TcpStream::connect(address).expect("a listener").into());
        all.push(listener.accept().expect("a connection").0.into());
    }
    // The last connection ends: its client goes to TIME-WAIT.
    let server = all.pop();
    drop(all.pop());
    drop(server);

    let marked = listen("127.0.0.2:22024");
    setsockopt(&marked, sockopt::Mark, &0x15).expect("CAP_NET_ADMIN");
    let bound = listen("0.0.0.0:22025");
    setsockopt(&bound, sockopt::BindToDevice, &"lo".into()).expect("a device");
    all.extend([four, six, marked, bound].map(OwnedFd::from));

    let udp = |address: &str| UdpSocket::bind(address).expect("free");
    let connected = udp("127.0.0.1:40001");
    connected.connect("127.0.0.1:53").expect("UDP connects to anything");
    let connected6 = udp("[::1]:546");
    connected6.connect("[::1]:547").expect("UDP connects to anything");
    all.extend([connected, connected6, udp("0.0.0.0:53"), udp("[::]:5353")].map(OwnedFd::from));
    all
}

/// Every TCP and UDP socket of the namespace, or those that pass the bytecode.
fn dump(bytecode: &[u8]) -> Vec<Socket> {
    let mut rows = Vec::new();
    let mut diag = SockDiag::open().expect("netlink");
    for table in [InetTable::Tcp, InetTable::Udp] {
        for ip in IpVersion::BOTH {
            let query = InetQuery { want: Want::ALL, bytecode, ..InetQuery::new(table, ip, StateSet::ALL) };
            let answer = diag.inet(&query, |row| {
                rows.push(row.to_socket(Want::ALL).expect("well-formed"));
                ControlFlow::Continue(())
            });
            assert!(!answer.expect("the kernel takes the program").stopped);
        }
    }
    rows
}

fn cookies<'a>(rows: impl IntoIterator<Item = &'a Socket>) -> BTreeSet<Cookie> {
    rows.into_iter().map(|row| row.cookie).collect()
}

fn read(text: &str, world: &World) -> Filter {
    parse(&[text.to_owned()], &Context::new(Dialect::Ss), world).expect(text)
}

/// Filters that the kernel and ss can decide alone.
const FILTERS: [&str; 57] = [
    "sport = 22022",
    "sport = :22022",
    "sport 0x5606",
    "sport != :22022",
    "sport > 22022 and sport < 22025",
    "sport ge 22023 sport le 22024",
    "sport gt 22023 or dport lt 1000",
    "dport eq 22023",
    "dport neq 22023",
    "not dport = 22023",
    "dport = 0",
    "sport <= 53",
    "sport >= 65535",
    "sport = 70000",
    "src 127.0.0.1",
    "src 127/8",
    "src 127.0.0.0/255.0.0.0",
    "src 127.0.0.2",
    "not src 127.0.0.1",
    "src 127.0.0.1:22022",
    "dst 127.0.0.1:22023",
    "src 0.0.0.0",
    "src 0.0.0.0/0",
    "src [::]",
    "src [::/0]",
    "src ::/0",
    "src [::1]",
    "src [::1]:22023",
    "src ::1/128:22023",
    "src [::ffff:127.0.0.1]",
    "src [::ffff:127.0.0.1]:22023",
    "dst [::ffff:0:0/96]",
    "not src [::ffff:0:0/96]",
    "src inet:any",
    "src inet6:any",
    "src any",
    "src *:22023",
    "src :22023",
    "sport = *",
    "fwmark 0x15",
    "fwmark = 5/0xf",
    "fwmark != 0",
    "not fwmark 0x15 and sport = 22024",
    "sport = 22022 or sport = 22023 and dport = 0",
    "sport = 22022 or ( sport = 22023 and dport = 0 )",
    "( sport = 22022 dport = 0 ) or dport = 53",
    "not ( sport = 22022 or dport = 22022 )",
    "not not sport = 22022",
    "! ( not src 127/8 || dport = 0 ) && ! sport = 40001",
    "not ( not ( src 127.0.0.1 and not sport = 22022 ) or not dport = 22023 )",
    "src 127.0.0.1 or src [::1] or sport = 22025",
    "src 127.0.0.1 and not ( dst 127.0.0.1:22022 or dst 127.0.0.1:53 )",
    "( src 127/8 or src [::1] ) ( dport = 22022 or dport = 22023 )",
    "src 128/1 or src 64/2 and sport != 22022",
    "dst 127.0.0.1:53 or dst [::1]:547",
    "sport = 22022 and sport != 22022",
    "sport = 22022 or sport != 22022",
];

/// Filters of ours that the kernel can decide alone.
const OURS: [&str; 12] = [
    "dev lo",
    "dev != lo",
    "dev 0 sport = 22022",
    "not ( dev lo or sport = 22022 )",
    "port = 22023",
    "port != 22023",
    "sport = 22022-22024",
    "dport = {53,547,22000-22022}",
    "not sport = {22022,22024-22025}",
    "host 127.0.0.1:22023",
    "host != [::1]",
    "sport = {*,1} and autobound",
];

#[test]
fn the_kernel_runs_our_bytecode_as_we_read_the_filter() {
    in_own_netns(|| {
        let open = sockets();
        let rows = dump(&[]);
        assert_eq!(rows.len(), open.len() + 1, "and one in TIME-WAIT: {rows:#?}");
        let cgroup = rows.iter().find_map(|row| row.detail.as_ref()?.cgroup_id);
        let world = World { cgroup: cgroup.expect("the kernel tells cgroups") };
        for able in [Able::ALL, Able::LEAST] {
            let target = Target { able, port_range: (32768, 60999) };
            let cgroups = ["cgroup mine", "cgroup != mine", "not cgroup mine and sport >= 0"];
            for text in FILTERS.iter().chain(&OURS).chain(&cgroups) {
                let filter = read(text, &world);
                let matching = cookies(rows.iter().filter(|row| filter.matches(&Facts::of_socket(row))));
                let Some(program) = filter.bytecode(&target) else {
                    assert!(able == Able::LEAST || matching.len() == rows.len(), "{text} narrows");
                    continue;
                };
                let narrowed = dump(&program);
                if able == Able::ALL && filter.narrows_to().is_none() {
                    assert_eq!(cookies(&narrowed), matching, "{text}");
                }
                let left = cookies(narrowed.iter().filter(|row| filter.matches(&Facts::of_socket(row))));
                assert_eq!(left, matching, "{text}: nothing is lost");
            }
        }
        // What no kernel can decide must not get in the way of what it can.
        let filter = read("not ( sport = 22022 or comm x ) and ( dport = 0 or rtt > 1s )", &world);
        let program = filter.bytecode(&Target { able: Able::ALL, port_range: (1, 2) }).expect("it narrows");
        assert_eq!(cookies(&dump(&program)), cookies(rows.iter().filter(|row| row.local.port() != 22022)));
        drop(open);
    });
}

/// What the real ss prints.
fn ss(oracle: &Path, arguments: &[&str]) -> String {
    let output = Command::new(oracle).args(arguments).output().expect("ss starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{arguments:?}: {said}");
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn ss_reads_filters_as_we_do() {
    let oracle = oracle();
    in_own_netns(|| {
        let open = sockets();
        let rows = dump(&[]);
        let world = World { cgroup: 0 };
        let mut telling = 0;
        for text in FILTERS.iter().chain(&OURS[..4]) {
            let filter = read(text, &world);
            let ours = cookies(rows.iter().filter(|row| filter.matches(&Facts::of_socket(row))));
            let listed = ss(&oracle, &["-Htuane", text]);
            let theirs = listed.split_whitespace().filter_map(|word| word.strip_prefix("sk:"));
            let theirs: BTreeSet<Cookie> =
                theirs.map(|hex| Cookie::from_str_radix(hex, 16).expect("a cookie")).collect();
            assert_eq!(ours, theirs, "{text}:\n{listed}");
            telling += usize::from(!ours.is_empty() && ours.len() < rows.len());
        }
        assert!(telling > 45, "only {telling} of the filters pass some sockets and not others");
        drop(open);
    });
}

/// The rows of another family, and how ss names one in the word of that number.
fn others(family: Family) -> Vec<(Socket, String)> {
    let mut rows = Vec::new();
    let mut diag = SockDiag::open().expect("netlink");
    let mut each = |row: Socket| {
        let name = match &row.local {
            Endpoint::Netlink { protocol, portid } => format!("{protocol}:{}", portid.cast_signed()),
            _ => row.inode.to_string(),
        };
        rows.push((row, name));
        ControlFlow::Continue(())
    };
    let answer = match family {
        Family::Unix => diag.unix(&UnixQuery { states: StateSet::ALL, want: Want::NONE }, &mut each),
        Family::Packet => diag.packet(Want::NONE, &mut each),
        Family::Netlink => diag.netlink(Want::NONE, &mut each),
        other => panic!("no question about {other:?}"),
    };
    assert!(!answer.expect("an answer").stopped);
    rows
}

#[test]
fn ss_reads_filters_of_other_families_as_we_do() {
    let oracle = oracle();
    in_own_netns(|| {
        let folder = std::env::temp_dir().join(format!("socktrace-filter-{}", std::process::id()));
        std::fs::create_dir(&folder).expect("a folder of our own");
        let path = folder.join("Path.sock");
        let bound = UnixListener::bind(&path).expect("a free path");
        let abstr = UnixAddr::from_abstract_name("Filter-One").expect("a name");
        let abstr = UnixListener::bind_addr(&abstr).expect("a free name");
        let pair = UnixStream::pair().expect("a pair");
        let packet = |protocol| socket(AddressFamily::Packet, SockType::Raw, SockFlag::empty(), protocol);
        // Without CAP_NET_RAW this fails; these tests run as root.
        let packets = [packet(Some(SockProtocol::EthAll)), packet(None)].map(|made| made.expect("root"));
        let netlink = Netlink::open(Protocol::Route).expect("rtnetlink");

        let unix = ["-Hxan", "5"];
        let link = ["-H0aneO", "ino:"];
        // One kind of socket has no column for its kind.
        let nl = ["-Hanfnetlink", "3"];
        let mut telling = 0;
        for (family, [options, place], filters) in [
            (
                Family::Unix,
                unix,
                &["src *path.SOCK", "src @filter-?ne", "src unix:*", "not src @*", "sport = *Path*"][..],
            ),
            (
                Family::Unix,
                unix,
                &["src [@/]*[!k]", "src @Filter-One or src */Path.sock", "dst *", "sport != @*"],
            ),
            (
                Family::Packet,
                link,
                &["src link:all", "src all", "src *", "not src all", "src 3:lo", "sport = *"],
            ),
            (
                Family::Netlink,
                nl,
                &["src rtnl", "src 0", "src genl", "src rtnl:kernel", "src :0", "not src rtnl"],
            ),
            (
                Family::Netlink,
                nl,
                &["sport = kernel", "sport != kernel", "dport = 5", "dport != 5", "sport > 0"],
            ),
        ] {
            let rows = others(family);
            for text in filters {
                let context = Context { family: Some(family), ..Context::new(Dialect::Ss) };
                let filter = parse(&[(*text).to_owned()], &context, &World { cgroup: 0 }).expect(text);
                let passes = |row: &Socket| filter.matches(&Facts::of_socket(row));
                let mut ours: Vec<_> =
                    rows.iter().filter(|(row, _)| passes(row)).map(|(_, name)| name.clone()).collect();
                let listed = ss(&oracle, &[options, text]);
                let mut theirs: Vec<_> = listed
                    .lines()
                    .map(|line| {
                        let mut words = line.split_whitespace();
                        let word = match place.parse::<usize>() {
                            Ok(place) => words.nth(place),
                            Err(_) => words.find_map(|word| word.strip_prefix(place)),
                        };
                        word.expect(line).to_owned()
                    })
                    .collect();
                // Each lists the socket of sock_diag (4) that it asks with.
                ours.retain(|name| !name.starts_with("4:"));
                theirs.retain(|name| !name.starts_with("4:"));
                ours.sort();
                theirs.sort();
                assert_eq!(ours, theirs, "{text}:\n{listed}");
                telling += usize::from(!ours.is_empty() && ours.len() < rows.len());
            }
        }
        assert!(telling >= 14, "only {telling} of the filters pass some sockets and not others");
        drop((bound, abstr, pair, packets, netlink));
        std::fs::remove_dir_all(&folder).expect("our folder");
    });
}

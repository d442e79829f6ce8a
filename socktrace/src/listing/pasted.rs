//! A law: what a row shows of its ends is accepted as a filter, and that filter passes the row.

use std::net::{IpAddr, Ipv4Addr};

use proptest::prelude::*;

use crate::api::sockets::pick::Pick;
use crate::api::sockets::show::Show;
use crate::query::{self, Context, Device, Dialect, Facts};
use crate::render::names::{self, Named};
use crate::render::ss::{Row, Table};
use crate::socket::{Endpoint, Family, NetnsId, Proto, Socket, State, UnixName};

/// Knows the names of some numbers, and the numbers of the same names.
struct World(Vec<u8>);

const SERVICES: [(&str, u16); 3] = [("ssh", 22), ("http-alt", 8080), ("x.25-y", 999)];
const DEVICES: [(&str, u32); 3] = [("lo", 1), ("br-7.100", 7), ("eth0@x", 9)];
const PROTOCOLS: [(&str, u16); 3] = [("icmp", 1), ("ospf", 89), ("mptcp", 262)];
const HOSTS: [(&str, [u8; 4]); 2] = [("localhost", [127, 0, 0, 1]), ("a-b.example.org", [192, 0, 2, 1])];

impl names::Names for World {
    fn name(&mut self, of: Named) -> Option<&[u8]> {
        let text = match of {
            Named::Service { port, .. } => SERVICES.iter().find(|it| it.1 == port)?.0,
            Named::Host(addr) => HOSTS.iter().find(|it| IpAddr::from(it.1) == addr.to_canonical())?.0,
            Named::Interface { index, .. } => DEVICES.iter().find(|it| it.1 == index)?.0,
            Named::IpProtocol(number) => PROTOCOLS.iter().find(|it| it.1 == number)?.0,
            Named::NetlinkProtocol(16) => "genl",
            Named::NetlinkProtocol(21) => "crypto",
            Named::Process(pid) if pid % 2 == 0 => "a: b/c",
            Named::NetlinkProtocol(_)
            | Named::Process(_)
            | Named::User(_)
            | Named::Cgroup(_)
            | Named::ProcessContext(_)
            | Named::FileContext { .. } => return None,
        };
        self.0 = text.into();
        Some(&self.0)
    }
}

impl query::Names for World {
    fn host(&self, name: &str, _: Option<Family>) -> Vec<IpAddr> {
        HOSTS.iter().filter(|it| it.0 == name).map(|it| it.1.into()).collect()
    }
    fn service(&self, name: &str, _: &str) -> Option<u16> {
        SERVICES.iter().find(|it| it.0 == name).map(|it| it.1)
    }
    fn device(&self, name: &str) -> Option<Device> {
        DEVICES.iter().find(|it| it.0 == name).map(|it| Device::Index(it.1))
    }
    fn protocol(&self, name: &str) -> Option<u16> {
        PROTOCOLS.iter().find(|it| it.0 == name).map(|it| it.1)
    }
    fn cgroup(&self, _: &str) -> Option<u64> {
        None
    }
    fn user(&self, _: &str) -> Option<u32> {
        None
    }
    fn netns(&self, _: &str) -> Option<NetnsId> {
        None
    }
}

/// Two addresses of one version, and ports; those with names more often.
fn inet() -> impl Strategy<Value = (Endpoint, Endpoint)> {
    let four = || {
        let octets = prop_oneof![Just([127, 0, 0, 1]), Just([192, 0, 2, 1]), Just([0; 4]), any::<[u8; 4]>()];
        octets.prop_map(IpAddr::from)
    };
    let six = || {
        let mapped = any::<[u8; 4]>().prop_map(|it| Ipv4Addr::from(it).to_ipv6_mapped().octets());
        prop_oneof![Just([0; 16]), any::<[u8; 16]>(), mapped].prop_map(IpAddr::from)
    };
    let port = || prop_oneof![Just(0), Just(22), Just(8080), Just(999), any::<u16>()];
    (prop_oneof![(four(), four()), (six(), six())], port(), port()).prop_map(|((one, other), from, to)| {
        (Endpoint::Inet { addr: one, port: from }, Endpoint::Inet { addr: other, port: to })
    })
}

/// A path, an abstract name or none. A blank separates words, so one with a blank has to be quoted as ever.
fn unix_name() -> impl Strategy<Value = UnixName> {
    let bytes = "(/|\\x00|@)[a-zA-Z0-9/@.:_*?{}!,()\\x00%-]{0,20}|";
    bytes.prop_map(|text| UnixName::from_bytes(text.as_bytes()))
}

fn device() -> impl Strategy<Value = u32> {
    prop_oneof![Just(0), Just(1), Just(7), Just(9), Just(u32::MAX), 0u32..100]
}

/// The kind, both ends, the device.
fn ends() -> impl Strategy<Value = (Proto, Family, Endpoint, Endpoint, u32)> {
    use Endpoint::{Netlink, Packet, Unix, Vsock};
    let tcp = prop_oneof![Just(Proto::Tcp), Just(Proto::Udp), Just(Proto::Mptcp)];
    let family_of = |end: &Endpoint| match end.inet() {
        Some((IpAddr::V4(_), _)) => Family::Inet,
        _ => Family::Inet6,
    };
    let vsock = || {
        let number = || prop_oneof![Just(u32::MAX), any::<u32>()];
        (number(), number()).prop_map(|(cid, port)| Vsock { cid, port })
    };
    prop_oneof![
        4 => (tcp, inet(), device())
            .prop_map(move |(proto, (local, peer), device)| (proto, family_of(&local), local, peer, device)),
        1 => (inet(), prop_oneof![Just(89), Just(262), any::<u16>()], device()).prop_map(move |((local, _), protocol, device)| {
            let with = |port: u16| match local {
                Endpoint::Inet { addr, .. } => Endpoint::Inet { addr, port },
                _ => local.clone(),
            };
            (Proto::Raw(protocol), family_of(&local), with(protocol), with(0), device)
        }),
        2 => (unix_name(), 1u32.., unix_name(), any::<u32>()).prop_map(|(name, inode, peer, other)| {
            let (local, peer) = (Unix { name, inode }, Unix { name: peer, inode: other });
            (Proto::UnixStream, Family::Unix, local, peer, 0)
        }),
        1 => (prop_oneof![any::<u16>(), Just(3), Just(0x800), Just(0x8100)], device()).prop_map(|(protocol, ifindex)| {
            (Proto::PacketRaw, Family::Packet, Packet { protocol, ifindex }, Endpoint::None, ifindex)
        }),
        1 => (prop_oneof![Just(0u8), Just(16), Just(21), any::<u8>()], prop_oneof![Just(0u32), Just(u32::MAX), any::<u32>()])
            .prop_map(|(protocol, portid)| {
                (Proto::Netlink, Family::Netlink, Netlink { protocol, portid }, Endpoint::None, 0)
            }),
        1 => (vsock(), vsock()).prop_map(|(local, peer)| (Proto::VsockStream, Family::Vsock, local, peer, 0)),
    ]
}

/// What a column shows of the socket.
fn shown(socket: &Socket, column: &str, show: Show) -> String {
    let mut table = Table::of(show, &[Pick::from_word(column).expect("a column")]);
    table.push(Row::of(socket), &mut World(Vec::new()));
    let mut out = Vec::new();
    table.write(&mut out, None).expect("memory");
    String::from_utf8(out).expect("text").trim_end().to_owned()
}

proptest! {
    #[test]
    fn what_a_row_shows_of_its_ends_passes_it(
        (proto, family, local, peer, ifindex) in ends(),
        (numeric, resolve, v6only) in any::<(bool, bool, bool)>(),
    ) {
        let socket = Socket {
            proto,
            family,
            state: State::Established,
            recv_q: 0,
            send_q: 0,
            local,
            peer,
            ifindex,
            inode: 1,
            cookie: 1,
            netns: 1,
            uid: None,
            v6only: Some(v6only),
            detail: None,
        };
        let show = Show { numeric, resolve, ..Show::default() };
        // As the family's own option reads it, and with its prefix where nothing chooses a family.
        let prefix = match family {
            Family::Unix => "unix:",
            Family::Packet => "link:",
            Family::Netlink => "netlink:",
            Family::Vsock => "vsock:",
            _ => "",
        };
        for (side, column) in [("src", "local"), ("dst", "peer")] {
            let mut text = shown(&socket, column, show);
            match (&socket.local, &socket.peer) {
                // A name and the inode number are two words; a name takes no port.
                (Endpoint::Unix { .. }, _) => text.truncate(text.rfind(' ').unwrap_or(text.len())),
                (_, Endpoint::None) if column == "peer" => continue,
                _ => {}
            }
            let chosen = Context { family: Some(family), ..Context::new(Dialect::Ss) };
            let raw = Context { tcp: false, udp: false, ..Context::new(Dialect::Ss) };
            let free = if let Proto::Raw(_) = proto { raw } else { Context::new(Dialect::Ss) };
            for (context, value) in [(chosen, text.clone()), (free, format!("{prefix}{text}"))] {
                if family == Family::Inet6 && resolve && context.family.is_some() {
                    // A host's name is asked for in the family that was chosen, and this one has none there.
                    continue;
                }
                let words = [side.to_owned(), value.replace(' ', "\\ ")];
                let filter = query::parse(&words, &context, &World(Vec::new()));
                let filter = filter.map_err(|error| error.explain(&words));
                let passes = filter.as_ref().map(|filter| filter.matches(&Facts::of_socket(&socket)));
                prop_assert_eq!(passes, Ok(true), "{:?} {:?}", words, socket);
            }
        }
        if ifindex != 0 {
            let words = ["dev".to_owned(), "==".to_owned(), shown(&socket, "interface", show)];
            let filter = query::parse(&words, &Context::new(Dialect::Ss), &World(Vec::new()));
            let passes = filter.map(|filter| filter.matches(&Facts::of_socket(&socket)));
            prop_assert_eq!(passes, Ok(true), "{:?}", words);
        }
    }
}

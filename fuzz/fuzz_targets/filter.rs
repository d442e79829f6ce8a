//! The filter language: any words are read or refused in good order, and what is read keeps the laws.
#![no_main]

use std::net::IpAddr;

use libfuzzer_sys::fuzz_target;
use socktrace::query::bytecode::{Able, Target};
use socktrace::query::{Device, Context, Dialect, Facts, Filter, Names, parse, parse_states};
use socktrace::socket::{Endpoint, Family, NetnsId, Proto, Socket, State, UnixName};

/// A world in which a few names exist.
struct World;

impl Names for World {
    fn host(&self, name: &str, family: Option<Family>) -> Vec<IpAddr> {
        let addresses: &[IpAddr] = match name {
            "a" => &[IpAddr::V4(std::net::Ipv4Addr::LOCALHOST)],
            "b" => &[IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED), IpAddr::V6(std::net::Ipv6Addr::LOCALHOST)],
            _ => &[],
        };
        let fits = |addr: &&IpAddr| match family {
            Some(Family::Inet) => addr.is_ipv4(),
            Some(Family::Inet6) => addr.is_ipv6(),
            _ => true,
        };
        addresses.iter().filter(fits).copied().collect()
    }
    fn service(&self, name: &str, proto: &str) -> Option<u16> {
        match (name, proto) {
            ("http", _) => Some(80),
            ("torn", "tcp") => Some(1),
            ("torn", _) => Some(2),
            _ => None,
        }
    }
    fn device(&self, name: &str) -> Option<Device> {
        (name == "lo").then_some(Device::Index(1))
    }
    fn cgroup(&self, path: &str) -> Option<u64> {
        path.starts_with('/').then_some(7)
    }
    fn user(&self, name: &str) -> Option<u32> {
        (name == "root").then_some(0)
    }
    fn netns(&self, name: &str) -> Option<NetnsId> {
        (name == "blue").then_some(5)
    }
}

fn socket(family: Family, local: Endpoint, peer: Endpoint) -> Socket {
    Socket {
        proto: Proto::Tcp,
        family,
        state: State::Established,
        recv_q: 1,
        send_q: 0,
        local,
        peer,
        ifindex: 1,
        inode: 22,
        cookie: 80,
        netns: 5,
        uid: Some(0),
        v6only: None,
        detail: None,
    }
}

fn sockets() -> [Socket; 4] {
    let inet = |addr: &str, port| Endpoint::Inet { addr: addr.parse().expect("an address"), port };
    let unix = Endpoint::Unix { name: UnixName::from_bytes(b"\0ab"), inode: 3 };
    [
        socket(Family::Inet, inet("127.0.0.1", 80), inet("0.0.0.0", 0)),
        socket(Family::Inet6, inet("::1", 22), inet("::ffff:127.0.0.1", 80)),
        socket(Family::Unix, unix, Endpoint::None),
        socket(Family::Netlink, Endpoint::Netlink { protocol: 0, portid: 1 << 31 }, Endpoint::None),
    ]
}

fuzz_target!(|input: (u8, &str)| {
    let (options, text) = input;
    let words: Vec<String> = text.split('\n').map(str::to_owned).collect();
    let _ = parse_states(&words);
    let family = match options >> 1 & 7 {
        0 | 1 => None,
        2 => Some(Family::Inet),
        3 => Some(Family::Inet6),
        4 => Some(Family::Unix),
        5 => Some(Family::Packet),
        6 => Some(Family::Netlink),
        _ => Some(Family::Vsock),
    };
    let dialect = if options & 1 == 0 { Dialect::Ss } else { Dialect::Strict };
    let context = Context { dialect, family, tcp: options & 16 == 0, udp: options & 32 == 0 };
    let filter = match parse(&words, &context, &World) {
        Ok(filter) => filter,
        Err(error) => {
            assert!(error.word <= words.len());
            let word = words.get(error.word).map_or("", String::as_str);
            assert!(word.get(error.span.clone()).is_some(), "{error:?} is outside of {word:?}");
            assert!(error.render(&words).ends_with('^'));
            assert!(!error.to_string().is_empty());
            return;
        }
    };

    // What is printed means the same.
    let printed = filter.to_string();
    let again = parse(std::slice::from_ref(&printed), &context, &World).map_err(|e| e.to_string());
    assert_eq!(again.as_ref().map(Filter::expr), Ok(filter.expr()), "{printed}");

    // The opposite passes none of the same sockets; hints and states hold.
    let opposite = filter.expr().map(|expr| Filter::from_expr(expr.clone().negate()));
    for socket in sockets() {
        let facts = Facts::of_socket(&socket);
        if filter.matches(&facts) {
            assert!(opposite.as_ref().is_none_or(|opposite| !opposite.matches(&facts)), "{printed}");
            assert!(filter.states().contains(facts.state), "{printed}");
            let hints = filter.hints();
            assert!(
                hints.local_port.is_none_or(|port| Some(i64::from(port)) == facts.local_port),
                "{printed}"
            );
            assert!(hints.cookie.is_none_or(|cookie| cookie == facts.cookie), "{printed}");
        }
    }

    // A program for the kernel consists of whole instructions that only lead forwards.
    let able = if options & 64 == 0 { Able::ALL } else { Able::LEAST };
    if let Some(program) = filter.bytecode(&Target { able, port_range: (32768, 60999) }) {
        let mut at = 0;
        while let Some(&[_, yes, a, b]) = program.get(at..).and_then(|rest| rest.first_chunk()) {
            let no = usize::from(u16::from_ne_bytes([a, b]));
            assert!(
                yes >= 4 && yes % 4 == 0 && no >= 4 && no % 4 == 0 && at + no <= program.len() + 4,
                "{printed}"
            );
            at += usize::from(yes);
        }
        assert_eq!(at, program.len(), "{printed}");
    }
});

//! The tables in /etc: services, IP protocols, netlink protocols; and the range of local ports.

use std::fs;
use std::path::Path;

use rustc_hash::FxHashMap;

/// /etc/services. As with getservbyport(3), the first line of a port counts.
#[derive(Debug, Default)]
pub(super) struct Services {
    by_port: FxHashMap<(u16, Box<str>), Box<[u8]>>,
    any: FxHashMap<u16, Box<[u8]>>,
    by_name: FxHashMap<(Box<str>, Box<str>), u16>,
}

impl Services {
    pub(super) fn parse(text: &[u8]) -> Self {
        let mut services = Self::default();
        for words in lines(text) {
            let [name, port, aliases @ ..] = words.as_slice() else { continue };
            let Some((port, proto)) = port.split_once('/') else { continue };
            let Ok(port) = port.parse::<u16>() else { continue };
            services.by_port.entry((port, proto.into())).or_insert_with(|| name.as_bytes().into());
            services.any.entry(port).or_insert_with(|| name.as_bytes().into());
            for name in std::iter::once(name).chain(aliases) {
                services.by_name.entry(((*name).into(), proto.into())).or_insert(port);
            }
        }
        services
    }

    pub(super) fn name(&self, port: u16, proto: &str) -> Option<&[u8]> {
        self.by_port.get(&(port, proto.into())).map(|name| &**name)
    }

    /// The first service of that port, whatever its protocol.
    pub(super) fn any_name(&self, port: u16) -> Option<&[u8]> {
        self.any.get(&port).map(|name| &**name)
    }

    pub(super) fn port(&self, name: &str, proto: &str) -> Option<u16> {
        self.by_name.get(&(name.into(), proto.into())).copied()
    }
}

/// /etc/protocols.
#[derive(Debug, Default)]
pub(super) struct Protocols(FxHashMap<u16, Box<[u8]>>);

impl Protocols {
    pub(super) fn parse(text: &[u8]) -> Self {
        let mut protocols = FxHashMap::default();
        for words in lines(text) {
            if let [name, number, ..] = words.as_slice()
                && let Ok(number) = number.parse()
            {
                protocols.entry(number).or_insert_with(|| name.as_bytes().into());
            }
        }
        Self(protocols)
    }

    pub(super) fn name(&self, number: u16) -> Option<&[u8]> {
        self.0.get(&number).map(|name| &**name)
    }

    pub(super) fn number(&self, name: &str) -> Option<u16> {
        self.0.iter().find(|(_, known)| ***known == *name.as_bytes()).map(|(&number, _)| number)
    }
}

/// The words that iproute2 has for netlink protocols where no file says otherwise (its lib/rt_names.c).
const NETLINK: [(u8, &str); 21] = [
    (0, "rtnl"),
    (1, "unused"),
    (2, "usersock"),
    (3, "fw"),
    (4, "tcpdiag"),
    (5, "nflog"),
    (6, "xfrm"),
    (7, "selinux"),
    (8, "iscsi"),
    (9, "audit"),
    (10, "fiblookup"),
    (11, "connector"),
    (12, "nft"),
    (13, "ip6fw"),
    (14, "dec-rt"),
    (15, "uevent"),
    (16, "genl"),
    (18, "scsi-trans"),
    (19, "ecryptfs"),
    (20, "rdma"),
    (21, "crypto"),
];

/// The names of netlink protocols: the built-in ones, then those of the first of the two files that is there, which
/// go before.
pub(super) fn netlink_protocols() -> Vec<(u8, Box<[u8]>)> {
    let text = ["/etc/iproute2/nl_protos", "/usr/share/iproute2/nl_protos"]
        .iter()
        .find_map(|path| fs::read(path).ok())
        .unwrap_or_default();
    let mut names = parse_numbered(&text);
    names.extend(NETLINK.iter().map(|(number, name)| (*number, name.as_bytes().into())));
    names
}

/// Lines of a number (decimal or `0x` hexadecimal) and a name.
fn parse_numbered(text: &[u8]) -> Vec<(u8, Box<[u8]>)> {
    let mut names: Vec<(u8, Box<[u8]>)> = Vec::new();
    for words in lines(text) {
        let [number, name] = words.as_slice() else { continue };
        let number = match number.strip_prefix("0x") {
            Some(digits) => u8::from_str_radix(digits, 16),
            None => number.parse(),
        };
        if let Ok(number) = number {
            // A later line replaces an earlier one.
            names.insert(0, (number, name.as_bytes().into()));
        }
    }
    names
}

/// The users of /etc/passwd: number and name.
pub(super) fn users() -> Vec<(u32, String)> {
    let text = fs::read("/etc/passwd").unwrap_or_default();
    String::from_utf8_lossy(&text).lines().filter_map(parse_user).collect()
}

/// A line `name:password:uid:…`.
fn parse_user(line: &str) -> Option<(u32, String)> {
    let mut fields = line.split(':');
    let name = fields.next().filter(|name| !name.is_empty() && !name.starts_with('#'))?;
    Some((fields.nth(1)?.parse().ok()?, name.to_owned()))
}

/// `ip_local_port_range`; where it cannot be read, the range that ss then takes.
pub(super) fn local_port_range(path: &Path) -> (u16, u16) {
    fs::read_to_string(path).ok().and_then(|text| parse_range(&text)).unwrap_or((1024, 4999))
}

fn parse_range(text: &str) -> Option<(u16, u16)> {
    let mut numbers = text.split_whitespace().map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

/// The words of each line that has some, comments removed.
fn lines(text: &[u8]) -> impl Iterator<Item = Vec<&str>> {
    text.split(|&b| b == b'\n').filter_map(|line| {
        let line = std::str::from_utf8(line).ok()?;
        let words: Vec<_> = line.split('#').next()?.split_whitespace().collect();
        (!words.is_empty()).then_some(words)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_by_port_and_by_name() {
        let services = Services::parse(
            b"# comment\nhttp\t80/tcp\twww   # WorldWideWeb\nhttp-alt 8080/tcp webcache\nwebcache 8080/udp\n\
              other 80/tcp\nbroken\nbad x/tcp\nhigh 70000/tcp\n",
        );
        assert_eq!(services.name(80, "tcp"), Some(&b"http"[..]));
        assert_eq!(services.name(80, "udp"), None);
        assert_eq!(services.name(8080, "udp"), Some(&b"webcache"[..]));
        assert_eq!(services.any_name(8080), Some(&b"http-alt"[..]));
        assert_eq!(services.port("www", "tcp"), Some(80));
        assert_eq!(services.port("webcache", "tcp"), Some(8080));
        assert_eq!(services.port("www", "udp"), None);
    }

    #[test]
    fn users_of_the_file() {
        for (line, expected) in [
            ("root:x:0:0:root:/root:/bin/bash", Some((0, "root"))),
            ("daemon:*:1:1::/:", Some((1, "daemon"))),
            ("#root:x:0:0::/:", None),
            ("+::::::", None),
            (":x:0:0::/:", None),
            ("root:x", None),
            ("", None),
        ] {
            assert_eq!(parse_user(line), expected.map(|(uid, name)| (uid, name.to_owned())), "{line}");
        }
        assert!(users().contains(&(0, "root".to_owned())));
    }

    #[test]
    fn other_tables() {
        let protocols = Protocols::parse(b"icmp 1 ICMP\nipv6-icmp 58 IPv6-ICMP # v6\n");
        assert_eq!(protocols.name(58), Some(&b"ipv6-icmp"[..]));
        assert_eq!(protocols.name(2), None);
        assert_eq!(parse_range("32768\t60999\n"), Some((32768, 60999)));
        assert_eq!(parse_range("32768"), None);
        let names = parse_numbered(b"# x\n0 rtnl\n0x10 genl\n0 again\n300 no\n");
        assert_eq!(names[0], (0, b"again"[..].into()));
        assert_eq!(names[1], (16, b"genl"[..].into()));
        assert!(netlink_protocols().iter().any(|(number, _)| *number == 15));
    }
}

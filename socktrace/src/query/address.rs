//! Addresses and ports: `[FAMILY:]ADDRESS[/LENGTH][:PORT]`, read as ss reads them (misc/ss.c, `parse_hostcond`).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr as _;

use super::lex::Token;
use super::names::Named;
use super::number::c_number;
use super::protocols::{ethertype, netlink_protocol};
use super::tree::{Address, Expr, Op, Side, Test};
use super::value::{Commas, Item, Reader, compare, equal, items_of};
use super::words::{Word, spaced};
use super::{Dialect, Names, ParseError, Problem, glob::Glob};
use crate::socket::Family;

/// The prefixes that choose a family.
const FAMILIES: [(&str, Family); 6] = [
    ("unix:", Family::Unix),
    ("link:", Family::Packet),
    ("netlink:", Family::Netlink),
    ("vsock:", Family::Vsock),
    ("inet:", Family::Inet),
    ("inet6:", Family::Inet6),
];

/// The prefix that chooses the family.
pub(super) fn family_prefix(family: Family) -> &'static str {
    FAMILIES.iter().find(|(_, of)| *of == family).map_or("", |(prefix, _)| prefix)
}

/// Without its family prefix, and which that was.
pub(super) fn split_family(text: &str) -> (Option<Family>, &str) {
    for (prefix, family) in FAMILIES {
        if let Some(rest) = text.strip_prefix(prefix) {
            return (Some(family), rest);
        }
    }
    (None, text)
}

impl Reader<'_> {
    /// Takes the family prefix off, and remembers it for what follows, as ss does.
    fn family<'a>(&mut self, item: Item<'a>) -> Item<'a> {
        let (family, rest) = split_family(item.text);
        if family.is_some() {
            self.context.family = family;
        }
        item.skip(item.text.len() - rest.len())
    }

    /// The value of `src`, `dst` or `host`: one, or one for each address of a host.
    pub(super) fn host(&mut self, side: Side, item: Item<'_>) -> Result<Vec<Expr>, ParseError> {
        let item = self.family(item);
        let family = self.context.family;
        let test = |address, port| Expr::Test(Test::Host { side, family, address, port });
        // No address and no name of a host begins like a path or an abstract name.
        if family == Some(Family::Unix) || family.is_none() && item.text.starts_with(['/', '@']) {
            return Ok(vec![test(Address::Unix(Glob::ignoring_case(item.text)), None)]);
        }
        let (address, zone, port) = match family {
            Some(Family::Packet | Family::Netlink | Family::Vsock) => {
                let (address, port) = split_at_first_colon(item);
                (address, None, port)
            }
            _ if is_bare(item.text) => {
                return Err(item.error(Problem::NoBrackets { text: item.text.to_owned() }));
            }
            _ => split_address(item)?,
        };
        let zone = zone.map(|zone| self.zone(zone)).transpose()?;
        let of_zone = |expr: Expr| match &zone {
            Some(zone) => expr.and(zone.clone()),
            None => expr,
        };
        let port = match port {
            Some(port) => self.port_number(strip_colon(port))?,
            None => None,
        };
        if address.text.is_empty() || address.text.starts_with('*') {
            return Ok(vec![of_zone(test(Address::Any, port))]);
        }
        let bad = |kind| address.no_number(kind);
        let one = match family {
            Some(Family::Packet) => Address::Ethertype(
                ethertype(address.text).ok_or_else(|| bad("ethertype: ip, arp, ipv6, 0x88cc"))?,
            ),
            Some(Family::Netlink) => Address::NetlinkProtocol(
                netlink_protocol(address.text).ok_or_else(|| bad("netlink protocol: rtnl, genl, 16"))?,
            ),
            Some(Family::Vsock) => {
                Address::Cid(number32(address.text).ok_or_else(|| bad("vsock context id: a number"))?)
            }
            _ => {
                let tests = self.inet(address)?.into_iter().map(|address| of_zone(test(address, port)));
                return Ok(tests.collect());
            }
        };
        Ok(vec![test(one, port)])
    }

    /// IP prefixes: one that is written out, or one for each address of a host.
    fn inet(&self, item: Item<'_>) -> Result<Vec<Address>, ParseError> {
        let family = self.context.family.filter(|family| matches!(family, Family::Inet | Family::Inet6));
        if let Some(address) = prefix(item.text, family) {
            return Ok(vec![address]);
        }
        let name = item.text;
        let found = if name.contains(['/', ':']) { Vec::new() } else { self.names.host(name, family) };
        if found.is_empty() {
            return Err(item.error(no_address(name, family)));
        }
        let whole = |addr: IpAddr| Address::Prefix { addr, length: if addr.is_ipv4() { 32 } else { 128 } };
        Ok(found.into_iter().map(whole).collect())
    }

    /// The value of `sport`, `dport` or `port`.
    pub(super) fn port(
        &mut self,
        word: &Word,
        side: Side,
        op: Op,
        tokens: &[Token],
    ) -> Result<Expr, ParseError> {
        let mut parts: Vec<Item<'_>> = tokens.iter().map(Item::new).collect();
        if let Some(first) = parts.first_mut() {
            *first = self.family(*first);
        }
        let family = self.context.family;
        if family == Some(Family::Unix) {
            // To ss any port of a UNIX socket is a pattern for its name.
            let items = items_of(&parts, Commas::Inside)?;
            if let (Some(first), false) = (items.first(), matches!(op, Op::Eq | Op::Ne)) {
                return Err(first.error(Problem::OnlyEquality { field: word.name }));
            }
            let test = |item: &Item<'_>| {
                let address = Address::Unix(Glob::ignoring_case(item.text));
                Expr::Test(Test::Host { side, family, address, port: None })
            };
            return Ok(equal(op, items.iter().map(test).collect()));
        }
        if let Some(first) = parts.first_mut() {
            *first = strip_colon(*first);
        }
        let items: Vec<_> = items_of(&parts, Commas::Anywhere)?.into_iter().map(strip_colon).collect();
        let read = |item: Item<'_>| {
            let bad = || item.error(Problem::BadPort { text: item.text.to_owned() });
            self.port_number(item)?.ok_or_else(bad)
        };
        let compare = compare(op, &items, read)?;
        Ok(Expr::Test(Test::Port { side, family, compare }))
    }

    /// One port; nothing for none at all or `*`.
    fn port_number(&self, item: Item<'_>) -> Result<Option<i64>, ParseError> {
        let text = item.text;
        if text.is_empty() || text == "*" {
            return Ok(None);
        }
        let number = c_number(text).and_then(|number| i64::try_from(number).ok());
        match self.context.family {
            Some(Family::Packet) => Ok(Some(match self.device(item)? {
                Named::Index(index) => index.into(),
                // No socket has it.
                Named::Elsewhere(_) => -1,
            })),
            Some(Family::Netlink) => {
                // Ids that the kernel chose are negative to ss.
                let signed =
                    || c_number(text.strip_prefix('-')?).and_then(|n| i64::try_from(n).ok()).map(|n| -n);
                // As ss shows it, behind the name of the process: `ss/1234`.
                let of_process =
                    || text.rsplit_once('/').and_then(|(_, pid)| Some(u32::from_str(pid).ok()?.into()));
                let id =
                    number.or_else(signed).or_else(of_process).or_else(|| (text == "kernel").then_some(0));
                id.map(Some).ok_or_else(|| item.no_number("port id: a number or `kernel`"))
            }
            Some(Family::Vsock) => number32(text)
                .map(|port| Some(i64::from(port)))
                .ok_or_else(|| item.no_number("vsock port: a number")),
            _ => match number {
                // ss takes any number, and nothing matches it.
                Some(number) if number > 0xffff && self.context.dialect == Dialect::Strict => {
                    Err(item.error(Problem::PortTooLarge))
                }
                Some(number) => Ok(Some(number)),
                None => match (self.service(item), protocol(self.names, text)) {
                    (Ok(port), _) => Ok(Some(i64::from(port))),
                    // The port of a raw socket is its protocol.
                    (Err(_), Some(number)) => Ok(Some(i64::from(number))),
                    (Err(error), None) => Err(error),
                },
            },
        }
    }

    /// The port of a service, as TCP or UDP or both were asked for.
    fn service(&self, item: Item<'_>) -> Result<u16, ParseError> {
        let name = item.text;
        let of = |wanted: bool, proto| if wanted { self.names.service(name, proto) } else { None };
        match (of(self.context.udp, "udp"), of(self.context.tcp, "tcp")) {
            (Some(udp), Some(tcp)) if udp != tcp => {
                Err(item.error(Problem::AmbiguousPort { text: name.to_owned(), tcp, udp }))
            }
            (Some(port), _) | (None, Some(port)) => Ok(port),
            (None, None) if name.ends_with(')') => Err(item.error(Problem::Glued { meant: spaced(name) })),
            (None, None) => Err(item.error(Problem::BadPort { text: name.to_owned() })),
        }
    }
}

/// Whether it is an IPv6 address that ss, too, would take for one with a port, and what stands before that for no address.
fn is_bare(text: &str) -> bool {
    let before = text.rsplit_once(':').map(|(before, _)| before);
    text.parse::<Ipv6Addr>().is_ok() && before.is_some_and(|before| prefix(before, None).is_none())
}

/// What is wrong with what is no address, and no host of that name.
fn no_address(text: &str, family: Option<Family>) -> Problem {
    let owned = || text.to_owned();
    let of = |addr: &str| if addr.contains(':') { ("IPv6", 128) } else { ("IPv4", 32) };
    match text.split_once('/') {
        _ if text.ends_with(')') => Problem::Glued { meant: spaced(text) },
        _ if text.starts_with(['/', '@']) => Problem::NoPrefix { text: owned() },
        Some((addr, _)) if addr.parse::<IpAddr>().is_ok() && prefix(text, None).is_none() => {
            let (of, bits) = of(addr);
            Problem::BadLength { of, bits }
        }
        _ if family.is_some() && prefix(text, None).is_some() => {
            Problem::OtherFamily { text: owned(), of: of(text).0 }
        }
        _ => Problem::BadHost { text: owned() },
    }
}

/// An IP protocol as ss shows it.
fn protocol(names: &dyn Names, text: &str) -> Option<u16> {
    match text.strip_prefix("ipproto-") {
        Some(number) => number.parse().ok(),
        None => names.protocol(text),
    }
}

fn number32(text: &str) -> Option<u32> {
    c_number(text).and_then(|number| u32::try_from(number).ok())
}

/// Without one leading colon.
fn strip_colon(item: Item<'_>) -> Item<'_> {
    item.skip(usize::from(item.text.starts_with(':')))
}

fn split_at_first_colon(item: Item<'_>) -> (Item<'_>, Option<Item<'_>>) {
    match item.text.find(':') {
        Some(colon) => (item.cut(0, colon), Some(item.skip(colon))),
        None => (item, None),
    }
}

/// Address, zone and port of an IP condition: the port is what follows the bracket, the star, or the last colon
/// (behind the `/`, if there is one); the zone stands behind a `%`, within the bracket or behind it.
fn split_address(item: Item<'_>) -> Result<(Item<'_>, Option<Item<'_>>, Option<Item<'_>>), ParseError> {
    let text = item.text;
    let (address, rest) = if text.starts_with('[') {
        let end = text.find(']').ok_or_else(|| item.error(Problem::UnclosedBracket))?;
        (item.cut(1, end), item.skip(end + 1))
    } else if text.starts_with('*') {
        (item.cut(0, 1), item.skip(1))
    } else {
        let from = text.find('/').unwrap_or(0);
        let colon = text.get(from..).and_then(|rest| rest.rfind(':'));
        let end = colon.map_or(text.len(), |colon| from + colon);
        (item.cut(0, end), item.skip(end))
    };
    let (address, inside) = split_zone(address);
    let (port, behind) = match rest.text.strip_prefix('%') {
        Some(behind) => {
            let end = 1 + behind.find(':').unwrap_or(behind.len());
            (rest.skip(end), Some(rest.cut(1, end)))
        }
        None => (rest, None),
    };
    Ok((address, inside.or(behind), Some(port)))
}

/// What stands before a `%`, and what behind it.
fn split_zone(item: Item<'_>) -> (Item<'_>, Option<Item<'_>>) {
    match item.text.find('%') {
        Some(percent) => (item.cut(0, percent), Some(item.skip(percent + 1))),
        None => (item, None),
    }
}

/// An address that is written out, with or without a length, of the family if one is given.
fn prefix(text: &str, family: Option<Family>) -> Option<Address> {
    if matches!(text, "any" | "all" | "default") {
        let addr: IpAddr = match family {
            Some(Family::Inet) => Ipv4Addr::UNSPECIFIED.into(),
            Some(Family::Inet6) => Ipv6Addr::UNSPECIFIED.into(),
            _ => return Some(Address::Any),
        };
        return Some(Address::Prefix { addr, length: 0 });
    }
    let (address, length) = match text.split_once('/') {
        Some((address, length)) => (address, Some(length)),
        None => (text, None),
    };
    let addr: IpAddr = if address.contains(':') {
        address.parse::<Ipv6Addr>().ok()?.into()
    } else {
        dotted(address)?.into()
    };
    let (of, bits) = if addr.is_ipv4() { (Family::Inet, 32) } else { (Family::Inet6, 128) };
    if family.is_some_and(|family| family != of) {
        return None;
    }
    let length = length.map_or(Some(bits), prefix_length)?;
    (length <= bits).then_some(Address::Prefix { addr, length })
}

/// Up to four numbers in C notation; those left out at the end are 0, so `10.1` is `10.1.0.0`.
fn dotted(text: &str) -> Option<Ipv4Addr> {
    let mut bytes = [0; 4];
    let mut parts = text.split('.');
    for byte in &mut bytes {
        match parts.next() {
            Some(part) => *byte = u8::try_from(c_number(part)?).ok()?,
            None => break,
        }
    }
    parts.next().is_none().then_some(Ipv4Addr::from(bytes))
}

/// A length: a number, or a netmask such as `255.255.0.0`.
fn prefix_length(text: &str) -> Option<u8> {
    if let Some(number) = c_number(text) {
        return u8::try_from(number).ok();
    }
    let mask = u32::from(dotted(text)?);
    let ones = mask.leading_ones();
    (ones == mask.count_ones()).then(|| u8::try_from(ones).ok()).flatten()
}

//! `/proc/net/{tcp,udp,udplite,raw,icmp}` and their IPv6 siblings: one format (net/ipv4/tcp_ipv4.c, `get_tcp4_sock`,
//! net/ipv4/udp.c, `udp4_format_sock`, net/ipv6/datagram.c, `__ip6_dgram_sock_seq_show`).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{InetTable, IpVersion, hex, words};
use crate::socket::{Detail, Endpoint, NetnsId, Proto, Socket, State, Timer, TimerKind};

/// Which kind of socket the file has.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    /// One that sock_diag has a table for.
    Table(InetTable),
    /// ICMP datagram sockets.
    Ping,
}

/// `sl: local remote st tx:rx tr:when retrnsmt uid timeout inode …`; what follows the inode is left aside.
pub(super) fn decode(line: &[u8], kind: Kind, ip: IpVersion, netns: NetnsId) -> Option<Socket> {
    let mut words = words(line).skip(1);
    let local = endpoint(words.next()?, ip)?;
    let peer = endpoint(words.next()?, ip)?;
    let state = u8::try_from(hex(words.next()?)?).ok()?;
    let (send_q, recv_q) = pair(words.next()?)?;
    let (timer, when) = pair(words.next()?)?;
    let retransmits = hex(words.next()?)?;
    let uid = words.next()?.parse().ok()?;
    let probes: u32 = words.next()?.parse().ok()?;
    let inode = words.next()?.parse().ok()?;
    let timer = running(timer, when, retransmits, probes);
    Some(Socket {
        proto: proto(kind, ip, local.port()),
        family: ip.family(),
        state: State::from_number(state),
        recv_q,
        send_q,
        local,
        peer,
        ifindex: 0,
        inode,
        cookie: 0,
        netns,
        uid: Some(uid),
        v6only: None,
        detail: timer.map(|timer| Box::new(Detail { timer: Some(timer), ..Detail::default() })),
    })
}

/// The timer: its number, hundredths of a second, and the count that goes with it.
fn running(number: u32, when: u32, retransmits: u32, probes: u32) -> Option<Timer> {
    let kind = match number {
        0 => return None,
        1 => TimerKind::On,
        2 => TimerKind::Keepalive,
        3 => TimerKind::TimeWait,
        4 => TimerKind::Persist,
        other => TimerKind::Other(u8::try_from(other).unwrap_or(u8::MAX)),
    };
    let count = if kind == TimerKind::On { retransmits } else { probes };
    Some(Timer { kind, expires_ms: when.saturating_mul(10), retrans: u8::try_from(count).unwrap_or(u8::MAX) })
}

fn proto(kind: Kind, ip: IpVersion, port: u16) -> Proto {
    match (kind, ip) {
        (Kind::Ping, IpVersion::V4) => Proto::Ping(1),
        (Kind::Ping, IpVersion::V6) => Proto::Ping(58),
        (Kind::Table(InetTable::Tcp), _) => Proto::Tcp,
        (Kind::Table(InetTable::Mptcp), _) => Proto::Mptcp,
        (Kind::Table(InetTable::Udp), _) => Proto::Udp,
        (Kind::Table(InetTable::UdpLite), _) => Proto::UdpLite,
        (Kind::Table(InetTable::Raw), _) => Proto::Raw(port),
        (Kind::Table(InetTable::Sctp), _) => Proto::Sctp,
        (Kind::Table(InetTable::Dccp), _) => Proto::Dccp,
    }
}

/// Two hexadecimal numbers with a colon between.
fn pair(word: &str) -> Option<(u32, u32)> {
    let (left, right) = word.split_once(':')?;
    Some((hex(left)?, hex(right)?))
}

/// `0100007F:1F90`: the address as words of the kernel's memory, the port as a number.
fn endpoint(word: &str, ip: IpVersion) -> Option<Endpoint> {
    let (digits, port) = word.split_once(':')?;
    let part = |at: usize| digits.get(at * 8..at * 8 + 8).and_then(hex).map(u32::to_ne_bytes);
    let addr = match ip {
        IpVersion::V4 if digits.len() == 8 => IpAddr::V4(Ipv4Addr::from(part(0)?)),
        IpVersion::V6 if digits.len() == 32 => {
            let parts = [part(0)?, part(1)?, part(2)?, part(3)?];
            IpAddr::V6(Ipv6Addr::from(*parts.as_flattened().first_chunk::<16>()?))
        }
        IpVersion::V4 | IpVersion::V6 => return None,
    };
    Some(Endpoint::Inet { addr, port: u16::try_from(hex(port)?).ok()? })
}

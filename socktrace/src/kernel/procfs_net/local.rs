//! `/proc/net/{unix,packet,netlink}` (net/unix/af_unix.c, `unix_seq_show`, net/packet/af_packet.c, `packet_seq_show`,
//! net/netlink/af_netlink.c, `netlink_native_seq_show`).

use super::super::sock_diag::{packet_proto, unix_proto};
use super::{hex, words};
use crate::socket::{Endpoint, Family, NetnsId, Proto, Socket, State, UnixName};

/// `Num: RefCount Protocol Flags Type St Inode Path`. The kernel writes NULs of an abstract name as `@`, so that only
/// the first can be told from a real one.
pub(super) fn unix(line: &[u8], netns: NetnsId) -> Option<Socket> {
    /// `__SO_ACCEPTCON` (include/uapi/linux/net.h).
    const LISTENS: u32 = 1 << 16;

    let mut rest = line;
    let mut fields = [""; 7];
    for field in &mut fields {
        let word;
        (word, rest) = split_word(rest);
        *field = std::str::from_utf8(word).ok()?;
    }
    let [_, _, _, flags, kind, state, inode] = fields;
    let inode = inode.parse().ok()?;
    let state = match hex(state)? {
        _ if hex(flags)? & LISTENS != 0 => State::Listen,
        // SS_UNCONNECTED, SS_CONNECTING, SS_CONNECTED, SS_DISCONNECTING (include/uapi/linux/net.h).
        1 => State::Close,
        2 => State::SynSent,
        3 => State::Established,
        4 => State::Closing,
        other => State::Other(u8::try_from(other).unwrap_or(u8::MAX)),
    };
    // One blank, then the name as it is.
    let mut name = rest.get(1..).unwrap_or_default().to_vec();
    if let Some(first) = name.first_mut()
        && *first == b'@'
    {
        *first = 0;
    }
    Some(Socket {
        proto: unix_proto(u8::try_from(hex(kind)?).ok()?),
        family: Family::Unix,
        state,
        recv_q: 0,
        send_q: 0,
        local: Endpoint::Unix { name: UnixName::from_bytes(&name), inode },
        peer: Endpoint::Unix { name: UnixName::default(), inode: 0 },
        ifindex: 0,
        inode,
        cookie: 0,
        netns,
        uid: None,
        v6only: None,
        detail: None,
    })
}

/// `sk RefCnt Type Proto Iface R Rmem User Inode`.
pub(super) fn packet(line: &[u8], netns: NetnsId) -> Option<Socket> {
    let mut words = words(line).skip(2);
    let kind = words.next()?.parse().ok()?;
    let protocol = u16::try_from(hex(words.next()?)?).ok()?;
    let ifindex = words.next()?.parse().ok()?;
    let recv_q = words.nth(1)?.parse().ok()?;
    let uid = words.next()?.parse().ok()?;
    let inode = words.next()?.parse().ok()?;
    Some(Socket {
        proto: packet_proto(kind),
        family: Family::Packet,
        state: State::Close,
        recv_q,
        send_q: 0,
        local: Endpoint::Packet { protocol, ifindex },
        peer: Endpoint::None,
        ifindex,
        inode,
        cookie: 0,
        netns,
        uid: Some(uid),
        v6only: None,
        detail: None,
    })
}

/// `sk Eth Pid Groups Rmem Wmem Dump Locks Drops Inode`.
pub(super) fn netlink(line: &[u8], netns: NetnsId) -> Option<Socket> {
    let mut words = words(line).skip(1);
    let protocol = words.next()?.parse().ok()?;
    let portid = words.next()?.parse().ok()?;
    let recv_q = words.nth(1)?.parse().ok()?;
    let send_q = words.next()?.parse().ok()?;
    let inode = words.nth(3)?.parse().ok()?;
    Some(Socket {
        proto: Proto::Netlink,
        family: Family::Netlink,
        state: State::Close,
        recv_q,
        send_q,
        local: Endpoint::Netlink { protocol, portid },
        peer: Endpoint::None,
        ifindex: 0,
        inode,
        cookie: 0,
        netns,
        uid: None,
        v6only: None,
        detail: None,
    })
}

/// The first word and what follows it, blanks included.
fn split_word(text: &[u8]) -> (&[u8], &[u8]) {
    let text = text.trim_ascii_start();
    let end = text.iter().position(u8::is_ascii_whitespace).unwrap_or(text.len());
    text.split_at_checked(end).unwrap_or((text, &[]))
}

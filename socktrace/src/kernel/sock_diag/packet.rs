//! Packet sockets (include/uapi/linux/packet_diag.h).

use super::super::netlink::{Attributes, Malformed, Request, byte, cookie, half, word};
use super::{BY_FAMILY, Want, details};
use crate::socket::{Detail, Endpoint, Family, NetnsId, Proto, Socket, State};

/// Length of `struct packet_diag_msg`.
const HEAD: usize = 16;

pub(super) fn request(want: Want) -> Request {
    /// `PACKET_SHOW_INFO`, `_MEMINFO`: the interface and the queue are part of the row.
    const ALWAYS: u32 = 0x1 | 0x10;
    /// `PACKET_SHOW_MCLIST`, `_RING_CFG`, `_FANOUT`.
    const EXTENDED: u32 = 0x2 | 0x4 | 0x8;
    /// `PACKET_SHOW_FILTER`; the kernel gives filters only to CAP_NET_ADMIN.
    const FILTER: u32 = 0x20;

    let show = ALWAYS | if want.extended { EXTENDED } else { 0 } | if want.filter { FILTER } else { 0 };
    Request::dump(BY_FAMILY, &details::body(Family::Packet, 0, [0, show, 0, 0]))
}

/// Decodes one row. `raw` gets INFO (0), MCLIST (1), the rings (2, 3), FANOUT (4) and FILTER (7) as they come.
pub(super) fn decode(payload: &[u8], want: Want, netns: NetnsId) -> Result<Socket, Malformed> {
    let (head, attributes) = payload.split_first_chunk::<HEAD>().ok_or(Malformed {
        what: "packet_diag_msg",
        length: HEAD,
        have: payload.len(),
    })?;
    let mut ifindex = 0;
    let mut recv_q = 0;
    let mut uid = None;
    let mut detail = (!want.is_none()).then(Box::<Detail>::default);
    for attribute in Attributes::new(attributes) {
        let attribute = attribute?;
        match attribute.kind {
            0 => ifindex = attribute.u32().unwrap_or(0),
            5 => uid = attribute.u32(),
            6 => recv_q = attribute.u32().unwrap_or(0),
            _ => {}
        }
        let Some(detail) = &mut detail else { continue };
        match (attribute.kind, want) {
            (6, Want { memory: true, .. }) => detail.skmem = Some(attribute.words().collect()),
            (7, Want { filter: true, .. }) | (0..=4, Want { extended: true, .. }) | (8.., _) => {
                detail.raw.push((attribute.kind, attribute.payload.into()));
            }
            (0..=7, _) => {}
        }
    }
    Ok(Socket {
        proto: proto(byte::<1, HEAD>(head)),
        family: Family::Packet,
        state: State::Close,
        recv_q,
        send_q: 0,
        local: Endpoint::Packet { protocol: half::<2, HEAD>(head), ifindex },
        peer: Endpoint::None,
        ifindex,
        inode: word::<4, HEAD>(head),
        cookie: cookie::<8, HEAD>(head),
        netns,
        uid,
        v6only: None,
        detail,
    })
}

/// From the type of socket: SOCK_DGRAM, SOCK_RAW, or SOCK_PACKET, which is an older way to say raw.
pub(in crate::kernel) const fn proto(kind: u8) -> Proto {
    match kind {
        2 => Proto::PacketDgram,
        3 | 10 => Proto::PacketRaw,
        other => Proto::Other(other as u16),
    }
}

//! Netlink sockets (include/uapi/linux/netlink_diag.h).

use super::super::netlink::{Attributes, Malformed, Request, byte, cookie, word};
use super::{BY_FAMILY, Want, details};
use crate::socket::{Detail, Endpoint, Family, NetnsId, Proto, Socket, State};

/// Length of `struct netlink_diag_msg`.
const HEAD: usize = 28;

pub(super) fn request(want: Want) -> Request {
    /// `NDIAG_PROTO_ALL`.
    const ALL: u8 = 0xff;
    /// `NDIAG_SHOW_MEMINFO`: the queues are part of the row.
    const ALWAYS: u32 = 0x1;
    /// `NDIAG_SHOW_GROUPS`, `_RING_CFG`, `_FLAGS`.
    const EXTENDED: u32 = 0x2 | 0x4 | 0x8;

    let show = ALWAYS | if want.extended { EXTENDED } else { 0 };
    Request::dump(BY_FAMILY, &details::body(Family::Netlink, ALL, [0, show, 0, 0]))
}

/// Decodes one row. `raw` gets GROUPS (1), the rings (2, 3) and FLAGS (4) as they come.
pub(super) fn decode(payload: &[u8], want: Want, netns: NetnsId) -> Result<Socket, Malformed> {
    /// `NETLINK_CONNECTED` (net/netlink/af_netlink.h).
    const CONNECTED: u8 = 1;

    let (head, attributes) = payload.split_first_chunk::<HEAD>().ok_or(Malformed {
        what: "netlink_diag_msg",
        length: HEAD,
        have: payload.len(),
    })?;
    let mut queues = (0, 0);
    let mut detail = (!want.is_none()).then(Box::<Detail>::default);
    for attribute in Attributes::new(attributes) {
        let attribute = attribute?;
        if attribute.kind == 0 {
            // rmem_alloc and wmem_alloc.
            let mut words = attribute.words();
            queues = (words.next().unwrap_or(0), words.nth(1).unwrap_or(0));
        }
        let Some(detail) = &mut detail else { continue };
        match (attribute.kind, want) {
            (0, Want { memory: true, .. }) => detail.skmem = Some(attribute.words().collect()),
            (1..=4, Want { extended: true, .. }) | (5.., _) => {
                detail.raw.push((attribute.kind, attribute.payload.into()));
            }
            (0..=4, _) => {}
        }
    }
    let connected = byte::<3, HEAD>(head) == CONNECTED;
    let group = word::<12, HEAD>(head);
    let peer = Endpoint::NetlinkPeer { group, portid: word::<8, HEAD>(head) };
    Ok(Socket {
        proto: Proto::Netlink,
        family: Family::Netlink,
        state: State::Close,
        recv_q: queues.0,
        send_q: queues.1,
        local: Endpoint::Netlink { protocol: byte::<2, HEAD>(head), portid: word::<4, HEAD>(head) },
        peer: if connected { peer } else { Endpoint::None },
        ifindex: 0,
        inode: word::<16, HEAD>(head),
        cookie: cookie::<20, HEAD>(head),
        netns,
        uid: None,
        v6only: None,
        detail,
    })
}

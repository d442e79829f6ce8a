//! XDP sockets (include/uapi/linux/xdp_diag.h).

use super::super::netlink::{Attributes, Malformed, Request, cookie, word};
use super::{BY_FAMILY, Want, details};
use crate::socket::{Detail, Endpoint, Family, NetnsId, Proto, Socket, State};

/// Length of `struct xdp_diag_msg`.
const HEAD: usize = 16;

pub(super) fn request(want: Want) -> Request {
    /// `XDP_SHOW_INFO`, `_MEMINFO`: the interface and the queue are part of the row.
    const ALWAYS: u32 = 0x1 | 0x8;
    /// `XDP_SHOW_RING_CFG`, `_UMEM`, `_STATS`.
    const EXTENDED: u32 = 0x2 | 0x4 | 0x10;

    let show = ALWAYS | if want.extended { EXTENDED } else { 0 };
    Request::dump(BY_FAMILY, &details::body(Family::Xdp, 0, [0, show, 0, 0]))
}

/// Decodes one row. `raw` gets the rings (3, 4), UMEM and its rings (5, 6, 7) and STATS (9) as they come.
pub(super) fn decode(payload: &[u8], want: Want, netns: NetnsId) -> Result<Socket, Malformed> {
    let (head, attributes) = payload.split_first_chunk::<HEAD>().ok_or(Malformed {
        what: "xdp_diag_msg",
        length: HEAD,
        have: payload.len(),
    })?;
    let (mut ifindex, mut queue, mut recv_q) = (0, 0, 0);
    let mut uid = None;
    let mut detail = (!want.is_none()).then(Box::<Detail>::default);
    for attribute in Attributes::new(attributes) {
        let attribute = attribute?;
        let mut words = attribute.words();
        match attribute.kind {
            1 => (ifindex, queue) = (words.next().unwrap_or(0), words.next().unwrap_or(0)),
            2 => uid = attribute.u32(),
            8 => recv_q = attribute.u32().unwrap_or(0),
            _ => {}
        }
        let Some(detail) = &mut detail else { continue };
        match (attribute.kind, want) {
            (8, Want { memory: true, .. }) => detail.skmem = Some(attribute.words().collect()),
            (3..=7 | 9, Want { extended: true, .. }) | (10.., _) => {
                detail.raw.push((attribute.kind, attribute.payload.into()));
            }
            (0..=9, _) => {}
        }
    }
    Ok(Socket {
        proto: Proto::Xdp,
        family: Family::Xdp,
        state: State::Close,
        recv_q,
        send_q: 0,
        local: Endpoint::Xdp { ifindex, queue },
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

//! TIPC sockets (include/uapi/linux/tipc_sockets_diag.h, tipc_netlink.h): no fixed header, only attributes.

use super::super::netlink::{Attribute, Attributes, Malformed, Request};
use super::{BY_FAMILY, Want, details};
use crate::socket::{Detail, Endpoint, Family, NetnsId, Proto, Socket, State, StateSet};

/// `TIPC_NLA_SOCK`: the nest that a row is.
const SOCK: u16 = 2;

pub(super) fn request(states: StateSet) -> Request {
    Request::dump(BY_FAMILY, &details::body(Family::Tipc, 0, [states.bits()]))
}

/// Decodes one row. `raw` gets CON (3), HAS_PUBL (4), STAT (5) and GROUP (12) as they come.
pub(super) fn decode(payload: &[u8], want: Want, netns: NetnsId) -> Result<Socket, Malformed> {
    let mut row = Socket {
        proto: Proto::Other(0),
        family: Family::Tipc,
        state: State::Other(0),
        recv_q: 0,
        send_q: 0,
        local: Endpoint::None,
        peer: Endpoint::None,
        ifindex: 0,
        inode: 0,
        cookie: 0,
        netns,
        uid: None,
        v6only: None,
        detail: (!want.is_none()).then(Box::<Detail>::default),
    };
    let (mut node, mut reference) = (0, 0);
    for outer in Attributes::new(payload) {
        let outer = outer?;
        if outer.kind != SOCK {
            continue;
        }
        for attribute in outer.nested() {
            let attribute = attribute?;
            let number = attribute.u32().unwrap_or(0);
            match attribute.kind {
                1 => node = number,
                2 => reference = number,
                3 => row.peer = connection(&attribute)?,
                5 => (row.recv_q, row.send_q) = queues(&attribute)?,
                6 => row.proto = proto(number),
                7 => row.inode = number,
                8 => row.uid = Some(number),
                9 => row.state = State::from_number(u8::try_from(number).unwrap_or(u8::MAX)),
                10 => row.cookie = attribute.u64().unwrap_or(0),
                _ => {}
            }
            if let Some(detail) = &mut row.detail
                && want.extended
                && matches!(attribute.kind, 3..=5 | 12..)
            {
                detail.raw.push((attribute.kind, attribute.payload.into()));
            }
        }
    }
    row.local = Endpoint::Tipc { node, reference };
    Ok(row)
}

/// `TIPC_NLA_SOCK_CON`: node (2) and port (3) of the other side.
fn connection(nest: &Attribute<'_>) -> Result<Endpoint, Malformed> {
    let (mut node, mut reference) = (0, 0);
    for attribute in nest.nested() {
        let attribute = attribute?;
        match attribute.kind {
            2 => node = attribute.u32().unwrap_or(0),
            3 => reference = attribute.u32().unwrap_or(0),
            _ => {}
        }
    }
    Ok(Endpoint::Tipc { node, reference })
}

/// `TIPC_NLA_SOCK_STAT`: the lengths of the receive (0) and send (1) queues.
fn queues(nest: &Attribute<'_>) -> Result<(u32, u32), Malformed> {
    let mut queues = (0, 0);
    for attribute in nest.nested() {
        let attribute = attribute?;
        match attribute.kind {
            0 => queues.0 = attribute.u32().unwrap_or(0),
            1 => queues.1 = attribute.u32().unwrap_or(0),
            _ => {}
        }
    }
    Ok(queues)
}

const fn proto(kind: u32) -> Proto {
    match kind {
        1 => Proto::TipcStream,
        2 => Proto::TipcDgram,
        4 => Proto::TipcRdm,
        5 => Proto::TipcSeqpacket,
        other => Proto::Other(other as u16),
    }
}

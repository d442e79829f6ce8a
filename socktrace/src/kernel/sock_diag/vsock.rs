//! vsock sockets (include/uapi/linux/vm_sockets_diag.h).

use super::super::netlink::{Malformed, Request, byte, cookie, word};
use super::{BY_FAMILY, Want, details};
use crate::socket::{Detail, Endpoint, Family, NetnsId, Proto, Socket, State, StateSet};

/// Length of `struct vsock_diag_msg`.
const HEAD: usize = 32;

pub(super) fn request(states: StateSet) -> Request {
    Request::dump(BY_FAMILY, &details::body(Family::Vsock, 0, [states.bits(), 0, 0, 0, 0]))
}

/// Decodes one row; the kernel tells nothing beyond the fixed header.
pub(super) fn decode(payload: &[u8], want: Want, netns: NetnsId) -> Result<Socket, Malformed> {
    let head = payload.first_chunk::<HEAD>().ok_or(Malformed {
        what: "vsock_diag_msg",
        length: HEAD,
        have: payload.len(),
    })?;
    let shutdown = details::shutdown(byte::<3, HEAD>(head));
    let detail = (!want.is_none())
        .then(|| Box::new(Detail { shutdown: want.extended.then_some(shutdown), ..Detail::default() }));
    Ok(Socket {
        proto: proto(byte::<1, HEAD>(head)),
        family: Family::Vsock,
        state: State::from_number(byte::<2, HEAD>(head)),
        recv_q: 0,
        send_q: 0,
        local: Endpoint::Vsock { cid: word::<4, HEAD>(head), port: word::<8, HEAD>(head) },
        peer: Endpoint::Vsock { cid: word::<12, HEAD>(head), port: word::<16, HEAD>(head) },
        ifindex: 0,
        inode: word::<20, HEAD>(head),
        cookie: cookie::<24, HEAD>(head),
        netns,
        uid: None,
        v6only: None,
        detail,
    })
}

const fn proto(kind: u8) -> Proto {
    match kind {
        1 => Proto::VsockStream,
        2 => Proto::VsockDgram,
        5 => Proto::VsockSeqpacket,
        other => Proto::Other(other as u16),
    }
}

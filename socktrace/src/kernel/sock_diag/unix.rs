//! UNIX sockets (include/uapi/linux/unix_diag.h).

use super::super::netlink::{Attributes, Malformed, Request, byte, cookie, word};
use super::{BY_FAMILY, Want, details};
use crate::socket::{Cookie, Detail, Endpoint, Family, NetnsId, Proto, Socket, State, StateSet, UnixName};

/// Length of `struct unix_diag_msg`.
const HEAD: usize = 16;

/// A question for the table of UNIX sockets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnixQuery {
    /// In which states.
    pub states: StateSet,
    /// What beyond names, peers and queues.
    pub want: Want,
}

impl UnixQuery {
    pub(super) fn request(&self) -> Request {
        let body = [self.states.bits(), 0, show(self.want), 0, 0];
        Request::dump(BY_FAMILY, &details::body(Family::Unix, 0, body))
    }
}

/// Asks for the one with that inode number, and cookie where it is not 0.
pub(super) fn request_one(inode: u32, cookie: Cookie, want: Want) -> Request {
    let [low, high] = details::cookie_words(cookie);
    let body = [u32::MAX, inode, show(want), low, high];
    Request::single(BY_FAMILY, &details::body(Family::Unix, 0, body))
}

/// `udiag_show`.
const fn show(want: Want) -> u32 {
    /// `UDIAG_SHOW_NAME`, `_PEER`, `_RQLEN`, `_UID` (5.8; older kernels ignore it).
    const ALWAYS: u32 = 0x1 | 0x4 | 0x10 | 0x40;
    /// `UDIAG_SHOW_VFS`, `_ICONS`.
    const EXTENDED: u32 = 0x2 | 0x8;
    /// `UDIAG_SHOW_MEMINFO`.
    const MEMORY: u32 = 0x20;

    ALWAYS | if want.extended { EXTENDED } else { 0 } | if want.memory { MEMORY } else { 0 }
}

/// Decodes one row.
pub(super) fn decode(payload: &[u8], want: Want, netns: NetnsId) -> Result<Socket, Malformed> {
    let (head, attributes) = payload.split_first_chunk::<HEAD>().ok_or(Malformed {
        what: "unix_diag_msg",
        length: HEAD,
        have: payload.len(),
    })?;
    let mut name = UnixName::default();
    let mut peer = 0;
    let mut queues = (0, 0);
    let mut uid = None;
    let mut detail = (!want.is_none()).then(Box::<Detail>::default);
    for attribute in Attributes::new(attributes) {
        let attribute = attribute?;
        let mut words = attribute.words();
        match attribute.kind {
            0 => name = UnixName::from_bytes(attribute.payload),
            2 => peer = attribute.u32().unwrap_or(0),
            4 => queues = (words.next().unwrap_or(0), words.next().unwrap_or(0)),
            7 => uid = attribute.u32(),
            kind => {
                if let Some(detail) = &mut detail {
                    match (kind, want) {
                        (1, Want { extended: true, .. }) => {
                            detail.unix_vfs =
                                words.next().zip(words.next()).map(|(inode, device)| (device, inode));
                        }
                        (3, Want { extended: true, .. }) => detail.unix_queue = Some(words.collect()),
                        (5, Want { memory: true, .. }) => detail.skmem = Some(words.collect()),
                        (6, Want { extended: true, .. }) => {
                            detail.shutdown = attribute.u8().map(details::shutdown);
                        }
                        (0..=7, _) => {}
                        (kind, _) => detail.raw.push((kind, attribute.payload.into())),
                    }
                }
            }
        }
    }
    let inode = word::<4, HEAD>(head);
    Ok(Socket {
        proto: proto(byte::<1, HEAD>(head)),
        family: Family::Unix,
        state: State::from_number(byte::<2, HEAD>(head)),
        recv_q: queues.0,
        send_q: queues.1,
        local: Endpoint::Unix { name, inode },
        peer: Endpoint::Unix { name: UnixName::default(), inode: peer },
        ifindex: 0,
        inode,
        cookie: cookie::<8, HEAD>(head),
        netns,
        uid,
        v6only: None,
        detail,
    })
}

/// From the type of socket (`SOCK_STREAM` …).
pub(in crate::kernel) const fn proto(kind: u8) -> Proto {
    match kind {
        1 => Proto::UnixStream,
        2 => Proto::UnixDgram,
        5 => Proto::UnixSeqpacket,
        other => Proto::Other(other as u16),
    }
}

//! SCTP: the words for its states, and its information line.

use crate::render::units::{push_hex, push_i64, push_ip};
use crate::socket::Detail;
use crate::socket::info::{Member, sctp};

use super::push;

/// The word for the state of an association (`SCTP_STATE_*`).
pub(super) const fn state_word(state: u64) -> &'static str {
    match state {
        0 => "CLOSED",
        1 => "COOKIE_WAIT",
        2 => "COOKIE_ECHOED",
        3 => "ESTAB",
        4 => "SHUTDOWN_PENDING",
        5 => "SHUTDOWN_SENT",
        6 => "SHUTDOWN_RECEIVED",
        7 => "ACK_SENT",
        _ => "UNKNOWN",
    }
}

/// What is printed of `sctp_info`, and how ss calls it.
const TOKENS: [(&str, Member); 23] = [
    (" tag:", sctp::TAG),
    (" state:", sctp::STATE),
    (" rwnd:", sctp::RWND),
    (" unackdata:", sctp::UNACKDATA),
    (" penddata:", sctp::PENDDATA),
    (" instrms:", sctp::INSTRMS),
    (" outstrms:", sctp::OUTSTRMS),
    (" inqueue:", sctp::INQUEUE),
    (" outqueue:", sctp::OUTQUEUE),
    (" overerr:", sctp::OVERALL_ERROR),
    (" maxburst:", sctp::MAX_BURST),
    (" maxseg:", sctp::MAXSEG),
    (" prwnd:", sctp::PEER_RWND),
    (" ptag:", sctp::PEER_TAG),
    (" pcapable:", sctp::PEER_CAPABLE),
    (" psack:", sctp::PEER_SACK),
    (" autoclose:", sctp::S_AUTOCLOSE),
    (" adapind:", sctp::S_ADAPTATION_IND),
    (" pdpoint:", sctp::S_PD_POINT),
    (" nodelay:", sctp::S_NODELAY),
    (" nofrag:", sctp::S_DISABLE_FRAGMENTS),
    (" v4mapped:", sctp::S_V4MAPPED),
    (" fraginl:", sctp::S_FRAG_INTERLEAVE),
];

/// Addresses and what is not 0 of `sctp_info`.
pub(super) fn info(out: &mut Vec<u8>, detail: &Detail) {
    for (name, list) in [(" locals:", &detail.locals), (" peers:", &detail.peers)] {
        if let Some(list) = list {
            push(out, name);
            push_addresses(out, list);
        }
    }
    let Some(info) = &detail.info else { return };
    for (name, member) in TOKENS {
        let value = member.or_zero(info);
        if value == 0 {
            continue;
        }
        push(out, name);
        match member {
            sctp::STATE => push(out, state_word(value)),
            sctp::TAG | sctp::PEER_TAG => push_hex(out, value),
            _ => push_i64(out, i64::from((value as u32).cast_signed())),
        }
    }
}

/// An array of `struct sockaddr_storage`, 128 bytes each.
fn push_addresses(out: &mut Vec<u8>, list: &[u8]) {
    for (index, entry) in list.chunks(128).enumerate() {
        if index > 0 {
            push(out, ",");
        }
        if let Some(addr) = crate::render::nested::sockaddr_ip(entry) {
            push_ip(out, addr);
        }
    }
}

//! Details of a TIPC socket (linux/tipc_netlink.h).

use crate::render::units::{push_i64, push_u32};
use crate::socket::{Detail, Proto};

use super::{Cell, push, shared};
use crate::render::nested::{attribute, u32_at};

/// `TIPC_NLA_SOCK_CON`, `_HAS_PUBL`, `_STAT`.
const CONNECTION: u16 = 3;
const HAS_PUBLICATION: u16 = 4;
const STATISTICS: u16 = 5;

/// Identity (unless the Process column has it) and `--tipcinfo`.
pub(super) fn details(out: &mut Vec<u8>, cell: &mut Cell<'_>) {
    if cell.show.users.is_none() {
        shared::identity(out, cell);
    }
    if !cell.show.tipcinfo {
        return;
    }
    push(out, if cell.show.oneline { " type:" } else { "\n type:" });
    push(out, type_word(cell.socket().proto));
    if let Some(detail) = &cell.socket().detail {
        push_info(out, detail);
    }
}

const fn type_word(proto: Proto) -> &'static str {
    if matches!(proto, Proto::TipcStream) {
        "STREAM"
    } else if matches!(proto, Proto::TipcDgram) {
        "DGRAM"
    } else if matches!(proto, Proto::TipcRdm) {
        "RDM"
    } else {
        "SEQPACKET"
    }
}

fn push_info(out: &mut Vec<u8>, detail: &Detail) {
    const DROPPED: u16 = 4;
    const LINK_CONGESTED: u16 = 2;
    const CONNECTION_CONGESTED: u16 = 3;
    const FLAG: u16 = 1;
    const TYPE: u16 = 4;
    const INSTANCE: u16 = 5;
    let statistics = detail.raw(STATISTICS).unwrap_or_default();
    push(out, " cong:");
    push(
        out,
        match (attribute(statistics, LINK_CONGESTED), attribute(statistics, CONNECTION_CONGESTED)) {
            (Some(_), _) => "link",
            (None, Some(_)) => "conn",
            (None, None) => "none",
        },
    );
    push(out, "  drop:");
    push_i64(out, u32_at(attribute(statistics, DROPPED).unwrap_or_default(), 0).cast_signed().into());
    push(out, " ");
    if detail.raw(HAS_PUBLICATION).is_some() {
        push(out, " publ");
    }
    let connection = detail.raw(CONNECTION).unwrap_or_default();
    if attribute(connection, FLAG).is_some() {
        push(out, " via {");
        push_u32(out, u32_at(attribute(connection, TYPE).unwrap_or_default(), 0));
        push(out, ",");
        push_u32(out, u32_at(attribute(connection, INSTANCE).unwrap_or_default(), 0));
        push(out, "} ");
    }
}

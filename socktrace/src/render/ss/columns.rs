//! The columns as data: header, separator, alignment, when they are shown, and what makes their cells.

use crate::render::escape::push_text;
use crate::render::units::push_i64;
use crate::socket::{Endpoint, Proto};

use super::{Cell, Show, address, details, push, sctp, users};

/// Where a cell stands in its column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Align {
    Left,
    Right,
}

/// One column.
pub(super) struct Column {
    pub(super) header: &'static str,
    /// What stands before it, unless it is the first.
    pub(super) separator: &'static str,
    pub(super) align: Align,
    pub(super) shown: fn(&Show) -> bool,
    pub(super) cell: fn(&mut Vec<u8>, &mut Cell<'_>),
}

/// All columns, from left to right. The colon of an address belongs to the address cell; ports follow without a
/// blank, and users and details bring their own.
pub(super) static COLUMNS: [Column; 11] = [
    Column { header: "Netns", separator: "", align: Align::Left, shown: |show| show.netns, cell: netns },
    Column { header: "Netid", separator: " ", align: Align::Left, shown: |show| show.netid, cell: netid },
    Column { header: "State", separator: " ", align: Align::Left, shown: |show| show.state, cell: state },
    Column { header: "Recv-Q", separator: " ", align: Align::Left, shown: |show| show.queues, cell: recv_q },
    Column { header: "Send-Q", separator: " ", align: Align::Left, shown: |show| show.queues, cell: send_q },
    Column { header: "Local Address:", separator: " ", align: Align::Right, shown: |_| true, cell: local },
    Column { header: "Port", separator: "", align: Align::Left, shown: |_| true, cell: local_port },
    Column { header: "Peer Address:", separator: " ", align: Align::Right, shown: |_| true, cell: peer },
    Column { header: "Port", separator: "", align: Align::Left, shown: |_| true, cell: peer_port },
    Column {
        header: "Process",
        separator: "",
        align: Align::Left,
        shown: |show| show.users.is_some(),
        cell: users::cell,
    },
    Column { header: "", separator: "", align: Align::Left, shown: |_| true, cell: details::cell },
];

fn netns(out: &mut Vec<u8>, cell: &mut Cell<'_>) {
    if let Some(label) = cell.row.netns {
        push_text(out, label.text.as_bytes());
    }
}

pub(super) fn netid(out: &mut Vec<u8>, cell: &mut Cell<'_>) {
    if !cell.association {
        push(out, cell.socket().proto.netid());
    }
}

pub(super) fn state(out: &mut Vec<u8>, cell: &mut Cell<'_>) {
    let state = cell.socket().state;
    if cell.association {
        push(out, "`- ");
        push(out, sctp::state_word(state.number().into()));
    } else {
        push(out, state.word());
    }
}

fn recv_q(out: &mut Vec<u8>, cell: &mut Cell<'_>) {
    queue(out, cell.socket().recv_q);
}

fn send_q(out: &mut Vec<u8>, cell: &mut Cell<'_>) {
    queue(out, cell.socket().send_q);
}

/// At least six wide. Signed, as ss has it: the kernel reports -1 for a UDP socket that is being destroyed.
fn queue(out: &mut Vec<u8>, bytes: u32) {
    let start = out.len();
    push_i64(out, i64::from(bytes.cast_signed()));
    out.resize(out.len().max(start + 6), b' ');
}

pub(super) fn local(out: &mut Vec<u8>, cell: &mut Cell<'_>) {
    let socket = cell.socket();
    // A packet socket's interface is its port.
    let is_port = matches!(socket.proto, Proto::PacketRaw | Proto::PacketDgram | Proto::Xdp);
    address::host(out, cell, &socket.local, if is_port { 0 } else { socket.ifindex });
}

pub(super) fn local_port(out: &mut Vec<u8>, cell: &mut Cell<'_>) {
    address::port(out, cell, &cell.socket().local);
}

pub(super) fn peer(out: &mut Vec<u8>, cell: &mut Cell<'_>) {
    let socket = cell.socket();
    match (&socket.peer, socket.proto) {
        // Families without a peer: one sign for the whole address.
        (Endpoint::None, Proto::TipcStream | Proto::TipcDgram | Proto::TipcRdm | Proto::TipcSeqpacket) => {
            push(out, "-");
        }
        (peer, _) => address::host(out, cell, peer, 0),
    }
}

pub(super) fn peer_port(out: &mut Vec<u8>, cell: &mut Cell<'_>) {
    address::port(out, cell, &cell.socket().peer);
}

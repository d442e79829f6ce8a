//! The last cell: what `-o -e -m -i` and their like add, in each family's own order.

use crate::render::units::push_i64;
use crate::socket::Proto;

use super::{Cell, Delta, inet, netlink, packet, push, tipc, unix, xdp};

/// All details of the socket.
pub(super) fn cell(out: &mut Vec<u8>, cell: &mut Cell<'_>) {
    delta(out, cell);
    match cell.socket().proto {
        Proto::UnixStream | Proto::UnixDgram | Proto::UnixSeqpacket => unix::details(out, cell),
        Proto::PacketRaw | Proto::PacketDgram => packet::details(out, cell),
        // Where there is a Process column, it has them.
        Proto::Netlink if cell.show.users.is_none() => netlink::details(out, cell),
        Proto::Netlink => {}
        Proto::TipcStream | Proto::TipcDgram | Proto::TipcRdm | Proto::TipcSeqpacket => {
            tipc::details(out, cell)
        }
        Proto::Xdp => xdp::details(out, cell),
        Proto::VsockStream | Proto::VsockDgram | Proto::VsockSeqpacket => {}
        Proto::Tcp
        | Proto::Mptcp
        | Proto::Udp
        | Proto::UdpLite
        | Proto::Raw(_)
        | Proto::Ping(_)
        | Proto::Sctp
        | Proto::Dccp
        | Proto::Other(_) => inet::details(out, cell),
    }
}

/// What has changed since the round before.
pub(super) fn delta(out: &mut Vec<u8>, cell: &mut Cell<'_>) {
    if let Some(delta) = cell.row.delta {
        push_delta(out, delta);
    }
}

/// ` delta:(new)`, ` delta:(gone)`, ` delta:(state:SYN-SENT,recv_q:+5,sent:+1000)`: what changed, and nothing else.
fn push_delta(out: &mut Vec<u8>, delta: Delta) {
    push(out, " delta:(");
    match delta {
        Delta::New => push(out, "new"),
        Delta::Gone => push(out, "gone"),
        Delta::Changed { was, recv_q, send_q, sent, received } => {
            let start = out.len();
            if let Some(state) = was {
                push(out, "state:");
                push(out, state.word());
                push(out, ",");
            }
            let sent = i64::try_from(sent).unwrap_or(i64::MAX);
            let received = i64::try_from(received).unwrap_or(i64::MAX);
            for (name, value) in
                [("recv_q", recv_q), ("send_q", send_q), ("sent", sent), ("received", received)]
            {
                if value != 0 {
                    push(out, name);
                    push(out, if value > 0 { ":+" } else { ":" });
                    push_i64(out, value);
                    push(out, ",");
                }
            }
            out.truncate(out.len().saturating_sub(1).max(start));
        }
    }
    push(out, ")");
}

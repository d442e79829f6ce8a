//! The last cell: what `-o -e -m -i` and their like add, in each family's own order.

use crate::render::escape::push_text;
use crate::render::names::{Named, Names};
use crate::render::units::{push_hex, push_i64, push_u32};
use crate::socket::{Proto, Shutdown};

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

/// ` uid:… ino:… sk:… fwmark:… cgroup:…` of `-e`.
pub(super) fn identity(out: &mut Vec<u8>, cell: &mut Cell<'_>) {
    if !cell.show.extended {
        return;
    }
    let socket = cell.socket();
    if let Some(uid @ 1..) = socket.uid {
        push(out, " uid:");
        push_u32(out, uid);
    }
    push(out, " ino:");
    push_u32(out, socket.inode);
    push(out, " sk:");
    push_hex(out, socket.cookie);
    let Some(detail) = &socket.detail else { return };
    if let Some(mark @ 1..) = detail.mark {
        push(out, " fwmark:0x");
        push_hex(out, mark.into());
    }
    if let Some(id @ 1..) = detail.cgroup_id {
        push_cgroup(out, cell.names, id);
    }
}

/// ` cgroup:/path`.
pub(super) fn push_cgroup(out: &mut Vec<u8>, names: &mut dyn Names, id: u64) {
    push(out, " cgroup:");
    match names.name(Named::Cgroup(id)) {
        Some(path) => push_text(out, path),
        None => {
            push(out, "unreachable:");
            push_hex(out, id);
        }
    }
}

/// ` <->`, with `-` on the side that is shut down.
pub(super) fn push_shutdown(out: &mut Vec<u8>, shutdown: Shutdown) {
    push(out, if shutdown.receive { " --" } else { " <-" });
    push(out, if shutdown.send { "-" } else { ">" });
}

/// ` skmem:(r0,rb131072,…)`.
pub(super) fn push_skmem(out: &mut Vec<u8>, skmem: &[u32]) {
    const LABELS: [&str; 9] = ["r", "rb", "t", "tb", "f", "w", "o", "bl", "d"];
    push(out, " skmem:(");
    for (index, (label, value)) in LABELS.iter().zip(skmem).enumerate() {
        if index > 0 {
            push(out, ",");
        }
        push(out, label);
        push_u32(out, *value);
    }
    push(out, ")");
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

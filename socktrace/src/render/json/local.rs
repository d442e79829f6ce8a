//! What only the families have that do not leave the machine: UNIX, packet, netlink, XDP, TIPC.

use crate::api::sockets::show::Show;
use crate::render::nested::{attribute, u32_at, u64_at};
use crate::socket::{Detail, Proto, Socket};

use super::Object;

pub(super) fn details(object: &mut Object<'_>, socket: &Socket, detail: &Detail, show: &Show) {
    match socket.proto {
        Proto::UnixStream | Proto::UnixDgram | Proto::UnixSeqpacket if show.extended => unix(object, detail),
        Proto::PacketRaw | Proto::PacketDgram => packet(object, detail, show),
        Proto::Netlink if show.extended => netlink(object, detail),
        Proto::Xdp if show.extended => xdp(object, detail),
        Proto::TipcStream | Proto::TipcDgram | Proto::TipcRdm | Proto::TipcSeqpacket if show.tipcinfo => {
            tipc(object, detail);
        }
        Proto::UnixStream
        | Proto::UnixDgram
        | Proto::UnixSeqpacket
        | Proto::Netlink
        | Proto::Xdp
        | Proto::TipcStream
        | Proto::TipcDgram
        | Proto::TipcRdm
        | Proto::TipcSeqpacket
        | Proto::Tcp
        | Proto::Mptcp
        | Proto::Udp
        | Proto::UdpLite
        | Proto::Raw(_)
        | Proto::Ping(_)
        | Proto::Sctp
        | Proto::Dccp
        | Proto::VsockStream
        | Proto::VsockDgram
        | Proto::VsockSeqpacket
        | Proto::Other(_) => {}
    }
}

fn unix(object: &mut Object<'_>, detail: &Detail) {
    if let Some((device, inode)) = detail.unix_vfs {
        object.object("path", |object| {
            object.number("inode", inode);
            object.number("major", device >> 20);
            object.number("minor", device & 0xf_ffff);
        });
    }
    if let Some(queue) = &detail.unix_queue {
        object.numbers("pending", queue.iter().copied());
    }
}

/// linux/packet_diag.h.
fn packet(object: &mut Object<'_>, detail: &Detail, show: &Show) {
    const FLAGS: [&str; 5] = ["running", "auxdata", "origdev", "vnethdr", "loss"];
    const RING: [&str; 7] =
        ["block_size", "block_nr", "frame_size", "frame_nr", "retire_tmo", "sizeof_priv", "features"];
    if show.extended {
        if let Some(info) = detail.raw(0) {
            object.number("version", u32_at(info, 1));
            object.number("copy_thresh", u32_at(info, 3));
            let bits = u32_at(info, 5);
            let set = FLAGS.iter().enumerate().filter(|(bit, _)| bits & (1 << bit) != 0);
            object.words("flags", set.map(|(_, word)| *word));
        }
        for (kind, key) in [(2, "rx_ring"), (3, "tx_ring")] {
            let Some(ring) = detail.raw(kind) else { continue };
            object.object(key, |object| {
                for (index, name) in RING.iter().enumerate() {
                    object.number(name, u32_at(ring, index));
                }
            });
        }
        if let Some(fanout) = detail.raw(4) {
            object.object("fanout", |object| {
                object.number("id", u32_at(fanout, 0) & 0xffff);
                object.number("type", u32_at(fanout, 0) >> 16);
            });
        }
    }
    if show.bpf
        && let Some(filter) = detail.raw(7)
    {
        object.objects("filter", filter.chunks_exact(8), |object, instruction| {
            let &[a, b, jt, jf, ..] = instruction else { return };
            object.number("code", u16::from_ne_bytes([a, b]));
            object.number("jt", jt);
            object.number("jf", jf);
            object.number("k", u32_at(instruction, 1));
        });
    }
}

/// The numbers of the groups it listens to; bit n of the map is group n + 1.
fn netlink(object: &mut Object<'_>, detail: &Detail) {
    let Some(map) = detail.raw(1) else { return };
    let bits = map.iter().zip(0u32..).flat_map(|(byte, place)| {
        (0..8).filter(move |bit| byte & (1 << bit) != 0).map(move |bit| place * 8 + bit + 1)
    });
    object.numbers("groups", bits);
}

/// linux/xdp_diag.h.
fn xdp(object: &mut Object<'_>, detail: &Detail) {
    const UMEM: [&str; 8] =
        ["id", "num_pages", "chunk_size", "headroom", "ifindex", "queue_id", "flags", "refs"];
    const STATS: [&str; 6] =
        ["rx_dropped", "rx_invalid", "rx_full", "fill_ring_empty", "tx_invalid", "tx_ring_empty"];
    for (kind, key) in [(3, "rx_ring"), (4, "tx_ring"), (6, "fill_ring"), (7, "completion_ring")] {
        if let Some(ring) = detail.raw(kind) {
            object.object(key, |object| object.number("entries", u32_at(ring, 0)));
        }
    }
    if let Some(umem) = detail.raw(5) {
        object.object("umem", |object| {
            object.number("size", u64_at(umem, 0));
            for (index, name) in UMEM.iter().enumerate() {
                object.number(name, u32_at(umem, index + 2));
            }
        });
    }
    if let Some(stats) = detail.raw(9) {
        object.object("stats", |object| {
            for (index, name) in STATS.iter().enumerate() {
                object.number(name, u64_at(stats, index * 8));
            }
        });
    }
}

/// linux/tipc_netlink.h: `TIPC_NLA_SOCK_HAS_PUBL`, `_STAT`.
fn tipc(object: &mut Object<'_>, detail: &Detail) {
    object.flag("published", detail.raw(4).is_some());
    let Some(statistics) = detail.raw(5) else { return };
    object.flag("link_congested", attribute(statistics, 2).is_some());
    object.flag("connection_congested", attribute(statistics, 3).is_some());
    object.number("dropped", u32_at(attribute(statistics, 4).unwrap_or_default(), 0));
}

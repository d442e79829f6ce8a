//! Details of an IP socket.

use crate::render::units::{push_hex, push_timer, push_u32, push_u64};
use crate::socket::info::mptcp;
use crate::socket::{Detail, Family, Proto, Timer, TimerKind};

use super::{Cell, push, push_line, sctp, shared, storage, tcp};
use crate::render::nested::u32_at;

/// `INET_DIAG_MEMINFO`: what kernels before 3.6 sent instead of skmem.
const MEMINFO: u16 = 1;

/// Timer, identity, marks, options, and on a line of its own memory and protocol information.
pub(super) fn details(out: &mut Vec<u8>, cell: &mut Cell<'_>) {
    let socket = cell.socket();
    let detail = socket.detail.as_deref();
    // Only rows of /proc/net have no cookie. As in ss, those of datagram sockets are columns and nothing else there,
    // and those of TCP sockets have no second line.
    let from_proc = socket.cookie == 0;
    if from_proc && socket.proto != Proto::Tcp {
        return;
    }
    if cell.show.timers
        && let Some(timer) = detail.and_then(|detail| detail.timer)
    {
        push_timer_of(out, timer, socket.proto);
    }
    shared::identity(out, cell);
    if cell.show.extended {
        if socket.family == Family::Inet6
            && let Some(v6only) = socket.v6only
        {
            push(out, if v6only { " v6only:1" } else { " v6only:0" });
        }
        if let Some(shutdown) = detail.and_then(|detail| detail.shutdown) {
            shared::push_shutdown(out, shutdown);
        }
    }
    if let Some(detail) = detail {
        if cell.show.tos {
            push_tos(out, detail);
        }
        if cell.show.cgroup
            && let Some(id) = detail.cgroup_id
        {
            shared::push_cgroup(out, cell.names, id);
        }
        if cell.show.sockopt
            && let Some(options) = detail.sockopt
        {
            push_line(out, cell.show);
            push_options(out, options);
        }
    }
    if !from_proc && (cell.show.memory || (cell.show.info && socket.proto != Proto::Udp)) {
        second_line(out, cell, detail);
    }
    if let Some(block) = detail.and_then(|detail| detail.bpf_storages.as_ref()) {
        storage::storages(out, cell.show, cell.names, block);
    }
}

fn push_timer_of(out: &mut Vec<u8>, timer: Timer, proto: Proto) {
    push(out, " timer:(");
    push(
        out,
        match timer.kind {
            _ if proto == Proto::Sctp => "T3_RTX",
            TimerKind::On => "on",
            TimerKind::Keepalive => "keepalive",
            TimerKind::TimeWait => "timewait",
            TimerKind::Persist => "persist",
            TimerKind::Other(5) => "delack",
            TimerKind::Other(_) => "unknown",
        },
    );
    push(out, ",");
    push_timer(out, timer.expires_ms);
    push(out, ",");
    push_u32(out, timer.retrans.into());
    push(out, ")");
}

fn push_tos(out: &mut Vec<u8>, detail: &Detail) {
    let fields = [
        (" tos:", detail.tos.map(u32::from)),
        (" tclass:", detail.tclass.map(u32::from)),
        (" class_id:", detail.class_id),
    ];
    for (name, value) in fields {
        let Some(value) = value else { continue };
        push(out, name);
        if value != 0 {
            push(out, "0x");
        }
        push_hex(out, value.into());
    }
}

/// `struct inet_diag_sockopt`: two bytes of bit fields, lowest bit first.
fn push_options(out: &mut Vec<u8>, options: [u8; 2]) {
    const WORDS: [&str; 11] = [
        " recverr",
        " is_icsk",
        " freebind",
        " hdrincl",
        " mc_loop",
        " transparent",
        " mc_all",
        " nodefrag",
        " bind_addr_no_port",
        " recverr_rfc4884",
        " defer_connect",
    ];
    push(out, "inet-sockopt: (");
    let bits = u16::from_le_bytes(options);
    for (bit, word) in WORDS.iter().enumerate() {
        if bits & (1 << bit) != 0 {
            push(out, word);
        }
    }
    push(out, ")");
}

fn second_line(out: &mut Vec<u8>, cell: &Cell<'_>, detail: Option<&Detail>) {
    if !cell.show.oneline {
        push(out, "\n\t");
    }
    let Some(detail) = detail else { return };
    if cell.show.memory {
        push_memory(out, detail);
    }
    match cell.socket().proto {
        Proto::Sctp => sctp::info(out, detail),
        Proto::Mptcp => mptcp_info(out, detail),
        Proto::Tcp
        | Proto::Udp
        | Proto::UdpLite
        | Proto::Raw(_)
        | Proto::Ping(_)
        | Proto::Dccp
        | Proto::Other(_) => tcp::info(out, cell, detail),
        // Not IP.
        Proto::UnixStream
        | Proto::UnixDgram
        | Proto::UnixSeqpacket
        | Proto::PacketRaw
        | Proto::PacketDgram
        | Proto::Netlink
        | Proto::VsockStream
        | Proto::VsockDgram
        | Proto::VsockSeqpacket
        | Proto::TipcStream
        | Proto::TipcDgram
        | Proto::TipcRdm
        | Proto::TipcSeqpacket
        | Proto::Xdp => {}
    }
}

fn push_memory(out: &mut Vec<u8>, detail: &Detail) {
    if let Some(skmem) = &detail.skmem {
        return shared::push_skmem(out, skmem);
    }
    let Some(memory) = detail.raw(MEMINFO) else { return };
    for (name, index) in [" mem:(r", ",w", ",f", ",t"].iter().zip(0..) {
        push(out, name);
        push_u32(out, u32_at(memory, index));
    }
    push(out, ")");
}

/// The counters of an MPTCP connection that are not 0, in the struct's order.
fn mptcp_info(out: &mut Vec<u8>, detail: &Detail) {
    const FALLBACK: u64 = 1;
    const REMOTE_KEY: u64 = 2;
    let Some(info) = &detail.info else { return };
    for member in mptcp::ALL {
        let value = member.or_zero(info);
        if value == 0 || *member == mptcp::ENDP_LAMINAR_MAX {
            continue;
        }
        if *member == mptcp::FLAGS {
            push(out, if value & FALLBACK != 0 { " fallback" } else { "" });
            push(out, if value & REMOTE_KEY != 0 { " remote_key" } else { "" });
            continue;
        }
        push(out, " ");
        push(out, member.name);
        push(out, ":");
        if *member == mptcp::TOKEN { push_hex(out, value) } else { push_u64(out, value) }
    }
}

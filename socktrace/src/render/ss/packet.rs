//! Details of a packet socket (linux/packet_diag.h).

use crate::render::units::{push_hex, push_hex_padded, push_i64, push_u32};
use crate::socket::Detail;

use super::{Cell, Show, push, push_line, shared};
use crate::render::nested::u32_at;

const INFO: u16 = 0;
const RX_RING: u16 = 2;
const TX_RING: u16 = 3;
const FANOUT: u16 = 4;
const FILTER: u16 = 7;

/// Identity, version and flags, rings, fanout, filter, memory.
pub(super) fn details(out: &mut Vec<u8>, cell: &mut Cell<'_>) {
    shared::identity(out, cell);
    let Some(detail) = &cell.socket().detail else { return };
    if cell.show.extended {
        extended(out, cell.show, detail);
    }
    if cell.show.bpf
        && let Some(filter) = detail.raw(FILTER)
    {
        push_line(out, cell.show);
        push_filter(out, filter);
    }
    if cell.show.memory
        && let Some(skmem) = &detail.skmem
    {
        shared::push_skmem(out, skmem);
    }
}

fn extended(out: &mut Vec<u8>, show: &Show, detail: &Detail) {
    if let Some(info) = detail.raw(INFO) {
        push_line(out, show);
        push(out, "ver:");
        push_u32(out, u32_at(info, 1));
        push(out, " cpy_thresh:");
        push_u32(out, u32_at(info, 3));
        push_flags(out, u32_at(info, 5));
    }
    for (kind, name) in [(RX_RING, "ring_rx("), (TX_RING, "ring_tx(")] {
        if let Some(ring) = detail.raw(kind) {
            push_line(out, show);
            push(out, name);
            push_ring(out, ring);
            push(out, ")");
        }
    }
    if let Some(fanout) = detail.raw(FANOUT) {
        push_line(out, show);
        push_fanout(out, u32_at(fanout, 0));
    }
}

fn push_flags(out: &mut Vec<u8>, flags: u32) {
    const WORDS: [&str; 5] = ["running", " auxdata", " origdev", " vnethdr", " loss"];
    push(out, " flags( ");
    for (bit, word) in WORDS.iter().enumerate() {
        if flags & (1 << bit) != 0 {
            push(out, word);
        }
    }
    if flags == 0 {
        push(out, "0");
    }
    push(out, " )");
}

fn push_ring(out: &mut Vec<u8>, ring: &[u8]) {
    const NAMES: [&str; 5] = ["blk_size:", ",blk_nr:", ",frm_size:", ",frm_nr:", ",tmo:"];
    for (index, name) in NAMES.iter().enumerate() {
        push(out, name);
        push_i64(out, u32_at(ring, index).cast_signed().into());
    }
    push(out, ",features:0x");
    push_hex(out, u32_at(ring, 6).into());
}

fn push_fanout(out: &mut Vec<u8>, fanout: u32) {
    const TYPES: [&str; 6] = ["hash", "lb", "cpu", "roll", "random", "qm"];
    push(out, "fanout(id:");
    push_u32(out, fanout & 0xffff);
    push(out, ",type:");
    let kind = fanout >> 16;
    match TYPES.get(kind as usize) {
        Some(word) => push(out, word),
        None => {
            push(out, "0x");
            push_hex(out, kind.into());
        }
    }
    push(out, ")");
}

/// Classic BPF: each instruction is 8 bytes, `u16 code; u8 jt, jf; u32 k`.
fn push_filter(out: &mut Vec<u8>, filter: &[u8]) {
    push(out, "bpf filter (");
    push_u32(out, u32::try_from(filter.len() / 8).unwrap_or(u32::MAX));
    push(out, "): ");
    for instruction in filter.chunks_exact(8) {
        let &[code, code_high, jt, jf, a, b, c, d] = instruction else { continue };
        push(out, " 0x");
        push_hex_padded(out, u16::from_ne_bytes([code, code_high]).into(), 2);
        for number in [jt.into(), jf.into(), u32::from_ne_bytes([a, b, c, d])] {
            push(out, " ");
            push_u32(out, number);
        }
        push(out, ",");
    }
}

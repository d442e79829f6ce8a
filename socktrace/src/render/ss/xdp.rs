//! Details of an XDP socket (linux/xdp_diag.h).

use crate::render::units::{push_u32, push_u64};
use crate::socket::Detail;

use super::{Cell, Show, push, push_line, shared};
use crate::render::nested::{u32_at, u64_at};

const RX_RING: u16 = 3;
const TX_RING: u16 = 4;
const UMEM: u16 = 5;
const FILL_RING: u16 = 6;
const COMPLETION_RING: u16 = 7;
const STATS: u16 = 9;

/// Identity, rings, memory area, counters.
pub(super) fn details(out: &mut Vec<u8>, cell: &mut Cell<'_>) {
    shared::identity(out, cell);
    let Some(detail) = &cell.socket().detail else { return };
    if cell.show.extended {
        ring(out, cell.show, detail, RX_RING, "rx(");
        ring(out, cell.show, detail, TX_RING, "tx(");
        if let Some(umem) = detail.raw(UMEM) {
            push_line(out, cell.show);
            push_umem(out, umem);
            ring(out, cell.show, detail, FILL_RING, "fr(");
            ring(out, cell.show, detail, COMPLETION_RING, "cr(");
        }
        if let Some(stats) = detail.raw(STATS) {
            push_line(out, cell.show);
            push_stats(out, stats);
        }
    }
    if cell.show.memory
        && let Some(skmem) = &detail.skmem
    {
        shared::push_skmem(out, skmem);
    }
}

fn ring(out: &mut Vec<u8>, show: &Show, detail: &Detail, kind: u16, name: &str) {
    if let Some(ring) = detail.raw(kind) {
        push_line(out, show);
        push(out, name);
        push(out, "entries:");
        push_u32(out, u32_at(ring, 0));
        push(out, ")");
    }
}

/// `u64 size; u32 id, num_pages, chunk_size, headroom, ifindex, queue_id, flags, refs`.
fn push_umem(out: &mut Vec<u8>, umem: &[u8]) {
    const ZERO_COPY: u32 = 1;
    push(out, "umem(id:");
    push_u32(out, u32_at(umem, 2));
    push(out, ",size:");
    push_u64(out, u64_at(umem, 0));
    let rest = [",num_pages:", ",chunk_size:", ",headroom:", ",ifindex:", ",qid:"];
    for (name, index) in rest.iter().zip(3..) {
        push(out, name);
        push_u32(out, u32_at(umem, index));
    }
    push(out, ",zc:");
    push_u32(out, u32_at(umem, 8) & ZERO_COPY);
    push(out, ",refs:");
    push_u32(out, u32_at(umem, 9));
    push(out, ")");
}

fn push_stats(out: &mut Vec<u8>, stats: &[u8]) {
    const NAMES: [&str; 6] = [
        "rx dropped:",
        ",rx invalid:",
        ",rx queue full:",
        ",rx fill ring empty:",
        ",tx invalid:",
        ",tx ring empty:",
    ];
    push(out, "stats(");
    for (index, name) in NAMES.iter().enumerate() {
        push(out, name);
        push_u64(out, u64_at(stats, index * 8));
    }
    push(out, ")");
}

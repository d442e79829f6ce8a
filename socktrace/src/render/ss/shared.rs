//! What the details of several families have in common.

use super::{Cell, push};
use crate::render::escape::push_text;
use crate::render::names::{Named, Names};
use crate::render::units::{push_hex, push_u32};
use crate::socket::Shutdown;

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

pub(super) fn push_context(out: &mut Vec<u8>, context: Option<&[u8]>) {
    push_text(out, context.unwrap_or(b"unavailable"));
}

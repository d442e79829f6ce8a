//! Details of a netlink socket.

use crate::render::names::Named;
use crate::render::units::push_hex_padded;

use super::{Cell, push, shared};
use crate::api::sockets::show::Users;
use crate::render::nested::u64_at;

/// `NETLINK_DIAG_GROUPS`: a bit map of the multicast groups it listens to.
const GROUPS: u16 = 1;

/// The SELinux context behind a port id: the kernel's, a process's, or none.
pub(super) fn context(out: &mut Vec<u8>, cell: &mut Cell<'_>, style: Users, portid: u32) {
    if style.process_context {
        push(out, " proc_ctx=");
        shared::push_context(out, cell.names.name(Named::ProcessContext(portid)));
    }
}

/// ` sk=0 cb=0 groups=0x00000001` and a tab with ` skmem:(…)`. The kernel tells neither `sk` nor `cb`.
pub(super) fn details(out: &mut Vec<u8>, cell: &mut Cell<'_>) {
    let detail = cell.socket().detail.as_deref();
    if cell.show.extended {
        let groups = detail.and_then(|detail| detail.raw(GROUPS)).unwrap_or_default();
        push(out, " sk=0 cb=0 groups=0x");
        push_hex_padded(out, u64_at(groups, 0) & 0xffff_ffff, 8);
    }
    if cell.show.memory {
        push(out, "\t");
        if let Some(skmem) = detail.and_then(|detail| detail.skmem.as_ref()) {
            shared::push_skmem(out, skmem);
        }
    }
}

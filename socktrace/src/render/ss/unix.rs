//! Details of a UNIX socket.

use crate::render::units::push_u32;

use super::{Cell, push, shared};

/// ` skmem:(…) <-> ino:N dev:maj/min peers: ino ino`.
pub(super) fn details(out: &mut Vec<u8>, cell: &mut Cell<'_>) {
    let Some(detail) = &cell.socket().detail else { return };
    if cell.show.memory
        && let Some(skmem) = &detail.skmem
    {
        shared::push_skmem(out, skmem);
    }
    if !cell.show.extended {
        return;
    }
    if let Some(shutdown) = detail.shutdown {
        shared::push_shutdown(out, shutdown);
    }
    if let Some((device, inode)) = detail.unix_vfs {
        push(out, " ino:");
        push_u32(out, inode);
        push(out, " dev:");
        push_device(out, device);
    }
    if let Some(queue) = &detail.unix_queue {
        push(out, " peers:");
        for inode in queue {
            push(out, " ");
            push_u32(out, *inode);
        }
    }
}

/// `major/minor` of a device number as unix_diag sends it: the kernel's own, 12 bits and 20 bits.
fn push_device(out: &mut Vec<u8>, device: u32) {
    push_u32(out, device >> 20);
    push(out, "/");
    push_u32(out, device & 0xf_ffff);
}

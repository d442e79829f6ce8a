//! Holders from the task_file iterator: one pass over every descriptor in the kernel, whatever /proc shows.
//!
//! I/O: bpf(2), through `ebpf`.

use super::{Holders, Walk};
use crate::kernel::ebpf::{EbpfError, HolderIter};
use crate::socket::Holder;

/// One pass; keeps the sockets whose inode number is `wanted`, in the order of [`walk`](super::walk).
///
/// # Errors
/// If the iterator breaks off.
pub fn iterate(iter: &mut HolderIter, wanted: impl Fn(u32) -> bool) -> Result<Walk, EbpfError> {
    let mut holders = Holders::default();
    let mut current = None;
    iter.each(|inode, Holder { process, tid, fd }| {
        if !wanted(inode) {
            return;
        }
        let task = match current {
            Some((of, task)) if of == process => task,
            _ => holders.task(process, tid),
        };
        current = Some((process, task));
        holders.hold(task, fd, inode);
    })?;
    Ok(Walk { holders, denied: 0 })
}

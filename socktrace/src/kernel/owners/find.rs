//! The way to the holders that is the cheaper one here and now.
//!
//! Loading the iterator costs some tens of milliseconds, and then a descriptor costs a quarter of a microsecond;
//! /proc costs nothing to begin with, and then several microseconds for each descriptor.
//!
//! I/O: procfs and bpf(2).

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::{OwnersError, Walk, iterate, walk};
use crate::kernel::ebpf::HolderIter;

/// From so many open descriptors on the machine on, the iterator is the cheaper way.
const MANY: u64 = 20_000;
/// Inode of the initial pid namespace (include/uapi/linux/nsfs.h, `PID_NS_INIT_INO`).
const INITIAL_PID_NAMESPACE: u64 = 0xeffffffc;

/// Holders of the sockets whose inode number is `wanted`: by the iterator where many descriptors are open and the
/// kernel lets us, by a walk of /proc otherwise.
///
/// # Errors
/// If /proc cannot be listed.
pub fn find(wanted: impl Fn(u32) -> bool + Sync) -> Result<Walk, OwnersError> {
    let proc = Path::new("/proc");
    if numbers_agree() && open_descriptors(proc) >= MANY {
        match HolderIter::load().and_then(|mut iter| iterate(&mut iter, &wanted)) {
            Ok(walk) => return Ok(walk),
            Err(error) => log::debug!("no task_file iterator, so by /proc: {error}"),
        }
    }
    walk(proc, false, wanted)
}

/// The iterator numbers processes as the initial pid namespace does; elsewhere those are not the numbers of /proc.
fn numbers_agree() -> bool {
    fs::metadata("/proc/self/ns/pid").is_ok_and(|meta| meta.ino() == INITIAL_PID_NAMESPACE)
}

/// Open descriptors of all processes, as `/proc/PID/fd` tells by its size (Linux 6.2, fs/proc/fd.c); before that, and
/// of processes that we may not look into, 64 each.
fn open_descriptors(proc: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(proc) else { return 0 };
    let pids = entries
        .filter_map(Result::ok)
        .filter(|e| e.file_name().as_encoded_bytes().first().is_some_and(u8::is_ascii_digit));
    pids.map(|entry| match fs::metadata(entry.path().join("fd")) {
        Ok(meta) if meta.size() > 0 => meta.size(),
        Ok(_) | Err(_) => 64,
    })
    .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_descriptors_are_counted() {
        assert!(open_descriptors(Path::new("/proc")) >= 3);
        assert_eq!(open_descriptors(Path::new("/nonexistent")), 0);
    }
}

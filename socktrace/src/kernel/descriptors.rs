//! What a process is handed by whoever starts it: open descriptors, which it neither knows nor needs.
//!
//! I/O: close_range(2); procfs, where the kernel has no such call.

use nix::errno::Errno;

/// The first that is neither standard input, output nor error.
const FIRST: libc::c_uint = 3;

/// Closes everything that is open but standard input, output and error. To be called before anything is opened: whoever
/// works with a descriptor of a higher number would lose it.
pub fn close_inherited() {
    // SAFETY: by the caller's word nobody of this process has opened any of them yet.
    let closed = unsafe { libc::syscall(libc::SYS_close_range, FIRST, libc::c_uint::MAX, 0) };
    // Linux 5.9 has it.
    if Errno::result(closed).is_err() {
        close_one_by_one();
    }
}

fn close_one_by_one() {
    let Ok(entries) = std::fs::read_dir("/proc/self/fd") else { return };
    let open: Vec<libc::c_int> =
        entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect();
    // The one by which they were read is among them, and closed by now.
    for fd in open.into_iter().filter(|&fd| fd.cast_unsigned() >= FIRST) {
        // SAFETY: as above.
        unsafe { libc::close(fd) };
    }
}

//! SELinux: whether it is there, and the contexts of processes and files.
//!
//! I/O: selinuxfs, procfs, getxattr(2).

use std::ffi::CString;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::sys::statfs::{FsType, statfs};

/// Where selinuxfs is mounted.
const MOUNT: &str = "/sys/fs/selinux";
/// Its magic number (include/uapi/linux/magic.h, `SELINUX_MAGIC`).
const MAGIC: FsType = FsType(0xf97c_ff8c);

/// Whether the kernel enforces or at least knows a policy.
#[must_use]
pub fn is_enabled() -> bool {
    statfs(MOUNT).is_ok_and(|stat| stat.filesystem_type() == MAGIC)
}

/// The context of a process; of the kernel for process 0.
#[must_use]
pub fn of_process(proc: &Path, pid: u32) -> Option<Vec<u8>> {
    let path = match pid {
        0 => Path::new(MOUNT).join("initial_contexts/kernel"),
        pid => proc.join(format!("{pid}/attr/current")),
    };
    Some(trimmed(fs::read(path).ok()?)).filter(|context| !context.is_empty())
}

/// The context of the file behind a descriptor of a process.
#[must_use]
pub fn of_descriptor(proc: &Path, pid: u32, fd: u32) -> Option<Vec<u8>> {
    let path = CString::new(proc.join(format!("{pid}/fd/{fd}")).as_os_str().as_bytes()).ok()?;
    let mut context = vec![0u8; 1024];
    // SAFETY: both names are NUL-terminated and the buffer has the length that is told; all live during the call.
    let length = unsafe {
        libc::getxattr(
            path.as_ptr(),
            c"security.selinux".as_ptr(),
            context.as_mut_ptr().cast(),
            context.len(),
        )
    };
    context.truncate(usize::try_from(length).ok()?);
    Some(trimmed(context)).filter(|context| !context.is_empty())
}

/// Without what ends it: a NUL, or a line feed.
fn trimmed(mut context: Vec<u8>) -> Vec<u8> {
    while let Some(0 | b'\n') = context.last() {
        context.pop();
    }
    context
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contexts_end_before_what_ends_them() {
        assert_eq!(trimmed(b"system_u:system_r:init_t:s0\0".to_vec()), b"system_u:system_r:init_t:s0");
        assert_eq!(trimmed(b"kernel\n".to_vec()), b"kernel");
        assert_eq!(trimmed(Vec::new()), b"");
    }

    #[test]
    fn where_there_is_none_nothing_is_told() {
        assert_eq!(of_process(Path::new("/nonexistent"), 1), None);
        assert_eq!(of_descriptor(Path::new("/nonexistent"), 1, 0), None);
    }
}

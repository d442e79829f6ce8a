//! Filesystems of the kernel: where they are mounted, or where they are not, a mount of our own that has no place in the
//! tree and goes with its descriptor. Minimal hosts do not mount tracefs, and `ip netns exec` hides both it and the
//! cgroup tree.
//!
//! I/O: the list of mounts, fsopen(2), fsmount(2).

use std::ffi::{CStr, OsString};
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;

/// `FSOPEN_CLOEXEC`, `FSMOUNT_CLOEXEC` (include/uapi/linux/mount.h).
const CLOEXEC: u32 = 1;
/// `FSCONFIG_CMD_CREATE`.
const CREATE: u32 = 6;
/// `MOUNT_ATTR_NOSUID`, `_NODEV` and `_NOEXEC`.
const ATTRIBUTES: u32 = 2 | 4 | 8;

/// The root of a filesystem such as `tracefs` or `cgroup2`: of the first mount of it that can be reached, else of one of
/// our own, which takes Linux 5.2 and CAP_SYS_ADMIN.
///
/// # Errors
/// If it is not mounted and cannot be.
pub(super) fn root(filesystem: &CStr) -> io::Result<File> {
    let mounts = fs::read("/proc/thread-self/mounts").unwrap_or_default();
    let mounted = find(&mounts, filesystem.to_bytes());
    // A mount may be hidden by another one on top of it.
    match mounted.and_then(|path| File::open(path).ok()).filter(|root| is_of(root, filesystem)) {
        Some(root) => Ok(root),
        None => detached(filesystem),
    }
}

/// Where the first filesystem of that kind is mounted, from the text of `/proc/PID/mounts`.
pub(super) fn find(mounts: &[u8], filesystem: &[u8]) -> Option<PathBuf> {
    mounts.split(|&byte| byte == b'\n').find_map(|line| {
        let mut words = line.split(|&byte| byte == b' ').skip(1);
        let path = words.next()?;
        (words.next()? == filesystem).then(|| OsString::from_vec(unescape(path)).into())
    })
}

/// Read a file beneath such a root.
///
/// # Errors
/// If it is not there, or no text.
pub(super) fn read(root: &File, path: impl AsRef<Path>) -> io::Result<String> {
    io::read_to_string(open_at(root, path.as_ref())?)
}

fn open_at(root: &File, path: &Path) -> io::Result<File> {
    use nix::fcntl::{OFlag, openat};
    let fd = openat(root, path, OFlag::O_RDONLY | OFlag::O_CLOEXEC, nix::sys::stat::Mode::empty())?;
    Ok(fd.into())
}

fn is_of(root: &File, filesystem: &CStr) -> bool {
    let magic = match filesystem.to_bytes() {
        b"tracefs" => nix::sys::statfs::TRACEFS_MAGIC,
        _ => nix::sys::statfs::CGROUP2_SUPER_MAGIC,
    };
    nix::sys::statfs::fstatfs(root).is_ok_and(|status| status.filesystem_type() == magic)
}

fn detached(filesystem: &CStr) -> io::Result<File> {
    // SAFETY: the name ends with a zero; all other arguments are numbers, and what succeeds gives a descriptor of ours.
    unsafe {
        let context = descriptor(libc::syscall(libc::SYS_fsopen, filesystem.as_ptr(), CLOEXEC))?;
        let fd: RawFd = context.as_raw_fd();
        let nothing = std::ptr::null::<u8>();
        Errno::result(libc::syscall(libc::SYS_fsconfig, fd, CREATE, nothing, nothing, 0))?;
        let mount = descriptor(libc::syscall(libc::SYS_fsmount, fd, CLOEXEC, ATTRIBUTES))?;
        // What fsmount gives is only a place: opened once more, it can be read.
        open_at(&mount.into(), Path::new("."))
    }
}

/// # Safety
/// `returned` is what a system call returned that gives a new descriptor.
unsafe fn descriptor(returned: libc::c_long) -> io::Result<OwnedFd> {
    let fd = Errno::result(returned)?;
    let fd = RawFd::try_from(fd).map_err(|_| Errno::EBADF)?;
    // SAFETY: by the caller's word, nobody else has it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Blanks, tabs, newlines and backslashes are written `\040` there.
fn unescape(path: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(path.len());
    let mut rest = path;
    while let [first, after @ ..] = rest {
        let octal = match after {
            [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', ..] if *first == b'\\' => {
                Some((a - b'0') * 64 + (b - b'0') * 8 + (c - b'0'))
            }
            _ => None,
        };
        out.push(octal.unwrap_or(*first));
        rest = if octal.is_some() { after.get(3..).unwrap_or_default() } else { after };
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mount_is_found() {
        fn check(mounts: &str, expected: Option<&str>) {
            assert_eq!(find(mounts.as_bytes(), b"cgroup2"), expected.map(PathBuf::from));
        }
        check("proc /proc proc rw 0 0\ncgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n", Some("/sys/fs/cgroup"));
        check("cgroup /sys/fs/cgroup/cpu cgroup rw 0 0\nnone /a\\040b\\134 cgroup2 rw 0 0\n", Some("/a b\\"));
        check("", None);
    }
}

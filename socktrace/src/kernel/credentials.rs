//! What procfs says of a process's rights: its ids, its capabilities, its numbers in pid namespaces, its namespaces.
//!
//! I/O: `/proc/PID/status`, `/proc/PID/ns`, `/proc/PID/uid_map`, the parents of pid namespaces by ioctl(2).

use std::fs::{self, File};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Rights of a process (or of one of its threads), by its `status`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    /// User ids: real, effective, saved.
    pub uids: [u32; 3],
    /// Group ids: real, effective, saved.
    pub gids: [u32; 3],
    /// Its number in the pid namespace of that procfs, and in those beneath, down to its own.
    pub pids: Vec<u32>,
    /// Capabilities that it may use.
    pub permitted: u64,
    /// Capabilities that it uses.
    pub effective: u64,
}

impl Credentials {
    /// Of the process (or thread) with that directory; none if it has ended.
    #[must_use]
    pub fn of(directory: &Path) -> Option<Self> {
        Self::parse(&fs::read(directory.join("status")).ok()?)
    }

    /// proc_pid_status(5).
    fn parse(status: &[u8]) -> Option<Self> {
        let field = |name: &[u8]| {
            let text = status.split(|&byte| byte == b'\n').find_map(|line| line.strip_prefix(name))?;
            std::str::from_utf8(text).ok()
        };
        let three = |name| {
            let mut numbers = field(name)?.split_whitespace().map(str::parse);
            Some([numbers.next()?.ok()?, numbers.next()?.ok()?, numbers.next()?.ok()?])
        };
        let bits = |name| u64::from_str_radix(field(name)?.trim(), 16).ok();
        // Kernels without pid namespaces have no such line.
        let pids = field(b"NSpid:").unwrap_or_default().split_whitespace().map(str::parse);
        Some(Self {
            uids: three(b"Uid:")?,
            gids: three(b"Gid:")?,
            pids: pids.collect::<Result<_, _>>().ok()?,
            permitted: bits(b"CapPrm:")?,
            effective: bits(b"CapEff:")?,
        })
    }
}

/// The inode number of a namespace of the process with that directory, by its name beneath `ns`.
#[must_use]
pub fn namespace(directory: &Path, kind: &str) -> Option<u64> {
    fs::metadata(directory.join("ns").join(kind)).ok().map(|meta| meta.ino())
}

/// Whether the process with that directory is in our user namespace. Where we may not see which one it is in, whether the
/// ids of the two mean the same.
#[must_use]
pub fn shares_users(directory: &Path) -> bool {
    let own = Path::new("/proc/self");
    match (namespace(directory, "user"), namespace(own, "user")) {
        (Some(theirs), Some(ours)) => theirs == ours,
        (None, _) => match (fs::read(directory.join("uid_map")), fs::read(own.join("uid_map"))) {
            (Ok(theirs), Ok(ours)) => theirs == ours,
            (Err(_), _) | (_, Err(_)) => false,
        },
        (Some(_), None) => false,
    }
}

/// Whether the process with that directory is in the pid namespace with that inode number, or so many levels beneath it.
#[must_use]
pub fn is_in_pid_namespace(directory: &Path, inode: u64, levels: usize) -> bool {
    let ancestor = || {
        let mut namespace = OwnedFd::from(File::open(directory.join("ns/pid")).ok()?);
        for _ in 0..levels {
            namespace = parent(&namespace)?;
        }
        Some(File::from(namespace).metadata().ok()?.ino())
    };
    ancestor() == Some(inode)
}

/// The parent of a pid namespace, if it is not above ours.
fn parent(namespace: &OwnedFd) -> Option<OwnedFd> {
    /// `NS_GET_PARENT`: `_IO(0xb7, 2)` (include/uapi/linux/nsfs.h).
    const GET_PARENT: libc::c_ulong = 0xb702;
    // SAFETY: this request takes no argument.
    let fd = unsafe { libc::ioctl(namespace.as_raw_fd(), GET_PARENT as _) };
    // SAFETY: the call has just made this descriptor for us.
    (fd >= 0).then(|| unsafe { OwnedFd::from_raw_fd(fd) })
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATUS: &str = "Name:\tUid: x\nUmask:\t0022\nPid:\t7\nUid:\t1000\t0\t1001\t1000\nGid:\t1\t2\t3\t4\n\
                          NStgid:\t70\t7\nNSpid:\t71\t8\nCapInh:\t0000000000000000\nCapPrm:\t00000000a80425fb\n\
                          CapEff:\t0000000000001000\n";

    #[test]
    fn a_status_is_read() {
        let expected = Credentials {
            uids: [1000, 0, 1001],
            gids: [1, 2, 3],
            pids: vec![71, 8],
            permitted: 0xa804_25fb,
            effective: 0x1000,
        };
        assert_eq!(Credentials::parse(STATUS.as_bytes()), Some(expected.clone()));
        for end in 0..STATUS.len() {
            // What is cut off is not made up.
            if let Some(read) = Credentials::parse(&STATUS.as_bytes()[..end]) {
                assert_eq!((read.uids, read.permitted), (expected.uids, expected.permitted));
            }
        }
        assert_eq!(Credentials::parse(STATUS.replace("CapEff", "CapXXX").as_bytes()), None);
    }

    #[test]
    fn we_are_in_our_own_namespaces() {
        let own = Path::new("/proc/self");
        let credentials = Credentials::of(own).unwrap();
        assert_eq!(credentials.uids[1], nix::unistd::geteuid().as_raw());
        assert_eq!(credentials.pids.first(), Some(&std::process::id()));
        assert!(shares_users(own));
        let pid_namespace = namespace(own, "pid").unwrap();
        assert!(is_in_pid_namespace(own, pid_namespace, 0));
        assert!(!is_in_pid_namespace(own, pid_namespace, 1) && !is_in_pid_namespace(own, 1, 0));
    }
}

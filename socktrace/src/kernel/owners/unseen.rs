//! Whether there may be processes that this one cannot see at all: then nobody may conclude that a socket has no holder.
//!
//! I/O: procfs; this process's groups and capabilities.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use caps::{CapSet, Capability};
use nix::unistd::{getegid, getgroups};

/// Inode of the initial pid namespace (include/uapi/linux/nsfs.h, `PID_NS_INIT_INO`).
const INITIAL_PID_NAMESPACE: u64 = 0xeffffffc;
/// Inode of the initial user namespace (`USER_NS_INIT_INO`).
const INITIAL_USER_NAMESPACE: u64 = 0xeffffffd;

/// Why processes may exist that cannot be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unseen {
    /// No procfs is mounted where it should be.
    NoProcfs,
    /// Procfs is mounted with `hidepid`.
    Hidepid,
    /// We are in a pid namespace, and others outside of it may hold what we see.
    PidNamespace,
}

impl Unseen {
    /// A word for it that programs can rely on.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::NoProcfs => "no_procfs",
            Self::Hidepid => "hidepid",
            Self::PidNamespace => "pid_namespace",
        }
    }
}

/// Why the procfs at `proc` may not show every process; none if it shows all, or is a recorded tree.
#[must_use]
pub fn unseen(proc: &Path) -> Option<Unseen> {
    if proc != Path::new("/proc") {
        return None;
    }
    if !proc.join("self").exists() {
        return Some(Unseen::NoProcfs);
    }
    let mounts = fs::read("/proc/self/mountinfo").unwrap_or_default();
    if hides(&mounts, proc) && !is_exempt(&mounts, proc) {
        return Some(Unseen::Hidepid);
    }
    (!is_initial("pid", INITIAL_PID_NAMESPACE)).then_some(Unseen::PidNamespace)
}

/// Whether that procfs is mounted so that others' processes are hidden, whatever we may do ourselves.
pub(super) fn hides_processes(proc: &Path) -> bool {
    hides(&fs::read("/proc/self/mountinfo").unwrap_or_default(), proc)
}

/// Whether our pid namespace is the initial one: there the kernel's numbers of processes are those of /proc.
#[must_use]
pub fn in_initial_pid_namespace() -> bool {
    is_initial("pid", INITIAL_PID_NAMESPACE)
}

fn is_initial(kind: &str, inode: u64) -> bool {
    fs::metadata(Path::new("/proc/self/ns").join(kind)).is_ok_and(|meta| meta.ino() == inode)
}

/// Whether `hidepid` does not concern us (fs/proc/base.c, `has_pid_permissions`).
fn is_exempt(mounts: &[u8], proc: &Path) -> bool {
    let may_trace = caps::has_cap(None, CapSet::Effective, Capability::CAP_SYS_PTRACE).unwrap_or(false);
    if may_trace && is_initial("user", INITIAL_USER_NAMESPACE) {
        return true;
    }
    let group =
        option(mounts, proc, b"gid=").and_then(|gid| std::str::from_utf8(gid).ok()?.parse::<u32>().ok());
    let Some(group) = group else { return false };
    let ptraceable = matches!(option(mounts, proc, b"hidepid="), Some(b"4" | b"ptraceable"));
    let is_member = getegid().as_raw() == group
        || getgroups().is_ok_and(|groups| groups.iter().any(|gid| gid.as_raw() == group));
    is_member && !ptraceable
}

/// Whether processes that may not be looked into are missing from a listing of that directory.
fn hides(mounts: &[u8], proc: &Path) -> bool {
    matches!(option(mounts, proc, b"hidepid="), Some(b"2" | b"invisible" | b"4" | b"ptraceable"))
}

/// An option of the procfs that is mounted there last, by what it begins with.
fn option<'a>(mounts: &'a [u8], proc: &Path, name: &[u8]) -> Option<&'a [u8]> {
    use std::os::unix::ffi::OsStrExt;
    let mut options = None;
    for line in mounts.split(|&byte| byte == b'\n') {
        let mut fields = line.split(|&byte| byte == b' ');
        if fields.nth(4) != Some(proc.as_os_str().as_bytes()) {
            continue;
        }
        // Behind a lone dash come the type, the source and the options of the file system.
        let mut rest = fields.skip_while(|field| *field != b"-").skip(1);
        options = (rest.next() == Some(b"proc")).then(|| rest.nth(1).unwrap_or_default());
    }
    options?.split(|&byte| byte == b',').find_map(|option| option.strip_prefix(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_options_of_the_last_procfs_count() {
        let proc = Path::new("/proc");
        for (mounts, expected) in [
            ("22 1 0:21 / /proc rw,nosuid shared:1 - proc proc rw\n", false),
            ("22 1 0:21 / /proc rw shared:1 - proc proc rw,hidepid=2\n", true),
            ("22 1 0:21 / /proc rw shared:1 - proc proc rw,gid=5,hidepid=invisible\n", true),
            ("22 1 0:21 / /proc rw - proc proc rw,hidepid=ptraceable\n", true),
            // The folders are there, and looking into them is refused.
            ("22 1 0:21 / /proc rw - proc proc rw,hidepid=noaccess\n", false),
            ("22 1 0:21 / /proc rw - proc proc rw\n23 22 0:22 / /proc rw - proc proc rw,hidepid=2\n", true),
            ("22 1 0:21 / /proc rw - proc proc rw,hidepid=2\n23 22 0:22 / /proc rw - proc proc rw\n", false),
            ("22 1 0:21 / /proc rw - proc proc rw,hidepid=2\n23 22 0:22 / /proc rw - tmpfs none rw\n", false),
            ("22 1 0:21 / /mnt/proc rw - proc proc rw,hidepid=2\n", false),
            ("", false),
        ] {
            assert_eq!(hides(mounts.as_bytes(), proc), expected, "{mounts}");
        }
    }

    #[test]
    fn a_recorded_tree_shows_all_that_it_has() {
        assert_eq!(unseen(Path::new("/nonexistent")), None);
    }
}

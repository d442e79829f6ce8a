//! Paths of cgroups by their ids.
//!
//! I/O: the list of mounts, the cgroup2 tree.

use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{DirEntryExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustc_hash::FxHashMap;

/// All cgroups beneath the first cgroup2 mount.
///
/// A cgroup's id is the inode number of its directory on 64-bit kernels (kernel/cgroup/cgroup.c, `cgroup_id`).
#[derive(Debug, Default)]
pub(super) struct Cgroups {
    mount: Option<PathBuf>,
    paths: FxHashMap<u64, Box<[u8]>>,
}

impl Cgroups {
    /// Reads them; none where no cgroup2 is mounted.
    pub(super) fn read(proc: &Path) -> Self {
        // The real procfs even where another is given: what is mounted is not part of a recorded tree.
        let mounts = fs::read(proc.join("self/mounts")).or_else(|_| fs::read("/proc/self/mounts"));
        let Some(mount) = find_mount(&mounts.unwrap_or_default()) else { return Self::default() };
        let mut cgroups = Self::default();
        if let Ok(meta) = fs::metadata(&mount) {
            cgroups.paths.insert(meta.ino(), b"/"[..].into());
        }
        cgroups.walk(&mount, &mut Vec::new());
        cgroups.mount = Some(mount);
        cgroups
    }

    /// The path beneath the mount, `/` for the root.
    pub(super) fn path(&self, id: u64) -> Option<&[u8]> {
        self.paths.get(&id).map(|path| &**path)
    }

    /// The id of the cgroup at that path, as given or beneath the mount.
    pub(super) fn id(&self, path: &str) -> Option<u64> {
        let direct = Path::new(path);
        let ino = |path: &Path| fs::metadata(path).ok().filter(fs::Metadata::is_dir).map(|meta| meta.ino());
        let mount = self.mount.as_deref();
        if mount.is_some_and(|mount| direct.starts_with(mount)) {
            return ino(direct);
        }
        ino(&mount?.join(path.trim_start_matches('/')))
    }

    fn walk(&mut self, directory: &Path, path: &mut Vec<u8>) {
        let Ok(entries) = fs::read_dir(directory) else { return };
        for entry in entries.filter_map(Result::ok) {
            if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                continue;
            }
            let length = path.len();
            path.push(b'/');
            path.extend_from_slice(entry.file_name().as_bytes());
            self.paths.insert(entry.ino(), path.as_slice().into());
            self.walk(&entry.path(), path);
            path.truncate(length);
        }
    }
}

/// Where the first cgroup2 is mounted, from the text of `/proc/self/mounts`.
fn find_mount(mounts: &[u8]) -> Option<PathBuf> {
    mounts.split(|&b| b == b'\n').find_map(|line| {
        let mut words = line.split(|&b| b == b' ');
        let path = words.nth(1)?;
        (words.next()? == b"cgroup2").then(|| std::ffi::OsString::from_vec(unescape(path)).into())
    })
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
            assert_eq!(find_mount(mounts.as_bytes()), expected.map(PathBuf::from));
        }
        check("proc /proc proc rw 0 0\ncgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n", Some("/sys/fs/cgroup"));
        check("cgroup /sys/fs/cgroup/cpu cgroup rw 0 0\nnone /a\\040b\\134 cgroup2 rw 0 0\n", Some("/a b\\"));
        check("", None);
    }
}

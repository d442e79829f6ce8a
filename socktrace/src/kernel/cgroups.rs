//! Cgroups (v2) by their ids: the path of each, and what it says. The one place where that is looked up.
//!
//! A cgroup's id is the inode number of its directory on 64-bit kernels (kernel/cgroup/cgroup.c, `cgroup_id`), and its
//! file handle (fs/kernfs/mount.c, `kernfs_encode_fh`), so that one system call finds it. That takes
//! CAP_DAC_READ_SEARCH; without it the tree is walked. An id is never used again.
//!
//! I/O: the list of mounts, the cgroup2 tree.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirEntryExt, MetadataExt};
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat2};
use rustc_hash::FxHashMap;

use super::mounts;
use crate::socket::Cgroup;

/// How many are remembered.
const MAX_CGROUPS: usize = 1 << 16;

/// The cgroups beneath the first cgroup2 mount; what was found once is remembered, also after its end.
#[derive(Debug, Default)]
pub struct Cgroups {
    mount: Option<Mount>,
    known: Mutex<FxHashMap<u64, Option<Arc<Cgroup>>>>,
}

#[derive(Debug)]
struct Mount {
    path: PathBuf,
    directory: File,
}

impl Cgroups {
    /// Those of this machine; none where no cgroup2 is mounted.
    #[must_use]
    pub fn new(proc: &Path) -> Self {
        // The real procfs even where another is given: what is mounted is not part of a recorded tree.
        let mounts = fs::read(proc.join("self/mounts")).or_else(|_| fs::read("/proc/self/mounts"));
        let path = mounts::find(&mounts.unwrap_or_default(), b"cgroup2");
        let mount = path.and_then(|path| Some(Mount { directory: File::open(&path).ok()?, path }));
        Self { mount, known: Mutex::default() }
    }

    /// The cgroup with that id, if it is there or was found when it was.
    #[must_use]
    pub fn get(&self, id: u64) -> Option<Arc<Cgroup>> {
        let mount = self.mount.as_ref().filter(|_| id != 0)?;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(cgroup) = known.get(&id) {
            return cgroup.clone();
        }
        if known.len() >= MAX_CGROUPS {
            known.clear();
        }
        let found = match mount.by_handle(id) {
            Ok(path) => path,
            Err(_) => {
                let mut found = None;
                mount.walk(&mut |ino, path| {
                    if ino == id {
                        found = Some(path.to_vec());
                    }
                    known.entry(ino).or_insert_with(|| Some(Arc::new(Cgroup::new(path))));
                });
                found
            }
        };
        let cgroup = found.map(|path| Arc::new(Cgroup::new(&path)));
        known.insert(id, cgroup.clone());
        cgroup
    }

    /// The id of the cgroup that a process is in; none if it cannot be seen from here, or has ended.
    #[must_use]
    pub fn of_process(&self, proc: &Path, pid: u32) -> Option<u64> {
        let text = fs::read(proc.join(pid.to_string()).join("cgroup")).ok()?;
        self.mount.as_ref()?.beneath(Path::new(OsStr::from_bytes(path_of(&text)?)))
    }

    /// The id of the cgroup at that path, as given or beneath the mount. Nothing outside of the mount is looked at.
    #[must_use]
    pub fn id(&self, path: &str) -> Option<u64> {
        let mount = self.mount.as_ref()?;
        let path = Path::new(path);
        mount.beneath(path.strip_prefix(&mount.path).unwrap_or(path))
    }
}

/// `struct file_handle` with a handle of kernfs.
#[repr(C)]
struct Handle {
    bytes: libc::c_uint,
    kind: libc::c_int,
    id: [u8; 8],
}

impl Mount {
    /// The path of the cgroup, none if there is no such cgroup.
    ///
    /// # Errors
    /// If that cannot be told in this way.
    fn by_handle(&self, id: u64) -> std::io::Result<Option<Vec<u8>>> {
        /// `FILEID_KERNFS` (include/linux/exportfs.h).
        const KERNFS: libc::c_int = 0xfe;
        let mut handle = Handle { bytes: 8, kind: KERNFS, id: id.to_ne_bytes() };
        // SAFETY: `handle` is laid out as a `struct file_handle` with as many bytes as it says.
        let fd = unsafe {
            libc::open_by_handle_at(self.directory.as_raw_fd(), (&raw mut handle).cast(), libc::O_PATH)
        };
        if fd < 0 {
            let error = std::io::Error::last_os_error();
            return if error.raw_os_error() == Some(libc::ESTALE) { Ok(None) } else { Err(error) };
        }
        // SAFETY: the call has just made this descriptor for us.
        let directory = unsafe { OwnedFd::from_raw_fd(fd) };
        let path = fs::read_link(format!("/proc/self/fd/{}", directory.as_raw_fd()))?;
        Ok(path.strip_prefix(&self.path).ok().map(|path| [b"/", path.as_os_str().as_bytes()].concat()))
    }

    /// The id of the cgroup at that path beneath the mount.
    fn beneath(&self, path: &Path) -> Option<u64> {
        let names: PathBuf = path.components().filter(|part| !matches!(part, Component::RootDir)).collect();
        let names = if names.as_os_str().is_empty() { Path::new(".") } else { &names };
        // O_PATH opens nothing, and there are no links in the tree.
        let how = OpenHow::new().flags(OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC).resolve(
            ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_SYMLINKS | ResolveFlag::RESOLVE_NO_XDEV,
        );
        let directory = openat2(&self.directory, names, how).ok()?;
        nix::sys::stat::fstat(&directory).ok().map(|status| status.st_ino)
    }

    /// Every cgroup, with its id and path.
    fn walk(&self, each: &mut impl FnMut(u64, &[u8])) {
        if let Ok(meta) = fs::metadata(&self.path) {
            each(meta.ino(), b"/");
        }
        walk(&self.path, &mut Vec::new(), each);
    }
}

fn walk(directory: &Path, path: &mut Vec<u8>, each: &mut impl FnMut(u64, &[u8])) {
    let Ok(entries) = fs::read_dir(directory) else { return };
    for entry in entries.filter_map(Result::ok) {
        if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            continue;
        }
        let length = path.len();
        path.push(b'/');
        path.extend_from_slice(entry.file_name().as_bytes());
        each(entry.ino(), path);
        walk(&entry.path(), path, each);
        path.truncate(length);
    }
}

/// The path beneath the mount in the text of `/proc/PID/cgroup`, which has number 0 in version 2 (cgroups(7)). None if it
/// is outside of our own cgroup namespace.
fn path_of(text: &[u8]) -> Option<&[u8]> {
    let path = text.split(|&b| b == b'\n').find_map(|line| line.strip_prefix(b"0::/"))?;
    let outside = path.split(|&b| b == b'/').any(|part| part == b"..");
    (!outside).then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_of_a_process() {
        fn check(text: &str, expected: Option<&str>) {
            assert_eq!(path_of(text.as_bytes()), expected.map(str::as_bytes), "{text}");
        }
        check("0::/system.slice/cron.service\n", Some("system.slice/cron.service"));
        check("2:cpu:/x\n1:name=systemd:/y\n0::/\n", Some(""));
        check("0::/a:b/c\n", Some("a:b/c"));
        check("0::/../other\n", None);
        check("2:cpu:/x\n", None);
        check("", None);
    }

    #[test]
    fn nothing_outside_of_the_tree_is_looked_at() {
        let cgroups = Cgroups::new(Path::new("/proc"));
        let Some(mount) = &cgroups.mount else { return };
        let root = fs::metadata(&mount.path).unwrap().ino();
        for (path, expected) in [("/", Some(root)), ("", Some(root)), (".", Some(root))] {
            assert_eq!(cgroups.id(path), expected, "{path}");
        }
        assert_eq!(cgroups.id(mount.path.to_str().unwrap()), Some(root));
        // There in any file system.
        for path in ["..", "../..", "../../../../tmp", "/../../../tmp", "./../../../tmp"] {
            assert_eq!(cgroups.id(path), None, "{path}");
        }
        let beside = mount.path.join("../../../../tmp");
        assert_eq!(cgroups.id(beside.to_str().unwrap()), None);
    }

    /// Makes cgroups of its own where it may.
    #[test]
    fn by_handle_and_by_walking_it_is_the_same_also_after_its_end() {
        let cgroups = Cgroups::new(Path::new("/proc"));
        let Some(mount) = &cgroups.mount else { return };
        let mut all = Vec::new();
        mount.walk(&mut |id, path| all.push((id, path.to_vec())));
        assert!(!all.is_empty());
        let folder = mount.path.join(format!("socktrace-test-{}.slice", std::process::id()));
        if fs::create_dir(&folder).is_err() {
            eprintln!(
                "by_handle_and_by_walking_it_is_the_same_also_after_its_end: no right to make a cgroup"
            );
            return;
        }
        let inner = folder.join("a b.service");
        let id = fs::create_dir(&inner).and_then(|()| fs::metadata(&inner)).map(|meta| meta.ino()).unwrap();
        let expected = format!("/socktrace-test-{}.slice/a b.service", std::process::id()).into_bytes();
        let mut walked = None;
        mount.walk(&mut |other, path| {
            if other == id {
                walked = Some(path.to_vec());
            }
        });
        let by_handle = mount.by_handle(id);
        let (found, by_path) = (cgroups.get(id), cgroups.id(std::str::from_utf8(&expected).unwrap()));
        fs::remove_dir(&inner).and_then(|()| fs::remove_dir(&folder)).unwrap();
        assert_eq!(walked.as_ref(), Some(&expected));
        if let Ok(by_handle) = by_handle {
            assert_eq!(by_handle, walked);
        }
        assert_eq!(by_path, Some(id));
        let found = found.unwrap();
        assert_eq!(*found.path, *expected);
        assert_eq!(cgroups.get(id), Some(found), "it is remembered");
        assert_eq!(Cgroups::new(Path::new("/proc")).get(id), None, "it is gone");
    }
}

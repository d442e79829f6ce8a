//! Opening the file of a namespace so that nothing else is ever opened, whatever lies at the path.
//!
//! I/O: openat(2) with O_PATH, which has no effect on what is opened and never waits; only what then proves to be a
//! namespace is opened to be read.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag, open, openat};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat};
use nix::sys::statfs::{FsType, fstatfs};

/// Where `ip netns` keeps its names.
pub(super) const NAMES: &str = "/run/netns";
/// The magic number of the file system that namespaces are files of (include/uapi/linux/magic.h).
const NSFS: FsType = FsType(0x6e73_6673);

/// Why there is no namespace to be had there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// What is there is no namespace.
    NotOne,
    /// It could not be opened.
    Errno(Errno),
}

impl From<Errno> for Refusal {
    fn from(errno: Errno) -> Self {
        Self::Errno(errno)
    }
}

/// Whether a last component of the path that is a symbolic link is followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Links {
    Follow,
    Refuse,
}

/// The inode number of the namespace that `ip netns` calls so; nothing is opened for that.
pub(super) fn inode_of(name: &str) -> Result<u64, Refusal> {
    let folder = folder()?;
    Ok(inode(&fstat(named(&folder, name)?)?))
}

/// The namespace that `ip netns` calls so.
pub(super) fn by_name(name: &str) -> Result<(OwnedFd, u64), Refusal> {
    let folder = folder()?;
    let handle = named(&folder, name)?;
    let expected = inode(&fstat(&handle)?);
    // The folder is root's. Where procfs is, what was looked at is what is opened.
    reopened(&handle)
        .or_else(|_| Ok(openat(&folder, name, OPEN, Mode::empty())?))
        .and_then(|fd| checked(fd, expected))
}

/// The namespace whose file is at a path.
pub(super) fn by_path(path: &Path, links: Links) -> Result<(OwnedFd, u64), Refusal> {
    let flags = match links {
        Links::Follow => HANDLE,
        Links::Refuse => HANDLE | OFlag::O_NOFOLLOW,
    };
    let handle = namespace(openat(AT_FDCWD, path, flags, Mode::empty())?)?;
    let expected = inode(&fstat(&handle)?);
    reopened(&handle).or_else(|_| Ok(open(path, OPEN, Mode::empty())?)).and_then(|fd| checked(fd, expected))
}

/// Looks at a file without opening it.
const HANDLE: OFlag = OFlag::O_PATH.union(OFlag::O_CLOEXEC);
/// Opens one; never waits for anybody.
const OPEN: OFlag = OFlag::O_NONBLOCK.union(OFlag::O_NOCTTY).union(OFlag::O_CLOEXEC);

fn folder() -> Result<OwnedFd, Errno> {
    open(NAMES, HANDLE | OFlag::O_DIRECTORY, Mode::empty())
}

/// The file of that name in the folder, without opening it. A name is one component.
fn named(folder: &OwnedFd, name: &str) -> Result<OwnedFd, Refusal> {
    if name.is_empty() || name.contains('/') || matches!(name, "." | "..") {
        return Err(Errno::ENOENT.into());
    }
    let file = openat(folder, name, HANDLE | OFlag::O_NOFOLLOW, Mode::empty())?;
    let status = fstat(&file)?;
    // Root may have put a link to a container's namespace there, as many do; nobody else can.
    let of_root = is_link(&status) && status.st_uid == 0;
    namespace(if of_root { openat(folder, name, HANDLE, Mode::empty())? } else { file })
}

/// The file, if it is a namespace.
fn namespace(file: OwnedFd) -> Result<OwnedFd, Refusal> {
    match fstatfs(&file) {
        Ok(status) if status.filesystem_type() == NSFS => Ok(file),
        Ok(_) => Err(Refusal::NotOne),
        Err(errno) => Err(errno.into()),
    }
}

/// Opens what a handle stands for.
fn reopened(handle: &impl AsFd) -> Result<OwnedFd, Errno> {
    let path = format!("/proc/thread-self/fd/{}", handle.as_fd().as_raw_fd());
    open(path.as_str(), OPEN, Mode::empty())
}

/// What was opened is what was looked at.
fn checked(file: OwnedFd, expected: u64) -> Result<(OwnedFd, u64), Refusal> {
    let file = namespace(file)?;
    if inode(&fstat(&file)?) == expected { Ok((file, expected)) } else { Err(Refusal::NotOne) }
}

fn is_link(status: &FileStat) -> bool {
    SFlag::from_bits_truncate(status.st_mode & SFlag::S_IFMT.bits()) == SFlag::S_IFLNK
}

fn inode(status: &FileStat) -> u64 {
    status.st_ino
}

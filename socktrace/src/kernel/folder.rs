//! A directory of ours, held by its descriptor: whatever is renamed around it, what is done in it is done there.
//!
//! I/O: directories. One that somebody else could change is refused: they could put something of theirs, or of others,
//! in the place of what we make there.

use super::reason::reason;
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, OFlag, openat};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat, fstatat};
use nix::unistd::{Uid, UnlinkatFlags, unlinkat};
use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

/// Why a directory is not used.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// It could not be opened.
    #[error("cannot open {}: {}", path.display(), reason(*errno))]
    Open {
        /// Which one.
        path: PathBuf,
        /// Why.
        errno: Errno,
    },
    /// It belongs to somebody else.
    #[error("{} belongs to user {uid}, who could replace what is in it", path.display())]
    Foreign {
        /// Which one.
        path: PathBuf,
        /// Whose it is.
        uid: u32,
    },
    /// Others may write to it.
    #[error("{} may be written by others, who could replace what is in it", path.display())]
    Writable {
        /// Which one.
        path: PathBuf,
    },
}

/// A directory that is open.
#[derive(Debug)]
pub(crate) struct Folder {
    fd: OwnedFd,
    path: PathBuf,
}

/// Whose directories are used: root's, our own, and that user's.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Owners {
    pub(crate) also: Option<Uid>,
}

impl Owners {
    /// Whether what has that owner is theirs.
    pub(crate) fn have(self, uid: u32) -> bool {
        uid == 0 || uid == Uid::effective().as_raw() || self.also.is_some_and(|also| also.as_raw() == uid)
    }

    fn check(self, path: &Path, status: &FileStat, sticky_will_do: bool) -> Result<(), FolderError> {
        if !self.have(status.st_uid) {
            return Err(FolderError::Foreign { path: path.to_owned(), uid: status.st_uid });
        }
        let mode = Mode::from_bits_truncate(status.st_mode);
        // In a sticky one everybody may make files, and nobody may rename or remove those of others.
        let kept = sticky_will_do && mode.contains(Mode::S_ISVTX);
        if mode.intersects(Mode::S_IWGRP | Mode::S_IWOTH) && !kept {
            return Err(FolderError::Writable { path: path.to_owned() });
        }
        Ok(())
    }
}

const DIRECTORY: OFlag =
    OFlag::O_DIRECTORY.union(OFlag::O_NOFOLLOW).union(OFlag::O_NONBLOCK).union(OFlag::O_CLOEXEC);

impl Folder {
    /// Opens a directory that can only be changed by `owners`, and to which nobody else can make its path lead: no
    /// directory above it is anybody else's. Where everybody may make files and only their owners may rename them, that
    /// will do.
    pub(crate) fn lasting(path: &Path, owners: Owners) -> Result<Self, FolderError> {
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        let open = |error: io::Error| FolderError::Open {
            path: path.to_owned(),
            errno: error.raw_os_error().map_or(Errno::UnknownErrno, Errno::from_raw),
        };
        let path = path.canonicalize().map_err(open)?;
        for above in path.ancestors() {
            let status = fstatat(AT_FDCWD, above, AtFlags::AT_SYMLINK_NOFOLLOW);
            let status = status.map_err(|errno| FolderError::Open { path: above.to_owned(), errno })?;
            owners.check(above, &status, true)?;
        }
        Self::open(&path)
    }

    /// Opens a directory in which nobody but `owners` can make anything.
    pub(crate) fn private(path: &Path, owners: Owners) -> Result<Self, FolderError> {
        let folder = Self::open(path)?;
        let status = fstat(&folder.fd).map_err(|errno| FolderError::Open { path: path.to_owned(), errno })?;
        owners.check(path, &status, false)?;
        Ok(folder)
    }

    /// Opens a directory, whoever may change it; the path must not end in a link.
    fn open(path: &Path) -> Result<Self, FolderError> {
        let fd = openat(AT_FDCWD, path, DIRECTORY, Mode::empty());
        let fd = fd.map_err(|errno| FolderError::Open { path: path.to_owned(), errno })?;
        Ok(Self { fd, path: path.to_owned() })
    }

    /// Its path, without links if it is [lasting](Self::lasting).
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// What is in it under that name, if it is no link.
    pub(crate) fn status(&self, name: &OsStr) -> Result<FileStat, Errno> {
        fstatat(&self.fd, name, AtFlags::AT_SYMLINK_NOFOLLOW)
    }

    /// Opens a regular file in it, or makes it. What is no such file is not waited for.
    pub(crate) fn file(&self, name: &OsStr, flags: OFlag, mode: Mode) -> io::Result<OwnedFd> {
        let flags = flags | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
        let file = openat(&self.fd, name, flags, mode)?;
        let kind = SFlag::from_bits_truncate(fstat(&file)?.st_mode & SFlag::S_IFMT.bits());
        if kind == SFlag::S_IFREG { Ok(file) } else { Err(io::Error::other("not a regular file")) }
    }

    /// Removes a file, or with that flag a directory.
    pub(crate) fn remove(&self, name: &OsStr, flag: UnlinkatFlags) -> Result<(), Errno> {
        unlinkat(&self.fd, name, flag)
    }
}

impl AsFd for Folder {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

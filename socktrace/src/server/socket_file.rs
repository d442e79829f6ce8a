//! The agent's socket in the file system: taken by one agent at a time, removed at the end.
//!
//! I/O: files, each by its name in a directory that is held open and that nobody else can change. A lock file beside the
//! socket says who is alive: the kernel drops the lock with its process, so a killed agent leaves nothing that has to be
//! guessed about.

#[cfg(test)]
mod tests;

use crate::api::reason::reason;
use crate::kernel::capabilities::OtherUser;
use crate::kernel::folder::{Folder, FolderError, Owners};
use nix::errno::Errno;
use nix::fcntl::{AtFlags, Flock, FlockArg, OFlag};
use nix::sys::socket::{AddressFamily, Backlog, SockFlag, SockType, UnixAddr, bind, connect, listen, socket};
use nix::sys::stat::{FileStat, Mode, SFlag, fchmod, fstat, mkdirat, umask};
use nix::unistd::{Gid, Group, Uid, UnlinkatFlags, fchown, fchownat};
use std::ffi::OsString;
use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

/// The mode of the socket unless another was asked for: everybody may ask, and is shown what they may see.
pub const MODE: u32 = 0o666;
/// The mode of its directory, if that is made.
const DIRECTORY_MODE: Mode =
    Mode::S_IRWXU.union(Mode::S_IRGRP).union(Mode::S_IXGRP).union(Mode::S_IROTH).union(Mode::S_IXOTH);
/// How often an agent that ends may take the directory away while it is being used.
const TRIES: usize = 8;

/// Why the agent cannot listen.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// Another agent is there.
    #[error("an agent already listens on {}", path.display())]
    Taken {
        /// Where.
        path: PathBuf,
    },
    /// Something that we must not remove is there.
    #[error("{} exists and is not a socket", path.display())]
    NoSocket {
        /// Where.
        path: PathBuf,
    },
    /// Its lock file is not one of ours.
    #[error("{} is not a lock file of an agent's", path.display())]
    NoLock {
        /// Where.
        path: PathBuf,
    },
    /// Its directory may not be used.
    #[error("cannot listen on {}: {error}", path.display())]
    Directory {
        /// Where it was to be.
        path: PathBuf,
        /// Why not.
        error: FolderError,
    },
    /// There is no such group.
    #[error("no group is called {name}")]
    NoGroup {
        /// The name.
        name: String,
    },
    /// A step failed.
    #[error("cannot {step} {}: {}", path.display(), reason(error))]
    Io {
        /// What was tried.
        step: &'static str,
        /// On what.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
}

/// Whose the socket is, and who may open it.
#[derive(Debug, Clone, Copy)]
pub struct Access<'a> {
    /// Its user, where the agent will be another than the one who starts it.
    pub user: Option<&'a OtherUser>,
    /// Its group, by name; none for the user's.
    pub group: Option<&'a str>,
    /// Its permissions.
    pub mode: u32,
}

/// A socket that is ours. Dropping it removes it, its lock file, and its directory if we made that.
#[derive(Debug)]
pub struct Claim {
    path: PathBuf,
    place: Place,
    /// Inode of the socket, so that only our own is removed.
    inode: u64,
    gid: u32,
    _lock: Flock<OwnedFd>,
}

/// A name in a directory.
#[derive(Debug)]
struct Place {
    folder: Folder,
    name: OsString,
    lock: OsString,
    /// The directory in which we made it, and its name there.
    made: Option<(Folder, OsString)>,
}

/// Whose it is to be.
#[derive(Debug, Clone, Copy)]
struct Owner {
    user: Option<Uid>,
    /// Always said: in a setgid directory the kernel would give it the directory's.
    group: Gid,
}

impl Claim {
    /// Listens on `path`, replacing the socket of an agent that is gone.
    ///
    /// The directory is made if only that one is missing. Nobody can connect before the socket has its owner, its group
    /// and its mode.
    ///
    /// # Errors
    /// See [`SocketError`]; nothing of ours is left behind then.
    pub fn take(path: &Path, access: Access<'_>) -> Result<(Self, UnixListener), SocketError> {
        let user = access.user.map(|user| user.uid);
        let group = access.group.map(find_group).transpose()?.or(access.user.map(|user| user.gid));
        let owner = Owner { user, group: group.unwrap_or_else(Gid::effective) };
        let owners = Owners { also: user };
        let (place, lock) = Place::locked(path, owner, owners)?;
        let mut claim =
            Self { path: path.to_owned(), place, inode: 0, gid: owner.group.as_raw(), _lock: lock };
        let place = &claim.place;
        make_way(path, place)?;
        let (listener, status) = appear(path, place, owner, access.mode)?;
        claim.inode = status.st_ino;
        Ok((claim, listener))
    }

    /// Its group.
    #[must_use]
    pub const fn gid(&self) -> u32 {
        self.gid
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let Place { folder, name, lock, made } = &self.place;
        if folder.status(name).is_ok_and(|status| status.st_ino == self.inode) {
            let _ = folder.remove(name, UnlinkatFlags::NoRemoveDir);
        }
        // Still locked: whoever opened it meanwhile finds that it is not the file under this name any more.
        let _ = folder.remove(lock, UnlinkatFlags::NoRemoveDir);
        if let Some((parent, name)) = made {
            // Not where there is something of others in it, or we may not any more.
            let _ = parent.remove(name, UnlinkatFlags::RemoveDir);
        }
    }
}

impl Place {
    /// Finds the directory, or makes it, and locks the lock file in it.
    fn locked(path: &Path, owner: Owner, owners: Owners) -> Result<(Self, Flock<OwnedFd>), SocketError> {
        let mut tries = 0;
        loop {
            let place = Self::find(path, owner, owners)?;
            match place.lock(path, owners) {
                // The agent that ended meanwhile has taken the directory with it.
                Err(SocketError::Io { error, .. })
                    if error.kind() == io::ErrorKind::NotFound && tries < TRIES =>
                {
                    tries += 1;
                }
                lock => return Ok((place, lock?)),
            }
        }
    }

    fn find(path: &Path, owner: Owner, owners: Owners) -> Result<Self, SocketError> {
        let refused = |error| SocketError::Directory { path: path.to_owned(), error };
        let Some(name) = path.file_name() else { return fail("listen on", path, Errno::EISDIR) };
        let directory = path.parent().unwrap_or(Path::new("."));
        let mut made = None;
        if !directory.as_os_str().is_empty() && !directory.exists() {
            let (Some(parent), Some(name)) = (directory.parent(), directory.file_name()) else {
                return fail("create", directory, Errno::ENOENT);
            };
            let parent = match Folder::lasting(parent, owners) {
                Err(FolderError::Open { errno, .. }) => return fail("create", directory, errno),
                parent => parent.map_err(refused)?,
            };
            match mkdirat(&parent, name, DIRECTORY_MODE) {
                Ok(()) => made = Some((parent, name.to_owned())),
                // Another one that begins.
                Err(Errno::EEXIST) => {}
                Err(errno) => return fail("create", directory, errno),
            }
        }
        let folder = Folder::lasting(directory, owners).map_err(refused)?;
        if made.is_some() {
            // Whatever the umask, and whatever its own directory hands on. Only who may write there can take the socket
            // away at the end.
            fchmod(&folder, DIRECTORY_MODE).or_else(|errno| fail("set up", directory, errno))?;
            fchown(&folder, owner.user, Some(owner.group))
                .or_else(|errno| fail("give away", directory, errno))?;
        }
        let mut lock = name.to_owned();
        lock.push(".lock");
        Ok(Self { folder, name: name.to_owned(), lock, made })
    }

    /// Locks the lock file, and makes sure that it is still the one of its name: an agent that ends removes it.
    fn lock(&self, path: &Path, owners: Owners) -> Result<Flock<OwnedFd>, SocketError> {
        let lock_path = self.folder.path().join(&self.lock);
        loop {
            let file =
                self.folder.file(&self.lock, OFlag::O_RDWR | OFlag::O_CREAT, Mode::S_IRUSR | Mode::S_IWUSR);
            let file = match file {
                Ok(file) => file,
                // A file of another kind, or a link.
                Err(error) if matches!(error.raw_os_error(), None | Some(libc::ELOOP)) => {
                    return Err(SocketError::NoLock { path: lock_path });
                }
                Err(error) => return Err(SocketError::Io { step: "open", path: lock_path, error }),
            };
            if fstat(&file).is_ok_and(|status| !owners.have(status.st_uid)) {
                return Err(SocketError::NoLock { path: lock_path });
            }
            let lock = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
                Ok(lock) => lock,
                Err((_, Errno::EWOULDBLOCK)) => return Err(SocketError::Taken { path: path.to_owned() }),
                Err((_, errno)) => return fail("lock", &lock_path, errno),
            };
            let ours = fstat(&*lock).or_else(|errno| fail("read", &lock_path, errno))?.st_ino;
            if self.folder.status(&self.lock).is_ok_and(|status| status.st_ino == ours) {
                return Ok(lock);
            }
        }
    }

    /// Its path without links, which nobody can make lead elsewhere.
    fn address(&self) -> nix::Result<UnixAddr> {
        UnixAddr::new(&self.folder.path().join(&self.name))
    }
}

fn find_group(name: &str) -> Result<Gid, SocketError> {
    match Group::from_name(name) {
        Ok(Some(group)) => Ok(group.gid),
        Ok(None) | Err(_) => Err(SocketError::NoGroup { name: name.to_owned() }),
    }
}

/// Makes sure that the name is free. A socket that answers is not ours to take, whoever holds the lock: the lock file may
/// have been removed under a living agent.
fn make_way(path: &Path, place: &Place) -> Result<(), SocketError> {
    let status = match place.folder.status(&place.name) {
        Ok(status) => status,
        Err(Errno::ENOENT) => return Ok(()),
        Err(errno) => return fail("look at", path, errno),
    };
    if SFlag::from_bits_truncate(status.st_mode & SFlag::S_IFMT.bits()) != SFlag::S_IFSOCK {
        return Err(SocketError::NoSocket { path: path.to_owned() });
    }
    let connected = || {
        let socket = unix_socket()?;
        connect(socket.as_raw_fd(), &place.address()?)
    };
    match connected() {
        // One who lets nobody in is there, too.
        Ok(()) | Err(Errno::EAGAIN) => Err(SocketError::Taken { path: path.to_owned() }),
        Err(Errno::ECONNREFUSED) => {
            let removed = place.folder.remove(&place.name, UnlinkatFlags::NoRemoveDir);
            removed.or_else(|errno| fail("remove", path, errno))
        }
        Err(Errno::ENOENT) => Ok(()),
        Err(errno) => fail("connect to", path, errno),
    }
}

/// Binds the socket to its name with its mode, gives it its owner, and only then lets clients in.
fn appear(
    path: &Path,
    place: &Place,
    owner: Owner,
    mode: u32,
) -> Result<(UnixListener, FileStat), SocketError> {
    let bound = || -> nix::Result<OwnedFd> {
        let socket = unix_socket()?;
        // What bind(2) makes has the mode of the socket itself, less the umask (net/unix/af_unix.c, `unix_bind_bsd`).
        fchmod(&socket, Mode::from_bits_truncate(mode))?;
        let address = place.address()?;
        let before = umask(Mode::empty());
        let bound = bind(socket.as_raw_fd(), &address);
        umask(before);
        bound.map(|()| socket)
    };
    let socket = bound().or_else(|errno| fail("listen on", path, errno))?;
    let finish = || -> nix::Result<FileStat> {
        let Place { folder, name, .. } = place;
        fchownat(folder, &**name, owner.user, Some(owner.group), AtFlags::AT_SYMLINK_NOFOLLOW)?;
        let status = folder.status(name)?;
        listen(&socket, Backlog::MAXCONN)?;
        Ok(status)
    };
    match finish() {
        Ok(status) => Ok((socket.into(), status)),
        Err(errno) => {
            let _ = place.folder.remove(&place.name, UnlinkatFlags::NoRemoveDir);
            fail("set up", path, errno)
        }
    }
}

fn unix_socket() -> nix::Result<OwnedFd> {
    socket(AddressFamily::Unix, SockType::Stream, SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK, None)
}

fn fail<T>(step: &'static str, path: &Path, errno: Errno) -> Result<T, SocketError> {
    Err(SocketError::Io { step, path: path.to_owned(), error: errno.into() })
}

//! The agent's socket in the file system: taken by one agent at a time, removed at the end.
//!
//! I/O: files. A lock file beside the socket says who is alive: the kernel drops the lock with its process, so
//! a killed agent leaves nothing that has to be guessed about.

use crate::kernel::capabilities::OtherUser;
use crate::render::errno::reason;
use nix::fcntl::{Flock, FlockArg};
use nix::unistd::{Gid, Group, Uid, chown};
use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

/// The mode of the socket unless another was asked for: everybody may ask, and is shown what they may see.
pub const MODE: u32 = 0o666;

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
    #[error("{} exists and is no socket", path.display())]
    NoSocket {
        /// Where.
        path: PathBuf,
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

/// A socket that is ours. Dropping it removes it and its lock file.
#[derive(Debug)]
pub struct Claim {
    path: PathBuf,
    /// Inode of the socket, so that only our own is removed.
    inode: u64,
    gid: u32,
    lock_path: PathBuf,
    _lock: Flock<File>,
}

impl Claim {
    /// Listens on `path`, replacing the socket of an agent that is gone.
    ///
    /// The directory is made if only that one is missing. The socket appears at its path with its mode and
    /// its group already set.
    ///
    /// # Errors
    /// See [`SocketError`]; nothing of ours is left behind then.
    pub fn take(path: &Path, access: Access<'_>) -> Result<(Self, UnixListener), SocketError> {
        let user = access.user.map(|user| user.uid);
        let group = access.group.map(find_group).transpose()?.or(access.user.map(|user| user.gid));
        if let Some(directory) = path.parent().filter(|d| !d.as_os_str().is_empty() && !d.exists()) {
            fs::create_dir(directory).or_else(|e| fail("create", directory, e))?;
            // Only who may write there can take the socket away at the end.
            chown(directory, user, group).or_else(|e| fail("give away", directory, e.into()))?;
        }
        let lock_path = beside(path, ".lock");
        let lock = lock(path, &lock_path)?;
        let mut claim = Self { path: path.to_owned(), inode: 0, gid: 0, lock_path, _lock: lock };
        make_way(path)?;
        let (listener, meta) = appear(path, (user, group), access.mode)?;
        (claim.inode, claim.gid) = (meta.ino(), meta.gid());
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
        if fs::symlink_metadata(&self.path).is_ok_and(|meta| meta.ino() == self.inode) {
            let _ = fs::remove_file(&self.path);
        }
        // Still locked: whoever opened it meanwhile finds that it is not the file at this path any more.
        let _ = fs::remove_file(&self.lock_path);
    }
}

fn find_group(name: &str) -> Result<Gid, SocketError> {
    match Group::from_name(name) {
        Ok(Some(group)) => Ok(group.gid),
        Ok(None) | Err(_) => Err(SocketError::NoGroup { name: name.to_owned() }),
    }
}

/// Locks the lock file, and makes sure that it is still the one at its path: an agent that ends removes it.
fn lock(path: &Path, lock_path: &Path) -> Result<Flock<File>, SocketError> {
    loop {
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .custom_flags(libc::O_NOFOLLOW)
            .open(lock_path)
            .or_else(|e| fail("open", lock_path, e))?;
        let lock = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => lock,
            Err((_, nix::errno::Errno::EWOULDBLOCK)) => {
                return Err(SocketError::Taken { path: path.to_owned() });
            }
            Err((_, errno)) => return fail("lock", lock_path, errno.into()),
        };
        let ours = lock.metadata().or_else(|e| fail("read", lock_path, e))?.ino();
        if fs::symlink_metadata(lock_path).is_ok_and(|meta| meta.ino() == ours) {
            return Ok(lock);
        }
    }
}

/// Makes sure that what is at the path may be replaced. A socket that answers is not ours to take, whoever
/// holds the lock: the lock file may have been removed under a living agent.
fn make_way(path: &Path) -> Result<(), SocketError> {
    let meta = match fs::symlink_metadata(path) {
        Ok(meta) => meta,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return fail("look at", path, e),
    };
    if !meta.file_type().is_socket() {
        return Err(SocketError::NoSocket { path: path.to_owned() });
    }
    match UnixStream::connect(path) {
        Ok(_) => Err(SocketError::Taken { path: path.to_owned() }),
        Err(e) if matches!(e.kind(), io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound) => Ok(()),
        Err(e) => fail("connect to", path, e),
    }
}

/// Binds beside the path and moves the socket there, so that nobody ever sees it with a wider mode and a stale
/// one is replaced in one step.
fn appear(
    path: &Path,
    (user, group): (Option<Uid>, Option<Gid>),
    mode: u32,
) -> Result<(UnixListener, Metadata), SocketError> {
    let new = beside(path, ".new");
    let _ = fs::remove_file(&new);
    let listener = UnixListener::bind(&new).or_else(|e| fail("listen on", path, e))?;
    let finish = || -> io::Result<Metadata> {
        chown(&new, user, group)?;
        fs::set_permissions(&new, fs::Permissions::from_mode(mode))?;
        let meta = fs::symlink_metadata(&new)?;
        fs::rename(&new, path)?;
        Ok(meta)
    };
    match finish() {
        Ok(meta) => Ok((listener, meta)),
        Err(e) => {
            let _ = fs::remove_file(&new);
            fail("set up", path, e)
        }
    }
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn fail<T>(step: &'static str, path: &Path, error: io::Error) -> Result<T, SocketError> {
    Err(SocketError::Io { step, path: path.to_owned(), error })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tempfile::tempdir;

    const ANYBODY: Access<'static> = Access { user: None, group: None, mode: MODE };

    fn of_group(group: &str) -> Access<'_> {
        Access { group: Some(group), ..ANYBODY }
    }

    fn entries(dir: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn taken_used_and_gone() {
        let dir = tempdir().unwrap();
        let path = dir.path().join("made/agent.sock");
        let (claim, _listener) = Claim::take(&path, ANYBODY).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, MODE);
        assert_eq!(entries(path.parent().unwrap()), ["agent.sock", "agent.sock.lock"]);
        UnixStream::connect(&path).unwrap();
        drop(claim);
        assert!(entries(path.parent().unwrap()).is_empty());
    }

    #[test]
    fn a_living_agent_keeps_its_socket_even_without_its_lock_file() {
        let dir = tempdir().unwrap();
        let path = dir.path().join("agent.sock");
        let (_claim, _listener) = Claim::take(&path, ANYBODY).unwrap();
        let refused = Claim::take(&path, ANYBODY).unwrap_err();
        assert_eq!(refused.to_string(), format!("an agent already listens on {}", path.display()));
        fs::remove_file(beside(&path, ".lock")).unwrap();
        assert!(matches!(Claim::take(&path, ANYBODY), Err(SocketError::Taken { .. })));
        UnixStream::connect(&path).unwrap();
    }

    #[test]
    fn what_a_killed_agent_left_is_replaced() {
        let dir = tempdir().unwrap();
        let path = dir.path().join("agent.sock");
        drop(UnixListener::bind(&path).unwrap());
        drop(UnixListener::bind(beside(&path, ".new")).unwrap());
        fs::write(beside(&path, ".lock"), "").unwrap();
        let (_claim, _listener) = Claim::take(&path, ANYBODY).unwrap();
        UnixStream::connect(&path).unwrap();
        assert_eq!(entries(dir.path()), ["agent.sock", "agent.sock.lock"]);
    }

    #[test]
    fn what_is_no_socket_stays() {
        let dir = tempdir().unwrap();
        let path = dir.path().join("agent.sock");
        fs::write(&path, "precious").unwrap();
        assert!(matches!(Claim::take(&path, ANYBODY), Err(SocketError::NoSocket { .. })));
        assert_eq!(fs::read(&path).unwrap(), b"precious");
        assert_eq!(entries(dir.path()), ["agent.sock"]);
    }

    #[test]
    fn a_socket_that_replaced_ours_is_not_removed() {
        let dir = tempdir().unwrap();
        let path = dir.path().join("agent.sock");
        let (claim, _listener) = Claim::take(&path, ANYBODY).unwrap();
        fs::remove_file(&path).unwrap();
        let _other = UnixListener::bind(&path).unwrap();
        drop(claim);
        UnixStream::connect(&path).unwrap();
    }

    #[test]
    fn groups() {
        let dir = tempdir().unwrap();
        let path = dir.path().join("agent.sock");
        let error = Claim::take(&path, of_group("no-such-group")).unwrap_err();
        assert_eq!(error.to_string(), "no group is called no-such-group");
        assert!(entries(dir.path()).is_empty());
        let own = Group::from_gid(Gid::effective()).unwrap().unwrap();
        let (_claim, _listener) = Claim::take(&path, of_group(&own.name)).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().gid(), own.gid.as_raw());
    }

    #[test]
    fn another_user_can_take_it_away_again() {
        let dir = tempdir().unwrap();
        let path = dir.path().join("made/agent.sock");
        let own = OtherUser::called(&nix::unistd::User::from_uid(Uid::effective()).unwrap().unwrap().name);
        // Only root can give files away.
        let user = if Uid::effective().is_root() { OtherUser::called("nobody") } else { own }.unwrap();
        let (_claim, _listener) = Claim::take(&path, Access { user: Some(&user), ..ANYBODY }).unwrap();
        for path in [path.parent().unwrap(), &path] {
            let meta = fs::metadata(path).unwrap();
            assert_eq!(
                (meta.uid(), meta.gid()),
                (user.uid.as_raw(), user.gid.as_raw()),
                "{}",
                path.display()
            );
        }
    }

    #[test]
    fn an_impossible_place_is_named() {
        let dir = tempdir().unwrap();
        let error = Claim::take(&dir.path().join("a/b/agent.sock"), ANYBODY).unwrap_err();
        assert!(error.to_string().starts_with("cannot create "), "{error}");
    }
}

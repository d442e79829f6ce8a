//! Network namespaces: which there are, what they are called, and doing something inside one.
//!
//! I/O: `/proc/PID/ns/net`, `/run/netns`, ioctl(2), setns(2). Another namespace is entered on a thread of its own that ends
//! afterwards, so the caller's never changes. One that vanishes meanwhile is no error.

mod list;
mod open;

use std::fs;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::sched::{CloneFlags, setns};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};

use super::reason::reason;
use crate::socket::NetnsId;
use open::{Links, Refusal};

pub use list::{Listed, list, list_open, near};

/// What can go wrong with a namespace.
#[derive(Debug, thiserror::Error)]
pub enum NetnsError {
    /// Its file could not be opened.
    #[error("cannot open network namespace {}: {}", .path.display(), reason(*.errno))]
    Open {
        /// Which file.
        path: PathBuf,
        /// Why.
        errno: Errno,
    },
    /// The file is no namespace.
    #[error("{} is not a network namespace", .0.display())]
    NotOne(PathBuf),
    /// It could not be entered.
    #[error("cannot enter network namespace {id}: {}", reason(*.errno))]
    Enter {
        /// Its inode number.
        id: NetnsId,
        /// Why.
        errno: Errno,
    },
    /// The kernel did not say to which one a socket belongs.
    #[error("cannot ask for the network namespace of a socket: {}", reason(*.0))]
    OfSocket(Errno),
    /// The kernel did not tell its cookie.
    #[error("cannot ask for the cookie of a network namespace: {}", reason(*.0))]
    Cookie(Errno),
}

impl NetnsError {
    /// Whether it is gone, or was never there.
    #[must_use]
    pub const fn is_gone(&self) -> bool {
        matches!(self, Self::Open { errno: Errno::ENOENT | Errno::ESRCH, .. })
    }

    /// Whether there is none of that name, whatever is there instead or keeps one from being called so.
    #[must_use]
    pub const fn is_none(&self) -> bool {
        use Errno::{EINVAL, EISDIR, ELOOP, ENAMETOOLONG, ENOTDIR};
        let is_no_name =
            matches!(self, Self::Open { errno: EINVAL | ELOOP | ENAMETOOLONG | ENOTDIR | EISDIR, .. });
        self.is_gone() || is_no_name || matches!(self, Self::NotOne(_))
    }
}

/// A network namespace, kept alive by the open file.
#[derive(Debug)]
pub struct Netns {
    /// Its inode number, which is its name everywhere else.
    pub id: NetnsId,
    /// The file name it is mounted under: what `ip netns` calls it, or a container engine.
    pub name: Option<String>,
    /// A process in it, the first found.
    pub pid: Option<u32>,
    file: OwnedFd,
}

/// The inode number of the calling thread's namespace.
pub fn current() -> Result<NetnsId, NetnsError> {
    let path = Path::new("/proc/thread-self/ns/net");
    let metadata = fs::metadata(path).map_err(|error| cannot_open(path, errno_of(&error).into()))?;
    Ok(id_of_inode(metadata.ino()))
}

/// The inode number of the namespace that `ip netns` calls so. The name is one component, and no file is opened for it.
pub fn named(name: &str) -> Result<NetnsId, NetnsError> {
    let path = || Path::new(open::NAMES).join(name);
    open::inode_of(name).map(id_of_inode).map_err(|refusal| cannot_open(&path(), refusal))
}

impl Netns {
    /// The calling thread's.
    pub fn current() -> Result<Self, NetnsError> {
        Self::open(Path::new("/proc/thread-self/ns/net"))
    }

    /// The one that `ip netns` calls so.
    pub fn named(name: &str) -> Result<Self, NetnsError> {
        let path = Path::new(open::NAMES).join(name);
        Ok(Self { name: Some(name.to_owned()), ..Self::found(open::by_name(name), &path)? })
    }

    /// The one that a process is in. `proc` is where procfs is.
    pub fn of_process(proc: &Path, pid: u32) -> Result<Self, NetnsError> {
        Ok(Self { pid: Some(pid), ..Self::open(&link_of(proc, pid))? })
    }

    /// The one that is mounted at a path, named after its file.
    pub fn at(path: &Path) -> Result<Self, NetnsError> {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        Ok(Self { name, ..Self::open(path)? })
    }

    /// The one that a socket belongs to, whoever has it now. Takes CAP_NET_ADMIN.
    pub fn of_socket(socket: &impl AsFd) -> Result<Self, NetnsError> {
        // SAFETY: a number in, a descriptor out (net/socket.c, `sock_ioctl`).
        let fd = unsafe { libc::ioctl(socket.as_fd().as_raw_fd(), SIOCGSKNS) };
        let fd = Errno::result(fd).map_err(NetnsError::OfSocket)?;
        // SAFETY: the kernel has just given it to us.
        let file = unsafe { OwnedFd::from_raw_fd(fd) };
        let inode = nix::sys::stat::fstat(&file).map_err(NetnsError::OfSocket)?.st_ino;
        Ok(Self { id: id_of_inode(inode), name: None, pid: None, file })
    }

    /// The one that is mounted at a path, if the path itself is that mount and not a link to something.
    fn mounted_at(path: &Path) -> Result<Self, NetnsError> {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        Ok(Self { name, ..Self::found(open::by_path(path, Links::Refuse), path)? })
    }

    fn open(path: &Path) -> Result<Self, NetnsError> {
        Self::found(open::by_path(path, Links::Follow), path)
    }

    fn found(file: Result<(OwnedFd, u64), Refusal>, path: &Path) -> Result<Self, NetnsError> {
        let (file, inode) = file.map_err(|refusal| cannot_open(path, refusal))?;
        Ok(Self { id: id_of_inode(inode), name: None, pid: None, file })
    }

    /// Does something inside the namespace: on a thread of its own, or where the caller is there already, at once.
    pub fn run<T: Send>(&self, inside: impl FnOnce() -> T + Send) -> Result<T, NetnsError> {
        // Entering takes CAP_SYS_ADMIN, also where one is already.
        if current().is_ok_and(|current| current == self.id) {
            return Ok(inside());
        }
        std::thread::scope(|scope| {
            let enter = || {
                setns(self.file.as_fd(), CloneFlags::CLONE_NEWNET)
                    .map_err(|errno| NetnsError::Enter { id: self.id, errno })?;
                Ok(inside())
            };
            let thread = std::thread::Builder::new()
                .spawn_scoped(scope, enter)
                .map_err(|error| NetnsError::Enter { id: self.id, errno: errno_of(&error) })?;
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// The kernel's cookie of the namespace (`SO_NETNS_COOKIE`, Linux 5.14), which BPF programs see.
    pub fn cookie(&self) -> Result<u64, NetnsError> {
        self.run(|| {
            let socket = socket(AddressFamily::Inet, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None)
                .map_err(NetnsError::Cookie)?;
            cookie_of(&socket)
        })?
    }
}

/// `SIOCGSKNS` (include/uapi/linux/sockios.h).
const SIOCGSKNS: libc::Ioctl = 0x894c;

/// `getsockopt(SO_NETNS_COOKIE)`.
fn cookie_of(socket: &OwnedFd) -> Result<u64, NetnsError> {
    let mut cookie = 0u64;
    let mut length = size_of::<u64>() as libc::socklen_t;
    // SAFETY: the pointers are to a u64 and to its length, both live during the call.
    let done = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_NETNS_COOKIE,
            (&raw mut cookie).cast(),
            &raw mut length,
        )
    };
    Errno::result(done).map(|_| cookie).map_err(NetnsError::Cookie)
}

fn link_of(proc: &Path, pid: u32) -> PathBuf {
    proc.join(format!("{pid}/ns/net"))
}

/// Inode numbers of namespaces fit 32 bits (fs/nsfs.c takes them from `proc_alloc_inum`).
fn id_of_inode(inode: u64) -> NetnsId {
    NetnsId::try_from(inode).unwrap_or(0)
}

fn errno_of(error: &std::io::Error) -> Errno {
    error.raw_os_error().map_or(Errno::UnknownErrno, Errno::from_raw)
}

fn cannot_open(path: &Path, refusal: Refusal) -> NetnsError {
    match refusal {
        Refusal::NotOne => NetnsError::NotOne(path.to_owned()),
        Refusal::Errno(errno) => NetnsError::Open { path: path.to_owned(), errno },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_current_namespace_can_be_opened_and_entered() {
        let here = Netns::current().expect("own namespace");
        assert_eq!(Some(here.id), current().ok());
        let listed = list(Path::new("/proc"));
        assert!(listed.namespaces.iter().any(|netns| netns.id == here.id && netns.pid.is_some()));
    }

    #[test]
    fn what_is_no_namespace_is_told_from_what_is_not_there() {
        assert!(matches!(Netns::at(Path::new("/proc/self/status")), Err(NetnsError::NotOne(_))));
        assert!(Netns::named("no-such-name-here").is_err_and(|error| error.is_gone()));
    }

    #[test]
    fn a_name_is_no_path() {
        for name in ["", ".", "..", "/proc/self/ns/net", "../../proc/self/ns/net", "a/b", "a\0b"] {
            assert!(matches!(named(name), Err(NetnsError::Open { .. })), "{name}");
            assert!(matches!(Netns::named(name), Err(NetnsError::Open { .. })), "{name}");
        }
    }

    #[test]
    fn a_fifo_is_no_namespace_and_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("fifo");
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert!(matches!(Netns::at(&path), Err(NetnsError::NotOne(_))));
        assert!(matches!(Netns::mounted_at(&path), Err(NetnsError::NotOne(_))));
    }

    #[test]
    fn a_socket_says_to_which_it_belongs() {
        let (one, _other) = std::os::unix::net::UnixStream::pair().unwrap();
        match Netns::of_socket(&one) {
            Ok(netns) => assert_eq!(Some(netns.id), current().ok()),
            Err(error) => assert!(matches!(error, NetnsError::OfSocket(Errno::EPERM)), "{error}"),
        }
    }
}

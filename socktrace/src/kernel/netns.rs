//! Network namespaces: which there are, what they are called, and doing something inside one.
//!
//! I/O: `/proc/PID/ns/net`, `/proc/thread-self/mountinfo`, `/run/netns`, setns(2). A namespace is entered on a thread
//! of its own that ends afterwards, so the caller's never changes. One that vanishes meanwhile is no error.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::sched::{CloneFlags, setns};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};
use nix::sys::statfs::{FsType, fstatfs};

use super::reason::reason;
use crate::socket::NetnsId;

/// Where `ip netns` keeps its names.
const NAMES: &str = "/run/netns";
/// The magic number of the file system that namespaces are files of (include/uapi/linux/magic.h).
const NSFS: FsType = FsType(0x6e73_6673);

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
    #[error("{} is no network namespace", .0.display())]
    NotOne(PathBuf),
    /// It could not be entered.
    #[error("cannot enter network namespace {id}: {}", reason(*.errno))]
    Enter {
        /// Its inode number.
        id: NetnsId,
        /// Why.
        errno: Errno,
    },
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

/// What [`list`] found.
#[derive(Debug, Default)]
pub struct Listed {
    /// Each namespace once, in the order of their inode numbers.
    pub namespaces: Vec<Netns>,
    /// Processes whose namespace we may not see.
    pub denied: usize,
}

/// The inode number of the calling thread's namespace.
pub fn current() -> Result<NetnsId, NetnsError> {
    let path = Path::new("/proc/thread-self/ns/net");
    let metadata = fs::metadata(path).map_err(|error| cannot_open(path, &error))?;
    Ok(id_of_inode(metadata.ino()))
}

/// Every namespace that a process is in or that is mounted somewhere. `proc` is where procfs is.
pub fn list(proc: &Path) -> Listed {
    let mut found = BTreeMap::new();
    let mut denied = 0;
    // The names of `ip netns` first: one namespace may be mounted in several places.
    for path in entries(Path::new(NAMES)).chain(mounted(proc)) {
        if let Ok(netns) = Netns::at(&path) {
            found.entry(netns.id).or_insert(netns);
        }
    }
    let processes = entries(proc).filter_map(|path| path.file_name()?.to_str()?.parse::<u32>().ok());
    for pid in processes {
        let path = link_of(proc, pid);
        match fs::read_link(&path).map(|target| parse_link(target.as_os_str().as_bytes())) {
            Ok(Some(id)) => match found.get_mut(&id) {
                Some(Netns { pid: first, .. }) => *first = first.or(Some(pid)),
                None => {
                    if let Ok(netns) = Netns::open(&path) {
                        found.insert(netns.id, Netns { pid: Some(pid), ..netns });
                    }
                }
            },
            Err(error) if error.kind() == ErrorKind::PermissionDenied => denied += 1,
            // Vanished, or a kernel without namespaces.
            Ok(None) | Err(_) => {}
        }
    }
    Listed { namespaces: found.into_values().collect(), denied }
}

impl Netns {
    /// The calling thread's.
    pub fn current() -> Result<Self, NetnsError> {
        Self::open(Path::new("/proc/thread-self/ns/net"))
    }

    /// The one that `ip netns` calls so.
    pub fn named(name: &str) -> Result<Self, NetnsError> {
        Self::at(&Path::new(NAMES).join(name))
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

    fn open(path: &Path) -> Result<Self, NetnsError> {
        let file = File::open(path).map_err(|error| cannot_open(path, &error))?;
        let inode = file.metadata().map_err(|error| cannot_open(path, &error))?.ino();
        if !fstatfs(&file).is_ok_and(|stat| stat.filesystem_type() == NSFS) {
            return Err(NetnsError::NotOne(path.to_owned()));
        }
        Ok(Self { id: id_of_inode(inode), name: None, pid: None, file: file.into() })
    }

    /// Does something inside the namespace, on a thread of its own.
    pub fn run<T: Send>(&self, inside: impl FnOnce() -> T + Send) -> Result<T, NetnsError> {
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

/// Where namespaces are mounted: `ip netns`, container engines and others do.
fn mounted(proc: &Path) -> Vec<PathBuf> {
    let mounts = fs::read(proc.join("thread-self/mountinfo")).unwrap_or_default();
    mounts.split(|&byte| byte == b'\n').filter_map(parse_mount).collect()
}

/// One line of mountinfo: the fourth field is `net:[INODE]`, the fifth the path, with octal escapes.
fn parse_mount(line: &[u8]) -> Option<PathBuf> {
    let mut fields = line.split(|&byte| byte == b' ').skip(3);
    parse_link(fields.next()?)?;
    let path = unescape(fields.next()?);
    Some(PathBuf::from(std::ffi::OsStr::from_bytes(&path)))
}

/// Undoes the `\040` of mountinfo.
fn unescape(field: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&first, after)) = rest.split_first() {
        let digits = after.get(..3).and_then(|digits| std::str::from_utf8(digits).ok());
        let escaped = digits.and_then(|digits| u8::from_str_radix(digits, 8).ok());
        match escaped {
            Some(byte) if first == b'\\' => {
                out.push(byte);
                rest = after.get(3..).unwrap_or_default();
            }
            _ => {
                out.push(first);
                rest = after;
            }
        }
    }
    out
}

/// The inode number in `net:[4026531840]`.
fn parse_link(target: &[u8]) -> Option<NetnsId> {
    let number = target.strip_prefix(b"net:[")?.strip_suffix(b"]")?;
    std::str::from_utf8(number).ok()?.parse().ok()
}

fn link_of(proc: &Path, pid: u32) -> PathBuf {
    proc.join(format!("{pid}/ns/net"))
}

/// What is in a directory; nothing if it cannot be read.
fn entries(directory: &Path) -> impl Iterator<Item = PathBuf> {
    fs::read_dir(directory).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()))
}

/// Inode numbers of namespaces fit 32 bits (fs/nsfs.c takes them from `proc_alloc_inum`).
fn id_of_inode(inode: u64) -> NetnsId {
    NetnsId::try_from(inode).unwrap_or(0)
}

fn errno_of(error: &std::io::Error) -> Errno {
    error.raw_os_error().map_or(Errno::UnknownErrno, Errno::from_raw)
}

fn cannot_open(path: &Path, error: &std::io::Error) -> NetnsError {
    NetnsError::Open { path: path.to_owned(), errno: errno_of(error) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_of_a_namespace_is_found_by_its_root() {
        let check = |line: &str, expected: Option<&str>| {
            assert_eq!(parse_mount(line.as_bytes()), expected.map(PathBuf::from), "{line}");
        };
        check(
            "523 27 0:4 net:[4026532301] /run/netns/a\\040b rw shared:1 - nsfs nsfs rw",
            Some("/run/netns/a b"),
        );
        check("523 27 0:4 mnt:[4026532301] /run/x rw - nsfs nsfs rw", None);
        check("27 1 0:24 / /run rw,nosuid shared:5 - tmpfs tmpfs rw", None);
        check("", None);
        check("523 27 0:4 net:[4026532301]", None);
    }

    #[test]
    fn a_link_names_an_inode() {
        for (link, expected) in [
            ("net:[4026531840]", Some(4_026_531_840)),
            ("net:[]", None),
            ("net:[99999999999]", None),
            ("user:[1]", None),
        ] {
            assert_eq!(parse_link(link.as_bytes()), expected, "{link}");
        }
    }

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
}

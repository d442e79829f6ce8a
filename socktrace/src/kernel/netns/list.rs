//! Which network namespaces there are.
//!
//! I/O: `/proc/PID/ns/net`, that of threads, open descriptors; `/proc/thread-self/mountinfo`, `/run/netns`.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::open::NAMES;
use super::{Netns, link_of};
use crate::socket::NetnsId;

/// What [`list`] found.
#[derive(Debug, Default)]
pub struct Listed {
    /// Each namespace once, in the order of their inode numbers.
    pub namespaces: Vec<Netns>,
    /// Processes whose namespace we may not see.
    pub denied: usize,
}

/// Every namespace that a process or a thread is in, or that is mounted somewhere. `proc` is where procfs is. One that only
/// a socket keeps alive leads nowhere from here.
pub fn list(proc: &Path) -> Listed {
    Search::new(proc).through(proc, false)
}

/// The same, and those that only an open descriptor of them keeps alive: every descriptor of every process is looked at.
pub fn list_open(proc: &Path) -> Listed {
    Search::new(proc).through(proc, true)
}

/// So many threads, descriptors and names are looked at for one namespace.
const NEAR: usize = 256;

/// The namespace of that number, if the process or one of its threads is in it, if the process has it open, or if `ip netns`
/// has a name for it. Only so much is looked at that nobody can make it long.
pub fn near(proc: &Path, pid: u32, id: NetnsId) -> Option<Netns> {
    let folder = proc.join(pid.to_string());
    let threads = entries(&folder.join("task")).take(NEAR).map(|task| task.join("ns/net"));
    let links = std::iter::once(link_of(proc, pid)).chain(threads);
    let mut links = links.chain(entries(&folder.join("fd")).take(NEAR));
    let leads_there = |path: &PathBuf| {
        fs::read_link(path).is_ok_and(|target| parse_link(target.as_os_str().as_bytes()) == Some(id))
    };
    let names = || {
        let names = entries(Path::new(NAMES)).take(NEAR);
        names.filter_map(|path| Netns::named(path.file_name()?.to_str()?).ok()).find(|netns| netns.id == id)
    };
    let opened = links.find(leads_there).and_then(|path| Netns::open(&path).ok());
    opened.filter(|netns| netns.id == id).or_else(names)
}

/// What has been found so far.
struct Search {
    found: BTreeMap<NetnsId, Netns>,
    denied: usize,
}

impl Search {
    /// Begins with the names of `ip netns`: one namespace may be mounted in several places.
    fn new(proc: &Path) -> Self {
        let named =
            entries(Path::new(NAMES)).filter_map(|path| Netns::named(path.file_name()?.to_str()?).ok());
        let mut found = BTreeMap::new();
        for netns in named.chain(mounted(proc).iter().filter_map(|path| Netns::mounted_at(path).ok())) {
            found.entry(netns.id).or_insert(netns);
        }
        Self { found, denied: 0 }
    }

    /// Looks at every process: first where they are, so that each namespace is called after a process in it if there is
    /// one; then where their threads are, and what they have open.
    fn through(mut self, proc: &Path, descriptors: bool) -> Listed {
        let processes = entries(proc).filter_map(|path| path.file_name()?.to_str()?.parse::<u32>().ok());
        let processes: Vec<u32> = processes.collect();
        for &pid in &processes {
            if self.look(&link_of(proc, pid), Some(pid)).is_err() {
                self.denied += 1;
            }
        }
        for pid in processes {
            let folder = proc.join(pid.to_string());
            let tasks = folder.join("task");
            // Two links, and one for each thread (fs/proc/base.c, `proc_task_getattr`).
            if fs::metadata(&tasks).is_ok_and(|status| status.nlink() > 3) {
                entries(&tasks).for_each(|task| _ = self.look(&task.join("ns/net"), Some(pid)));
            }
            if descriptors {
                entries(&folder.join("fd")).for_each(|fd| _ = self.look(&fd, None));
            }
        }
        Listed { namespaces: self.found.into_values().collect(), denied: self.denied }
    }

    /// Notes the namespace that a link leads to, if it is one, and the process that is in it.
    ///
    /// # Errors
    /// We may not see where it leads. One that has vanished is no error.
    fn look(&mut self, path: &Path, pid: Option<u32>) -> Result<(), ()> {
        match fs::read_link(path).map(|target| parse_link(target.as_os_str().as_bytes())) {
            Ok(Some(id)) => match self.found.get_mut(&id) {
                Some(Netns { pid: first, .. }) => *first = first.or(pid),
                None => {
                    if let Ok(netns) = Netns::open(path) {
                        self.found.insert(netns.id, Netns { pid, ..netns });
                    }
                }
            },
            Err(error) if error.kind() == ErrorKind::PermissionDenied => return Err(()),
            // Vanished, something else, or a kernel without namespaces.
            Ok(None) | Err(_) => {}
        }
        Ok(())
    }
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

/// What is in a directory; nothing if it cannot be read.
fn entries(directory: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    fs::read_dir(directory).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()))
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
}

//! What is to be known to judge: found out here, all of it, and judged elsewhere.
//!
//! I/O: uname(2), /proc, /sys, the capabilities of this thread, netlink, setns(2) to where we are, the agent's socket; what
//! `trial` does.

use super::super::error::Error;
use super::super::{runtime, source};
use super::start::Start;
use super::trial::{self, Trial};
use crate::api::status::Status;
use crate::client::{self, ClientError};
use crate::kernel::owners::in_initial_pid_namespace;
use crate::kernel::sock_diag::{DiagError, InetQuery, InetTable, IpVersion, SockDiag};
use crate::socket::{State, StateSet};
use caps::{CapSet, Capability};
use nix::errno::Errno;
use nix::sched::{CloneFlags, setns};
use std::collections::HashSet;
use std::fs;
use std::ops::ControlFlow;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

/// What was found out.
#[derive(Debug)]
pub(super) struct Facts {
    pub(super) start: Start,
    /// `uname -r`.
    pub(super) release: String,
    /// Whether the kernel's types can be read; why not.
    pub(super) btf: Result<(), String>,
    /// None if the kernel does not say.
    pub(super) capabilities: Option<HashSet<Capability>>,
    pub(super) proc: Proc,
    /// Whether sockets can be listed by netlink; why not.
    pub(super) sock_diag: Result<(), String>,
    /// `none`, `integrity`, `confidentiality`; none if it cannot be read.
    pub(super) lockdown: Option<String>,
    /// Whether `kernel.perf_event_paranoid` is more than Linux itself knows.
    pub(super) perf_paranoid: bool,
    /// Whether network namespaces can be entered; why not. Good where /proc, in which they lie, is not there.
    pub(super) netns: Result<(), Errno>,
    /// Whether our pid namespace is the initial one. Good where /proc, which says it, is not there.
    pub(super) all_pids: bool,
    /// Whether the first cgroup2 mount shows the tree from its root; good where there is none to be seen.
    pub(super) all_cgroups: bool,
    pub(super) trial: Trial,
    pub(super) agent: Agent,
}

/// What may forbid things although every right is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Forbidding {
    /// The kernel is locked down and keeps its memory to itself (`lockdown=confidentiality`).
    Lockdown,
    /// A filter of system calls (seccomp).
    Filter,
    /// `kernel.perf_event_paranoid`, which is 3 on Debian's kernels and its kin's: CAP_PERFMON does not do for
    /// perf_event_open(2) there (`perf_paranoid_any` of their patches).
    Paranoia,
}

/// What /proc says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Proc {
    /// Whether it is there.
    pub(super) mounted: bool,
    /// Whether it hides processes of others.
    pub(super) hides: bool,
    /// Whether a filter of system calls is on this process.
    pub(super) filtered: bool,
}

/// The agent, or why it did not answer.
#[derive(Debug)]
pub(super) struct Agent {
    pub(super) path: PathBuf,
    pub(super) status: Result<Box<Status>, ClientError>,
}

/// What loading and attaching takes; CAP_SYS_ADMIN stands for each (kernel/bpf/syscall.c, `bpf_prog_load`).
pub(super) const TO_ATTACH: [(Capability, &str); 3] = [
    (Capability::CAP_BPF, "CAP_BPF"),
    (Capability::CAP_PERFMON, "CAP_PERFMON"),
    (Capability::CAP_NET_ADMIN, "CAP_NET_ADMIN"),
];

impl Facts {
    /// Finds everything out. The programs are tried unless something is missing without which they cannot be loaded.
    pub(super) fn gather(agent: Option<&PathBuf>) -> Result<Self, Error> {
        let address = source::agent(agent)?;
        let path = address.path.clone();
        let status = runtime()?.block_on(client::status(&address)).map(Box::new);
        let release = nix::sys::utsname::uname().ok();
        let release =
            release.and_then(|names| Some(names.release().to_str()?.to_owned())).unwrap_or_default();
        let capabilities = caps::read(None, CapSet::Effective).ok();
        let mounts = fs::read_to_string("/proc/self/mountinfo").ok();
        let mut facts = Self {
            start: Start::here(unit()),
            release,
            btf: fs::File::open("/sys/kernel/btf/vmlinux").map(drop).map_err(|error| reason(&error)),
            capabilities,
            proc: proc_of(mounts.as_deref(), &fs::read_to_string("/proc/self/status").unwrap_or_default()),
            sock_diag: listed().map_err(|error| error.to_string()),
            lockdown: fs::read_to_string("/sys/kernel/security/lockdown").ok().and_then(|text| chosen(&text)),
            perf_paranoid: fs::read_to_string("/proc/sys/kernel/perf_event_paranoid")
                .is_ok_and(|level| level.trim().parse().is_ok_and(|level: i32| level > 2)),
            netns: entered(),
            all_pids: mounts.is_none() || in_initial_pid_namespace(),
            all_cgroups: cgroup_root(mounts.as_deref()).is_none_or(|inode| inode == ROOT_CGROUP),
            trial: Trial::NotTried,
            agent: Agent { path, status },
        };
        if facts.btf.is_ok() && facts.missing_to_attach().is_empty() {
            facts.trial = trial::run(facts.all_pids).map_err(|error| Error::Io("try the programs", error))?;
        }
        Ok(facts)
    }

    /// Whether we are known not to have that capability.
    pub(super) fn lacks(&self, capability: Capability) -> bool {
        self.capabilities.as_ref().is_some_and(|has| !has.contains(&capability))
    }

    /// What may forbid things although every right is there.
    pub(super) fn forbidding(&self) -> Option<Forbidding> {
        match self.lockdown.as_deref() {
            Some("confidentiality") => Some(Forbidding::Lockdown),
            _ if self.proc.filtered => Some(Forbidding::Filter),
            _ if self.perf_paranoid && self.lacks(Capability::CAP_SYS_ADMIN) => Some(Forbidding::Paranoia),
            _ => None,
        }
    }

    /// The capabilities without which nothing can be attached, of those that are not there.
    pub(super) fn missing_to_attach(&self) -> Vec<&'static str> {
        let has = |capability| self.capabilities.as_ref().is_none_or(|has| has.contains(&capability));
        if has(Capability::CAP_SYS_ADMIN) {
            return Vec::new();
        }
        TO_ATTACH.iter().filter(|(capability, _)| !has(*capability)).map(|(_, name)| *name).collect()
    }
}

/// Lists the TCP sockets that listen, to see whether that can be done.
fn listed() -> Result<(), DiagError> {
    let query = InetQuery::new(InetTable::Tcp, IpVersion::V4, StateSet::of(State::Listen));
    SockDiag::open()?.inet(&query, |_| ControlFlow::Continue(())).map(drop)
}

/// Enters the network namespace that we are in: nothing changes, and it takes what entering any other one takes.
fn entered() -> Result<(), Errno> {
    match fs::File::open("/proc/thread-self/ns/net") {
        Ok(own) => setns(own, CloneFlags::CLONE_NEWNET),
        Err(_) => Ok(()),
    }
}

/// Inode of the root of all cgroups (fs/kernfs/dir.c, `kernfs_create_root`: the first of its tree). What a namespace shows
/// as its root has another one.
const ROOT_CGROUP: u64 = 1;

/// The inode of what the first cgroup2 mount shows as its root: there programs are attached.
fn cgroup_root(mounts: Option<&str>) -> Option<u64> {
    let mount = mounts?.lines().find(|line| line.contains(" - cgroup2 "))?;
    // Looked up by its path, so that what lies on top counts.
    Some(fs::metadata(mount.split_whitespace().nth(4)?).ok()?.ino())
}

fn reason(error: &std::io::Error) -> String {
    crate::api::reason::reason(error)
}

/// The unit that we run in, by its cgroup.
fn unit() -> Option<String> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    let path = groups.lines().find_map(|line| line.strip_prefix("0::"))?;
    Some(path.rsplit('/').next()?.to_owned())
}

/// From the texts of `mountinfo` and `status`.
fn proc_of(mounts: Option<&str>, status: &str) -> Proc {
    // The last one lies on top of the others.
    let is_there = |line: &&str| line.contains(" - proc ") && line.split_whitespace().nth(4) == Some("/proc");
    let mount = mounts.and_then(|mounts| mounts.lines().rfind(is_there));
    let options = mount.and_then(|line| line.split_whitespace().last()).unwrap_or_default();
    let hides = options.split(',').any(|option| match option.strip_prefix("hidepid=") {
        Some("0" | "off") | None => false,
        Some(_) => true,
    });
    let seccomp = status.lines().find_map(|line| line.strip_prefix("Seccomp:")).map(str::trim);
    Proc { mounted: mount.is_some(), hides, filtered: seccomp.is_some_and(|mode| mode != "0") }
}

/// `none [integrity] confidentiality`
fn chosen(text: &str) -> Option<String> {
    Some(text.split_once('[')?.1.split_once(']')?.0.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proc_tells_of_itself() {
        let line = |options: &str| format!("22 1 0:21 / /proc rw,nosuid - proc proc {options}\n");
        let check = |options: &str, status: &str, hides, filtered| {
            let expected = Proc { mounted: true, hides, filtered };
            assert_eq!(proc_of(Some(&line(options)), status), expected, "{options} {status}");
        };
        check("rw", "Name:\tx\nSeccomp:\t0\n", false, false);
        check("rw,hidepid=invisible", "Seccomp:\t2\n", true, true);
        check("rw,gid=4,hidepid=2", "", true, false);
        check("rw,hidepid=off", "", false, false);
        let on_top = line("rw") + &line("rw,hidepid=2");
        assert!(proc_of(Some(&on_top), "").hides, "what lies on top counts");
        assert_eq!(proc_of(None, ""), Proc::default());
        assert_eq!(chosen("none [integrity] confidentiality\n").as_deref(), Some("integrity"));
        assert_eq!(chosen(""), None);
    }
}

//! What numbers are called on this machine: services, hosts, interfaces, protocols, cgroups, processes, users.
//!
//! One value answers both `render` (number to name) and `query` (name to number), and remembers.
//!
//! I/O: /etc/services, /etc/protocols, /etc/iproute2, procfs, the cgroup mount, the resolver, bpf(2).

mod files;
mod forward;
mod reverse;

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::kernel::cgroups::Cgroups;
use crate::kernel::netns;
use crate::render::btf::Layout;
use crate::render::names::Named;
use crate::socket::{Family, NetnsId};

use files::{Protocols, Services};
pub(super) use reverse::interface;

/// The addresses of hosts, each as it was asked for.
pub(in crate::listing) type Hosts = FxHashMap<(String, Option<Family>), Vec<IpAddr>>;

/// Where devices are looked for by their names.
#[derive(Debug)]
enum Devices {
    /// In the calling thread's namespace, the only one that is asked.
    One,
    /// There, which is one of several that are asked: what is not known there may be known in another.
    Several {
        /// Names that no namespace needs to know, since another does; all of them before that is known.
        elsewhere: Option<BTreeSet<String>>,
        /// Names that were looked for, and whether they were found.
        seen: RefCell<BTreeMap<String, bool>>,
    },
    /// In every namespace.
    Each {
        /// In this one only, if not in all.
        only: Option<NetnsId>,
        /// Whether somebody else answers, who may look into more namespaces: what is not found here may be known there.
        others_answer: bool,
        /// What was found in each.
        found: OnceCell<Vec<(NetnsId, DevicesThere)>>,
    },
}

/// Name and index of each device of a namespace.
type DevicesThere = BTreeMap<Box<[u8]>, u32>;

/// What looking for devices in one of several namespaces has come to: names, and whether they were found.
pub(in crate::listing) type SeenDevices = BTreeMap<String, bool>;

/// The names that this machine knows.
#[derive(Debug)]
pub struct Directory {
    proc: PathBuf,
    port_range: (u16, u16),
    services: OnceCell<Services>,
    protocols: OnceCell<Protocols>,
    netlink: OnceCell<Vec<(u8, Box<[u8]>)>>,
    cgroups: OnceCell<Arc<Cgroups>>,
    devices: Devices,
    hosts: RefCell<Hosts>,
    netns: OnceCell<Option<NetnsId>>,
    known: FxHashMap<Named, Option<Box<[u8]>>>,
    /// Names of processes are not shown.
    hides_processes: bool,
    /// Of BPF maps by their ids.
    layouts: FxHashMap<u32, Option<Layout>>,
    service: Service,
    /// Whether a host or a user was looked up by name.
    has_asked: Cell<bool>,
}

/// Says whether work is to stop, for it may take long.
pub type Stopped = Arc<dyn Fn() -> bool + Send + Sync>;

/// The name service of the system: files, name servers, or whatever is set up.
#[derive(Default)]
struct Service {
    /// It is not asked: names of hosts and users come from files of this machine alone.
    only_files: bool,
    /// Nobody waits for the names any more.
    stopped: Option<Stopped>,
}

impl Service {
    /// Whether it may be asked now.
    fn may_ask(&self) -> bool {
        !self.only_files && !self.stopped.as_ref().is_some_and(|stopped| stopped())
    }
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service").field("only_files", &self.only_files).finish_non_exhaustive()
    }
}

impl Directory {
    /// With procfs at `proc`, and the range of local ports in a file of its own, the only one that is read at once.
    #[must_use]
    pub fn new(proc: PathBuf, port_range: &Path) -> Self {
        Self {
            proc,
            port_range: files::local_port_range(port_range),
            services: OnceCell::new(),
            protocols: OnceCell::new(),
            netlink: OnceCell::new(),
            cgroups: OnceCell::new(),
            devices: Devices::One,
            hosts: RefCell::default(),
            netns: OnceCell::new(),
            known: FxHashMap::default(),
            hides_processes: false,
            layouts: FxHashMap::default(),
            service: Service::default(),
            has_asked: Cell::new(false),
        }
    }

    /// Asks no name service for names of hosts and users: hosts have none then, and users those of /etc/passwd.
    #[must_use]
    pub fn only_files(mut self) -> Self {
        self.service.only_files = true;
        self
    }

    /// Begins no look-up when that says so.
    #[must_use]
    pub fn until(mut self, stopped: Option<Stopped>) -> Self {
        self.service.stopped = stopped;
        self
    }

    /// Whether a host or a user was looked up by name.
    #[must_use]
    pub fn has_asked(&self) -> bool {
        self.has_asked.get()
    }

    /// From now on no process has a name.
    pub(super) const fn hide_processes(&mut self) {
        self.hides_processes = true;
    }

    /// The ports that the kernel gives to whom asks for any, both ends included.
    #[must_use]
    pub const fn port_range(&self) -> (u16, u16) {
        self.port_range
    }

    /// For the calling thread's namespace, as one of several that are asked.
    #[must_use]
    pub(in crate::listing) fn of_several(self) -> Self {
        Self { devices: Devices::Several { elsewhere: None, seen: RefCell::default() }, ..self }
    }

    /// The same once it is known what devices there are in the others.
    #[must_use]
    pub(in crate::listing) fn but_these(self, elsewhere: BTreeSet<String>) -> Self {
        let devices = Devices::Several { elsewhere: Some(elsewhere), seen: RefCell::default() };
        Self { devices, ..self }
    }

    /// With the hosts that were asked for elsewhere: another namespace may have no way to a name server, or to another
    /// one.
    #[must_use]
    pub(in crate::listing) fn with_hosts(self, hosts: Hosts) -> Self {
        Self { hosts: RefCell::new(hosts), ..self }
    }

    /// The hosts that have been asked for.
    pub(in crate::listing) fn hosts(&self) -> Hosts {
        self.hosts.borrow().clone()
    }

    /// Devices are those of every namespace as it is now, or of one, each in its own: for events, which come from all of
    /// them.
    #[must_use]
    pub fn of_each(self, only: Option<NetnsId>) -> Self {
        Self { devices: Devices::Each { only, others_answer: false, found: OnceCell::new() }, ..self }
    }

    /// Somebody else answers, who may look into more namespaces: a device that is not found may be known there.
    #[must_use]
    pub fn others_answer(mut self) -> Self {
        if let Devices::Each { others_answer, .. } = &mut self.devices {
            *others_answer = true;
        }
        self
    }

    /// The devices that were looked for in this one of several namespaces.
    pub(in crate::listing) fn seen_devices(&self) -> SeenDevices {
        match &self.devices {
            Devices::One | Devices::Each { .. } => SeenDevices::default(),
            Devices::Several { seen, .. } => seen.borrow().clone(),
        }
    }

    /// Takes names that were looked up where they belong.
    pub(in crate::listing) fn learn(&mut self, names: impl IntoIterator<Item = (Named, Option<Box<[u8]>>)>) {
        self.known.extend(names);
    }

    /// Whether that is the calling thread's namespace; what is read from files says of none.
    fn is_own(&self, netns: NetnsId) -> bool {
        netns == 0 || self.netns.get_or_init(|| netns::current().ok()).is_none_or(|own| own == netns)
    }

    fn services(&self) -> &Services {
        self.services.get_or_init(|| Services::parse(&std::fs::read("/etc/services").unwrap_or_default()))
    }

    fn protocols(&self) -> &Protocols {
        self.protocols.get_or_init(|| Protocols::parse(&std::fs::read("/etc/protocols").unwrap_or_default()))
    }

    /// The cgroups of this machine.
    pub(super) fn cgroups(&self) -> &Arc<Cgroups> {
        self.cgroups.get_or_init(|| Arc::new(Cgroups::new(&self.proc)))
    }
}

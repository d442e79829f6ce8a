//! What numbers are called on this machine: services, hosts, interfaces, protocols, cgroups, processes, users.
//!
//! One value answers both `render` (number to name) and `query` (name to number), and remembers.
//!
//! I/O: /etc/services, /etc/protocols, /etc/iproute2, procfs, the cgroup mount, the resolver, bpf(2).

mod files;
mod forward;
mod reverse;

use std::cell::OnceCell;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::kernel::cgroups::Cgroups;
use crate::render::btf::Layout;
use crate::render::names::Named;

use files::{Protocols, Services};

/// The names that this machine knows.
#[derive(Debug)]
pub struct Directory {
    proc: PathBuf,
    port_range: (u16, u16),
    services: OnceCell<Services>,
    protocols: OnceCell<Protocols>,
    netlink: OnceCell<Vec<(u8, Box<[u8]>)>>,
    cgroups: OnceCell<Arc<Cgroups>>,
    known: FxHashMap<Named, Option<Box<[u8]>>>,
    /// Names of processes are not shown.
    hides_processes: bool,
    /// Of BPF maps by their ids.
    layouts: FxHashMap<u32, Option<Layout>>,
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
            known: FxHashMap::default(),
            hides_processes: false,
            layouts: FxHashMap::default(),
        }
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

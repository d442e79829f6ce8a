//! What numbers are called: render asks, somebody else (who may read files and ask servers) answers.

use std::net::IpAddr;

use super::btf::Layout;
use crate::socket::{NetnsId, Proto};

/// A number that may have a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Named {
    /// A port of that kind of socket: `ssh` for 22.
    Service {
        /// Whose port it is: the same number may be two services.
        proto: Proto,
        /// Host byte order, never 0.
        port: u16,
    },
    /// A host, by reverse look-up.
    Host(IpAddr),
    /// A network interface.
    Interface {
        /// Of which namespace, 0 for the only one there is.
        netns: NetnsId,
        /// Its index there.
        index: u32,
    },
    /// An IP protocol: `ipv6-icmp` for 58.
    IpProtocol(u16),
    /// A netlink protocol: `rtnl` for 0.
    NetlinkProtocol(u8),
    /// The process with that id.
    Process(u32),
    /// A user by their id.
    User(u32),
    /// The path of a cgroup, by its id.
    Cgroup(u64),
    /// The SELinux context of a process.
    ProcessContext(u32),
    /// The SELinux context of the file behind a process's descriptor.
    FileContext {
        /// The process.
        pid: u32,
        /// The descriptor.
        fd: u32,
    },
}

/// Whoever knows what numbers are called. Answers may be remembered, hence the `mut`.
pub trait Names {
    /// The name, or none: then the number is shown.
    fn name(&mut self, of: Named) -> Option<&[u8]>;

    /// What the values of the BPF map with that id are, or none: then they are bytes.
    fn layout(&mut self, _map: u32) -> Option<&Layout> {
        None
    }
}

/// Knows no name.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoNames;

impl Names for NoNames {
    fn name(&mut self, _of: Named) -> Option<&[u8]> {
        None
    }
}

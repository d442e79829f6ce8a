//! The look-ups that a filter may need and this room may not do.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use crate::socket::{Family, NetnsId};

/// Answers for names in a filter. Every method says `None` (or nothing) for a name it does not know; numbers
/// are never asked for.
pub trait Names {
    /// Every address of a host; only those of `family` (`Inet` or `Inet6`) if one is given.
    fn host(&self, name: &str, family: Option<Family>) -> Vec<IpAddr>;
    /// The port of a service, for `"tcp"` or `"udp"`.
    fn service(&self, name: &str, proto: &str) -> Option<u16>;
    /// What the name of a network device stands for. A name goes before a number.
    fn device(&self, name: &str) -> Option<Device>;
    /// The number of an IP protocol, to 262 (`IPPROTO_MAX`).
    fn protocol(&self, _name: &str) -> Option<u16> {
        None
    }
    /// The id of a cgroup (v2), by its path as given or beneath the cgroup mount.
    fn cgroup(&self, path: &str) -> Option<u64>;
    /// The id of a user.
    fn user(&self, name: &str) -> Option<u32>;
    /// The inode of a named network namespace.
    fn netns(&self, name: &str) -> Option<NetnsId>;
}

/// What the name of a network device stands for: each network namespace has devices of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Device {
    /// This index, in the only namespace whose sockets are asked about.
    Index(u32),
    /// Nothing there, though it may be known elsewhere: no socket is bound to it.
    NotHere,
    /// In the namespace of each socket, the device that is called so there.
    Each(Indexes),
}

/// The index of a device in each network namespace that could be looked into; 0 where none is called so.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Indexes(Arc<BTreeMap<NetnsId, u32>>);

impl Indexes {
    /// The index there; `None` where it was not looked.
    pub(super) fn of(&self, netns: NetnsId) -> Option<u32> {
        self.0.get(&netns).copied()
    }
}

impl FromIterator<(NetnsId, u32)> for Indexes {
    fn from_iter<T: IntoIterator<Item = (NetnsId, u32)>>(indexes: T) -> Self {
        Self(Arc::new(indexes.into_iter().collect()))
    }
}

/// Knows no name at all.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoNames;

impl Names for NoNames {
    fn host(&self, _: &str, _: Option<Family>) -> Vec<IpAddr> {
        Vec::new()
    }
    fn service(&self, _: &str, _: &str) -> Option<u16> {
        None
    }
    fn device(&self, _: &str) -> Option<Device> {
        None
    }
    fn cgroup(&self, _: &str) -> Option<u64> {
        None
    }
    fn user(&self, _: &str) -> Option<u32> {
        None
    }
    fn netns(&self, _: &str) -> Option<NetnsId> {
        None
    }
}

/// What a word for a device is looked up as.
pub(super) const DEVICE: &str = "network device";

/// What a word for a device stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Named {
    Index(u32),
    /// A name that has no index in the namespace that is asked about.
    Elsewhere(Device),
}

//! The look-ups that a filter may need and this room may not do.

use std::net::IpAddr;

use crate::socket::{Family, NetnsId};

/// Answers for names in a filter. Every method says `None` (or nothing) for a name it does not know; numbers
/// are never asked for.
pub trait Names {
    /// Every address of a host; only those of `family` (`Inet` or `Inet6`) if one is given.
    fn host(&self, name: &str, family: Option<Family>) -> Vec<IpAddr>;
    /// The port of a service, for `"tcp"` or `"udp"`.
    fn service(&self, name: &str, proto: &str) -> Option<u16>;
    /// The index of a network device.
    fn device(&self, name: &str) -> Option<u32>;
    /// The id of a cgroup (v2), by its path as given or beneath the cgroup mount.
    fn cgroup(&self, path: &str) -> Option<u64>;
    /// The id of a user.
    fn user(&self, name: &str) -> Option<u32>;
    /// The inode of a named network namespace.
    fn netns(&self, name: &str) -> Option<NetnsId>;
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
    fn device(&self, _: &str) -> Option<u32> {
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

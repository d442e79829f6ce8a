//! Names to numbers, for `query`.

use std::net::{IpAddr, ToSocketAddrs};
use std::path::Path;

use crate::kernel::netns;
use crate::query::{Device, Names};
use crate::socket::{Family, NetnsId};

use super::{Devices, DevicesThere, Directory, files};

impl Names for Directory {
    fn host(&self, name: &str, family: Option<Family>) -> Vec<IpAddr> {
        self.has_asked.set(true);
        let asked = (name.to_owned(), family);
        if let Some(addresses) = self.hosts.borrow().get(&asked) {
            return addresses.clone();
        }
        if !self.service.may_ask() {
            return Vec::new();
        }
        let addresses = addresses(name, family);
        self.hosts.borrow_mut().insert(asked, addresses.clone());
        addresses
    }

    fn service(&self, name: &str, proto: &str) -> Option<u16> {
        self.services().port(name, proto)
    }

    fn device(&self, name: &str) -> Option<Device> {
        let here = || nix::net::if_::if_nametoindex(name).ok().map(Device::Index);
        match &self.devices {
            Devices::One => here(),
            Devices::Several { elsewhere, seen } => {
                let here = here();
                seen.borrow_mut().insert(name.to_owned(), here.is_some());
                let known = elsewhere.as_ref().is_none_or(|elsewhere| elsewhere.contains(name));
                here.or(known.then_some(Device::NotHere))
            }
            Devices::Each { only, others_answer, found } => {
                let found = found.get_or_init(|| devices_of_each(&self.proc, *only));
                let index = |devices: &DevicesThere| devices.get(name.as_bytes()).copied().unwrap_or(0);
                let indexes = found.iter().map(|(netns, devices)| (*netns, index(devices)));
                let is_known = found.iter().any(|(_, devices)| index(devices) != 0);
                // Others take a number for one, too, unless a device is called so.
                let is_word = !name.trim_start_matches("if").starts_with(|c: char| c.is_ascii_digit());
                (is_known || (*others_answer && is_word)).then(|| Device::Each(indexes.collect()))
            }
        }
    }

    fn protocol(&self, name: &str) -> Option<u16> {
        self.protocols().number(name)
    }

    fn cgroup(&self, path: &str) -> Option<u64> {
        self.cgroups().id(path)
    }

    fn user(&self, name: &str) -> Option<u32> {
        self.has_asked.set(true);
        if !self.service.may_ask() {
            return files::users().into_iter().find(|(_, known)| known == name).map(|(uid, _)| uid);
        }
        nix::unistd::User::from_name(name).ok().flatten().map(|user| user.uid.as_raw())
    }

    fn netns(&self, name: &str) -> Option<NetnsId> {
        netns::named(name).ok()
    }
}

/// Every address of a host.
fn addresses(name: &str, family: Option<Family>) -> Vec<IpAddr> {
    let Ok(found) = (name, 0).to_socket_addrs() else { return Vec::new() };
    let mut addresses = Vec::new();
    for address in found.map(|found| found.ip()) {
        let fits = match family {
            Some(Family::Inet) => address.is_ipv4(),
            Some(Family::Inet6) => address.is_ipv6(),
            Some(_) | None => true,
        };
        if fits && !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    addresses
}

/// The devices of every namespace, or of that one, which can be entered.
fn devices_of_each(proc: &Path, only: Option<NetnsId>) -> Vec<(NetnsId, DevicesThere)> {
    let namespaces = netns::list(proc).namespaces.into_iter();
    let wanted = namespaces.filter(|netns| only.is_none_or(|only| only == netns.id));
    wanted.filter_map(|netns| Some((netns.id, netns.run(devices_here).ok()??))).collect()
}

/// Those of the calling thread's namespace.
fn devices_here() -> Option<DevicesThere> {
    let devices = nix::net::if_::if_nameindex().ok()?;
    Some(devices.iter().map(|device| (device.name().to_bytes().into(), device.index())).collect())
}

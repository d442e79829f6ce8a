//! Names to numbers, for `query`.

use std::net::{IpAddr, ToSocketAddrs};

use crate::kernel::netns;
use crate::query::{Device, Names};
use crate::socket::{Family, NetnsId};

use super::{Devices, Directory, files};

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
        let here = nix::net::if_::if_nametoindex(name).ok().map(Device::Index);
        match &self.devices {
            Devices::OfOne => here,
            Devices::OfSeveral { elsewhere, seen } => {
                seen.borrow_mut().insert(name.to_owned(), here.is_some());
                let known = elsewhere.as_ref().is_none_or(|elsewhere| elsewhere.contains(name));
                here.or(known.then_some(Device::NotHere))
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

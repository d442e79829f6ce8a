//! Numbers to names, for `render`.

use std::fs;
use std::net::IpAddr;
use std::path::Path;

use rustc_hash::FxHashSet;

use crate::kernel::{bpf_maps, resolver, selinux};
use crate::render::btf::Layout;
use crate::render::names::{Named, Names};
use crate::socket::Proto;

use super::{Directory, files};

impl Names for Directory {
    fn name(&mut self, of: Named) -> Option<&[u8]> {
        if !self.known.contains_key(&of) {
            let name = self.look_up(of);
            self.known.insert(of, name);
        }
        self.known.get(&of)?.as_deref()
    }

    fn layout(&mut self, map: u32) -> Option<&Layout> {
        let look_up = || {
            let values = bpf_maps::values(map).ok()?;
            Layout::parse(&values.btf, values.kind)
        };
        self.layouts.entry(map).or_insert_with(look_up).as_ref()
    }
}

impl Directory {
    /// Finds the names of these hosts at once, those that are not known yet: one by one they would be waited for.
    pub(in crate::listing) fn meet_hosts(&mut self, addrs: impl Iterator<Item = IpAddr>) {
        let unknown: FxHashSet<IpAddr> =
            addrs.filter(|addr| !self.known.contains_key(&Named::Host(*addr))).collect();
        let addrs: Vec<IpAddr> = unknown.into_iter().collect();
        let service = &self.service;
        let names = resolver::names_of(addrs.clone(), || !service.may_ask());
        self.known.extend(
            addrs
                .into_iter()
                .zip(names)
                .map(|(addr, name)| (Named::Host(addr), name.map(|name| name.into_bytes().into()))),
        );
    }

    fn look_up(&self, of: Named) -> Option<Box<[u8]>> {
        match of {
            Named::Service { proto, port } => self.service_name(proto, port).map(Into::into),
            Named::Host(_) if !self.service.may_ask() => None,
            Named::Host(addr) => resolver::name_of(addr).map(|name| name.into_bytes().into()),
            Named::Interface { netns, index } if self.is_own(netns) => interface(index),
            // It was not looked up there: no name is better than another device's.
            Named::Interface { .. } => None,
            Named::IpProtocol(number) => self.protocols().name(number).map(Into::into),
            Named::NetlinkProtocol(number) => {
                let names = self.netlink.get_or_init(files::netlink_protocols);
                names.iter().find(|(known, _)| *known == number).map(|(_, name)| name.clone())
            }
            Named::Process(_) if self.hides_processes => None,
            Named::Process(pid) => comm(&self.proc.join(pid.to_string())),
            Named::User(uid) if !self.service.may_ask() => {
                let named = files::users().into_iter().find(|(known, _)| *known == uid);
                named.map(|(_, name)| name.into_bytes().into())
            }
            Named::User(uid) => {
                let user = nix::unistd::User::from_uid(uid.into()).ok().flatten()?;
                Some(user.name.into_bytes().into())
            }
            Named::Cgroup(id) => self.cgroups().get(id).map(|cgroup| cgroup.path.clone()),
            Named::ProcessContext(pid) => selinux::of_process(&self.proc, pid).map(Into::into),
            Named::FileContext { pid, fd } => selinux::of_descriptor(&self.proc, pid, fd).map(Into::into),
        }
    }

    /// Ports that the kernel hands out are nobody's service, as in ss.
    fn service_name(&self, proto: Proto, port: u16) -> Option<&[u8]> {
        let (first, last) = self.port_range();
        if (first..=last).contains(&port) {
            return None;
        }
        let services = self.services();
        // What a service's own protocol does not name, another may.
        let or_any = |name: &'static str| services.name(port, name).or_else(|| services.any_name(port));
        if matches!(proto, Proto::Udp | Proto::UdpLite) {
            services.name(port, "udp")
        } else if proto == Proto::Sctp {
            or_any("sctp")
        } else if proto == Proto::Dccp {
            or_any("dccp")
        } else {
            services.name(port, "tcp")
        }
    }
}

/// The name of an interface of the calling thread's namespace.
pub(in crate::listing) fn interface(index: u32) -> Option<Box<[u8]>> {
    let name = nix::net::if_::if_indextoname(index).ok()?;
    // What nix returns for an index that nobody has.
    (!name.is_empty()).then(|| name.to_bytes().into())
}

/// The name of the process in that directory.
fn comm(directory: &Path) -> Option<Box<[u8]>> {
    if let Some(name) = read_trimmed(&directory.join("comm")) {
        return Some(name);
    }
    let stat = fs::read(directory.join("stat")).ok()?;
    let open = stat.iter().position(|&b| b == b'(')? + 1;
    let close = stat.iter().rposition(|&b| b == b')')?;
    stat.get(open..close).map(Into::into)
}

/// A small file's text without what ends it.
fn read_trimmed(path: &Path) -> Option<Box<[u8]>> {
    let text = fs::read(path).ok()?;
    let end = text.iter().rposition(|b| !matches!(b, b'\n' | 0)).map_or(0, |last| last + 1);
    text.get(..end).filter(|text| !text.is_empty()).map(Into::into)
}

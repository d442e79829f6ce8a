//! Address cells: the host with its delimiter, and the port.

use std::net::IpAddr;

use crate::render::escape::push_text;
use crate::render::names::Named;
use crate::render::units::{push_i64, push_ip, push_u32};
use crate::socket::{Endpoint, Proto, UnixName};

use super::{Cell, ethertype, push};

/// The host part with what follows it: `10.0.0.1:`, `[fe80::1]%eth0:`, `/run/x.sock `, `rtnl:`, `*`.
pub(super) fn host(out: &mut Vec<u8>, cell: &mut Cell<'_>, end: &Endpoint, ifindex: u32) {
    match end {
        Endpoint::None if cell.socket().proto.is_unix() => return push(out, "* "),
        Endpoint::None => return push(out, "*"),
        Endpoint::Inet { addr, .. } => inet(out, cell, *addr),
        Endpoint::Unix { name, .. } => {
            unix_name(out, name);
            return push(out, " ");
        }
        Endpoint::Packet { protocol: 3, .. } => push(out, "*"),
        Endpoint::Packet { protocol, .. } => ethertype::push_name(out, *protocol, cell.show.numeric),
        Endpoint::Netlink { protocol, .. } => netlink_protocol(out, cell, *protocol),
        Endpoint::NetlinkPeer { group, .. } => push_i64(out, i64::from(group.cast_signed())),
        Endpoint::Vsock { cid: u32::MAX, .. } => push(out, "*"),
        Endpoint::Vsock { cid: number, .. } | Endpoint::Tipc { node: number, .. } => push_u32(out, *number),
        // Not bound to a device.
        Endpoint::Xdp { ifindex: 0, .. } => return push(out, "*"),
        Endpoint::Xdp { ifindex, .. } => interface(out, cell, *ifindex),
    }
    if ifindex != 0 {
        push(out, "%");
        interface(out, cell, ifindex);
    }
    push(out, ":");
}

/// The port part: `22`, `ssh`, `*`, an inode, an interface, a process.
pub(super) fn port(out: &mut Vec<u8>, cell: &mut Cell<'_>, end: &Endpoint) {
    match end {
        Endpoint::None if cell.socket().proto.is_unix() => push(out, "0"),
        Endpoint::None | Endpoint::Xdp { ifindex: 0, .. } => {}
        Endpoint::Inet { port, .. } => inet_port(out, cell, *port),
        Endpoint::Unix { inode, .. } => push_u32(out, *inode),
        Endpoint::Packet { ifindex: 0, .. } | Endpoint::Vsock { port: u32::MAX, .. } => push(out, "*"),
        Endpoint::Packet { ifindex, .. } => interface(out, cell, *ifindex),
        Endpoint::Netlink { portid, .. } => netlink_port(out, cell, *portid),
        Endpoint::NetlinkPeer { portid, .. } => push_i64(out, i64::from(portid.cast_signed())),
        Endpoint::Vsock { port: number, .. } | Endpoint::Tipc { reference: number, .. } => {
            push_u32(out, *number)
        }
        Endpoint::Xdp { queue, .. } => {
            push(out, "q");
            push_u32(out, *queue);
        }
    }
}

fn inet(out: &mut Vec<u8>, cell: &mut Cell<'_>, addr: IpAddr) {
    if addr.is_ipv6() && addr.is_unspecified() && cell.socket().v6only != Some(true) {
        return push(out, "*");
    }
    if cell.show.resolve
        && let Some(name) = cell.names.name(Named::Host(addr))
    {
        return push_text(out, name);
    }
    if addr.is_ipv6() {
        push(out, "[");
        push_ip(out, addr);
        push(out, "]");
    } else {
        push_ip(out, addr);
    }
}

fn inet_port(out: &mut Vec<u8>, cell: &mut Cell<'_>, port: u16) {
    if port == 0 {
        return push(out, "*");
    }
    if cell.show.numeric {
        return push_u32(out, port.into());
    }
    let proto = cell.socket().proto;
    if let Proto::Raw(_) = proto {
        match cell.names.name(Named::IpProtocol(port)) {
            Some(name) => push_text(out, name),
            None => {
                push(out, "ipproto-");
                push_u32(out, port.into());
            }
        }
        return;
    }
    match cell.names.name(Named::Service { proto, port }) {
        Some(name) => push_text(out, name),
        None => push_u32(out, port.into()),
    }
}

/// A path as it is, an abstract name with `@` for each NUL, `*` for none; unsafe characters escaped.
fn unix_name(out: &mut Vec<u8>, name: &UnixName) {
    if name.is_unnamed() {
        return push(out, "*");
    }
    if name.is_abstract() {
        let mut parts = name.as_bytes().split(|&b| b == 0);
        if let Some(first) = parts.next() {
            push_text(out, first);
        }
        for part in parts {
            push(out, "@");
            push_text(out, part);
        }
        return;
    }
    push_text(out, name.as_bytes());
}

/// An interface of the socket's own namespace: its name, or `if4` for one that has none.
pub(super) fn interface(out: &mut Vec<u8>, cell: &mut Cell<'_>, index: u32) {
    let netns = cell.socket().netns;
    match cell.names.name(Named::Interface { netns, index }) {
        Some(name) => push_text(out, name),
        None => {
            push(out, "if");
            push_u32(out, index);
        }
    }
}

fn netlink_protocol(out: &mut Vec<u8>, cell: &mut Cell<'_>, protocol: u8) {
    if !cell.show.numeric
        && let Some(name) = cell.names.name(Named::NetlinkProtocol(protocol))
    {
        return push_text(out, name);
    }
    push_u32(out, protocol.into());
}

/// `kernel`, `comm/pid`, or the number: port ids that the kernel chose are negative.
fn netlink_port(out: &mut Vec<u8>, cell: &mut Cell<'_>, portid: u32) {
    let number = portid.cast_signed();
    if number == -1 {
        return push(out, "*");
    }
    if !cell.show.numeric {
        if number == 0 {
            return push(out, "kernel");
        }
        if number > 0
            && let Some(comm) = cell.names.name(Named::Process(portid))
        {
            push_text(out, comm);
            push(out, "/");
        }
    }
    push_i64(out, number.into());
}

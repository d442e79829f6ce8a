//! Listed sockets as JSON: one object per line, the fields of docs/json-sockets.md.
//!
//! Hand-written into a buffer that is used again: one call for every socket there is.

mod inet;
mod local;
mod object;
#[cfg(test)]
mod tests;

pub use object::Object;

use crate::api::sockets::show::{Show, Users};
use crate::socket::{Cgroup, Detail, Endpoint, Holder, Opener, Socket, UnixName};

use super::clock::Clock;
use super::event_json::is_wildcard;
use super::names::{Named, Names};
use super::places::fields;
use super::ss::{Delta, Round, Row};
use super::units::push_ip;

/// Appends the object of a socket and a newline. What `show` asks for beyond the columns is added where the kernel
/// told it; `clock` makes a date of the time it was opened.
pub fn encode(out: &mut Vec<u8>, row: &Row<'_>, show: &Show, names: &mut dyn Names, clock: Option<&Clock>) {
    let socket = row.socket;
    let mut object = Object::open(out);
    if let Some(Round { number, at }) = row.round {
        object.text("ts", at.as_bytes());
        object.number("round", number);
    }
    object.word("netid", socket.proto.netid());
    object.word("proto", socket.proto.name());
    object.word("family", socket.family.name());
    object.word("state", socket.state.word());
    if show.queues {
        object.maybe_number("recv_q", counted(socket.recv_q));
        object.maybe_number("send_q", counted(socket.send_q));
    }
    endpoints(&mut object, socket, row, show, names);
    if show.resolve {
        hosts(&mut object, socket, names);
    }
    if socket.ifindex != 0 {
        interface(&mut object, names, socket);
    }
    object.number("inode", socket.inode);
    object.number("cookie", socket.cookie);
    object.maybe_number("uid", socket.uid);
    object.maybe_number("netns", Some(socket.netns).filter(|&netns| netns != 0));
    if let Some(label) = row.netns {
        if let Some(name) = label.name {
            object.text("netns_name", name.as_bytes());
        }
        object.maybe_number("netns_pid", label.pid);
    }
    if let Some(delta) = row.delta {
        object.object("delta", |object| push_delta(object, delta));
    }
    if let Some(Opener { owner, opened }) = row.opener {
        match owner.process() {
            Some(process) => {
                object.number("pid", process.pid);
                object.text("comm", process.comm.as_bytes());
            }
            None => {
                object.null("pid");
                object.null("comm");
            }
        }
        object.word("attribution", owner.attribution().name());
        if let (Some(opened), Some(clock)) = (opened, clock) {
            object.text("opened", &clock.rfc3339(opened));
        }
    }
    if let Some(users) = show.users {
        object.objects("processes", row.users.iter(), |object, it| holder(object, it, users, names));
    }
    if let Some(detail) = &socket.detail {
        details(&mut object, socket, detail, show, names);
    }
    object.close();
    out.push(b'\n');
}

/// A count that the kernel keeps signed and sends as it is: below 0 it counts nothing (-1 for the queue of a UDP socket
/// that is being destroyed).
pub(super) fn counted(value: u32) -> Option<u32> {
    (value.cast_signed() >= 0).then_some(value)
}

fn push_delta(object: &mut Object<'_>, delta: Delta) {
    match delta {
        Delta::New => object.word("change", "new"),
        Delta::Gone => object.word("change", "gone"),
        Delta::Changed { was, recv_q, send_q, sent, received } => {
            object.word("change", "changed");
            if let Some(state) = was {
                object.word("old_state", state.word());
            }
            object.signed("recv_q", recv_q);
            object.signed("send_q", send_q);
            object.number("sent", sent);
            object.number("received", received);
        }
    }
}

/// What hosts are called that have a name.
fn hosts(object: &mut Object<'_>, socket: &Socket, names: &mut dyn Names) {
    for (key, end) in [("local_host", &socket.local), ("peer_host", &socket.peer)] {
        // `::` stands for any, as it does in the table.
        if let Some((addr, _)) = end.inet().filter(|(addr, _)| addr.is_ipv4() || !addr.is_unspecified())
            && let Some(name) = names.name(Named::Host(addr))
        {
            object.text(key, name);
        }
    }
}

fn endpoints(object: &mut Object<'_>, socket: &Socket, row: &Row<'_>, show: &Show, names: &mut dyn Names) {
    match (&socket.local, &socket.peer) {
        (Endpoint::Unix { name, .. }, Endpoint::Unix { inode, .. }) => {
            unix_name(object, "local_addr", name);
            if let Some(peer) = row.peer {
                unix_name(object, "peer_addr", peer.name);
            }
            if *inode != 0 {
                object.number("peer_inode", *inode);
            }
            // Who holds it was not looked for otherwise, and nobody is not the same as not known.
            if let (Some(peer), Some(users)) = (row.peer, show.users) {
                object.objects("peer_processes", peer.users.iter(), |object, it| {
                    holder(object, it, users, names);
                });
            }
        }
        (local, peer) => {
            endpoint(object, ["local_addr", "local_port"], local, names);
            // A listener has no peer, as in events.
            if !is_wildcard(peer) {
                endpoint(object, ["peer_addr", "peer_port"], peer, names);
            }
        }
    }
}

fn endpoint(
    object: &mut Object<'_>,
    [addr_key, port_key]: [&'static str; 2],
    end: &Endpoint,
    names: &mut dyn Names,
) {
    match end {
        Endpoint::None => {}
        Endpoint::Inet { addr, port } => {
            object.ascii(addr_key, |out| push_ip(out, *addr));
            object.number(port_key, *port);
        }
        Endpoint::Unix { name, .. } => unix_name(object, addr_key, name),
        // Its interface is told as that of any socket.
        Endpoint::Packet { protocol, .. } => object.number("ethertype", *protocol),
        Endpoint::Netlink { protocol, portid } => {
            object.number("protocol", *protocol);
            if let Some(name) = names.name(Named::NetlinkProtocol(*protocol)) {
                object.text("protocol_name", name);
            }
            object.number("portid", *portid);
        }
        Endpoint::NetlinkPeer { group, portid } => {
            object.number("peer_group", *group);
            object.number("peer_portid", *portid);
        }
        Endpoint::Vsock { cid, port } => {
            object.number(if addr_key == "local_addr" { "local_cid" } else { "peer_cid" }, *cid);
            object.number(port_key, *port);
        }
        Endpoint::Tipc { node, reference } => {
            object.number(if addr_key == "local_addr" { "local_node" } else { "peer_node" }, *node);
            object.number(port_key, *reference);
        }
        Endpoint::Xdp { queue, .. } => object.number("queue", *queue),
    }
}

/// As ss writes it: an abstract name's NULs are `@`; absent for none.
fn unix_name(object: &mut Object<'_>, key: &'static str, name: &UnixName) {
    if !name.is_unnamed() {
        object.text(key, &name.shown());
    }
}

fn interface(object: &mut Object<'_>, names: &mut dyn Names, socket: &Socket) {
    // A packet socket whose device has gone has -1.
    object.maybe_number("ifindex", counted(socket.ifindex));
    if let Some(name) = names.name(Named::Interface { netns: socket.netns, index: socket.ifindex }) {
        object.text("interface", name);
    }
}

fn holder(object: &mut Object<'_>, holder: &Holder, show: Users, names: &mut dyn Names) {
    let pid = holder.process.pid;
    object.number("pid", pid);
    object.maybe_number("tid", holder.tid);
    object.text("comm", holder.process.comm.as_bytes());
    object.number("fd", holder.fd);
    let contexts = [
        ("context", show.process_context, Named::ProcessContext(holder.tid.unwrap_or(pid))),
        ("socket_context", show.socket_context, Named::FileContext { pid, fd: holder.fd }),
    ];
    for (key, _, named) in contexts.into_iter().filter(|(_, wanted, _)| *wanted) {
        if let Some(context) = names.name(named) {
            object.text(key, context);
        }
    }
}

fn details(object: &mut Object<'_>, socket: &Socket, detail: &Detail, show: &Show, names: &mut dyn Names) {
    /// `SK_MEMINFO_*`, in the kernel's order.
    const MEMORY: [&str; 9] = [
        "rmem_alloc",
        "rcvbuf",
        "wmem_alloc",
        "sndbuf",
        "fwd_alloc",
        "wmem_queued",
        "optmem",
        "backlog",
        "drops",
    ];
    if show.timers {
        inet::timer(object, detail);
    }
    if show.extended {
        object.maybe_number("mark", detail.mark);
        if let Some(v6only) = socket.v6only {
            object.flag("v6only", v6only);
        }
        if let Some(shutdown) = detail.shutdown {
            object.object("shutdown", |object| {
                object.flag("receive", shutdown.receive);
                object.flag("send", shutdown.send);
            });
        }
    }
    if show.extended || show.cgroup {
        cgroup(object, detail, names);
    }
    if show.tos {
        object.maybe_number("tos", detail.tos);
        object.maybe_number("tclass", detail.tclass);
        object.maybe_number("class_id", detail.class_id);
    }
    if show.sockopt {
        inet::options(object, detail);
    }
    if show.memory
        && let Some(skmem) = &detail.skmem
    {
        object.object("skmem", |object| {
            for (key, value) in MEMORY.iter().zip(skmem) {
                // Drops alone are counted without a sign.
                object.maybe_number(key, if *key == "drops" { Some(*value) } else { counted(*value) });
            }
        });
    }
    if show.info {
        inet::info(object, socket, detail);
    }
    inet::storages(object, detail);
    local::details(object, socket, detail, show);
}

fn cgroup(object: &mut Object<'_>, detail: &Detail, names: &mut dyn Names) {
    let Some(id @ 1..) = detail.cgroup_id else { return };
    object.number("cgroup_id", id);
    if let Some(path) = names.name(Named::Cgroup(id)) {
        for (name, value) in fields(&Cgroup::new(path)) {
            object.text(name, value);
        }
    }
}

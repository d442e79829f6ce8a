//! One event as one line of JSON: the fields of docs/events.md, in its order. Hand-written into a buffer that
//! is used again, because it runs once for every event there is.

use super::clock::Clock;
use super::errno::errno_name;
use super::escape::push_json;
use super::places::fields;
use super::units::{push_ip, push_u64};
use crate::socket::{BootNs, Closing, Endpoint, Event, EventKind, Owner, Segments, State, Subject, UnixName};
use std::io::Write as _;

/// What stands before a value: `,"name":`. In one piece, because writing these takes most of the time.
macro_rules! key {
    ($name:literal) => {
        concat!(",\"", $name, "\":")
    };
}

/// Appends the event and a newline.
pub fn encode(event: &Event, clock: &Clock, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"ts\":\"");
    out.extend_from_slice(&clock.rfc3339(event.at));
    out.extend_from_slice(b"\",\"event\":\"");
    out.extend_from_slice(event.kind.name().as_bytes());
    out.push(b'"');
    if let Some(subject) = &event.subject {
        let old_state = match &event.kind {
            EventKind::State { old } => Some(*old),
            EventKind::Bind { .. }
            | EventKind::Listen { .. }
            | EventKind::Connect { .. }
            | EventKind::ConnectFailed { .. }
            | EventKind::Accept
            | EventKind::Open
            | EventKind::Close { .. }
            | EventKind::Lost { .. }
            | EventKind::Resync { .. } => None,
        };
        socket(subject, old_state, out);
    }
    kind(&event.kind, out);
    if is_found(event) {
        word(out, key!("seen_by"), "dump");
    }
    out.extend_from_slice(b"}\n");
}

/// Whether no hook told of it: it was noticed when the kernel's tables were looked through, so `ts` is the time of
/// that. UNIX sockets may have no hook for their end, and a connection whose acceptor is known as its holder was accepted
/// without a system call.
fn is_found(event: &Event) -> bool {
    let Some(subject) = &event.subject else { return false };
    match (&event.kind, subject.owner) {
        (EventKind::Close { found, .. }, _) => *found,
        (EventKind::Accept, Owner::Holder(_)) => true,
        (_, Owner::Exact(_) | Owner::Holder(_) | Owner::Unknown) => false,
    }
}

/// Appends an end that history kept, and a newline: the fields of the event, and when the socket opened. `missed`: only
/// a dump showed the end.
pub fn encode_ended(event: &Event, missed: bool, clock: &Clock, out: &mut Vec<u8>) {
    encode(event, clock, out);
    out.truncate(out.len() - b"}\n".len());
    if missed && !is_found(event) {
        word(out, key!("seen_by"), "dump");
    }
    if let Some(opened) = event.subject.as_ref().and_then(|subject| subject.opened) {
        time(out, key!("opened"), opened, clock);
    }
    out.extend_from_slice(b"}\n");
}

/// Appends the line that tells a reader how many events it lost itself, being too slow, and a newline.
pub fn encode_gap(at: BootNs, lost: u64, clock: &Clock, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"ts\":\"");
    out.extend_from_slice(&clock.rfc3339(at));
    out.extend_from_slice(b"\",\"event\":\"lost\"");
    number(out, key!("lost"), lost);
    word(out, key!("by"), "reader");
    out.extend_from_slice(b"}\n");
}

/// Appends a socket as the agent's table has it, and a newline: the fields that its events have, its inode, and
/// when it opened.
pub fn encode_socket(subject: &Subject, clock: &Clock, out: &mut Vec<u8>) {
    let start = out.len();
    socket(subject, None, out);
    known(out, key!("inode"), subject.inode.into());
    if let Some(opened) = subject.opened {
        time(out, key!("opened"), opened, clock);
    }
    // The first field came with a comma before it.
    if let Some(first) = out.get_mut(start) {
        *first = b'{';
    }
    out.extend_from_slice(b"}\n");
}

fn socket(subject: &Subject, old_state: Option<State>, out: &mut Vec<u8>) {
    word(out, key!("netid"), subject.proto.netid());
    word(out, key!("proto"), subject.proto.name());
    word(out, key!("family"), subject.family.name());
    endpoint(out, [key!("local_addr"), key!("local_port")], &subject.local);
    if !is_wildcard(&subject.peer) {
        endpoint(out, [key!("peer_addr"), key!("peer_port")], &subject.peer);
    }
    word(out, key!("state"), subject.state.word());
    if let Some(old) = old_state {
        word(out, key!("old_state"), old.word());
    }
    known(out, key!("cookie"), subject.cookie);
    known(out, key!("netns"), subject.netns.into());
    known(out, key!("ifindex"), subject.ifindex.into());
    if let Some(uid) = subject.uid {
        number(out, key!("uid"), uid.into());
    }
    owner(&subject.owner, out);
    known(out, key!("cgroup_id"), subject.cgroup);
    for (name, value) in subject.place.iter().flat_map(|cgroup| fields(cgroup)) {
        out.extend_from_slice(b",\"");
        push(out, name);
        out.extend_from_slice(b"\":");
        push_json(out, value);
    }
}

fn owner(owner: &Owner, out: &mut Vec<u8>) {
    match owner.process() {
        Some(process) => {
            number(out, key!("pid"), process.pid.into());
            push(out, key!("comm"));
            push_json(out, process.comm.as_bytes());
        }
        None => out.extend_from_slice(b",\"pid\":null,\"comm\":null"),
    }
    word(out, key!("attribution"), owner.attribution().name());
}

fn kind(kind: &EventKind, out: &mut Vec<u8>) {
    match kind {
        EventKind::Bind { errno } | EventKind::Listen { errno } => error(out, *errno),
        EventKind::Connect { latency_us } => measured(out, key!("latency_us"), *latency_us),
        EventKind::ConnectFailed { errno, latency_us, failed_by } => {
            measured(out, key!("latency_us"), *latency_us);
            if let Some(side) = failed_by {
                word(out, key!("failed_by"), side.name());
            }
            error(out, *errno);
        }
        EventKind::Close { duration_us, closing, .. } => {
            measured(out, key!("duration_us"), *duration_us);
            if let Some(closing) = closing {
                totals(closing, out);
            }
        }
        EventKind::Lost { records } => {
            number(out, key!("lost"), *records);
            word(out, key!("by"), "kernel");
        }
        EventKind::Resync { added, removed, changed } => {
            number(out, key!("added"), *added);
            number(out, key!("removed"), *removed);
            number(out, key!("changed"), *changed);
        }
        EventKind::Accept | EventKind::Open | EventKind::State { .. } => {}
    }
}

fn totals(closing: &Closing, out: &mut Vec<u8>) {
    number(out, key!("bytes_sent"), closing.bytes_sent);
    number(out, key!("bytes_received"), closing.bytes_received);
    if let Some(Segments { sent, received, again }) = closing.segments() {
        number(out, key!("segs_out"), sent.into());
        number(out, key!("segs_in"), received.into());
        number(out, key!("retrans"), again.into());
    }
    known(out, key!("rtt_us"), closing.rtt_us.into());
    known(out, key!("min_rtt_us"), closing.min_rtt_us.into());
    if let Some(side) = closing.closed_first {
        word(out, key!("closed_first"), side.name());
    }
    if let Some(side) = closing.reset {
        word(out, key!("reset"), side.name());
    }
    error(out, closing.errno);
}

/// A listener's peer: no address and no port, so there is nothing to tell.
pub(super) fn is_wildcard(endpoint: &Endpoint) -> bool {
    matches!(endpoint, Endpoint::Inet { addr, port: 0 } if addr.is_unspecified())
}

fn endpoint(out: &mut Vec<u8>, [addr_key, port_key]: [&'static str; 2], endpoint: &Endpoint) {
    match endpoint {
        Endpoint::Inet { addr, port } => {
            push(out, addr_key);
            out.push(b'"');
            push_ip(out, *addr);
            out.push(b'"');
            number(out, port_key, (*port).into());
        }
        Endpoint::Unix { name, .. } if !name.is_unnamed() => {
            push(out, addr_key);
            unix_name(name, out);
        }
        // Unnamed, not known, or of a family that no hook tells of.
        Endpoint::Unix { .. }
        | Endpoint::None
        | Endpoint::Packet { .. }
        | Endpoint::Netlink { .. }
        | Endpoint::NetlinkPeer { .. }
        | Endpoint::Vsock { .. }
        | Endpoint::Tipc { .. }
        | Endpoint::Xdp { .. } => {}
    }
}

/// As ss writes it: an abstract name's NULs are `@`.
fn unix_name(name: &UnixName, out: &mut Vec<u8>) {
    push_json(out, &name.shown());
}

#[inline(always)]
fn push(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(text.as_bytes());
}

/// A word of ours, which needs no escaping.
#[inline(always)]
fn word(out: &mut Vec<u8>, key: &str, text: &str) {
    push(out, key);
    out.push(b'"');
    out.extend_from_slice(text.as_bytes());
    out.push(b'"');
}

#[inline(always)]
fn time(out: &mut Vec<u8>, key: &str, at: BootNs, clock: &Clock) {
    push(out, key);
    out.push(b'"');
    out.extend_from_slice(&clock.rfc3339(at));
    out.push(b'"');
}

#[inline(always)]
fn number(out: &mut Vec<u8>, key: &str, number: u64) {
    push(out, key);
    push_u64(out, number);
}

/// A number whose 0 means that it is not known.
#[inline(always)]
fn known(out: &mut Vec<u8>, key: &str, value: u64) {
    if value != 0 {
        number(out, key, value);
    }
}

#[inline(always)]
fn measured(out: &mut Vec<u8>, key: &str, value: Option<u64>) {
    if let Some(value) = value {
        number(out, key, value);
    }
}

fn error(out: &mut Vec<u8>, errno: u16) {
    if errno != 0 {
        push(out, key!("error"));
        // Writing to a Vec cannot fail.
        let _ = write!(out, "\"{}\"", errno_name(errno));
    }
}

#[cfg(test)]
mod tests;

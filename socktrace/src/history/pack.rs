//! Records to bytes. Nothing is allocated but room in the buffers.

use std::net::IpAddr;

use super::bytes::{put, put_near, put_text};
use super::context::{CLOSED_FIRST, Context, FAILED_BY, Place, RESET, number_of, place_in};
use super::layout::{end, has, kind, owner, place};
use super::record::Loser;
use crate::socket::{Closing, Ended, Endpoint, EventKind, FailedBy, Owner, State, Subject, UnixNs};

/// Writes records one after the other.
#[derive(Debug, Default)]
pub(super) struct Packer {
    context: Context,
    /// The record that is being written.
    body: Vec<u8>,
    /// The next record is to stand on nothing.
    fresh: bool,
}

impl Packer {
    /// From the next record on, nothing from before is needed.
    pub(super) const fn begin_anew(&mut self) {
        self.fresh = true;
    }

    /// When the last record happened.
    pub(super) const fn last(&self) -> UnixNs {
        self.context.at
    }

    /// Appends an end. `unix_minus_boot_ns` makes wall-clock time of the kernel's.
    pub(super) fn ended(&mut self, ended: &Ended, unix_minus_boot_ns: i64, out: &mut Vec<u8>) {
        let at = ended.at.saturating_add_signed(unix_minus_boot_ns);
        let (number, failure, age, totals) = match &ended.kind {
            EventKind::Close { duration_us, closing, found: _ } => {
                (kind::CLOSE, None, age_ns(ended, *duration_us), closing.as_deref())
            }
            EventKind::ConnectFailed { errno, latency_us, failed_by } => {
                let age = latency_us.and_then(|us| age_ns(ended, Some(us)));
                (kind::FAILED, Some((*errno, *failed_by)), age, None)
            }
            EventKind::Accept => return self.accepted(&ended.subject, at, out),
            EventKind::Bind { errno: errno @ 1.. } => {
                (kind::NOT_BOUND, Some((*errno, None)), age_ns(ended, None), None)
            }
            EventKind::Listen { errno: errno @ 1.. } => {
                (kind::NOT_LISTENING, Some((*errno, None)), age_ns(ended, None), None)
            }
            // These end nothing.
            EventKind::Bind { errno: 0 }
            | EventKind::Listen { errno: 0 }
            | EventKind::Connect { .. }
            | EventKind::Open
            | EventKind::State { .. }
            | EventKind::Lost { .. }
            | EventKind::Resync { .. } => return,
        };
        let number = self.begin(number, at);
        self.subject(&ended.subject, Rest { failure, age, totals, missed: ended.missed });
        self.finish(number, out);
    }

    /// Appends that records are missing.
    pub(super) fn lost(&mut self, records: u64, by: Loser, at: UnixNs, out: &mut Vec<u8>) {
        let number = match by {
            Loser::Kernel => kind::LOST_BY_KERNEL,
            Loser::Files => kind::LOST_BY_FILES,
        };
        let number = self.begin(number, at);
        put(&mut self.body, records);
        self.finish(number, out);
    }

    /// Appends that an agent began.
    pub(super) fn began(&mut self, at: UnixNs, out: &mut Vec<u8>) {
        let number = self.begin(kind::BEGAN, at);
        self.finish(number, out);
    }

    /// Appends that the agent ended.
    pub(super) fn stopped(&mut self, at: UnixNs, out: &mut Vec<u8>) {
        let number = self.begin(kind::STOPPED, at);
        self.finish(number, out);
    }

    fn accepted(&mut self, subject: &Subject, at: UnixNs, out: &mut Vec<u8>) {
        let Some(process) = subject.owner.process() else { return };
        let number = self.begin(kind::ACCEPTED, at);
        put(&mut self.body, subject.cookie);
        put(&mut self.body, process.pid.into());
        put_text(&mut self.body, process.comm.as_bytes());
        self.finish(number, out);
    }

    fn begin(&mut self, number: u8, at: UnixNs) -> u8 {
        self.body.clear();
        let fresh = std::mem::take(&mut self.fresh);
        if fresh {
            self.context.reset();
        }
        put_near(&mut self.body, at, self.context.at);
        self.context.at = at;
        if fresh { number | kind::FRESH } else { number }
    }

    fn finish(&self, number: u8, out: &mut Vec<u8>) {
        out.push(number);
        put(out, self.body.len() as u64);
        out.extend_from_slice(&self.body);
    }

    /// Every field is named, so that a new one is not forgotten.
    fn subject(&mut self, subject: &Subject, rest: Rest<'_>) {
        let &Subject {
            cookie,
            netns,
            proto,
            family,
            ref local,
            ref peer,
            state,
            ifindex,
            uid,
            mark,
            inode,
            cgroup,
            ref place,
            ref owner,
            opened: _, // as `rest.age`
        } = subject;
        let Self { context, body, .. } = self;
        let holds = |bit: u16, holds: bool| if holds { bit } else { 0 };
        let flags = holds(has::KIND, context.kind != (proto, family))
            | holds(has::NETNS, context.netns != netns)
            | holds(has::UID, context.uid != uid)
            | holds(has::CGROUP, (context.place.0, &context.place.1) != (cgroup, place))
            | holds(has::RARE, (ifindex, mark, inode) != (0, 0, 0))
            | holds(has::STATE, state != State::Close)
            | holds(has::AGE, rest.age.is_some())
            | holds(has::TOTALS, rest.totals.is_some())
            | holds(has::FAILURE, rest.failure.is_some())
            | holds(has::MISSED, rest.missed);
        put(body, flags.into());
        put_near(body, cookie, context.cookie);
        if flags & has::KIND != 0 {
            let (number, carries) = number_of(proto);
            body.push(number);
            put(body, carries.into());
            put(body, family.number().into());
        }
        if flags & has::NETNS != 0 {
            put(body, netns.into());
        }
        if flags & has::UID != 0 {
            put(body, uid.map_or(0, |uid| u64::from(uid) + 1));
        }
        if flags & has::CGROUP != 0 {
            put_place(body, context, (cgroup, place.clone()));
        }
        if flags & has::RARE != 0 {
            for number in [ifindex, mark, inode] {
                put(body, number.into());
            }
        }
        if flags & has::STATE != 0 {
            body.push(state.number());
        }
        (context.cookie, context.netns, context.kind) = (cookie, netns, (proto, family));
        context.uid = uid;
        put_owner(body, context, owner);
        put_end(body, &mut context.local, local);
        put_end(body, &mut context.peer, peer);
        if let Some(age) = rest.age {
            put(body, age);
        }
        if let Some((errno, by)) = rest.failure {
            put(body, errno.into());
            body.push(place_in(&FAILED_BY, by.as_ref()));
        }
        if let Some(totals) = rest.totals {
            put_totals(body, totals);
        }
    }
}

/// What is known of an end beside its subject.
struct Rest<'a> {
    failure: Option<(u16, Option<FailedBy>)>,
    age: Option<u64>,
    totals: Option<&'a Closing>,
    missed: bool,
}

/// How long it lived, nanoseconds.
fn age_ns(ended: &Ended, us: Option<u64>) -> Option<u64> {
    let since_opened = ended.subject.opened.map(|opened| ended.at.saturating_sub(opened));
    since_opened.or(us.map(|us| us.saturating_mul(1000)))
}

fn put_owner(body: &mut Vec<u8>, context: &mut Context, owner: &Owner) {
    let (number, process) = match owner {
        Owner::Unknown => return body.push(owner::UNKNOWN),
        Owner::Exact(process) => (owner::EXACT, process),
        Owner::Holder(process) => (owner::HOLDER, process),
    };
    match context.owners.place_of(owner) {
        Some(place) => body.push(owner::KNOWN + place),
        None => {
            body.push(number);
            put(body, process.pid.into());
            put_text(body, process.comm.as_bytes());
            context.owners.remember(*owner);
        }
    }
}

fn put_place(body: &mut Vec<u8>, context: &mut Context, said: Place) {
    match (context.places.place_of(&said), &said) {
        (Some(place), _) => body.push(place),
        (None, (id, None)) => {
            body.push(place::NAMELESS);
            put(body, *id);
            context.places.remember(said.clone());
        }
        (None, (id, Some(cgroup))) => {
            body.push(place::NAMED);
            put(body, *id);
            put_text(body, &cgroup.path);
            context.places.remember(said.clone());
        }
    }
    context.place = said;
}

/// Appends an endpoint. `before` is the last address on that side.
fn put_end(body: &mut Vec<u8>, before: &mut IpAddr, endpoint: &Endpoint) {
    let two = |body: &mut Vec<u8>, number: u8, one: u32, other: u32| {
        body.push(number);
        put(body, one.into());
        put(body, other.into());
    };
    match endpoint {
        Endpoint::None => body.push(end::NONE),
        Endpoint::Inet { addr, port } => {
            if addr == before {
                body.push(end::SAME);
            } else {
                match addr {
                    IpAddr::V4(addr) => {
                        body.push(end::V4);
                        body.extend_from_slice(&addr.octets());
                    }
                    IpAddr::V6(addr) => {
                        body.push(end::V6);
                        body.extend_from_slice(&addr.octets());
                    }
                }
                *before = *addr;
            }
            body.extend_from_slice(&port.to_le_bytes());
        }
        Endpoint::Unix { name, inode } => {
            body.push(end::UNIX);
            put(body, (*inode).into());
            put_text(body, name.as_bytes());
        }
        Endpoint::Packet { protocol, ifindex } => two(body, end::PACKET, (*protocol).into(), *ifindex),
        Endpoint::Netlink { protocol, portid } => two(body, end::NETLINK, (*protocol).into(), *portid),
        Endpoint::NetlinkPeer { group, portid } => two(body, end::NETLINK_PEER, *group, *portid),
        Endpoint::Vsock { cid, port } => two(body, end::VSOCK, *cid, *port),
        Endpoint::Tipc { node, reference } => two(body, end::TIPC, *node, *reference),
        Endpoint::Xdp { ifindex, queue } => two(body, end::XDP, *ifindex, *queue),
    }
}

/// Every field is named, so that a new one is not forgotten.
fn put_totals(body: &mut Vec<u8>, totals: &Closing) {
    let &Closing {
        bytes_sent,
        bytes_acked,
        bytes_received,
        segs_out,
        segs_in,
        retrans,
        rtt_us,
        min_rtt_us,
        errno,
        closed_first,
        reset,
        fin_received,
        bound,
    } = totals;
    put(body, bytes_sent);
    put_near(body, bytes_acked, bytes_sent);
    put(body, bytes_received);
    for number in [segs_out, segs_in, retrans, rtt_us, min_rtt_us, errno.into()] {
        put(body, number.into());
    }
    let bound = 1 + u8::from(bound);
    let first = place_in(&CLOSED_FIRST, closed_first.as_ref());
    let reset = place_in(&RESET, reset.as_ref());
    body.push(u8::from(fin_received) | bound << 1 | first << 3 | reset << 5);
}

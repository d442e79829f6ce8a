//! Bytes to records. Takes any bytes: what is no record is [`Damaged`].

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use super::bytes::Bytes;
use super::context::{CLOSED_FIRST, Context, FAILED_BY, Place, RESET, at_place, proto_of};
use super::layout::{end, has, kind, owner, place};
use super::record::{Dated, Loser, Record};
use crate::socket::{
    Cgroup, Closing, Comm, Endpoint, Event, EventKind, FailedBy, Family, Owner, Process, State, Subject,
    UnixName, UnixNs,
};

/// What stands here is no record: the rest cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a record")]
pub struct Damaged;

/// The records of a chunk, oldest first. Ends after the first that is damaged.
#[derive(Debug)]
pub struct Records<'a> {
    bytes: Bytes<'a>,
    context: Context,
}

impl<'a> Records<'a> {
    /// The records in these bytes.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes: Bytes(bytes), context: Context::default() }
    }

    /// The next record; of a socket that ended, only its time. Quicker than reading it.
    ///
    /// # Errors
    /// What stands there is no record; nothing follows it.
    pub fn skim(&mut self) -> Option<Result<(UnixNs, Option<Record>), Damaged>> {
        let (number, mut body) = match self.next_body()? {
            Ok(found) => found,
            Err(damaged) => return Some(Err(damaged)),
        };
        let skimmed = match number {
            kind::CLOSE | kind::FAILED | kind::NOT_BOUND | kind::NOT_LISTENING => {
                Some((self.context.at, None))
            }
            _ => self.note(number, &mut body).map(|note| (self.context.at, Some(note))),
        };
        Some(self.or_damaged(skimmed))
    }

    /// Kind and body of the next record, its time read already.
    fn next_body(&mut self) -> Option<Result<(u8, Bytes<'a>), Damaged>> {
        if self.bytes.0.is_empty() {
            return None;
        }
        let found = self.body();
        Some(self.or_damaged(found))
    }

    fn body(&mut self) -> Option<(u8, Bytes<'a>)> {
        let number = self.bytes.byte()?;
        let length = self.bytes.small()?;
        let mut body = Bytes(self.bytes.take(length)?);
        if number & kind::FRESH != 0 {
            self.context.reset();
        }
        self.context.at = body.near(self.context.at)?;
        Some((number & !kind::FRESH, body))
    }

    fn or_damaged<T>(&mut self, found: Option<T>) -> Result<T, Damaged> {
        if found.is_none() {
            self.bytes = Bytes(&[]);
        }
        found.ok_or(Damaged)
    }

    fn record(&mut self, number: u8, body: &mut Bytes<'_>) -> Option<Record> {
        match number {
            kind::CLOSE => {
                let (subject, rest) = self.subject(body)?;
                let kind = EventKind::Close { found: false, duration_us: rest.age_us, closing: rest.totals };
                Some(self.end(kind, subject, rest.missed))
            }
            kind::FAILED => {
                let (subject, rest) = self.subject(body)?;
                let (errno, failed_by) = rest.failure;
                let kind = EventKind::ConnectFailed { errno, latency_us: rest.age_us, failed_by };
                Some(self.end(kind, subject, rest.missed))
            }
            kind::NOT_BOUND => {
                let (subject, rest) = self.subject(body)?;
                Some(self.end(EventKind::Bind { errno: rest.failure.0 }, subject, rest.missed))
            }
            kind::NOT_LISTENING => {
                let (subject, rest) = self.subject(body)?;
                Some(self.end(EventKind::Listen { errno: rest.failure.0 }, subject, rest.missed))
            }
            _ => self.note(number, body),
        }
    }

    fn end(&self, kind: EventKind, subject: Subject, missed: bool) -> Record {
        let event = Event { at: self.context.at, kind, subject: Some(Box::new(subject)) };
        Record::Ended { event, missed }
    }

    /// A record of no socket's end.
    fn note(&self, number: u8, body: &mut Bytes<'_>) -> Option<Record> {
        Some(match number {
            kind::ACCEPTED => Record::Accepted { cookie: body.number()?, process: process(body)? },
            kind::LOST_BY_KERNEL => Record::Lost { records: body.number()?, by: Loser::Kernel },
            kind::LOST_BY_FILES => Record::Lost { records: body.number()?, by: Loser::Files },
            kind::BEGAN => Record::Began,
            kind::STOPPED => Record::Stopped,
            _ => return None,
        })
    }

    fn subject(&mut self, body: &mut Bytes<'_>) -> Option<(Subject, Rest)> {
        let context = &mut self.context;
        let flags: u16 = body.small()?;
        let holds = |bit: u16| flags & bit != 0;
        context.cookie = body.near(context.cookie)?;
        if holds(has::KIND) {
            let number = body.byte()?;
            let proto = proto_of(number, body.small()?)?;
            context.kind = (proto, Family::from_number(body.small()?));
        }
        if holds(has::NETNS) {
            context.netns = body.small()?;
        }
        if holds(has::UID) {
            context.uid = match body.number()? {
                0 => None,
                uid => Some(u32::try_from(uid - 1).ok()?),
            };
        }
        if holds(has::CGROUP) {
            context.place = read_place(body, context)?;
        }
        let mut rare = [0; 3];
        if holds(has::RARE) {
            rare = [body.small()?, body.small()?, body.small()?];
        }
        let state = if holds(has::STATE) { State::from_number(body.byte()?) } else { State::Close };
        let owner = read_owner(body, context)?;
        let local = read_end(body, &mut context.local)?;
        let peer = read_end(body, &mut context.peer)?;
        let age = if holds(has::AGE) { Some(body.number()?) } else { None };
        let failure =
            if holds(has::FAILURE) { (body.small()?, at_place(&FAILED_BY, body.byte()?)) } else { (0, None) };
        let totals = if holds(has::TOTALS) { Some(Box::new(read_totals(body)?)) } else { None };
        let subject = Subject {
            cookie: context.cookie,
            netns: context.netns,
            proto: context.kind.0,
            family: context.kind.1,
            local,
            peer,
            state,
            ifindex: rare[0],
            uid: context.uid,
            mark: rare[1],
            inode: rare[2],
            cgroup: context.place.0,
            place: context.place.1.clone(),
            owner,
            opened: age.map(|age| context.at.saturating_sub(age)),
        };
        Some((
            subject,
            Rest { failure, age_us: age.map(|age| age / 1000), totals, missed: holds(has::MISSED) },
        ))
    }
}

impl Iterator for Records<'_> {
    type Item = Result<Dated, Damaged>;

    fn next(&mut self) -> Option<Self::Item> {
        let (number, mut body) = match self.next_body()? {
            Ok(found) => found,
            Err(damaged) => return Some(Err(damaged)),
        };
        let record = self.record(number, &mut body);
        let dated = record.map(|record| Dated { at: self.context.at, record });
        Some(self.or_damaged(dated))
    }
}

/// What is known of an end beside its subject.
struct Rest {
    failure: (u16, Option<FailedBy>),
    age_us: Option<u64>,
    totals: Option<Box<Closing>>,
    missed: bool,
}

fn process(body: &mut Bytes<'_>) -> Option<Process> {
    Some(Process { pid: body.small()?, comm: Comm::from_bytes(body.text()?) })
}

fn read_owner(body: &mut Bytes<'_>, context: &mut Context) -> Option<Owner> {
    let owner = match body.byte()? {
        owner::UNKNOWN => return Some(Owner::Unknown),
        owner::EXACT => Owner::Exact(process(body)?),
        owner::HOLDER => Owner::Holder(process(body)?),
        known => return context.owners.at(known - owner::KNOWN).copied(),
    };
    context.owners.remember(owner);
    Some(owner)
}

fn read_place(body: &mut Bytes<'_>, context: &mut Context) -> Option<Place> {
    let said = match body.byte()? {
        place::NAMELESS => (body.number()?, None),
        place::NAMED => (body.number()?, Some(Arc::new(Cgroup::new(body.text()?)))),
        known => return context.places.at(known).cloned(),
    };
    context.places.remember(said.clone());
    Some(said)
}

/// Reads an endpoint. `before` is the last address on that side.
fn read_end(body: &mut Bytes<'_>, before: &mut IpAddr) -> Option<Endpoint> {
    let number = body.byte()?;
    Some(match number {
        end::NONE => Endpoint::None,
        end::SAME | end::V4 | end::V6 => {
            match number {
                end::V4 => *before = Ipv4Addr::from(body.array::<4>()?).into(),
                end::V6 => *before = Ipv6Addr::from(body.array::<16>()?).into(),
                _ => {}
            }
            Endpoint::Inet { addr: *before, port: u16::from_le_bytes(body.array()?) }
        }
        end::UNIX => {
            let inode = body.small()?;
            Endpoint::Unix { name: UnixName::from_bytes(body.text()?), inode }
        }
        end::PACKET => Endpoint::Packet { protocol: body.small()?, ifindex: body.small()? },
        end::NETLINK => Endpoint::Netlink { protocol: body.small()?, portid: body.small()? },
        end::NETLINK_PEER => Endpoint::NetlinkPeer { group: body.small()?, portid: body.small()? },
        end::VSOCK => Endpoint::Vsock { cid: body.small()?, port: body.small()? },
        end::TIPC => Endpoint::Tipc { node: body.small()?, reference: body.small()? },
        end::XDP => Endpoint::Xdp { ifindex: body.small()?, queue: body.small()? },
        _ => return None,
    })
}

fn read_totals(body: &mut Bytes<'_>) -> Option<Closing> {
    let bytes_sent = body.number()?;
    let mut totals = Closing {
        bytes_sent,
        bytes_acked: body.near(bytes_sent)?,
        bytes_received: body.number()?,
        segs_out: body.small()?,
        segs_in: body.small()?,
        retrans: body.small()?,
        rtt_us: body.small()?,
        min_rtt_us: body.small()?,
        errno: body.small()?,
        closed_first: None,
        reset: None,
        fin_received: false,
        bound: false,
    };
    let bits = body.byte()?;
    totals.fin_received = bits & 1 != 0;
    totals.bound = match bits >> 1 & 3 {
        // 0: not known, as it was in the first files.
        0 | 1 => false,
        2 => true,
        _ => return None,
    };
    totals.closed_first = at_place(&CLOSED_FIRST, bits >> 3 & 3);
    totals.reset = at_place(&RESET, bits >> 5 & 3);
    Some(totals)
}

//! What all the events of a reader have, so that it is asked about no others.
//!
//! A key may let through too many events and never too few: the interest itself decides.

use std::net::IpAddr;

use super::interest::Interest;
use crate::query::{Address, Compare, Expr, Field, Op, Side, Test};
use crate::socket::{Comm, Cookie, Subject};

/// Something that an event has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Key {
    Cookie(Cookie),
    Pid(u32),
    Comm(Comm),
    Port(Side, u16),
    /// A v4-mapped address is the same as its IPv4 one.
    Host(Side, IpAddr),
}

/// More keys than this are no better than asking about every event.
const MAX_KEYS: usize = 64;

impl Key {
    /// How many sorts there are; [`sort`](Self::sort) stays below it.
    pub(super) const SORTS: usize = 9;

    pub(super) const fn sort(self) -> usize {
        match self {
            Self::Cookie(_) => 0,
            Self::Pid(_) => 1,
            Self::Comm(_) => 2,
            Self::Port(Side::Local, _) => 3,
            Self::Port(Side::Peer, _) => 4,
            Self::Port(Side::Either, _) => 5,
            Self::Host(Side::Local, _) => 6,
            Self::Host(Side::Peer, _) => 7,
            Self::Host(Side::Either, _) => 8,
        }
    }

    /// Keys of which every event that the interest wants has one; none if it can want any event.
    pub(super) fn of_interest(interest: &Interest) -> Option<Vec<Self>> {
        let some = |keys: Vec<Self>| Some(keys).filter(|keys| !keys.is_empty());
        let pids = some(interest.pids.iter().map(|&pid| Self::Pid(pid)).collect());
        let comms = some(interest.comms.iter().map(|&comm| Self::Comm(comm)).collect());
        let filter = interest.filter.expr().and_then(|expr| of_expr(expr, true));
        fewest([pids, comms, filter].into_iter())
    }

    /// The keys that an event has.
    pub(super) fn of_subject(subject: &Subject) -> impl Iterator<Item = Self> {
        let process = subject.owner.process();
        let ends = [(Side::Local, &subject.local), (Side::Peer, &subject.peer)];
        let of_end = |side| {
            move |(addr, port): (IpAddr, u16)| {
                let addr = addr.to_canonical();
                let keys = |side| [Self::Port(side, port), Self::Host(side, addr)];
                keys(side).into_iter().chain(keys(Side::Either))
            }
        };
        let of_process =
            |process: &crate::socket::Process| [Self::Pid(process.pid), Self::Comm(process.comm)];
        [Self::Cookie(subject.cookie)].into_iter().chain(process.map(of_process).into_iter().flatten()).chain(
            ends.into_iter().flat_map(move |(side, end)| end.inet().into_iter().flat_map(of_end(side))),
        )
    }
}

/// Keys of which everything that passes the expression (or its opposite) has one.
fn of_expr(expr: &Expr, want: bool) -> Option<Vec<Key>> {
    match (expr, want) {
        (Expr::And(parts), true) | (Expr::Or(parts), false) => {
            fewest(parts.iter().map(|part| of_expr(part, want)))
        }
        (Expr::Or(parts), true) | (Expr::And(parts), false) => {
            let mut all = Vec::new();
            for part in parts {
                all.extend(of_expr(part, want)?);
            }
            Some(all)
        }
        (Expr::Not(inner), want) => of_expr(inner, !want),
        (Expr::Test(test), want) => of_test(test, want),
    }
    .filter(|keys| keys.len() <= MAX_KEYS)
}

fn fewest(all: impl Iterator<Item = Option<Vec<Key>>>) -> Option<Vec<Key>> {
    all.flatten().min_by_key(Vec::len)
}

fn of_test(test: &Test, want: bool) -> Option<Vec<Key>> {
    match test {
        Test::Host { side, family: _, address, port } if want => match (port, address) {
            (Some(port), _) => Some(vec![Key::Port(*side, u16::try_from(*port).ok()?)]),
            (None, Address::Prefix { addr, length }) if *length == bits(addr) => {
                Some(vec![Key::Host(*side, addr.to_canonical())])
            }
            (
                None,
                Address::Any
                | Address::Prefix { .. }
                | Address::Unix(_)
                | Address::Ethertype(_)
                | Address::NetlinkProtocol(_)
                | Address::Cid(_),
            ) => None,
        },
        Test::Port { side, family: _, compare } => numbers(compare, want)?
            .into_iter()
            .map(|number| Some(Key::Port(*side, u16::try_from(number).ok()?)))
            .collect(),
        Test::Number { field, compare } => {
            let key = match field {
                Field::Cookie => |number: i64| Some(Key::Cookie(number.cast_unsigned())),
                Field::Pid => |number: i64| Some(Key::Pid(u32::try_from(number).ok()?)),
                Field::Dev
                | Field::Uid
                | Field::Netns
                | Field::Inode
                | Field::RecvQ
                | Field::SendQ
                | Field::Rtt
                | Field::Retrans
                | Field::Age => return None,
            };
            numbers(compare, want)?.into_iter().map(key).collect()
        }
        Test::Comm(glob) if want && !glob.pattern().contains(['*', '?', '[', '\\']) => {
            Some(vec![Key::Comm(Comm::from_bytes(glob.pattern().as_bytes()))])
        }
        Test::Host { .. }
        | Test::Comm(_)
        | Test::CgroupPart(..)
        | Test::Mark { .. }
        | Test::Device { .. }
        | Test::Cgroup { .. }
        | Test::State(_)
        | Test::Ending(..)
        | Test::Autobound => None,
    }
}

/// The numbers that pass, if they are few.
fn numbers(compare: &Compare, want: bool) -> Option<Vec<i64>> {
    match (compare.op, want) {
        (Op::Eq, true) | (Op::Ne, false) => {}
        (Op::Eq | Op::Ne | Op::Lt | Op::Le | Op::Gt | Op::Ge, _) => return None,
    }
    let mut numbers = Vec::new();
    for &(from, to) in &compare.ranges {
        if to.saturating_sub(from) >= MAX_KEYS as i64 {
            return None;
        }
        numbers.extend(from..=to);
    }
    Some(numbers)
}

const fn bits(addr: &IpAddr) -> u8 {
    match addr {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

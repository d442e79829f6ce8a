//! The tree of a filter: what was said, names resolved.

use std::net::IpAddr;

use super::ending::{Answers, Ending};
use super::glob::Glob;
use super::names::Device;
use crate::socket::{Family, StateSet};

/// An expression. The parser never puts an `And` directly into an `And`, nor an `Or` into an `Or`.
#[derive(Debug, Clone, PartialEq)]
pub enum Expr {
    /// All of them (two at least).
    And(Vec<Expr>),
    /// One of them (two at least).
    Or(Vec<Expr>),
    /// The opposite.
    Not(Box<Expr>),
    /// One predicate.
    Test(Test),
}

/// One predicate.
#[derive(Debug, Clone, PartialEq)]
pub enum Test {
    /// `src`, `dst`, `host`: address, and port if one was given.
    Host {
        /// Of which end.
        side: Side,
        /// The family it was read in, by a prefix or an option. See [`Expr::narrows_to`].
        family: Option<Family>,
        /// The address.
        address: Address,
        /// The port, `None` for any.
        port: Option<i64>,
    },
    /// `sport`, `dport`, `port`.
    Port {
        /// Of which end.
        side: Side,
        /// The family it was read in, as in `Host`.
        family: Option<Family>,
        /// With what.
        compare: Compare,
    },
    /// A number that the socket has.
    Number {
        /// Which.
        field: Field,
        /// With what.
        compare: Compare,
    },
    /// `dev name`: the device it is bound to.
    Device {
        /// As it was written.
        name: Box<str>,
        /// What that stands for.
        device: Device,
    },
    /// `fwmark value/mask`.
    Mark {
        /// What the masked mark must be.
        value: u32,
        /// Which bits count.
        mask: u32,
    },
    /// `cgroup path`: exactly this cgroup.
    Cgroup {
        /// As it was written.
        path: Box<str>,
        /// Its id.
        id: u64,
    },
    /// `comm pattern`.
    Comm(Glob),
    /// `unit`, `container`, `pod`: what the path of its cgroup says.
    CgroupPart(CgroupPart, Glob),
    /// `state name`.
    State(StateSet),
    /// `closed_first`, `reset`, `failed_by`: one of these answers.
    Ending(Ending, Answers),
    /// `autobound`.
    Autobound,
}

/// What the path of a cgroup can say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CgroupPart {
    /// `unit`: the systemd unit.
    Unit,
    /// `container`: the container's id.
    Container,
    /// `pod`: the uid of the Kubernetes pod.
    Pod,
}

/// Which end of a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// This side: `src`, `sport`.
    Local,
    /// The other side: `dst`, `dport`.
    Peer,
    /// One of both: `host`, `port`.
    Either,
}

/// What an address is compared with.
#[derive(Debug, Clone, PartialEq)]
pub enum Address {
    /// Every address, of every family.
    Any,
    /// An IP prefix. An IPv4 prefix also holds v4-mapped IPv6 addresses; a v4-mapped one only those.
    Prefix {
        /// The address as written; bits beyond the length do not count.
        addr: IpAddr,
        /// How many bits count.
        length: u8,
    },
    /// The name of a UNIX socket, `@` for an abstract one's NUL; case does not count.
    Unix(Glob),
    /// A packet socket's ethertype.
    Ethertype(u16),
    /// A netlink socket's protocol.
    NetlinkProtocol(u32),
    /// A vsock context id.
    Cid(u32),
}

/// A number of a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Field {
    /// `dev`: the index of the interface it is bound to.
    Dev,
    /// `uid`, `user`.
    Uid,
    /// `netns`: inode of its network namespace.
    Netns,
    /// `inode`.
    Inode,
    /// `cookie`: the bits of a u64.
    Cookie,
    /// `pid`: of one of the processes that hold it.
    Pid,
    /// `recvq`.
    RecvQ,
    /// `sendq`.
    SendQ,
    /// `rtt`: microseconds.
    Rtt,
    /// `retrans`: segments in all.
    Retrans,
    /// `age`: microseconds.
    Age,
}

/// How a number is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Op {
    /// `=` `==` `eq`
    Eq,
    /// `!=` `ne` `neq`
    Ne,
    /// `<` `lt`
    Lt,
    /// `<=` `le` `leq`
    Le,
    /// `>` `gt`
    Gt,
    /// `>=` `ge` `geq`
    Ge,
}

/// An operator, and what is on its right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compare {
    /// How.
    pub op: Op,
    /// Ranges with both ends included; an ordering operator has exactly one, of one number.
    /// All of i64 is what `*` means.
    pub ranges: Vec<(i64, i64)>,
}

impl Compare {
    /// What `*` means: every number.
    pub const EVERY: (i64, i64) = (i64::MIN, i64::MAX);

    /// With one number.
    #[must_use]
    pub fn one(op: Op, value: i64) -> Self {
        Self { op, ranges: vec![(value, value)] }
    }
}

impl Expr {
    /// Both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::And(mut left), Self::And(right)) => {
                left.extend(right);
                Self::And(left)
            }
            (Self::And(mut left), right) => {
                left.push(right);
                Self::And(left)
            }
            (left, Self::And(mut right)) => {
                right.insert(0, left);
                Self::And(right)
            }
            (left, right) => Self::And(vec![left, right]),
        }
    }

    /// Either.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Or(mut left), Self::Or(right)) => {
                left.extend(right);
                Self::Or(left)
            }
            (Self::Or(mut left), right) => {
                left.push(right);
                Self::Or(left)
            }
            (left, Self::Or(mut right)) => {
                right.insert(0, left);
                Self::Or(right)
            }
            (left, right) => Self::Or(vec![left, right]),
        }
    }

    /// The opposite.
    #[must_use]
    pub fn negate(self) -> Self {
        Self::Not(Box::new(self))
    }

    /// The only family of all that passes, as a prefix (`inet:`, `unix:` …) or an option chose it. Of predicates joined by
    /// `and` the last one says it, as in ss, and a negation changes nothing. The branches of an `or` must agree; where
    /// they do not, each is narrowed by itself.
    #[must_use]
    pub fn narrows_to(&self) -> Option<Family> {
        match self {
            Self::And(parts) => parts.iter().rev().find_map(Self::narrows_to),
            Self::Or(parts) => {
                let mut families = parts.iter().map(Self::narrows_to);
                let first = families.next()??;
                families.all(|family| family == Some(first)).then_some(first)
            }
            Self::Not(inner) => inner.narrows_to(),
            Self::Test(test) => test.narrows_to(),
        }
    }

    /// Calls `visit` with every predicate, from left to right.
    pub fn each_test<'a>(&'a self, visit: &mut impl FnMut(&'a Test)) {
        match self {
            Self::And(parts) | Self::Or(parts) => parts.iter().for_each(|part| part.each_test(visit)),
            Self::Not(inner) => inner.each_test(visit),
            Self::Test(test) => visit(test),
        }
    }
}

impl Test {
    const fn narrows_to(&self) -> Option<Family> {
        match self {
            Self::Host { family, .. } | Self::Port { family, .. } => *family,
            Self::Number { .. }
            | Self::Device { .. }
            | Self::Mark { .. }
            | Self::Cgroup { .. }
            | Self::Comm(_)
            | Self::CgroupPart(..)
            | Self::State(_)
            | Self::Ending(..)
            | Self::Autobound => None,
        }
    }
}

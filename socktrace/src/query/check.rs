//! The tree in the form that is evaluated: no negation but at the leaves, no pair of ends, no operators.

use std::net::IpAddr;

use super::ending::{Answers, Ending};
use super::facts::{Facts, InCgroup, Processes};
use super::glob::Glob;
use super::names::{Device, Indexes};
pub(super) use super::set::Set;
use super::states::holds;
use super::tree::{Address, CgroupPart, Compare, Expr, Field, Op, Side, Test};
use crate::socket::{Endpoint, Family, StateSet, UnixName};

/// `and` and `or` over leaves. `All` of nothing is true, `Any` of nothing is false.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Tree<T> {
    All(Vec<Tree<T>>),
    Any(Vec<Tree<T>>),
    Leaf(T),
}

/// A question with a plain answer, and the answer that passes.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Literal {
    pub(super) check: Check,
    pub(super) want: bool,
}

/// A question about the facts.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Check {
    Number(Number, Set),
    Pid(Set),
    Comm(Glob),
    CgroupPart(CgroupPart, Glob),
    Inet4 {
        end: End,
        net: u32,
        mask: u32,
    },
    Inet6 {
        end: End,
        prefix: Box<(u128, u128)>,
    },
    Unix(End, Glob),
    Ethertype(End, u16),
    NetlinkProtocol(End, u32),
    Cid(End, u32),
    Family(Family),
    /// The device it is bound to, by its name in the namespace of the socket.
    Device(Indexes),
    Mark {
        value: u32,
        mask: u32,
    },
    Cgroup(u64),
    State(StateSet),
    Ending(Ending, Answers),
    Autobound,
}

impl Check {
    /// What asking costs at most: 1, and 1 more for every four numbers or characters of a pattern.
    pub(super) fn cost(&self) -> usize {
        1 + match self {
            Self::Number(_, Set::Ranges(ranges)) | Self::Pid(Set::Ranges(ranges)) => ranges.len() / 4,
            Self::Comm(glob) | Self::CgroupPart(_, glob) | Self::Unix(_, glob) => glob.pattern().len() / 4,
            Self::Number(_, Set::Range(..))
            | Self::Pid(Set::Range(..))
            | Self::Inet4 { .. }
            | Self::Inet6 { .. }
            | Self::Ethertype(..)
            | Self::NetlinkProtocol(..)
            | Self::Cid(..)
            | Self::Family(_)
            | Self::Device(_)
            | Self::Mark { .. }
            | Self::Cgroup(_)
            | Self::State(_)
            | Self::Ending(..)
            | Self::Autobound => 0,
        }
    }
}

/// One end of a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Local,
    Peer,
}

/// A number among the facts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Number {
    Port(End),
    Dev,
    Uid,
    Netns,
    Inode,
    Cookie,
    RecvQ,
    SendQ,
    Rtt,
    Retrans,
    Age,
}

/// Brings the tree into that form. `want` is the answer that passes: false under an odd number of negations.
///
/// A socket passes the result exactly if the tree is true in the logic of true, false and unknown, where the
/// opposite of unknown is unknown.
pub(super) fn lower(expr: &Expr, want: bool) -> Tree<Literal> {
    match expr {
        Expr::And(parts) => all(want, parts.iter().map(|part| lower(part, want)).collect()),
        Expr::Or(parts) => {
            // Branches of several families are narrowed each by itself.
            let each = expr.narrows_to().is_none();
            let parts = parts.iter().map(|part| match part.narrows_to().filter(|_| each) {
                Some(family) => {
                    let of_family = Tree::Leaf(Literal { check: Check::Family(family), want });
                    all(want, vec![of_family, lower(part, want)])
                }
                None => lower(part, want),
            });
            all(!want, parts.collect())
        }
        Expr::Not(inner) => lower(inner, !want),
        Expr::Test(test) => lower_test(test, want),
    }
}

/// All of them, or one of them.
fn all(all: bool, parts: Vec<Tree<Literal>>) -> Tree<Literal> {
    if all { Tree::All(parts) } else { Tree::Any(parts) }
}

pub(super) fn lower_test(test: &Test, want: bool) -> Tree<Literal> {
    let leaf = |check| Tree::Leaf(Literal { check, want });
    match test {
        Test::Host { side, address, port, .. } => at_ends(*side, want, |end| {
            let mut parts = Vec::new();
            parts.extend(port.map(|port| leaf(Check::Number(Number::Port(end), Set::Range(port, port)))));
            parts.extend(check_address(end, address).map(&leaf));
            all(want, parts)
        }),
        Test::Port { side, compare, .. } => {
            // "Either port is not 22" would be a surprise: != is the opposite of =.
            let (set, equal) = set_of(compare);
            at_ends(*side, want == equal, |end| {
                let check = Check::Number(Number::Port(end), set.clone());
                Tree::Leaf(Literal { check, want: want == equal })
            })
        }
        Test::Number { field, compare } => {
            let (set, equal) = set_of(compare);
            let check = match number_of(*field) {
                Some(number) => Check::Number(number, set),
                None => Check::Pid(set),
            };
            Tree::Leaf(Literal { check, want: want == equal })
        }
        Test::Device { name: _, device } => leaf(match device {
            Device::Index(index) => {
                let index = i64::from(*index);
                Check::Number(Number::Dev, Set::Range(index, index))
            }
            Device::NotHere => Check::Number(Number::Dev, Set::Ranges(Box::default())),
            Device::Each(indexes) => Check::Device(indexes.clone()),
        }),
        Test::Mark { value, mask } => leaf(Check::Mark { value: *value, mask: *mask }),
        Test::Cgroup { id, .. } => leaf(Check::Cgroup(*id)),
        Test::Comm(glob) => leaf(Check::Comm(glob.clone())),
        Test::CgroupPart(place, glob) => leaf(Check::CgroupPart(*place, glob.clone())),
        Test::State(set) => leaf(Check::State(*set)),
        Test::Ending(ending, answers) => leaf(Check::Ending(*ending, *answers)),
        Test::Autobound => leaf(Check::Autobound),
    }
}

fn at_ends(side: Side, want: bool, at: impl Fn(End) -> Tree<Literal>) -> Tree<Literal> {
    match side {
        Side::Local => at(End::Local),
        Side::Peer => at(End::Peer),
        Side::Either => all(!want, vec![at(End::Local), at(End::Peer)]),
    }
}

/// The numbers that are meant, and whether being among them is what is asked for.
fn set_of(compare: &Compare) -> (Set, bool) {
    let set = |ranges: &[(i64, i64)]| match ranges {
        [(low, high)] => Set::Range(*low, *high),
        _ => Set::Ranges(ranges.into()),
    };
    let beyond = |range: Option<(i64, i64)>| (set(range.as_slice()), true);
    // An ordering operator has one range, of one number.
    let value = compare.ranges.first().map_or(0, |range| range.0);
    match compare.op {
        Op::Eq => (set(&compare.ranges), true),
        Op::Ne => (set(&compare.ranges), false),
        Op::Lt => beyond(value.checked_sub(1).map(|high| (i64::MIN, high))),
        Op::Le => beyond(Some((i64::MIN, value))),
        Op::Gt => beyond(value.checked_add(1).map(|low| (low, i64::MAX))),
        Op::Ge => beyond(Some((value, i64::MAX))),
    }
}

/// Which number the field is; none for `pid`, of which a socket may have several.
const fn number_of(field: Field) -> Option<Number> {
    Some(match field {
        Field::Dev => Number::Dev,
        Field::Uid => Number::Uid,
        Field::Netns => Number::Netns,
        Field::Inode => Number::Inode,
        Field::Cookie => Number::Cookie,
        Field::Pid => return None,
        Field::RecvQ => Number::RecvQ,
        Field::SendQ => Number::SendQ,
        Field::Rtt => Number::Rtt,
        Field::Retrans => Number::Retrans,
        Field::Age => Number::Age,
    })
}

fn check_address(end: End, address: &Address) -> Option<Check> {
    Some(match address {
        Address::Any => return None,
        Address::Prefix { addr: IpAddr::V4(addr), length } => {
            let mask = u32::MAX.unbounded_shl(32 - u32::from(*length).min(32));
            Check::Inet4 { end, net: u32::from(*addr) & mask, mask }
        }
        Address::Prefix { addr: IpAddr::V6(addr), length } => {
            let mask = u128::MAX.unbounded_shl(128 - u32::from(*length).min(128));
            Check::Inet6 { end, prefix: Box::new((u128::from(*addr) & mask, mask)) }
        }
        Address::Unix(glob) => Check::Unix(end, glob.clone()),
        Address::Ethertype(protocol) => Check::Ethertype(end, *protocol),
        Address::NetlinkProtocol(protocol) => Check::NetlinkProtocol(end, *protocol),
        Address::Cid(cid) => Check::Cid(end, *cid),
    })
}

impl Check {
    /// The answer; none where what is asked for is not known.
    pub(super) fn answer(&self, facts: &Facts<'_>) -> Option<bool> {
        match self {
            Self::Number(Number::Port(end), set) => {
                let port = match end {
                    End::Local => facts.local_port,
                    End::Peer => facts.peer_port,
                };
                // What has no port has none that could be equal.
                Some(port.is_some_and(|port| set.contains(port)))
            }
            Self::Number(number, set) => number.of(facts).map(|value| set.contains(value)),
            Self::Pid(set) => any_process(facts, |pid, _| set.contains(i64::from(pid))),
            Self::Comm(glob) => any_process(facts, |_, comm| glob.matches(comm)),
            Self::CgroupPart(place, glob) => match facts.cgroup {
                InCgroup::Unknown => None,
                InCgroup::None => Some(false),
                InCgroup::Known(cgroup) => {
                    let name = match place {
                        CgroupPart::Unit => cgroup.unit.as_deref(),
                        CgroupPart::Container => cgroup.container.as_ref().map(|it| it.id.as_bytes()),
                        CgroupPart::Pod => cgroup.pod.as_ref().map(|uid| uid.as_bytes()),
                    };
                    Some(name.is_some_and(|name| glob.matches(name)))
                }
            },
            Self::Inet4 { end, net, mask } => Some(match end.of(facts).inet() {
                Some((IpAddr::V4(addr), _)) => u32::from(addr) & mask == *net,
                Some((IpAddr::V6(addr), _)) => {
                    addr.to_ipv4_mapped().is_some_and(|addr| u32::from(addr) & mask == *net)
                }
                None => false,
            }),
            Self::Inet6 { end, prefix } => Some(match end.of(facts).inet() {
                Some((IpAddr::V6(addr), _)) => u128::from(addr) & prefix.1 == prefix.0,
                Some((IpAddr::V4(_), _)) | None => false,
            }),
            Self::Unix(end, glob) => Some(match end.of(facts) {
                Endpoint::Unix { name, .. } => unix_matches(glob, name),
                // A peer that nobody knows the name of is to ss one without a name.
                Endpoint::None => facts.family == Family::Unix && glob.matches(b""),
                Endpoint::Inet { .. }
                | Endpoint::Packet { .. }
                | Endpoint::Netlink { .. }
                | Endpoint::NetlinkPeer { .. }
                | Endpoint::Vsock { .. }
                | Endpoint::Tipc { .. }
                | Endpoint::Xdp { .. } => false,
            }),
            Self::Ethertype(end, wanted) => {
                Some(matches!(end.of(facts), Endpoint::Packet { protocol, .. } if protocol == wanted))
            }
            Self::NetlinkProtocol(end, wanted) => Some(
                matches!(end.of(facts), Endpoint::Netlink { protocol, .. } if u32::from(*protocol) == *wanted),
            ),
            Self::Cid(end, wanted) => {
                Some(matches!(end.of(facts), Endpoint::Vsock { cid, .. } if cid == wanted))
            }
            Self::Family(family) => Some(facts.family == *family),
            Self::Device(_) if facts.ifindex == 0 => Some(false),
            Self::Device(indexes) => indexes.of(facts.netns).map(|index| index == facts.ifindex),
            Self::Mark { value, mask } => facts.mark.map(|mark| mark & mask == *value),
            Self::Cgroup(id) => facts.cgroup_id.map(|cgroup| cgroup == *id),
            Self::State(set) => Some(holds(*set, facts.state)),
            Self::Ending(ending, answers) => facts.ends.map(|ends| ends.is(*ending, *answers)),
            Self::Autobound => Some(autobound(facts)),
        }
    }
}

impl End {
    const fn of<'a>(self, facts: &Facts<'a>) -> &'a Endpoint {
        match self {
            Self::Local => facts.local,
            Self::Peer => facts.peer,
        }
    }
}

impl Number {
    /// The number, if it is known.
    fn of(self, facts: &Facts<'_>) -> Option<i64> {
        match self {
            Self::Port(End::Local) => facts.local_port,
            Self::Port(End::Peer) => facts.peer_port,
            Self::Dev => Some(i64::from(facts.ifindex)),
            Self::Uid => facts.uid.map(i64::from),
            Self::Netns => (facts.netns != 0).then_some(i64::from(facts.netns)),
            Self::Inode => facts.inode.map(i64::from),
            Self::Cookie => (facts.cookie != 0).then_some(facts.cookie.cast_signed()),
            Self::RecvQ => facts.recv_q.map(i64::from),
            Self::SendQ => facts.send_q.map(i64::from),
            Self::Rtt => facts.rtt_us.map(i64::from),
            Self::Retrans => facts.retrans.map(i64::from),
            Self::Age => facts.age_us.map(|age| i64::try_from(age).unwrap_or(i64::MAX)),
        }
    }
}

/// Whether one of the processes passes; none if the processes are not known.
fn any_process(facts: &Facts<'_>, passes: impl Fn(u32, &[u8]) -> bool) -> Option<bool> {
    match facts.processes {
        Processes::Unknown => None,
        Processes::One(process) => Some(passes(process.pid, process.comm.as_bytes())),
        Processes::Holders(holders) => {
            Some(holders.iter().any(|holder| passes(holder.process.pid, holder.process.comm.as_bytes())))
        }
    }
}

/// An abstract name is compared as ss prints it: `@` for every NUL.
fn unix_matches(glob: &Glob, name: &UnixName) -> bool {
    let bytes = name.as_bytes();
    if !name.is_abstract() {
        return glob.matches(bytes);
    }
    glob.matches_with(bytes.len(), |at| bytes.get(at).map(|&byte| if byte == 0 { b'@' } else { byte }))
}

/// Whether the local end looks like one that the kernel chose (misc/ss.c, `run_ssfilter`).
fn autobound(facts: &Facts<'_>) -> bool {
    match facts.local {
        Endpoint::Unix { name, .. } => match name.as_bytes() {
            [] => true,
            [0, rest @ ..] => rest.len() == 5 && rest.iter().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f')),
            _ => false,
        },
        Endpoint::Packet { protocol, ifindex } => *protocol == 0 && *ifindex == 0,
        Endpoint::Netlink { portid, .. } => portid.cast_signed() < 0,
        Endpoint::Vsock { port, .. } => *port > 1023,
        Endpoint::None
        | Endpoint::Inet { .. }
        | Endpoint::NetlinkPeer { .. }
        | Endpoint::Tipc { .. }
        | Endpoint::Xdp { .. } => {
            let (low, high) = facts.port_range;
            facts.local_port.is_some_and(|port| (i64::from(low)..=i64::from(high)).contains(&port))
        }
    }
}

//! Tree → INET_DIAG bytecode (include/uapi/linux/inet_diag.h), which the kernel runs on each socket of a dump.
//!
//! It only narrows: what the kernel cannot decide passes, also under a negation, and [`Filter::matches`] is asked
//! about every row that comes back. Made for IP sockets only.

use std::net::IpAddr;

use super::Filter;
use super::check::{Check, End, Literal, Number, Set, Tree, lower};
use super::program::{FAIL, PASS, Step, steps};
use crate::socket::Family;

/// Which instructions the kernel has and allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Able {
    /// Devices and exact ports: Linux 4.9 and 5.12. Without it exact ports are asked for in an older way.
    pub newer: bool,
    /// Marks: asking for one without CAP_NET_ADMIN is refused (EPERM).
    pub mark: bool,
    /// Cgroups: Linux 5.9, and refused (EINVAL) by a kernel without them.
    pub cgroup: bool,
}

impl Able {
    /// Everything.
    pub const ALL: Self = Self { newer: true, mark: true, cgroup: true };
    /// What every kernel allows everybody.
    pub const LEAST: Self = Self { newer: false, mark: false, cgroup: false };
}

/// What the compiler knows beside the filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    /// What the kernel can.
    pub able: Able,
    /// `ip_local_port_range`, as in [`super::Facts::port_range`]: what `autobound` means.
    pub port_range: (u16, u16),
}

impl Filter {
    /// The filter as the payload of `INET_DIAG_REQ_BYTECODE`, for a dump of IP sockets; `None` if it narrows
    /// nothing. Every IP socket that [`Filter::matches`] passes, this passes.
    #[must_use]
    pub fn bytecode(&self, target: &Target) -> Option<Vec<u8>> {
        let tree = narrow(&lower(self.expr()?, true), target)?;
        let (start, steps) = steps(&tree);
        if start == PASS {
            return None;
        }
        assemble(&steps)
    }
}

/// An instruction that asks something.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Code {
    PortAtLeast(End, u16),
    PortAtMost(End, u16),
    Port(End, u16),
    OldPort(End, u16),
    Prefix { end: End, addr: IpAddr, length: u8 },
    Device(u32),
    Mark { value: u32, mask: u32 },
    Cgroup(u64),
}

/// An instruction and the answer that passes.
type Wanted = (Code, bool);

/// What always passes, and what never does.
const fn constant(passes: bool) -> Tree<Wanted> {
    if passes { Tree::All(Vec::new()) } else { Tree::Any(Vec::new()) }
}

/// What of the tree the kernel can decide; `None` where it can decide nothing, which passes.
fn narrow(tree: &Tree<Literal>, target: &Target) -> Option<Tree<Wanted>> {
    match tree {
        Tree::All(parts) => {
            let parts: Vec<_> = parts.iter().filter_map(|part| narrow(part, target)).collect();
            if parts.is_empty() { None } else { Some(Tree::All(parts)) }
        }
        Tree::Any(parts) => {
            parts.iter().map(|part| narrow(part, target)).collect::<Option<_>>().map(Tree::Any)
        }
        Tree::Leaf(Literal { check, want }) => narrow_check(check, *want, target),
    }
}

fn narrow_check(check: &Check, want: bool, target: &Target) -> Option<Tree<Wanted>> {
    let Target { able, port_range } = *target;
    let leaf = |code| Tree::Leaf((code, want));
    match check {
        Check::Number(Number::Port(end), set) => Some(ports(*end, set, want, able)),
        Check::Number(Number::Dev, set) if able.newer => {
            let mut devices = Vec::new();
            for (low, high) in set.ranges() {
                if low != high {
                    return None;
                }
                devices.push(u32::try_from(low).map_or(constant(!want), |index| leaf(Code::Device(index))));
            }
            Some(one_of(devices, want))
        }
        Check::Inet4 { end, net, mask } => {
            let length = u8::try_from(mask.count_ones()).ok()?;
            Some(leaf(Code::Prefix { end: *end, addr: IpAddr::V4((*net).into()), length }))
        }
        Check::Inet6 { end, prefix } => {
            let length = u8::try_from(prefix.1.count_ones()).ok()?;
            Some(leaf(Code::Prefix { end: *end, addr: IpAddr::V6(prefix.0.into()), length }))
        }
        Check::Mark { value, mask } if able.mark => Some(leaf(Code::Mark { value: *value, mask: *mask })),
        Check::Cgroup(id) if able.cgroup => Some(leaf(Code::Cgroup(*id))),
        // Whether the port was bound by hand (INET_DIAG_BC_AUTO) is another question, and only the kernel's.
        Check::Autobound => {
            let range = Set::Range(i64::from(port_range.0), i64::from(port_range.1));
            Some(ports(End::Local, &range, want, able))
        }
        Check::Family(Family::Inet | Family::Inet6) => None,
        // Plainly false of an IP socket.
        Check::Family(_)
        | Check::Unix(..)
        | Check::Ethertype(..)
        | Check::NetlinkProtocol(..)
        | Check::Cid(..) => Some(constant(!want)),
        // States are a field of the request; the rest is not the kernel's to say.
        Check::Number(..)
        | Check::Device(_)
        | Check::Mark { .. }
        | Check::Cgroup(_)
        | Check::State(_)
        | Check::Ending(..)
        | Check::Pid(_)
        | Check::Comm(_)
        | Check::CgroupPart(..) => None,
    }
}

/// One of them, or none of them.
const fn one_of(parts: Vec<Tree<Wanted>>, want: bool) -> Tree<Wanted> {
    if want { Tree::Any(parts) } else { Tree::All(parts) }
}

/// Whether a port is in the set.
fn ports(end: End, set: &Set, want: bool, able: Able) -> Tree<Wanted> {
    const LAST: i64 = u16::MAX as i64;
    let leaf = |code| Tree::Leaf((code, want));
    let exact = |port| if able.newer { Code::Port(end, port) } else { Code::OldPort(end, port) };
    let range = |(low, high): (i64, i64)| {
        let (Ok(low), Ok(high)) = (u16::try_from(low.clamp(0, LAST)), u16::try_from(high.clamp(0, LAST)))
        else {
            return constant(!want);
        };
        match (low, high) {
            (0, u16::MAX) => constant(want),
            (low, high) if low == high => leaf(exact(low)),
            (0, high) => leaf(Code::PortAtMost(end, high)),
            (low, u16::MAX) => leaf(Code::PortAtLeast(end, low)),
            (low, high) => {
                let both = vec![leaf(Code::PortAtLeast(end, low)), leaf(Code::PortAtMost(end, high))];
                one_of(both, !want)
            }
        }
    };
    // No port is outside of 0 to 65535.
    one_of(set.ranges().filter(|&(low, high)| high >= 0 && low <= LAST).map(range).collect(), want)
}

// enum in include/uapi/linux/inet_diag.h
const JMP: u8 = 1;
const S_GE: u8 = 2;
const S_LE: u8 = 3;
const D_GE: u8 = 4;
const D_LE: u8 = 5;
const S_COND: u8 = 7;
const D_COND: u8 = 8;
const DEV_COND: u8 = 9;
const MARK_COND: u8 = 10;
const S_EQ: u8 = 11;
const D_EQ: u8 = 12;
const CGROUP_COND: u8 = 13;

const AF_UNSPEC: u8 = 0;
const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;

impl Code {
    /// Its number, and what follows the instruction's head.
    fn parts(self) -> (u8, Vec<u8>) {
        let side = |end, local, peer| match end {
            End::Local => local,
            End::Peer => peer,
        };
        // A port is the `no` of a second head (`struct inet_diag_bc_op`).
        let number = |port: u16| {
            let [a, b] = port.to_ne_bytes();
            vec![0, 0, a, b]
        };
        match self {
            Self::PortAtLeast(end, port) => (side(end, S_GE, D_GE), number(port)),
            Self::PortAtMost(end, port) => (side(end, S_LE, D_LE), number(port)),
            Self::Port(end, port) => (side(end, S_EQ, D_EQ), number(port)),
            Self::OldPort(end, port) => (side(end, S_COND, D_COND), host(AF_UNSPEC, 0, i32::from(port), &[])),
            Self::Prefix { end, addr, length } => {
                let payload = match addr {
                    IpAddr::V4(addr) => host(AF_INET, length, -1, &addr.octets()),
                    IpAddr::V6(addr) => host(AF_INET6, length, -1, &addr.octets()),
                };
                (side(end, S_COND, D_COND), payload)
            }
            Self::Device(index) => (DEV_COND, index.to_ne_bytes().to_vec()),
            Self::Mark { value, mask } => (MARK_COND, [value.to_ne_bytes(), mask.to_ne_bytes()].concat()),
            Self::Cgroup(id) => (CGROUP_COND, id.to_ne_bytes().to_vec()),
        }
    }
}

/// `struct inet_diag_hostcond` and the address; port -1 is any.
fn host(family: u8, length: u8, port: i32, addr: &[u8]) -> Vec<u8> {
    let mut bytes = vec![family, length, 0, 0];
    bytes.extend(port.to_ne_bytes());
    bytes.extend(addr);
    bytes
}

/// Length of `struct inet_diag_bc_op`: code, `yes`, `no`.
const HEAD: usize = 4;

/// Lays the steps out. On `yes` the kernel goes to the next instruction (its check of a program walks that way),
/// so going anywhere else takes a jump, which always takes its `no`. The end of the program passes; four bytes
/// beyond it fails. `None` if it is longer than the offsets reach.
fn assemble(steps: &[Step<Wanted>]) -> Option<Vec<u8>> {
    if steps.is_empty() {
        // Nothing passes: one jump to beyond the end.
        let mut program = Vec::new();
        push(&mut program, JMP, 8, &[])?;
        return Some(program);
    }
    // First the lengths, so that every place is known; then the instructions.
    let mut places = Vec::with_capacity(steps.len());
    let mut end = 0;
    let parts: Vec<_> = steps.iter().map(|step| step.leaf.0.parts()).collect();
    for (index, (step, (_, payload))) in steps.iter().zip(&parts).enumerate() {
        places.push(end);
        end += HEAD + payload.len() + if needs_jump(index, step, steps.len()) { HEAD } else { 0 };
    }
    let place = |target| match target {
        PASS => Some(end),
        FAIL => Some(end + HEAD),
        step => places.get(step as usize).copied(),
    };
    let mut program = Vec::with_capacity(end);
    for (index, (step, (code, payload))) in steps.iter().zip(&parts).enumerate() {
        let (yes, no) = answers(step);
        let here = program.len();
        push(&mut program, *code, place(no)?.checked_sub(here)?, payload)?;
        if needs_jump(index, step, steps.len()) {
            let here = program.len();
            push(&mut program, JMP, place(yes)?.checked_sub(here)?, &[])?;
        }
    }
    Some(program)
}

/// Where the instruction's own yes and no lead.
const fn answers(step: &Step<Wanted>) -> (u32, u32) {
    if step.leaf.1 { (step.yes, step.no) } else { (step.no, step.yes) }
}

/// Whether `yes` leads anywhere but to what comes next.
fn needs_jump(index: usize, step: &Step<Wanted>, count: usize) -> bool {
    let (yes, _) = answers(step);
    let next = if index + 1 == count { PASS } else { u32::try_from(index + 1).unwrap_or(FAIL) };
    yes != next
}

fn push(program: &mut Vec<u8>, code: u8, no: usize, payload: &[u8]) -> Option<()> {
    let yes = u8::try_from(HEAD + payload.len()).ok()?;
    program.extend([code, yes]);
    program.extend(u16::try_from(no).ok()?.to_ne_bytes());
    program.extend(payload);
    Some(())
}

//! A filter that was understood: asked about sockets, and about itself.

use std::fmt;
use std::ops::Range;

use super::Facts;
use super::check::{Check, End, Literal, Number, Tree, lower};
use super::program::{PASS, Step, Target, run, steps};
use super::states::holds;
use super::tree::{Expr, Field, Test};
use crate::socket::{Cookie, Family, State, StateSet};

/// A filter that was understood. The empty one passes everything.
#[derive(Debug, Clone)]
pub struct Filter {
    expr: Option<Expr>,
    start: Target,
    program: Vec<Step<Literal>>,
    narrow: Option<Family>,
    pub(super) mixed: bool,
    /// Where each test stood, in their order, if it was read from words.
    pub(super) spans: Vec<Span>,
}

/// Where the predicate and the value of a test stood: each the number of a word, and bytes within it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) name: (usize, Range<usize>),
    pub(super) value: (usize, Range<usize>),
}

/// Filters that mean the same are equal, wherever their words stood.
impl PartialEq for Filter {
    fn eq(&self, other: &Self) -> bool {
        self.expr == other.expr && self.mixed == other.mixed
    }
}

impl Default for Filter {
    fn default() -> Self {
        Self { expr: None, start: PASS, program: Vec::new(), narrow: None, mixed: false, spans: Vec::new() }
    }
}

/// What a filter looks at beyond addresses, ports and states, so that callers fetch it first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Needs {
    /// The processes that hold the socket.
    pub processes: bool,
    /// `tcp_info` (`rtt`, `retrans`).
    pub info: bool,
    /// When the socket was opened.
    pub age: bool,
    /// `SO_MARK`.
    pub mark: bool,
    /// Cgroup id.
    pub cgroup: bool,
    /// What that cgroup is.
    pub place: bool,
    /// `ip_local_port_range` (`autobound`).
    pub port_range: bool,
    /// The state is looked at: sockets of every state are wanted, not only of those that are shown by default.
    pub state: bool,
}

/// What every match has: keys for an index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct IndexKeys {
    /// Its local port is this one.
    pub local_port: Option<u16>,
    /// Its peer's port is this one.
    pub peer_port: Option<u16>,
    /// One of its ports is this one.
    pub either_port: Option<u16>,
    /// Its cookie.
    pub cookie: Option<Cookie>,
    /// Its inode.
    pub inode: Option<u32>,
    /// A process that holds it.
    pub pid: Option<u32>,
}

impl Filter {
    /// The filter that an expression is. Every match is of the family that [`Self::narrows_to`] says.
    #[must_use]
    pub fn from_expr(expr: Expr) -> Self {
        let narrow = expr.narrows_to();
        let (start, program) = steps(&lower(&expr, true));
        Self { expr: Some(expr), start, program, narrow, mixed: false, spans: Vec::new() }
    }

    /// What passes both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let mixed = self.mixed || other.mixed;
        let expr = match (self.expr, other.expr) {
            (None, None) => return Self::default(),
            (Some(one), None) | (None, Some(one)) => one,
            (Some(one), Some(two)) => one.and(two),
        };
        Self { mixed, ..Self::from_expr(expr) }
    }

    /// Whether the socket passes. Allocates nothing.
    #[must_use]
    pub fn matches(&self, facts: &Facts<'_>) -> bool {
        if !self.is_about(facts.family) {
            return false;
        }
        run(self.start, &self.program, |literal| literal.check.answer(facts) == Some(literal.want))
    }

    /// The filter that passes what this one is known not to pass. What turns on something unknown passes neither.
    #[must_use]
    pub fn opposite(&self) -> Self {
        match &self.expr {
            Some(expr) => Self { narrow: self.narrow, ..Self::from_expr(expr.clone().negate()) },
            None => Self::from_expr(Expr::Or(Vec::new())),
        }
    }

    /// Whether a socket of that family can pass: not if a prefix narrows the filter to another.
    #[must_use]
    pub fn is_about(&self, family: Family) -> bool {
        self.narrow.is_none_or(|narrow| narrow == family)
    }

    /// The expression, none if the filter is empty.
    #[must_use]
    pub const fn expr(&self) -> Option<&Expr> {
        self.expr.as_ref()
    }

    /// Whether it passes everything.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.expr.is_none()
    }

    /// Whether `and` (or two predicates side by side) and `or` stand beside each other without parentheses.
    #[must_use]
    pub const fn mixes_and_or(&self) -> bool {
        self.mixed
    }

    /// The only family that prefixes (`inet:`, `unix:` …) leave, if it is only one: see [`Expr::narrows_to`].
    #[must_use]
    pub const fn narrows_to(&self) -> Option<Family> {
        self.narrow
    }

    /// The states that a match can be in, as far as the expression says; every bit of a request otherwise.
    #[must_use]
    pub fn states(&self) -> StateSet {
        const EVERY: StateSet = StateSet::from_bits(u32::MAX);
        self.expr.as_ref().map_or(EVERY, |expr| states(&lower(expr, true)))
    }

    /// What it looks at.
    #[must_use]
    pub fn needs(&self) -> Needs {
        let mut needs = Needs::default();
        let Some(expr) = &self.expr else { return needs };
        expr.each_test(&mut |test| match test {
            Test::Number { field, .. } => match field {
                Field::Pid => needs.processes = true,
                Field::Rtt | Field::Retrans => needs.info = true,
                Field::Age => needs.age = true,
                Field::Dev
                | Field::Uid
                | Field::Netns
                | Field::Inode
                | Field::Cookie
                | Field::RecvQ
                | Field::SendQ => {}
            },
            Test::Comm(_) => needs.processes = true,
            Test::Mark { .. } => needs.mark = true,
            Test::Cgroup { .. } => needs.cgroup = true,
            Test::CgroupPart(..) => (needs.cgroup, needs.place) = (true, true),
            Test::Autobound => needs.port_range = true,
            Test::State(_) => needs.state = true,
            // Only an event reports an end, and it is no look-up.
            Test::Host { .. } | Test::Port { .. } | Test::Device { .. } | Test::Ending(..) => {}
        });
        needs
    }

    /// The processes that it asks for by number.
    #[must_use]
    pub fn pids(&self) -> Vec<u32> {
        fn gather(tree: &Tree<Literal>, pids: &mut Vec<u32>) {
            match tree {
                Tree::All(parts) | Tree::Any(parts) => parts.iter().for_each(|part| gather(part, pids)),
                Tree::Leaf(Literal { check: Check::Pid(set), want: true }) => {
                    let each = set.ranges().filter(|(low, high)| low == high);
                    pids.extend(each.filter_map(|(pid, _)| u32::try_from(pid).ok()));
                }
                Tree::Leaf(_) => {}
            }
        }
        let mut pids = Vec::new();
        if let Some(expr) = &self.expr {
            gather(&lower(expr, true), &mut pids);
        }
        pids
    }

    /// What [`matches`](Self::matches) may cost at most: 1 for a predicate, and 1 more for every four numbers or
    /// characters of a pattern that it compares with.
    #[must_use]
    pub fn cost(&self) -> usize {
        self.program.iter().map(|step| step.leaf.check.cost()).sum()
    }

    /// What every match has.
    #[must_use]
    pub fn keys(&self) -> IndexKeys {
        let Some(expr) = &self.expr else { return IndexKeys::default() };
        let tree = lower(expr, true);
        let number = |wanted| {
            move |check: &Check| {
                let Check::Number(number, set) = check else { return None };
                if *number == wanted { set.only() } else { None }
            }
        };
        let either =
            |check: &Check| if let Check::Number(Number::Port(_), set) = check { set.only() } else { None };
        let pid = |check: &Check| if let Check::Pid(set) = check { set.only() } else { None };
        let port = |value: Option<i64>| value.and_then(|value| u16::try_from(value).ok());
        IndexKeys {
            local_port: port(must(&tree, &number(Number::Port(End::Local)))),
            peer_port: port(must(&tree, &number(Number::Port(End::Peer)))),
            either_port: port(must(&tree, &either)),
            cookie: must(&tree, &number(Number::Cookie)).map(i64::cast_unsigned),
            inode: must(&tree, &number(Number::Inode)).and_then(|value| u32::try_from(value).ok()),
            pid: must(&tree, &pid).and_then(|value| u32::try_from(value).ok()),
        }
    }
}

/// The words of the filter; nothing for the empty one.
impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.expr.as_ref().map_or(Ok(()), |expr| expr.fmt(f))
    }
}

/// The number that every match must have.
fn must(tree: &Tree<Literal>, of: &impl Fn(&Check) -> Option<i64>) -> Option<i64> {
    match tree {
        Tree::All(parts) => parts.iter().find_map(|part| must(part, of)),
        Tree::Any(parts) => {
            let mut values = parts.iter().map(|part| must(part, of));
            let first = values.next()??;
            values.all(|value| value == Some(first)).then_some(first)
        }
        Tree::Leaf(Literal { check, want: true }) => of(check),
        Tree::Leaf(Literal { want: false, .. }) => None,
    }
}

fn states(tree: &Tree<Literal>) -> StateSet {
    let every = StateSet::from_bits(u32::MAX);
    match tree {
        Tree::All(parts) => parts.iter().map(states).fold(every, StateSet::intersection),
        Tree::Any(parts) => parts.iter().map(states).fold(StateSet::EMPTY, StateSet::union),
        Tree::Leaf(Literal { check: Check::State(set), want }) => (0..32)
            .filter(|&number| holds(*set, State::from_number(number)) == *want)
            .map(|number| StateSet::from_bits(1 << number))
            .fold(StateSet::EMPTY, StateSet::union),
        Tree::Leaf(_) => every,
    }
}

//! What is known where: the one place that says whether a filter can match what is asked for.
//!
//! A listing knows no ends, events know no queues, and only an agent knows ages. A filter that turns on what is not known
//! passes nothing, and an empty answer would look like a true one. So every command has its filter judged here: one that
//! can never match is an error, and of one that can match in part, the other part is pointed at.

mod cells;
mod table;

pub use cells::{Sort, Sorts};
pub use table::{is_long_name, long_name};

use cells::Cells;

use super::error::{ParseError, Problem};
use super::tree::{Expr, Test};
use super::{Filter, check};
use crate::socket::{Family, KindSet, NetnsId, StateSet};

/// Where an answer comes from, and what it is about.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ground {
    cells: Cells,
    source: Source,
}

/// Where an answer comes from.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Source {
    Listing(Listing),
    Events,
    History,
}

/// What a listing knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listing {
    /// Who opened a socket, and when: an agent does.
    pub openers: bool,
    /// Who holds it.
    pub holders: bool,
    /// `SO_MARK`, which the kernel reports to CAP_NET_ADMIN.
    pub marks: bool,
    /// The states that are listed.
    pub states: StateSet,
    /// The only network namespace that is listed, if it is one.
    pub netns: Option<NetnsId>,
}

impl Ground {
    /// A listing of these kinds of sockets.
    #[must_use]
    pub const fn listing(sorts: Sorts, listing: Listing) -> Self {
        Self { cells: Cells::listed(sorts), source: Source::Listing(listing) }
    }

    /// Events of these kinds, and of these kinds of sockets.
    #[must_use]
    pub fn events(kinds: KindSet, sorts: Sorts) -> Self {
        Self { cells: Cells::events(kinds, sorts).and(cells::reported()), source: Source::Events }
    }

    /// What of these kinds of sockets has ended.
    #[must_use]
    pub fn history(kinds: KindSet, sorts: Sorts) -> Self {
        Self { cells: Cells::events(kinds, sorts).and(cells::kept()), source: Source::History }
    }

    /// Whether there is nothing that could be asked about: no such event of no such socket.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }

    /// What the kinds of sockets that are asked for are called.
    #[must_use]
    pub fn sorts(&self) -> Vec<&'static str> {
        self.cells.sorts().names()
    }
}

/// Something that a listing shows or orders by, beside what a filter asks about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Thing {
    /// Who opened a socket, and when.
    Opener,
    /// `tcp_info`.
    TcpInfo,
    /// Who holds the other end.
    PeerProcess,
    /// Its cgroup, and what that is.
    Cgroup,
}

impl Ground {
    /// Why that is known of nothing that is asked for, if so.
    #[must_use]
    pub fn lacks(&self, thing: Thing, word: &str) -> Option<String> {
        let knows = |sorts| !self.cells.and(Cells::of(sorts)).is_empty();
        match (thing, self.source) {
            (Thing::Opener, Source::Listing(Listing { openers: false, .. })) => {
                Some(table::only_an_agent_knows(word))
            }
            (Thing::TcpInfo, _) if !knows(Sorts::TCP) => {
                Some(format!("{word:?} is known of TCP sockets only"))
            }
            (Thing::PeerProcess, _) if !knows(Sorts::UNIX) => {
                Some(format!("{word:?} is known of UNIX sockets only"))
            }
            (Thing::Cgroup, Source::Listing(_)) if !knows(Sorts::IP) => Some(table::no_cgroup(word, self)),
            (Thing::Opener | Thing::TcpInfo | Thing::PeerProcess | Thing::Cgroup, _) => None,
        }
    }
}

/// Which kinds of sockets have events of that kind.
#[must_use]
pub fn sorts_of(kind: KindSet) -> Vec<&'static str> {
    cells::reported().and(Cells::events(kind, Sorts::ALL)).sorts().names()
}

/// A part of a filter with what it can match: under an even number of negations `All` is `and`.
struct Part<'a> {
    cells: Cells,
    shape: Shape<'a>,
}

enum Shape<'a> {
    All(Vec<Part<'a>>),
    Any(Vec<Part<'a>>),
    /// A test, its number from left to right, and the answer that passes.
    Test(&'a Test, usize, bool),
}

/// A test that matches nothing, or nothing together with the rest.
struct Blame<'a> {
    test: &'a Test,
    number: usize,
    want: bool,
    /// It could match by itself.
    clashes: bool,
}

impl Filter {
    /// Whether it can match what is asked for. The parts of it that cannot although the rest can are returned, each to be
    /// said in one line.
    ///
    /// # Errors
    /// It can never match: the word because of which, and why.
    pub fn judge(&self, ground: &Ground) -> Result<Vec<ParseError>, ParseError> {
        let Some(expr) = self.expr() else { return Ok(Vec::new()) };
        let whole = weigh(expr, true, ground, &mut 0);
        let narrowed = whole.cells.and(of_family(self.narrows_to(), true)).and(ground.cells);
        if narrowed.is_empty() {
            return Err(self.explain(&whole.blame(ground), ground));
        }
        let mut found = Vec::new();
        whole.idle(narrowed, &mut found);
        Ok(found.iter().map(|blame| self.explain(blame, ground)).collect())
    }

    /// What is wrong, and where that stood.
    fn explain(&self, blame: &Blame<'_>, ground: &Ground) -> ParseError {
        let spans = self.spans.get(blame.number);
        let why = table::why(blame.test, blame.want, blame.clashes, ground);
        let place = spans.map(|spans| if why.of_value { &spans.value } else { &spans.name });
        let (word, span) = place.cloned().unwrap_or_default();
        ParseError { word, span, problem: Problem::Never(why.text) }
    }
}

/// All sockets of that family, or all others.
fn of_family(family: Option<Family>, want: bool) -> Cells {
    match family {
        None => Cells::ALL,
        Some(family) if want => Cells::of(Sorts::of_family(family)),
        Some(family) => Cells::of(Sorts::ALL.without(Sorts::of_family(family))),
    }
}

fn weigh<'a>(expr: &'a Expr, want: bool, ground: &Ground, next: &mut usize) -> Part<'a> {
    match expr {
        Expr::And(parts) => join(want, parts.iter().map(|part| weigh(part, want, ground, next)).collect()),
        Expr::Or(parts) => {
            // As the evaluator has it: see `check::lower`.
            let each = expr.narrows_to().is_none();
            let narrowed = parts.iter().map(|part| {
                let of_family = of_family(part.narrows_to().filter(|_| each), want);
                let part = weigh(part, want, ground, next);
                let cells = if want || of_family == Cells::ALL {
                    part.cells.and(of_family)
                } else {
                    part.cells.or(of_family)
                };
                Part { cells, ..part }
            });
            join(!want, narrowed.collect())
        }
        Expr::Not(inner) => weigh(inner, !want, ground, next),
        Expr::Test(test) => {
            let number = *next;
            *next += 1;
            let cells = table::possible(&check::lower_test(test, want), ground);
            Part { cells, shape: Shape::Test(test, number, want) }
        }
    }
}

fn join(all: bool, parts: Vec<Part<'_>>) -> Part<'_> {
    let cells = parts.iter().map(|part| part.cells);
    match all {
        true => Part { cells: cells.fold(Cells::ALL, Cells::and), shape: Shape::All(parts) },
        false => Part { cells: cells.fold(Cells::NONE, Cells::or), shape: Shape::Any(parts) },
    }
}

impl<'a> Part<'a> {
    /// Because of which test it matches nothing of what is asked for.
    fn blame(&self, ground: &Ground) -> Blame<'a> {
        self.blame_within(ground.cells)
    }

    fn blame_within(&self, within: Cells) -> Blame<'a> {
        match &self.shape {
            Shape::Test(test, number, want) => {
                Blame { test, number: *number, want: *want, clashes: !self.cells.and(within).is_empty() }
            }
            Shape::All(parts) => {
                if let Some(idle) = parts.iter().find(|part| part.cells.and(within).is_empty()) {
                    return idle.blame_within(within);
                }
                // Each by itself can match, and all of them together cannot.
                let mut left = within;
                let last = parts.iter().find(|part| {
                    left = left.and(part.cells);
                    left.is_empty()
                });
                self.of_part(last, within)
            }
            Shape::Any(parts) => self.of_part(parts.first(), within),
        }
    }

    fn of_part(&self, part: Option<&Part<'a>>, within: Cells) -> Blame<'a> {
        match part {
            Some(part) => part.blame_within(within),
            // The parser makes no list without parts; a prefix that leaves nothing is that of the last test.
            None => self.last(),
        }
    }

    fn last(&self) -> Blame<'a> {
        match &self.shape {
            Shape::Test(test, number, want) => Blame { test, number: *number, want: *want, clashes: true },
            Shape::All(parts) | Shape::Any(parts) => match parts.last() {
                Some(part) => part.last(),
                None => Blame { test: &Test::Autobound, number: usize::MAX, want: true, clashes: true },
            },
        }
    }

    /// The branches that match nothing although others do.
    fn idle(&self, within: Cells, found: &mut Vec<Blame<'a>>) {
        match &self.shape {
            Shape::Test(..) => {}
            Shape::All(parts) => parts.iter().for_each(|part| part.idle(within, found)),
            Shape::Any(parts) => {
                let is_idle = |part: &Part<'_>| part.cells.and(within).is_empty();
                // Of a host's several addresses it is enough that one is of the right family.
                let hosts = parts.iter().all(|part| matches!(part.shape, Shape::Test(Test::Host { .. }, ..)));
                for part in parts {
                    match is_idle(part) {
                        true if hosts => {}
                        true => found.push(part.blame_within(within)),
                        false => part.idle(within.and(part.cells), found),
                    }
                }
            }
        }
    }
}

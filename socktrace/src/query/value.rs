//! The values of predicates: numbers, lists, ranges, names.

use super::ending::{Answers, Ending};
use super::lex::Token;
use super::names::{DEVICE, Named};
use super::number::{c_number, cookie, duration, plain_number, size};
use super::tree::{CgroupPart, Compare, Expr, Field, Op, Test};
use super::words::{Predicate, Word};
use super::{Context, Names, ParseError, Problem, glob::Glob};
use crate::socket::StateSet;
use crate::socket::state_names::{named, public};

/// Reads values; remembers the family that a prefix chose, for what follows.
pub(super) struct Reader<'a> {
    pub(super) context: Context,
    pub(super) names: &'a dyn Names,
}

/// A part of a token: one value of a list.
#[derive(Debug, Clone, Copy)]
pub(super) struct Item<'a> {
    token: &'a Token,
    start: usize,
    pub(super) text: &'a str,
}

impl<'a> Item<'a> {
    pub(super) const fn new(token: &'a Token) -> Self {
        Self { token, start: 0, text: token.text.as_str() }
    }

    /// The rest of it after that many bytes.
    pub(super) fn skip(self, bytes: usize) -> Self {
        self.cut(bytes, self.text.len())
    }

    /// The bytes of it between two places.
    pub(super) fn cut(self, from: usize, to: usize) -> Self {
        let text = self.text.get(from..to).unwrap_or_default();
        Self { token: self.token, start: self.start + from, text }
    }

    pub(super) fn error(self, problem: Problem) -> ParseError {
        // What is missing inside a word is pointed at by its last character.
        let (start, end) = match self.text.len() {
            0 => (self.start.saturating_sub(1), self.start),
            length => (self.start, self.start + length),
        };
        ParseError { word: self.token.word, span: self.token.part(start..end), problem }
    }

    pub(super) fn no_number(self, kind: &'static str) -> ParseError {
        self.error(Problem::BadNumber { text: self.text.to_owned(), kind })
    }

    pub(super) fn unknown(self, kind: &'static str) -> ParseError {
        self.error(Problem::UnknownName { text: self.text.to_owned(), kind })
    }
}

impl Reader<'_> {
    /// The predicate with its value. There is at least one token.
    pub(super) fn read(&mut self, word: &Word, op: Op, tokens: &[Token]) -> Result<Expr, ParseError> {
        let Some(first) = tokens.first() else {
            // The grammar hands over no predicate without a value.
            return Err(ParseError { word: 0, span: 0..0, problem: Problem::ExpectedTest });
        };
        let whole = Item::new(first);
        let tests = match word.predicate {
            Predicate::Host(side) => {
                let mut hosts = Vec::new();
                for item in items(tokens, Commas::Inside)? {
                    hosts.extend(self.host(side, item)?);
                }
                return Ok(equal(op, hosts));
            }
            Predicate::Port(side) => return self.port(word, side, op, tokens),
            Predicate::Number(field) => {
                let read = |item| self.number(field, item);
                let compare = compare(op, &items(tokens, Commas::Anywhere)?, read)?;
                return Ok(Expr::Test(Test::Number { field, compare }));
            }
            Predicate::Device => return self.devices(op, &items(tokens, Commas::Anywhere)?),
            Predicate::Mark => vec![mark(whole)?],
            Predicate::Cgroup => {
                let path = whole.text;
                let id = self.names.cgroup(path).ok_or_else(|| whole.unknown("cgroup (v2)"))?;
                vec![Test::Cgroup { path: path.into(), id }]
            }
            Predicate::Comm => {
                items(tokens, Commas::Inside)?.iter().map(|item| Test::Comm(Glob::new(item.text))).collect()
            }
            Predicate::CgroupPart(place) => {
                let test = |item: &Item<'_>| Test::CgroupPart(place, place_pattern(place, item.text));
                items(tokens, Commas::Inside)?.iter().map(test).collect()
            }
            Predicate::State => vec![Test::State(states(&items(tokens, Commas::Anywhere)?)?)],
            Predicate::Ending(ending) => {
                vec![Test::Ending(ending, answers(ending, &items(tokens, Commas::Anywhere)?)?)]
            }
            Predicate::Autobound => vec![Test::Autobound],
        };
        Ok(equal(op, tests.into_iter().map(Expr::Test).collect()))
    }

    /// The number of a field that is no port.
    pub(super) fn number(&self, field: Field, item: Item<'_>) -> Result<i64, ParseError> {
        let text = item.text;
        let number = match field {
            Field::Dev => match self.device(item)? {
                Named::Index(index) => u64::from(index),
                // `devices` has asked before.
                Named::Elsewhere(_) => return Err(item.unknown(DEVICE)),
            },
            Field::Uid => match plain_number(text).or_else(|| self.names.user(text).map(u64::from)) {
                Some(uid) => uid,
                None => return Err(item.unknown("user")),
            },
            Field::Netns => match plain_number(text).or_else(|| self.names.netns(text).map(u64::from)) {
                Some(netns) => netns,
                None => return Err(item.unknown("network namespace")),
            },
            Field::Inode => plain_number(text).ok_or_else(|| item.no_number("inode: a number"))?,
            Field::Pid => plain_number(text).ok_or_else(|| item.no_number("process id: a number"))?,
            Field::Retrans => plain_number(text).ok_or_else(|| item.no_number("count: a number"))?,
            Field::Cookie => {
                // All of u64 is used; only equality is asked for, so the bits will do.
                let wanted = "cookie: 0x1a, sk:1a or 26";
                return cookie(text).map(u64::cast_signed).ok_or_else(|| item.no_number(wanted));
            }
            Field::RecvQ | Field::SendQ => {
                size(text).ok_or_else(|| item.no_number("number of bytes: 4096, 64k, 64Ki"))?
            }
            Field::Rtt | Field::Age => duration(text).ok_or_else(|| match plain_number(text) {
                Some(_) => item.error(Problem::NoUnit { text: text.to_owned() }),
                None => item.no_number("duration: 250us, 5ms, 10s, 5m, 2h, 1d"),
            })?,
        };
        let largest = match field {
            Field::Age | Field::Rtt | Field::Retrans | Field::RecvQ | Field::SendQ => i64::MAX.unsigned_abs(),
            Field::Dev | Field::Uid | Field::Netns | Field::Inode | Field::Cookie | Field::Pid => {
                u64::from(u32::MAX)
            }
        };
        match i64::try_from(number) {
            Ok(signed) if number <= largest => Ok(signed),
            _ => Err(item.no_number("number of 32 bits")),
        }
    }
}

/// Where a comma separates values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Commas {
    /// Only between braces.
    Inside,
    /// With and without braces.
    Anywhere,
}

/// The values of a list, or the one value.
pub(super) fn items(tokens: &[Token], commas: Commas) -> Result<Vec<Item<'_>>, ParseError> {
    let parts: Vec<Item<'_>> = tokens.iter().map(Item::new).collect();
    items_of(&parts, commas)
}

/// As [`items`], of tokens whose beginning was perhaps cut off.
pub(super) fn items_of<'a>(parts: &[Item<'a>], commas: Commas) -> Result<Vec<Item<'a>>, ParseError> {
    let Some(&first) = parts.first() else { return Ok(Vec::new()) };
    if !first.text.starts_with('{') {
        if commas == Commas::Inside || !first.text.contains(',') {
            return Ok(vec![first]);
        }
        return split(first)
            .map(|item| if item.text.is_empty() { Err(bad_list(item)) } else { Ok(item) })
            .collect();
    }
    // The grammar ended the list at its closing brace, unless a part was cut off before.
    let closed = parts.last().is_some_and(|last| last.text.ends_with('}'));
    if !closed {
        return Err(bad_list(first));
    }
    let mut found = Vec::new();
    for (index, &part) in parts.iter().enumerate() {
        let from = usize::from(index == 0);
        let to = part.text.len() - usize::from(index + 1 == parts.len());
        let pieces: Vec<_> = split(part.cut(from, to)).collect();
        let last = pieces.len() - 1;
        for (at, piece) in pieces.into_iter().enumerate() {
            // Only blanks may stand where a value is missing; a list in a list is none.
            if piece.text.starts_with('{') || piece.text.is_empty() && at != 0 && at != last {
                return Err(bad_list(piece));
            }
            found.extend(Some(piece).filter(|piece| !piece.text.is_empty()));
        }
    }
    if found.is_empty() { Err(bad_list(first)) } else { Ok(found) }
}

/// The pieces between commas; at least one.
fn split(item: Item<'_>) -> impl Iterator<Item = Item<'_>> {
    let mut start = 0;
    item.text.split(',').map(move |piece| {
        let from = start;
        start += piece.len() + 1;
        item.cut(from, from + piece.len())
    })
}

fn bad_list(item: Item<'_>) -> ParseError {
    item.error(Problem::BadList)
}

/// Numbers and ranges, and how they are compared.
pub(super) fn compare<'a>(
    op: Op,
    items: &[Item<'a>],
    read: impl Fn(Item<'a>) -> Result<i64, ParseError>,
) -> Result<Compare, ParseError> {
    let mut ranges = Vec::with_capacity(items.len());
    for &item in items {
        ranges.push(range(item, &read)?);
    }
    match (op, ranges.as_slice()) {
        (Op::Eq | Op::Ne, _) => Ok(Compare { op, ranges }),
        // Every number is at least and at most `*`; none is beyond.
        (Op::Le | Op::Ge, [Compare::EVERY]) => Ok(Compare { op: Op::Eq, ranges }),
        (Op::Lt | Op::Gt, [Compare::EVERY]) => Ok(Compare { op: Op::Ne, ranges }),
        (Op::Lt | Op::Le | Op::Gt | Op::Ge, [(low, high)]) if low == high => Ok(Compare { op, ranges }),
        (Op::Lt | Op::Le | Op::Gt | Op::Ge, _) => {
            // There is at least one item.
            let at = items.first().map_or(0, |item| item.token.word);
            let span = items.first().map_or(0..0, |item| item.token.span.clone());
            Err(ParseError { word: at, span, problem: Problem::OrderedList })
        }
    }
}

/// A number, or two with a `-` between them. A name may hold a `-`, so what is no pair of numbers is read whole.
fn range<'a>(
    item: Item<'a>,
    read: impl Fn(Item<'a>) -> Result<i64, ParseError>,
) -> Result<(i64, i64), ParseError> {
    // A port that is left out (`sport = :`) is any port.
    if item.text.is_empty() || item.text == "*" {
        return Ok(Compare::EVERY);
    }
    if let Some(dash) = item.text.find('-').filter(|&dash| dash > 0) {
        let (low, high) = (item.cut(0, dash), item.skip(dash + 1));
        let numbers = [low, high].iter().all(|item| item.text.starts_with(|c: char| c.is_ascii_digit()));
        if numbers && let (Ok(low), Ok(high)) = (read(low), read(high)) {
            return if low <= high { Ok((low, high)) } else { Err(item.error(Problem::EmptyRange)) };
        }
    }
    let value = read(item)?;
    Ok((value, value))
}

/// `value` or `value/mask`.
fn mark(item: Item<'_>) -> Result<Test, ParseError> {
    let number = |item: Item<'_>| {
        let number = c_number(item.text).and_then(|number| u32::try_from(number).ok());
        number.ok_or_else(|| item.no_number("mark: 16, 0x10, 0x10/0xff"))
    };
    let (value, mask) = match item.text.find('/') {
        Some(slash) => (number(item.cut(0, slash))?, number(item.skip(slash + 1))?),
        None => (number(item)?, u32::MAX),
    };
    Ok(Test::Mark { value, mask })
}

/// The types of units, as they end their names (man 5 systemd.unit).
const UNIT_TYPES: [&str; 11] = [
    ".service",
    ".socket",
    ".target",
    ".device",
    ".mount",
    ".automount",
    ".swap",
    ".timer",
    ".path",
    ".slice",
    ".scope",
];

/// A container may be named by the beginning of its id, as its engine prints it (twelve digits), and with the engine before
/// it, as Kubernetes prints it. A unit without a type is a service, unless it is a pattern, as for systemctl.
pub(super) fn place_pattern(place: CgroupPart, text: &str) -> Glob {
    match place {
        CgroupPart::Container => {
            let id = text.split_once("://").map_or(text, |(_, id)| id);
            let digits = id.bytes().all(|byte| byte.is_ascii_hexdigit());
            match digits && (12..64).contains(&id.len()) {
                true => Glob::new(&format!("{id}*")),
                false => Glob::new(id),
            }
        }
        CgroupPart::Unit => {
            let glob = Glob::new(text);
            let is_service = glob.is_literal() && !UNIT_TYPES.iter().any(|kind| text.ends_with(kind));
            if is_service { Glob::new(&format!("{text}.service")) } else { glob }
        }
        CgroupPart::Pod => Glob::new(text),
    }
}

/// One set of several states.
fn states(items: &[Item<'_>]) -> Result<StateSet, ParseError> {
    let mut set = StateSet::EMPTY;
    for item in items {
        let problem = Problem::BadState { text: item.text.to_owned() };
        set = set.union(named(item.text).ok_or_else(|| item.error(problem))?);
    }
    Ok(public(set))
}

/// One set of several answers.
fn answers(ending: Ending, items: &[Item<'_>]) -> Result<Answers, ParseError> {
    let mut all = Answers::default();
    for item in items {
        let known = if item.text == "*" { Some(Answers::ANY) } else { Answers::one(ending, item.text) };
        let problem = || Problem::BadAnswer { text: item.text.to_owned(), ending };
        all = all.union(known.ok_or_else(|| item.error(problem()))?);
    }
    Ok(all)
}

/// One of them, or none of them.
pub(super) fn equal(op: Op, mut exprs: Vec<Expr>) -> Expr {
    let expr = match (exprs.pop(), exprs.is_empty()) {
        (Some(only), true) => only,
        (last, _) => {
            exprs.extend(last);
            Expr::Or(exprs)
        }
    };
    if op == Op::Ne { expr.negate() } else { expr }
}

//! The words of the language: operators, predicates, and which of them can stand as a value.

use super::ending::Ending;
use super::error::Problem;
use super::tree::{CgroupPart, Field, Op, Side};

/// A joining word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Logic {
    And,
    Or,
    Not,
    Open,
    Close,
}

/// The joining words of ss.
pub(super) fn logic(text: &str) -> Option<Logic> {
    match text {
        "and" | "&" | "&&" => Some(Logic::And),
        "or" | "|" | "||" => Some(Logic::Or),
        "not" | "!" => Some(Logic::Not),
        "(" => Some(Logic::Open),
        ")" => Some(Logic::Close),
        _ => None,
    }
}

/// The operators of ss, every spelling.
pub(super) fn operator(text: &str) -> Option<Op> {
    match text {
        "=" | "==" | "eq" => Some(Op::Eq),
        "!=" | "ne" | "neq" => Some(Op::Ne),
        "<" | "lt" => Some(Op::Lt),
        "<=" | "le" | "leq" => Some(Op::Le),
        ">" | "gt" => Some(Op::Gt),
        ">=" | "ge" | "geq" => Some(Op::Ge),
        _ => None,
    }
}

/// Whether it compares.
#[must_use]
pub fn is_operator(word: &str) -> bool {
    operator(word).is_some()
}

/// The words that ask for something.
pub fn keywords() -> impl Iterator<Item = &'static str> {
    WORDS.iter().map(|word| word.name)
}

/// What a predicate word asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Predicate {
    Host(Side),
    Port(Side),
    Number(Field),
    Device,
    Mark,
    Cgroup,
    Comm,
    CgroupPart(CgroupPart),
    State,
    Ending(Ending),
    Autobound,
}

/// A predicate word.
#[derive(Debug, Clone, Copy)]
pub(super) struct Word {
    pub(super) name: &'static str,
    pub(super) predicate: Predicate,
    /// How its value looks.
    pub(super) example: &'static str,
    /// Whether it is a word of ss, and so no value unless quoted.
    pub(super) of_ss: bool,
}

const fn ss(name: &'static str, predicate: Predicate, example: &'static str) -> Word {
    Word { name, predicate, example, of_ss: true }
}

const fn ours(name: &'static str, predicate: Predicate, example: &'static str) -> Word {
    Word { name, predicate, example, of_ss: false }
}

/// Every predicate.
pub(super) const WORDS: [Word; 29] = [
    ss("src", Predicate::Host(Side::Local), "src 10.0.0.0/8, src [::1]:443"),
    ss("dst", Predicate::Host(Side::Peer), "dst 10.0.0.0/8, dst [::1]:443"),
    ours("host", Predicate::Host(Side::Either), "host 10.0.0.0/8, host [::1]:443"),
    ss("sport", Predicate::Port(Side::Local), "sport = 443, sport = 1000-2000, sport = {22,80}"),
    ss("dport", Predicate::Port(Side::Peer), "dport = 443, dport = 1000-2000, dport = {22,80}"),
    ours("port", Predicate::Port(Side::Either), "port = 443, port = 1000-2000, port = {22,80}"),
    ss("dev", Predicate::Device, "dev eth0, dev = if2, dev = 2"),
    ss("fwmark", Predicate::Mark, "fwmark 0x10, fwmark = 1/0xff"),
    ss("cgroup", Predicate::Cgroup, "cgroup /user.slice"),
    ss("autobound", Predicate::Autobound, "autobound"),
    ours("state", Predicate::State, "state established, state = {time-wait,close-wait}"),
    ours("pid", Predicate::Number(Field::Pid), "pid 4242"),
    ours("comm", Predicate::Comm, "comm nginx, comm = 'python3*'"),
    ours("unit", Predicate::CgroupPart(CgroupPart::Unit), "unit nginx.service, unit = 'getty@*'"),
    ours(
        "container",
        Predicate::CgroupPart(CgroupPart::Container),
        "container 4f2a8e5b0d1c, container = 4f2a*",
    ),
    ours("pod", Predicate::CgroupPart(CgroupPart::Pod), "pod 3c1b9a7e-5d42-4f6a-9e0b-1a2b3c4d5e6f"),
    ours("user", Predicate::Number(Field::Uid), "user www-data"),
    ours("uid", Predicate::Number(Field::Uid), "uid 0, uid >= 1000"),
    ours("netns", Predicate::Number(Field::Netns), "netns 4026531840, netns = blue"),
    ours("inode", Predicate::Number(Field::Inode), "inode 12345"),
    ours("cookie", Predicate::Number(Field::Cookie), "cookie 0x1a, cookie sk:1a, cookie 26"),
    ours("recvq", Predicate::Number(Field::RecvQ), "recvq > 0, recvq >= 64Ki"),
    ours("sendq", Predicate::Number(Field::SendQ), "sendq > 0, sendq >= 64Ki"),
    ours("rtt", Predicate::Number(Field::Rtt), "rtt > 5ms, rtt < 250us"),
    ours("retrans", Predicate::Number(Field::Retrans), "retrans > 0"),
    ours(
        Ending::ClosedFirst.name(),
        Predicate::Ending(Ending::ClosedFirst),
        "closed_first local, closed_first {peer,both}",
    ),
    ours(Ending::Reset.name(), Predicate::Ending(Ending::Reset), "reset peer, reset *"),
    ours(Ending::FailedBy.name(), Predicate::Ending(Ending::FailedBy), "failed_by network"),
    ours("age", Predicate::Number(Field::Age), "age > 10s, age < 5m"),
];

/// The predicate of that name.
pub(super) fn predicate(text: &str) -> Option<&'static Word> {
    WORDS.iter().find(|word| word.name == text)
}

/// Whether an unquoted word cannot be a value. Only words of ss are reserved: what it reads as a host name
/// (`src port`) stays one.
pub(super) fn reserved(text: &str) -> bool {
    logic(text).is_some() || operator(text).is_some() || predicate(text).is_some_and(|word| word.of_ss)
}

/// What is wrong with a word that stands where a predicate must.
pub(super) fn no_predicate(text: &str) -> Problem {
    if reserved(text) {
        return Problem::ExpectedTest;
    }
    let start = text.trim_start_matches(['(', '!']);
    let name = start.split(['=', '!', '<', '>', '(', ')']).next().unwrap_or_default();
    if name.len() < text.len() && (predicate(name).is_some() || name.is_empty() || logic(name).is_some()) {
        return Problem::Glued { meant: spaced(text) };
    }
    Problem::UnknownTest { word: text.to_owned() }
}

/// The text with spaces around its operators and parentheses.
pub(super) fn spaced(text: &str) -> String {
    let mut words: Vec<String> = vec![String::new()];
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let operator = ["==", "!=", "<=", ">=", "=", "<", ">", "(", ")", "!"];
        match operator.into_iter().find(|operator| rest.starts_with(operator)) {
            Some(operator) => {
                words.extend([operator.to_owned(), String::new()]);
                rest = rest.get(operator.len()..).unwrap_or_default();
            }
            None => {
                words.last_mut().into_iter().for_each(|word| word.push(c));
                rest = rest.get(c.len_utf8()..).unwrap_or_default();
            }
        }
    }
    words.retain(|word| !word.is_empty());
    words.join(" ")
}

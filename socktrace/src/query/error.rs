//! What can be wrong with a filter, and where: the word is pointed at, and what was possible is said.

use std::fmt;
use std::ops::Range;

use super::ending::Ending;
use crate::api::suggest::suggestion;

/// A filter that cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseError {
    /// Index of the word; the number of words where something is missing at the end.
    pub word: usize,
    /// Which bytes of the word.
    pub span: Range<usize>,
    /// What is wrong with them.
    pub problem: Problem,
}

/// What is wrong, and what was possible.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// No predicate where one must stand.
    #[error("expected a filter keyword: {PREDICATES}")]
    ExpectedTest,
    /// A word that is no predicate.
    #[error("unknown filter keyword {word:?}{}", suggestion(.word, PREDICATES.split(", ")))]
    UnknownTest {
        /// The word.
        word: String,
    },
    /// Operators or parentheses that stick to a word.
    #[error("put spaces around operators and parentheses: did you mean `{meant}`?")]
    Glued {
        /// The words with spaces between them.
        meant: String,
    },
    /// A predicate without its value.
    #[error("`{field}` needs a value: {example}")]
    ExpectedValue {
        /// The predicate.
        field: &'static str,
        /// How one looks.
        example: &'static str,
    },
    /// An operator that the predicate does not know.
    #[error("`{field}` can only be compared with `=` and `!=`")]
    OnlyEquality {
        /// The predicate.
        field: &'static str,
    },
    /// An ordering operator before a list or a range.
    #[error("a list or a range can only be compared with `=` and `!=`")]
    OrderedList,
    /// An item of a list that is empty, or a list that never ends.
    #[error("write a list as {{22,80,443}} or 22,80,443")]
    BadList,
    /// A range whose end is before its start.
    #[error("the end of the range is before its start")]
    EmptyRange,
    /// A parenthesis that is never closed.
    #[error("this parenthesis is never closed")]
    Unclosed,
    /// A closing parenthesis too many.
    #[error("this parenthesis was never opened")]
    Unopened,
    /// Mixed operators whose reading is not clear.
    #[error("mixing `and` and `or`: add parentheses")]
    Mixed,
    /// More nesting than is followed.
    #[error("nested more than {MAX_DEPTH} deep")]
    TooDeep,
    /// A number whose unit is missing.
    #[error("{text:?} needs a unit: {text}ms, {text}s")]
    NoUnit {
        /// The number.
        text: String,
    },
    /// No number of that kind.
    #[error("{text:?} is not a valid {kind}")]
    BadNumber {
        /// What stood there.
        text: String,
        /// What was expected, with an example.
        kind: &'static str,
    },
    /// No address, and no host of that name.
    #[error(
        "{text:?} is not an address or a known host; write IPv6 addresses in brackets: [::1], [fe80::/10]:22"
    )]
    BadHost {
        /// What stood there.
        text: String,
    },
    /// An IPv6 address without its brackets, which reads as an address and a port.
    #[error("write IPv6 addresses in brackets: did you mean [{text}]?")]
    NoBrackets {
        /// The address.
        text: String,
    },
    /// The name of a UNIX socket without its prefix.
    #[error("names of UNIX sockets need a prefix: did you mean unix:{text}?")]
    NoPrefix {
        /// The name.
        text: String,
    },
    /// A prefix that is longer than an address.
    #[error("a prefix of {of} is a number from 0 to {bits}, or a netmask")]
    BadLength {
        /// `IPv4`, `IPv6`.
        of: &'static str,
        /// Bits of such an address.
        bits: u8,
    },
    /// An address of the family that is not asked for.
    #[error("{text:?} is an {of} address, but no {of} sockets are selected")]
    OtherFamily {
        /// The address.
        text: String,
        /// `IPv4`, `IPv6`.
        of: &'static str,
    },
    /// A bracket that is never closed.
    #[error("the bracket is never closed: [::1], [fe80::/10]:22")]
    UnclosedBracket,
    /// A quote that is never closed.
    #[error("this quote is never closed")]
    UnclosedQuote,
    /// No port, and no service of that name.
    #[error("{text:?} is not a port or a known service")]
    BadPort {
        /// What stood there.
        text: String,
    },
    /// A port that cannot exist.
    #[error("there is no port above 65535")]
    PortTooLarge,
    /// A service that has two ports.
    #[error("{text:?} is port {tcp} in TCP and {udp} in UDP: write the number")]
    AmbiguousPort {
        /// The service.
        text: String,
        /// Its TCP port.
        tcp: u16,
        /// Its UDP port.
        udp: u16,
    },
    /// A name that is not known.
    #[error("no {kind} is called {text:?}")]
    UnknownName {
        /// What stood there.
        text: String,
        /// What was looked for.
        kind: &'static str,
    },
    /// No side that could be the answer.
    #[error("{text:?} is not one of {}, or `*` for any of them", .ending.answers().join(", "))]
    BadAnswer {
        /// What stood there.
        text: String,
        /// What was asked.
        ending: Ending,
    },
    /// It is understood, and can match nothing of what is asked for.
    #[error("{0}")]
    Never(String),
    /// State words that take away what they add.
    #[error("these state words exclude every state")]
    NoState,
    /// No state.
    #[error("unknown state {text:?}{}", suggestion(.text, STATES))]
    BadState {
        /// What stood there.
        text: String,
    },
}

/// How deep parentheses, negations and changes between `and` and `or` may nest.
pub(super) const MAX_DEPTH: usize = 200;

const PREDICATES: &str = "src, dst, host, sport, dport, port, dev, fwmark, cgroup, autobound, state, pid, comm, \
                          unit, container, pod, user, uid, netns, inode, cookie, recvq, sendq, rtt, retrans, \
                          age, closed_first, reset, failed_by";

/// States and their groups.
const STATES: [&str; 17] = [
    "established",
    "syn-sent",
    "syn-recv",
    "fin-wait-1",
    "fin-wait-2",
    "time-wait",
    "closed",
    "close-wait",
    "last-ack",
    "listening",
    "closing",
    "bound-inactive",
    "all",
    "connected",
    "synchronized",
    "bucket",
    "big",
];

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.problem)
    }
}

impl std::error::Error for ParseError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.problem)
    }
}

impl ParseError {
    /// What is wrong, and beneath it the words and where: what a person is shown.
    #[must_use]
    pub fn explain(&self, words: &[String]) -> String {
        let is_never = matches!(self.problem, Problem::Never(_));
        let mut said =
            format!("{}: {self}", if is_never { "the filter can never match" } else { "bad filter" });
        for line in self.render(words).lines() {
            said.push_str("\n  ");
            said.push_str(line);
        }
        said
    }

    /// The words on one line, and a line of `^` beneath that points at the wrong one. Both lines end without a
    /// line feed. Control characters are shown as `?`, so that the lines are safe for a terminal.
    #[must_use]
    pub fn render(&self, words: &[String]) -> String {
        let mut line = String::new();
        let mut start = None;
        let mut end = 0;
        for (index, word) in words.iter().enumerate() {
            if index > 0 {
                line.push(' ');
            }
            let base = line.chars().count();
            if index == self.word {
                start = Some(base + columns(word, self.span.start));
                end = base + columns(word, self.span.end);
            }
            line.extend(word.chars().map(|c| if c.is_control() { '?' } else { c }));
        }
        let start = start.unwrap_or(if words.is_empty() { 0 } else { line.chars().count() + 1 });
        let carets = end.saturating_sub(start).max(1);
        format!("{line}\n{}{}", " ".repeat(start), "^".repeat(carets))
    }
}

/// How many characters stand before that byte.
fn columns(word: &str, byte: usize) -> usize {
    word.char_indices().take_while(|(at, _)| *at < byte).count()
}

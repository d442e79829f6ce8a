//! The names of states, and the state words that stand before the expression: `state X`, `exclude X`.

use super::{ParseError, Problem};
use crate::socket::{State, StateSet};

/// What the leading `state` and `exclude` words said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StateWords {
    /// Their result, `None` if there were none. As in ss it replaces what the options said, and an empty set
    /// means: the defaults of the tables.
    pub states: Option<StateSet>,
    /// How many words they took; the expression is what follows.
    pub taken: usize,
}

/// Reads the leading state words as ss does: the first `state` starts from nothing, a first `exclude` from every
/// state; each further one adds or takes away. Each keyword and each name is a word of its own.
///
/// # Errors
/// A name that is no state, or none at all.
pub fn parse_states(words: &[String]) -> Result<StateWords, ParseError> {
    let mut result = StateWords::default();
    while let Some(keyword) = words.get(result.taken) {
        let (empty, field) = match keyword.as_str() {
            "state" => (StateSet::EMPTY, "state"),
            "exclude" | "excl" => (StateSet::ALL, "exclude"),
            _ => break,
        };
        let at = result.taken + 1;
        let Some(name) = words.get(at) else {
            let problem = Problem::ExpectedValue { field, example: "state established, exclude time-wait" };
            return Err(ParseError { word: at, span: 0..0, problem });
        };
        let set = named(name).ok_or_else(|| ParseError {
            word: at,
            span: 0..name.len(),
            problem: Problem::BadState { text: name.clone() },
        })?;
        let before = result.states.unwrap_or(empty);
        let after = if field == "state" { before.union(set) } else { before.difference(set) };
        result = StateWords { states: Some(after), taken: at + 1 };
    }
    Ok(result)
}

/// Bit 0, where ss keeps what it has no name for.
const UNKNOWN: StateSet = StateSet::from_bits(1);

/// The names, ss's own first; upper and lower case are one. The last few are words that ss prints but does not
/// read.
const NAMES: [(&str, StateSet); 26] = [
    ("all", StateSet::ALL),
    ("connected", StateSet::CONNECTED),
    ("synchronized", StateSet::SYNCHRONIZED),
    ("bucket", StateSet::BUCKET),
    ("big", StateSet::BIG),
    ("established", StateSet::of(State::Established)),
    ("syn-sent", StateSet::of(State::SynSent)),
    ("syn-recv", StateSet::of(State::SynRecv)),
    ("syn-rcv", StateSet::of(State::SynRecv)),
    ("fin-wait-1", StateSet::of(State::FinWait1)),
    ("fin-wait-2", StateSet::of(State::FinWait2)),
    ("time-wait", StateSet::of(State::TimeWait)),
    ("closed", StateSet::of(State::Close)),
    ("close", StateSet::of(State::Close)),
    ("unconnected", StateSet::of(State::Close)),
    ("close-wait", StateSet::of(State::CloseWait)),
    ("last-ack", StateSet::of(State::LastAck)),
    ("listening", StateSet::of(State::Listen)),
    ("closing", StateSet::of(State::Closing)),
    ("bound-inactive", StateSet::of(State::BoundInactive)),
    ("unknown", UNKNOWN),
    ("estab", StateSet::of(State::Established)),
    ("listen", StateSet::of(State::Listen)),
    ("unconn", StateSet::of(State::Close)),
    ("fin-wait1", StateSet::of(State::FinWait1)),
    ("fin-wait2", StateSet::of(State::FinWait2)),
];

/// The states of a name or a group.
pub(super) fn named(name: &str) -> Option<StateSet> {
    NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|&(_, set)| set)
}

/// The set without the kernel's private number 12, which people know as SYN-RECV.
pub(super) const fn public(set: StateSet) -> StateSet {
    set.difference(StateSet::of(State::NewSynRecv))
}

/// The names of a [`public`] set, a group or every single state; [`named`] of them together is the set again.
pub(super) fn names_of(set: StateSet) -> Vec<&'static str> {
    if let Some((name, _)) = NAMES.iter().find(|(_, known)| public(*known) == set) {
        return vec![name];
    }
    let mut rest = set;
    let mut names = Vec::new();
    for (name, known) in NAMES {
        if known.len() == 1 && !rest.intersection(known).is_empty() {
            rest = rest.difference(known);
            names.push(name);
        }
    }
    names
}

/// Whether the state is in the set as people mean it: number 12 is SYN-RECV, and numbers without a name are
/// `unknown`.
pub(super) const fn holds(set: StateSet, state: State) -> bool {
    match state {
        State::NewSynRecv => set.contains(State::SynRecv),
        State::Other(_) => set.bits() & UNKNOWN.bits() != 0,
        State::Established
        | State::SynSent
        | State::SynRecv
        | State::FinWait1
        | State::FinWait2
        | State::TimeWait
        | State::Close
        | State::CloseWait
        | State::LastAck
        | State::Listen
        | State::Closing
        | State::BoundInactive => set.contains(state),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(states: &[State]) -> StateSet {
        states.iter().fold(StateSet::EMPTY, |set, &state| set.union(StateSet::of(state)))
    }

    fn check(words: &[&str], expected: Option<StateSet>, taken: usize) {
        let words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
        assert_eq!(parse_states(&words), Ok(StateWords { states: expected, taken }), "{words:?}");
    }

    #[test]
    fn states_add_and_exclusions_take_away() {
        use State::{Established, Listen, SynSent, TimeWait};
        check(&[], None, 0);
        check(&["sport", "=", "22"], None, 0);
        check(&["state", "established"], Some(set(&[Established])), 2);
        check(&["state", "ESTABLISHED", "state", "syn-sent"], Some(set(&[Established, SynSent])), 4);
        check(&["exclude", "listening", "dst", "x"], Some(StateSet::ALL.difference(set(&[Listen]))), 2);
        check(&["excl", "bucket", "state", "time-wait"], Some(StateSet::BIG.union(set(&[TimeWait]))), 4);
        check(&["state", "established", "exclude", "established"], Some(StateSet::EMPTY), 4);
        check(
            &["state", "all", "exclude", "connected"],
            Some(StateSet::ALL.difference(StateSet::CONNECTED)),
            4,
        );
    }

    #[test]
    fn a_wrong_or_missing_name_is_pointed_at() {
        let words = ["state".to_owned(), "open".to_owned()];
        let error = parse_states(&words).unwrap_err();
        assert_eq!(error.render(&words), "state open\n      ^^^^");
        let error = parse_states(&words[..1]).unwrap_err();
        assert_eq!(error.render(&words[..1]), "state\n      ^");
    }

    #[test]
    fn every_set_has_names_that_give_it_back() {
        for bits in 0..1 << 14 {
            let set = public(StateSet::from_bits(bits));
            let names = names_of(set);
            let back = names.iter().filter_map(|name| named(name)).fold(StateSet::EMPTY, StateSet::union);
            assert_eq!(public(back), set, "{names:?}");
        }
    }
}

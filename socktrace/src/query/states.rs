//! The state words that stand before the expression: `state X`, `exclude X`.

use super::lex::{Token, lex};
use super::words::{Logic, logic, operator};
use super::{ParseError, Problem};
use crate::socket::state_names::{UNKNOWN, named};
use crate::socket::{State, StateSet};

/// What the leading `state` and `exclude` words said.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StateWords {
    /// Their result, `None` if there were none. As in ss it replaces what the options said, and an empty set
    /// means: the defaults of the tables.
    pub states: Option<StateSet>,
    /// What follows them: the expression, without an `and` that joined it.
    pub rest: Vec<String>,
}

/// Reads the leading state words as ss does: the first `state` starts from nothing, a first `exclude` from every
/// state; each further one adds or takes away. It makes no difference whether they came as words of their own or
/// together in one.
///
/// # Errors
/// A name that is no state, or none at all.
pub fn parse_states(words: &[String]) -> Result<StateWords, ParseError> {
    let tokens = lex(words)?;
    let run = leading(&tokens, words.len())?;
    let next = tokens.get(run.taken);
    let rest = match next.map(|token| (token, logic(&token.text))) {
        // One of several: part of the expression.
        Some((_, Some(Logic::Or))) => return Ok(StateWords { states: None, rest: words.to_vec() }),
        _ if run.taken == 0 => words.to_vec(),
        None => Vec::new(),
        Some((token, Some(Logic::And))) => match tokens.get(run.taken + 1) {
            Some(after) => from(words, after),
            // What is missing is complained about there.
            None => from(words, token),
        },
        Some((token, Some(Logic::Not | Logic::Open | Logic::Close) | None)) => from(words, token),
    };
    Ok(StateWords { states: run.states, rest })
}

/// The state words at the beginning of an expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Run {
    /// What they say together, `None` if there were none.
    pub(super) states: Option<StateSet>,
    /// How many tokens they are.
    pub(super) taken: usize,
}

/// Reads them. What begins with `state` and is a comparison or a list is a predicate, and no state word.
pub(super) fn leading(tokens: &[Token], words: usize) -> Result<Run, ParseError> {
    let mut run = Run::default();
    while let Some(keyword) = tokens.get(run.taken).filter(|token| !token.quoted) {
        let (empty, field) = match keyword.text.as_str() {
            "state" => (StateSet::EMPTY, "state"),
            "exclude" | "excl" => (StateSet::ALL, "exclude"),
            _ => break,
        };
        let Some(name) = tokens.get(run.taken + 1) else {
            let problem = Problem::ExpectedValue { field, example: "state established, exclude time-wait" };
            return Err(ParseError { word: words, span: 0..0, problem });
        };
        if field == "state" && (operator(&name.text).is_some() || name.text.contains(['{', ','])) {
            break;
        }
        let set = named(&name.text).ok_or_else(|| ParseError {
            word: name.word,
            span: name.span.clone(),
            problem: Problem::BadState { text: name.text.clone() },
        })?;
        let before = run.states.unwrap_or(empty);
        let after = if field == "state" { before.union(set) } else { before.difference(set) };
        run = Run { states: Some(after), taken: run.taken + 2 };
    }
    Ok(run)
}

/// The words from that token on.
fn from(words: &[String], token: &Token) -> Vec<String> {
    let first = words.get(token.word).and_then(|word| word.get(token.span.start..)).unwrap_or_default();
    let others = words.get(token.word + 1..).unwrap_or_default();
    std::iter::once(first.to_owned()).chain(others.iter().cloned()).collect()
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

    fn check(words: &[&str], expected: Option<StateSet>, rest: &[&str]) {
        let words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
        let rest = rest.iter().map(|&word| word.to_owned()).collect();
        assert_eq!(parse_states(&words), Ok(StateWords { states: expected, rest }), "{words:?}");
    }

    #[test]
    fn states_add_and_exclusions_take_away() {
        use State::{Established, Listen, SynSent, TimeWait};
        check(&[], None, &[]);
        check(&["sport", "=", "22"], None, &["sport", "=", "22"]);
        check(&["state", "established"], Some(set(&[Established])), &[]);
        check(&["state", "ESTABLISHED", "state", "syn-sent"], Some(set(&[Established, SynSent])), &[]);
        check(
            &["exclude", "listening", "dst", "x"],
            Some(StateSet::ALL.difference(set(&[Listen]))),
            &["dst", "x"],
        );
        check(&["excl", "bucket", "state", "time-wait"], Some(StateSet::BIG.union(set(&[TimeWait]))), &[]);
        check(&["state", "established", "exclude", "established"], Some(StateSet::EMPTY), &[]);
        check(
            &["state", "all", "exclude", "connected"],
            Some(StateSet::ALL.difference(StateSet::CONNECTED)),
            &[],
        );
    }

    #[test]
    fn one_word_or_several_are_one() {
        let estab = Some(StateSet::of(State::Established));
        check(&["state established"], estab, &[]);
        check(&["state  established", "sport = 1"], estab, &["sport = 1"]);
        check(&["state established sport = 1"], estab, &["sport = 1"]);
        check(&["state established and sport = 1", "or x"], estab, &["sport = 1", "or x"]);
        check(&["state", "established", "&&", "sport = 1"], estab, &["sport = 1"]);
        check(&["state established and"], estab, &["and"]);
        check(&["state established )"], estab, &[")"]);
        // Predicates.
        for words in [
            &["state established or sport = 1"][..],
            &["state", "established", "||", "sport = 1"],
            &["state = established"],
            &["state != established"],
            &["state {established,listening}"],
            &["state established,listening"],
            &["not state established"],
            &["( state established )"],
        ] {
            check(words, None, words);
        }
    }

    #[test]
    fn a_wrong_or_missing_name_is_pointed_at() {
        let words = ["state".to_owned(), "open".to_owned()];
        let error = parse_states(&words).unwrap_err();
        assert_eq!(error.render(&words), "state open\n      ^^^^");
        let error = parse_states(&words[..1]).unwrap_err();
        assert_eq!(error.render(&words[..1]), "state\n      ^");
    }
}

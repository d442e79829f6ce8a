//! The state words that stand before the expression: `state X`, `exclude X`.

use super::ParseError;
use crate::socket::StateSet;

/// What the leading `state` and `exclude` words said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StateWords {
    /// Their result, `None` if there were none. As in ss it replaces what the options said, and an empty set
    /// means: the defaults of the tables.
    pub states: Option<StateSet>,
    /// How many words they took; the expression is what follows.
    pub taken: usize,
}

/// Reads the leading state words.
///
/// # Errors
/// A name that is no state, or none at all.
pub fn parse_states(_words: &[String]) -> Result<StateWords, ParseError> {
    Ok(StateWords::default())
}

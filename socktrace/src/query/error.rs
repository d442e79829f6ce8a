//! What can be wrong with a filter, and where: the word is pointed at.

use std::fmt;
use std::ops::Range;

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

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// Something was expected and something else came, or nothing.
    #[error("expected {expected}")]
    Expected {
        /// What was possible.
        expected: &'static str,
    },
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.problem)
    }
}

impl std::error::Error for ParseError {}

impl ParseError {
    /// The words on one line, and a line of `^` beneath that points at the wrong one.
    #[must_use]
    pub fn render(&self, words: &[String]) -> String {
        words.join(" ")
    }
}

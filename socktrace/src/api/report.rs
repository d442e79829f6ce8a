//! What is to be said beside a listing.

use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// What is to be said beside the answer.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Report {
    /// How many rows there are.
    pub rows: usize,
    /// Rows of which nobody knows who holds them although holders were asked for.
    pub unowned: usize,
    /// Sockets that are no rows because the filter asks who holds them, and nobody knows.
    pub undecided: usize,
    /// Processes that could not be looked into.
    pub denied: usize,
    /// Why there may be more of them, which cannot be seen at all: `hidepid`, `pid_namespace`, `no_procfs`, or
    /// `not_yours` where an agent shows a user what is theirs.
    pub hidden: Option<Cow<'static, str>>,
    /// Kinds of sockets that this kernel cannot list.
    pub missing: Vec<Cow<'static, str>>,
    /// The filter mixes `and` and `or` without parentheses.
    pub mixed: bool,
    /// What of the question matches nothing although the rest can, each to be said in one line.
    pub warnings: Vec<String>,
    /// What became of the sockets that were to be closed.
    #[serde(skip)]
    pub kill: Option<Outcome>,
}

/// What became of the sockets that were to be closed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Outcome {
    /// Nothing was closed, it was only asked what would be.
    pub dry_run: bool,
    /// Closed, or would be.
    pub closed: usize,
    /// Gone before we came.
    pub gone: usize,
    /// Left alone, because they carry this session.
    pub spared: usize,
    /// Not closed, because the kernel refused.
    pub refused: usize,
    /// Why, the first time.
    pub reason: Option<String>,
}

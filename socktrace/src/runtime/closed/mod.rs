//! Closed sockets: the meaning of a question about them, and its answer from memory and files.
//!
//! I/O: files, through `archive`.

pub mod answer;
mod kept;
#[cfg(test)]
mod tests;

use super::interest::{SelectionError, Told, interest, judge};
use crate::api::arrangement::Arrangement;
use crate::api::history::Question;
use crate::api::selection::Format;
use crate::engine::Interest;
use crate::listing::names::Directory;
use crate::socket::{KindSet, UnixNs, Viewer};

/// A question whose words have been given their meaning.
#[derive(Debug)]
pub struct Resolved {
    /// Which sockets, and who is to see them.
    pub interest: Interest,
    /// From when on they ended, if that was said.
    pub since: Option<UnixNs>,
    /// Until when, if that was said.
    pub until: Option<UnixNs>,
    /// From which record on, if that was said.
    pub after: Option<u64>,
    /// How they are written.
    pub format: Format,
    /// How they are arranged.
    pub arrangement: Arrangement,
    /// What of it matches nothing although the rest can.
    pub warnings: Vec<String>,
}

/// What is shown unless other kinds are asked for.
const ENDS: KindSet = KindSet::CLOSE.union(KindSet::CONNECT_FAILED);

impl Resolved {
    /// The meaning of a question. Names in its filter are looked up, which may take time.
    ///
    /// # Errors
    /// The first word that cannot be understood.
    pub fn new(question: Question, viewer: Viewer, names: &Directory) -> Result<Self, SelectionError> {
        let Question { selection, since, until, after, format, arrangement } = question;
        let mut interest = interest(&selection, viewer, names)?;
        if selection.kinds.is_empty() {
            interest.kinds = ENDS;
        }
        let warnings = judge(&selection, &interest, Told::Ended)?;
        Ok(Self { interest, since, until, after, format, arrangement, warnings })
    }
}

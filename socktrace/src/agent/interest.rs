//! What the words of a selection mean.

use super::selection::Selection;
use crate::engine::Interest;
use crate::listing::Places;
use crate::listing::names::Directory;
use crate::query::{Context, Dialect, ParseError, parse};
use crate::render::event_line::{Column, Columns};
use crate::socket::{Comm, Family, KindSet, Viewer};

/// A choice of events that makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SelectionError {
    /// A word that is none of those that are possible.
    #[error("{word}: expected {}", expected.join(", "))]
    Word {
        /// The word.
        word: String,
        /// What was possible.
        expected: Vec<&'static str>,
    },
    /// The filter cannot be understood.
    #[error("{}", error.explain(words))]
    Filter {
        /// The filter.
        words: Vec<String>,
        /// What is wrong with it.
        error: ParseError,
    },
}

/// Kinds of sockets that events tell of.
const PROTOS: [&str; 6] = ["tcp", "udp", "udplite", "raw", "icmp", "unix"];
/// Families of sockets that events tell of.
const FAMILIES: [Family; 3] = [Family::Inet, Family::Inet6, Family::Unix];

/// The meaning of a selection. Names in a filter are looked up, which may take time.
///
/// # Errors
/// The first word that cannot be understood.
pub fn interest(selection: &Selection) -> Result<Interest, SelectionError> {
    let mut kinds = match selection.kinds.is_empty() {
        true => KindSet::USUAL,
        // What is lost is shown, whatever was asked for.
        false => KindSet::LOST,
    };
    for word in &selection.kinds {
        let kind = KindSet::from_name(word).ok_or_else(|| SelectionError::Word {
            word: word.clone(),
            expected: KindSet::names().to_vec(),
        })?;
        kinds = kinds.union(kind);
    }
    if selection.states {
        kinds = kinds.union(KindSet::STATE);
    }
    for word in &selection.protos {
        if !PROTOS.contains(&word.as_str()) {
            return Err(SelectionError::Word { word: word.clone(), expected: PROTOS.to_vec() });
        }
    }
    let families = selection.families.iter().map(|word| family(word)).collect::<Result<_, _>>()?;
    let places = Places::default();
    let names = Directory::new(places.proc.clone(), &places.port_range());
    let filter = parse(&selection.filter, &Context::new(Dialect::Strict), &names)
        .map_err(|error| SelectionError::Filter { words: selection.filter.clone(), error })?;
    Ok(Interest {
        kinds,
        protos: selection.protos.clone(),
        families,
        pids: selection.pids.clone(),
        comms: selection.comms.iter().map(|name| Comm::from_bytes(name.as_bytes())).collect(),
        filter,
        viewer: Viewer::Own,
    })
}

/// The columns of these words; the usual ones if there is none.
///
/// # Errors
/// The first word that names no column.
pub fn columns(words: &[String]) -> Result<Columns, SelectionError> {
    if words.is_empty() {
        return Ok(Columns::default());
    }
    let column = |word: &String| {
        Column::from_word(word)
            .ok_or_else(|| SelectionError::Word { word: word.clone(), expected: Column::words() })
    };
    words.iter().map(column).collect()
}

fn family(word: &str) -> Result<Family, SelectionError> {
    FAMILIES.into_iter().find(|family| family.name() == word).ok_or_else(|| SelectionError::Word {
        word: word.to_owned(),
        expected: FAMILIES.map(Family::name).to_vec(),
    })
}

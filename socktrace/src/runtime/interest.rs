//! What the words of a selection mean.

use super::stop::Stop;
use crate::api::arrangement::NoColumn;
use crate::api::columns::{Column, Columns};
use crate::api::selection::Selection;
use crate::api::suggest::suggestion;
use crate::engine::Interest;
use crate::listing::Paths;
use crate::listing::names::Directory;
use crate::query::knowable::{self, Ground, Sort, Sorts};
use crate::query::{Context, Dialect, ParseError, Problem, parse};
use crate::socket::{Comm, Family, KindSet, Viewer};
use std::sync::Arc;

/// A choice of events that makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SelectionError {
    /// A word that is none of those that are possible.
    #[error("unknown {what} {word:?}{}", suggestion(.word, expected.iter().copied()))]
    Word {
        /// What it was to name.
        what: &'static str,
        /// The word.
        word: String,
        /// What was possible.
        expected: Vec<&'static str>,
    },
    /// A column that cannot be ordered or counted by.
    #[error(transparent)]
    Column(#[from] NoColumn),
    /// The filter cannot be understood.
    #[error("{}", error.explain(words))]
    Filter {
        /// The filter.
        words: Vec<String>,
        /// What is wrong with it.
        error: ParseError,
    },
    /// It is understood, and can never be true.
    #[error("{0}")]
    Never(String),
}

/// Kinds of sockets that events tell of.
const PROTOS: [&str; 6] = ["tcp", "udp", "udplite", "raw", "icmp", "unix"];
/// Families of sockets that events tell of.
const FAMILIES: [Family; 3] = [Family::Inet, Family::Inet6, Family::Unix];

/// The names that a filter may have. For an ordinary user no name service is asked, and no namespace but their own.
#[must_use]
pub fn names(viewer: Viewer, stop: &Stop) -> Directory {
    let (paths, stop) = (Paths::default(), stop.clone());
    let names = Directory::new(paths.proc.clone(), &paths.port_range());
    let names = names.until(Some(Arc::new(move || stop.is_asked()))).of_each(viewer.only_netns());
    if viewer.is_limited() { names.only_files() } else { names }
}

/// The meaning of a selection, for that viewer. Names in its filter are looked up, which may take time.
///
/// # Errors
/// The first word that cannot be understood.
pub fn interest(
    selection: &Selection,
    viewer: Viewer,
    names: &Directory,
) -> Result<Interest, SelectionError> {
    let mut kinds = match selection.kinds.is_empty() {
        true => KindSet::USUAL,
        // What is lost is shown, whatever was asked for.
        false => KindSet::LOST,
    };
    for word in &selection.kinds {
        let kind = KindSet::from_name(word).ok_or_else(|| SelectionError::Word {
            what: "kind of event",
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
            return Err(SelectionError::Word {
                what: "protocol",
                word: word.clone(),
                expected: PROTOS.to_vec(),
            });
        }
    }
    let families = selection.families.iter().map(|word| family(word)).collect::<Result<_, _>>()?;
    let filter = parse(&selection.filter, &Context::new(Dialect::Strict), names)
        .map_err(|error| SelectionError::Filter { words: selection.filter.clone(), error })?;
    Ok(Interest {
        kinds,
        protos: selection.protos.clone(),
        families,
        pids: selection.pids.clone(),
        comms: selection.comms.iter().map(|name| Comm::from_bytes(name.as_bytes())).collect(),
        filter,
        viewer,
    })
}

/// Puts the filter of an interest in its place, numbers instead of names, if names of hosts or users were looked up for
/// it: an agent looks up none for ordinary users.
pub fn resolve(selection: &mut Selection, interest: &Interest, names: &Directory) {
    if let Some(expr) = interest.filter.expr().filter(|_| names.has_asked()) {
        selection.filter = vec![expr.to_string()];
    }
}

/// What could be done about a filter in which names are not looked up.
#[must_use]
pub fn without_names(error: &ParseError) -> Option<&'static str> {
    let takes_names =
        matches!(error.problem, Problem::BadHost { .. } | Problem::UnknownName { kind: "user", .. });
    takes_names.then_some(
        "an agent asks no name service for ordinary users: write the address or the number (`socktrace` does)",
    )
}

/// Where sockets are told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// As it happens: events.
    Live,
    /// Once they have ended: history.
    Ended,
}

/// What of a choice matches nothing although the rest can, each to be said in one line.
///
/// # Errors
/// Nothing can match.
pub fn judge(selection: &Selection, interest: &Interest, told: Told) -> Result<Vec<String>, SelectionError> {
    let never = |text: String| Err(SelectionError::Never(text));
    if let Some(name) = selection.comms.iter().find(|name| knowable::is_long_name(name)) {
        return never(format!("comm {name}: {}", knowable::long_name(name)));
    }
    let kinds: Vec<_> = selection.kinds.iter().filter_map(|word| KindSet::from_name(word)).collect();
    if !kinds.is_empty() && !selection.states && !kinds.iter().any(|kind| kind.has_subject()) {
        // Losses pass every filter.
        return Ok(Vec::new());
    }
    let sorts = sorts(interest);
    let ground = |kinds| match told {
        Told::Live => Ground::events(kinds, sorts),
        Told::Ended => Ground::history(kinds, sorts),
    };
    let mut warnings = Vec::new();
    let all = ground(interest.kinds);
    let states = selection.states.then_some("state");
    for word in selection.kinds.iter().map(String::as_str).chain(states) {
        let Some(kind) = KindSet::from_name(word).filter(|kind| kind.has_subject()) else { continue };
        if ground(kind).is_empty() {
            let text = match told {
                Told::Live => {
                    format!("{word}: only {} sockets have such events", knowable::sorts_of(kind).join(", "))
                }
                Told::Ended => format!(
                    "{word}: history keeps close, connect_failed, and the bind and listen that failed"
                ),
            };
            if all.is_empty() {
                return never(text);
            }
            warnings.push(text);
        }
    }
    if all.is_empty() {
        return never("no socket is of these kinds and of these families".to_owned());
    }
    let idle = interest
        .filter
        .judge(&all)
        .map_err(|error| SelectionError::Filter { words: selection.filter.clone(), error })?;
    warnings.extend(idle.iter().map(|idle| format!("a part of the filter can never match: {idle}")));
    Ok(warnings)
}

/// The kinds of sockets that are wanted.
fn sorts(interest: &Interest) -> Sorts {
    let is_wanted = |sort: &Sort| {
        let words: &[&str] = match sort {
            Sort::Tcp4 | Sort::Tcp6 => &["tcp"],
            Sort::Mptcp4 | Sort::Mptcp6 => &["mptcp", "tcp"],
            Sort::Datagram4 | Sort::Datagram6 => &["udp", "udplite", "raw", "icmp"],
            Sort::OtherIp4 | Sort::OtherIp6 => &["sctp", "dccp"],
            Sort::Unix => &["unix"],
            Sort::Packet | Sort::Netlink | Sort::Vsock | Sort::Tipc | Sort::Xdp => &[],
        };
        (interest.protos.is_empty() || interest.protos.iter().any(|proto| words.contains(&proto.as_str())))
            && (interest.families.is_empty() || interest.families.contains(&sort.family()))
    };
    Sort::ALL.into_iter().filter(is_wanted).collect()
}

/// The columns of these words; the `usual` ones if there is none.
///
/// # Errors
/// The first word that names no column.
pub fn columns(words: &[String], usual: Columns) -> Result<Columns, SelectionError> {
    if words.is_empty() {
        return Ok(usual);
    }
    let column = |word: &String| {
        Column::from_word(word).ok_or_else(|| SelectionError::Word {
            what: "column",
            word: word.clone(),
            expected: Column::words(),
        })
    };
    words.iter().map(column).collect()
}

fn family(word: &str) -> Result<Family, SelectionError> {
    FAMILIES.into_iter().find(|family| family.name() == word).ok_or_else(|| SelectionError::Word {
        what: "family",
        word: word.to_owned(),
        expected: FAMILIES.map(Family::name).to_vec(),
    })
}

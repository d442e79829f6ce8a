//! What can be asked of history, and how that is written in a URL.

use super::arrange::Arrangement;
use crate::agent::interest::{SelectionError, Told, interest, judge};
use crate::agent::parameters::{BadParameter, parameters};
use crate::agent::selection::{Format, SELECTION, Selection};
use crate::engine::Interest;
use crate::history::UnixNs;
use crate::history::when::{self, WhenError};
use crate::listing::names::Directory;
use crate::render::event_line::Columns;
use crate::socket::Viewer;

/// A question as it is asked, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asking {
    /// Which sockets.
    pub selection: Selection,
    /// From when on they ended.
    pub since: Option<UnixNs>,
    /// Until when.
    pub until: Option<UnixNs>,
    /// How they are written.
    pub format: Format,
    /// How they are arranged.
    pub arrangement: Arrangement,
}

/// A question whose words have been given their meaning.
#[derive(Debug)]
pub struct Question {
    /// Which sockets, and who is to see them.
    pub interest: Interest,
    /// From when on they ended, if that was said.
    pub since: Option<UnixNs>,
    /// Until when, if that was said.
    pub until: Option<UnixNs>,
    /// How they are written.
    pub format: Format,
    /// How they are arranged.
    pub arrangement: Arrangement,
    /// What of it matches nothing although the rest can.
    pub warnings: Vec<String>,
}

impl Asking {
    /// As the query part of a URL, and the `Accept` header that goes with it. [`from_request`](Self::from_request)
    /// reads both back.
    #[must_use]
    pub fn to_query(&self) -> (String, &'static str) {
        let (look, accept) = self.format.to_query();
        let mut query = form_urlencoded::Serializer::new(self.selection.to_query());
        for (key, time) in [("since", self.since), ("until", self.until)] {
            query.extend_pairs(time.map(|time| (key, rfc3339(time))));
        }
        query.extend_pairs(self.arrangement.parameters());
        let mut query = query.finish();
        if !look.is_empty() {
            query.push('&');
            query.push_str(&look);
        }
        (query, accept)
    }

    /// From the `Accept` header and the query part of a URL. Times may be said as on the command line.
    ///
    /// # Errors
    /// A parameter that is unknown or has no such value.
    pub fn from_request(accept: &str, query: &str) -> Result<Self, BadParameter> {
        let (mut selection, mut arrangement) = (Selection::default(), Arrangement::default());
        let (mut since, mut until) = (None, None);
        for parameter in parameters(query)? {
            let time = |error| match error {
                WhenError::NoTime => parameter.bad("expected a time like 10m, 14:05 or 2026-11-22T14:05:00Z"),
                WhenError::Impossible => parameter.bad("there is no such time"),
            };
            match &*parameter.key {
                "since" => since = Some(parse_time(&parameter.value).map_err(time)?),
                "until" => until = Some(parse_time(&parameter.value).map_err(time)?),
                key => {
                    let takes = selection.takes(&parameter)? || arrangement.takes(&parameter)?;
                    if !takes && !Format::PARAMETERS.contains(&key) {
                        let arrangement = Arrangement::PARAMETERS.join(", ");
                        return Err(
                            parameter.bad(format!("expected since, until, {arrangement}, {SELECTION}"))
                        );
                    }
                }
            }
        }
        let format = Format::from_request(accept, query, Columns::of_ended())?;
        Ok(Self { selection, since, until, format, arrangement })
    }

    /// Its meaning. Names in a filter are looked up, which may take time.
    ///
    /// # Errors
    /// The first word that cannot be understood.
    pub fn meaning(self, viewer: Viewer, names: &Directory) -> Result<Question, SelectionError> {
        let Self { selection, since, until, format, arrangement } = self;
        let interest = interest(&selection, viewer, names)?;
        let warnings = judge(&selection, &interest, Told::Ended)?;
        Ok(Question { interest, since, until, format, arrangement, warnings })
    }
}

/// What is said of a time that has not come yet, since which nothing can have closed.
#[must_use]
pub fn ahead(at: UnixNs) -> String {
    format!("nothing has closed since {}: that is ahead of now", rfc3339(at))
}

/// The time that a word means, here and now.
///
/// # Errors
/// It is none.
pub fn parse_time(word: &str) -> Result<UnixNs, WhenError> {
    when::parse(word, jiff::Timestamp::now(), &jiff::tz::TimeZone::system())
}

fn rfc3339(at: UnixNs) -> String {
    jiff::Timestamp::from_nanosecond(at.into()).map_or_else(|_| String::new(), |time| time.to_string())
}

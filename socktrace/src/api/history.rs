//! `/v1/history`: closed sockets. What can be asked, how that is written in a URL, and what comes beside the answer.

use super::arrangement::Arrangement;
use super::parameters::{BadParameter, parameters};
use super::selection::{Format, SELECTION, Selection};
use crate::api::columns::Columns;
use crate::api::when::WhenError;
use crate::socket::UnixNs;
use serde::{Deserialize, Serialize};

/// A question as it is asked, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// Which sockets.
    pub selection: Selection,
    /// From when on they ended.
    pub since: Option<UnixNs>,
    /// Until when.
    pub until: Option<UnixNs>,
    /// Only what was recorded from this number on: [`Survey::next`] of an answer before. Text has no header then.
    pub after: Option<u64>,
    /// How they are written.
    pub format: Format,
    /// How they are arranged.
    pub arrangement: Arrangement,
}

/// What is to be known beside the sockets themselves. Times are nanoseconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Survey {
    /// When the oldest record was made; none if there is none.
    pub from: Option<UnixNs>,
    /// Records of the time asked for that the kernel's buffer had no room for: of any kind, not only of ends.
    pub lost: u64,
    /// Records of that time that were not written to the files, and are not in memory any more.
    pub unwritten: u64,
    /// Within that time, no agent looked between these two times. The last few.
    pub gaps: Vec<(UnixNs, UnixNs)>,
    /// What could not be read, for people. The first few.
    pub troubles: Vec<String>,
    /// The number that the next record gets: `after` of the question that goes on from here. 0 where no agent answers.
    #[serde(default)]
    pub next: u64,
    /// Records from `after` on that made room for others before they were asked for.
    #[serde(default)]
    pub evicted: u64,
}

impl Question {
    /// As the query part of a URL, and the `Accept` header that goes with it. [`from_request`](Self::from_request)
    /// reads both back.
    #[must_use]
    pub fn to_query(&self) -> (String, &'static str) {
        let (look, accept) = self.format.to_query();
        let mut query = form_urlencoded::Serializer::new(self.selection.to_query());
        for (key, time) in [("since", self.since), ("until", self.until)] {
            query.extend_pairs(time.map(|time| (key, rfc3339(time))));
        }
        query.extend_pairs(self.after.map(|after| ("after", after.to_string())));
        query.extend_pairs(self.arrangement.parameters());
        let mut query = query.finish();
        if !look.is_empty() {
            query.push('&');
            query.push_str(&look);
        }
        (query, accept)
    }

    /// From the `Accept` header and the query part of a URL. Times may be said as on the command line; `time` reads them.
    ///
    /// # Errors
    /// A parameter that is unknown or has no such value.
    pub fn from_request(
        accept: &str,
        query: &str,
        time: impl Fn(&str) -> Result<UnixNs, WhenError>,
    ) -> Result<Self, BadParameter> {
        let (mut selection, mut arrangement) = (Selection::default(), Arrangement::default());
        let (mut since, mut until, mut after) = (None, None, None);
        for parameter in parameters(query)? {
            let bad = |error| match error {
                WhenError::NoTime => parameter.bad("expected a time like 10m, 14:05 or 2026-11-22T14:05:00Z"),
                WhenError::Impossible => parameter.bad("there is no such time"),
            };
            match &*parameter.key {
                "since" => since = Some(time(&parameter.value).map_err(bad)?),
                "until" => until = Some(time(&parameter.value).map_err(bad)?),
                "after" => after = Some(parameter.number(0..=u64::MAX)?),
                key => {
                    let takes = selection.takes(&parameter)? || arrangement.takes(&parameter)?;
                    if !takes && !Format::PARAMETERS.contains(&key) {
                        let arrangement = Arrangement::PARAMETERS.join(", ");
                        return Err(parameter
                            .bad(format!("expected since, until, after, {arrangement}, {SELECTION}")));
                    }
                }
            }
        }
        let format = Format::from_request(accept, query, Columns::of_ended())?;
        Ok(Self { selection, since, until, after, format, arrangement })
    }
}

/// What is said of a time that has not come yet, since which nothing can have closed.
#[must_use]
pub fn ahead(at: UnixNs) -> String {
    format!("nothing has closed since {}: that is ahead of now", rfc3339(at))
}

fn rfc3339(at: UnixNs) -> String {
    jiff::Timestamp::from_nanosecond(at.into()).map_or_else(|_| String::new(), |time| time.to_string())
}

//! What a client of the event stream asks for, and how it is written in a URL.

use super::parameters::{BadParameter, MAX_UTC_OFFSET, Parameter, parameters};
use crate::api::columns::{Column, Columns};
use crate::api::screen::Screen;
use std::num::NonZeroU64;

/// Which events a client wants, in words. The words are checked where they are given a meaning.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Selection {
    /// Kinds by name; empty for all but `state`.
    pub kinds: Vec<String>,
    /// State changes too.
    pub states: bool,
    /// `tcp`, `udp`, `raw`, `unix`; empty for all.
    pub protos: Vec<String>,
    /// `inet`, `inet6`, `unix`; empty for all.
    pub families: Vec<String>,
    /// Only sockets of these processes; empty for all.
    pub pids: Vec<u32>,
    /// Only sockets of processes of these names; empty for all.
    pub comms: Vec<String>,
    /// The words of a filter expression.
    pub filter: Vec<String>,
    /// End after so many events; `lost` and `resync` are not counted.
    pub count: Option<NonZeroU64>,
}

/// How lines are to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// How wide the terminal is, columns; none for a file or a pipe, where there is room for all.
    pub width: Option<u16>,
    /// Whether to colour by kind.
    pub colour: bool,
    /// Ports are not given the names of services.
    pub numeric: bool,
    /// What is shown.
    pub columns: Columns,
}

/// How events are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One JSON object per line.
    Json,
    /// Lines for people, beneath a line of column names.
    Lines {
        /// Their look.
        style: Style,
        /// What the reader's time zone adds to UTC, seconds.
        utc_offset_s: i32,
    },
}

impl Selection {
    /// As the query part of a URL. [`from_query`](Self::from_query) reads it back.
    #[must_use]
    pub fn to_query(&self) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        for (key, words) in [
            ("kinds", &self.kinds),
            ("proto", &self.protos),
            ("family", &self.families),
            ("comm", &self.comms),
            ("filter", &self.filter),
        ] {
            query.extend_pairs(words.iter().map(|word| (key, word)));
        }
        query.extend_pairs(self.pids.iter().map(|pid| ("pid", pid.to_string())));
        query.extend_pairs(self.states.then_some(("states", "1")));
        query.extend_pairs(self.count.map(|count| ("count", count.to_string())));
        query.finish()
    }

    /// From the query part of a URL: every parameter may be repeated; `kinds`, `proto`, `family` and `pid` may
    /// also hold several values separated by commas. Parameters of [`Format`] are left to it.
    ///
    /// # Errors
    /// A parameter that is unknown, or whose value is no number where one is due, or too many of them.
    pub fn from_query(query: &str) -> Result<Self, BadParameter> {
        let mut selection = Self::default();
        for parameter in parameters(query)? {
            match &*parameter.key {
                "states" => selection.states = parameter.flag()?,
                "count" => selection.count = Some(parameter.parse("expected a positive number")?),
                key => {
                    if !selection.takes(&parameter)? && !Format::PARAMETERS.contains(&key) {
                        return Err(parameter.bad(format!("expected {SELECTION}, states, count")));
                    }
                }
            }
        }
        Ok(selection)
    }

    /// Takes a parameter that says which sockets; false if it is not about that.
    ///
    /// # Errors
    /// As for [`from_query`](Self::from_query).
    pub fn takes(&mut self, parameter: &Parameter<'_>) -> Result<bool, BadParameter> {
        let value = &*parameter.value;
        let values = || value.split(',').filter(|word| !word.is_empty()).map(str::to_owned);
        let one = || [value.to_owned()];
        match &*parameter.key {
            "kinds" => parameter.extend(&mut self.kinds, values())?,
            "proto" => parameter.extend(&mut self.protos, values())?,
            "family" => parameter.extend(&mut self.families, values())?,
            "comm" => parameter.extend(&mut self.comms, one())?,
            "filter" => self.filter.extend(one()),
            "pid" => {
                let pid = |pid: String| pid.parse().map_err(|_| parameter.bad("expected a process id"));
                parameter.extend(&mut self.pids, values().map(pid).collect::<Result<Vec<_>, _>>()?)?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// The parameters that [`Selection::takes`] takes.
pub const SELECTION: &str = "kinds, proto, family, pid, comm, filter";

impl Format {
    /// What the client of [`Selection::to_query`] adds to it, and the `Accept` header that goes with it.
    #[must_use]
    pub fn to_query(self) -> (String, &'static str) {
        match self {
            Self::Json => (String::new(), NDJSON),
            Self::Lines { style, utc_offset_s } => {
                let shown: Vec<_> = style.columns.iter().map(Column::word).collect();
                let mut query = form_urlencoded::Serializer::new(String::new());
                query.extend_pairs(style.width.map(|width| ("width", width.to_string())));
                for (key, flag) in [("colour", style.colour), ("numeric", style.numeric)] {
                    query.extend_pairs(flag.then_some((key, "1")));
                }
                query.append_pair("utc_offset", &utc_offset_s.to_string());
                query.append_pair("columns", &shown.join(","));
                (query.finish(), TEXT)
            }
        }
    }

    /// The parameters that are read here.
    pub const PARAMETERS: [&str; 5] = ["width", "colour", "numeric", "utc_offset", "columns"];

    /// From the `Accept` header and the query part of a URL: JSON unless text is asked for, and of text these columns
    /// unless others are.
    ///
    /// # Errors
    /// A parameter that is no number or out of bounds, or no column.
    pub fn from_request(accept: &str, query: &str, columns: Columns) -> Result<Self, BadParameter> {
        let mut style = Style { width: None, colour: false, numeric: false, columns };
        let mut utc_offset_s = 0;
        for parameter in parameters(query)? {
            match &*parameter.key {
                "width" => style.width = Some(parameter.number(1..=Screen::MAX)?),
                "colour" => style.colour = parameter.flag()?,
                "numeric" => style.numeric = parameter.flag()?,
                "utc_offset" => utc_offset_s = parameter.number(-MAX_UTC_OFFSET..=MAX_UTC_OFFSET)?,
                "columns" => {
                    let column = |word| {
                        Column::from_word(word)
                            .ok_or_else(|| parameter.unknown("column", word, Column::words()))
                    };
                    style.columns = parameter.value.split(',').map(column).collect::<Result<_, _>>()?;
                }
                _ => {}
            }
        }
        if !prefers_text(accept) {
            return Ok(Self::Json);
        }
        Ok(Self::Lines { style, utc_offset_s })
    }
}

/// Media type of one JSON object per line.
pub const NDJSON: &str = "application/x-ndjson";
/// Media type of text for people, as it is asked for.
pub const TEXT: &str = "text/plain";
/// The same as it is answered.
pub const TEXT_ANSWER: &str = "text/plain; charset=utf-8";

/// Whether text is the first thing that an `Accept` header names of what we have.
#[must_use]
pub fn prefers_text(accept: &str) -> bool {
    accept
        .split(',')
        .filter_map(|part| part.split(';').next())
        .map(str::trim)
        .find(|kind| matches!(*kind, TEXT | NDJSON | "application/json"))
        == Some(TEXT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn read_from_a_hand_written_url() {
        let selection = Selection::from_query(
            "kinds=connect,accept&kinds=close&states=1&proto=tcp&family=inet6&pid=1,2&comm=a%2Cb&filter=dport+%3D+%3A443&count=5&width=80",
        )
        .unwrap();
        let words = |words: &[&str]| words.iter().map(|&w| w.to_owned()).collect::<Vec<_>>();
        assert_eq!(
            selection,
            Selection {
                kinds: words(&["connect", "accept", "close"]),
                states: true,
                protos: words(&["tcp"]),
                families: words(&["inet6"]),
                pids: vec![1, 2],
                comms: words(&["a,b"]),
                filter: words(&["dport = :443"]),
                count: NonZeroU64::new(5),
            }
        );
        assert_eq!(Selection::from_query(""), Ok(Selection::default()));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (query, expected) in [
            ("pid=me", "pid=me: expected a process id"),
            ("count=0", "count=0: expected a positive number"),
            ("states=maybe", "states=maybe: expected 1 or 0"),
            ("kind=bind", "kind=bind: expected kinds, proto, family, pid, comm, filter, states, count"),
        ] {
            assert_eq!(Selection::from_query(query).unwrap_err().to_string(), expected);
        }
        for (query, expected) in [
            ("width=0", "width=0: expected a number, 1 to 10000"),
            ("width=18446744073709551615", "width=18446744073709551615: expected a number, 1 to 10000"),
            ("utc_offset=2147483647", "utc_offset=2147483647: expected a number, -93600 to 93600"),
            ("colour=red", "colour=red: expected 1 or 0"),
            ("columns=time,tiem", "columns=tiem: unknown column; did you mean `time`?"),
        ] {
            // Whatever the answer will be.
            for accept in [TEXT, NDJSON, ""] {
                assert_eq!(
                    Format::from_request(accept, query, Columns::default()).unwrap_err().to_string(),
                    expected
                );
            }
        }
    }

    #[test]
    fn accept_headers() {
        for (accept, text) in [
            ("*/*", false),
            ("", false),
            ("text/plain", true),
            ("text/html, text/plain;q=0.5, application/json", true),
            ("application/json, text/plain", false),
            ("application/x-ndjson", false),
        ] {
            assert_eq!(prefers_text(accept), text, "{accept}");
        }
    }

    fn words(pattern: &'static str) -> impl Strategy<Value = Vec<String>> {
        proptest::collection::vec(pattern, 0..4)
    }

    proptest! {
        #[test]
        fn a_selection_survives_its_url(
            kinds in words("[a-z_]{1,9}"), protos in words("[a-z]{1,4}"), families in words("[a-z0-9]{1,5}"),
            comms in words("\\PC{0,15}"), filter in words("\\PC{0,20}"), pids: Vec<u32>, states: bool, count: u64,
        ) {
            let count = NonZeroU64::new(count);
            let selection = Selection { kinds, states, protos, families, pids, comms, filter, count };
            prop_assert_eq!(Selection::from_query(&selection.to_query()), Ok(selection));
        }

        #[test]
        fn a_format_survives_its_request(
            width in proptest::option::of(1..=Screen::MAX), colour: bool, numeric: bool,
            utc_offset_s in -MAX_UTC_OFFSET..=MAX_UTC_OFFSET,
        ) {
            let columns = if colour { Columns::default() } else { [Column::Unit, Column::Time].into_iter().collect() };
            let style = Style { width, colour, numeric, columns };
            for format in [Format::Json, Format::Lines { style, utc_offset_s }] {
                let (query, accept) = format.to_query();
                prop_assert_eq!(Format::from_request(accept, &query, Columns::of_ended()), Ok(format));
            }
        }
    }
}

//! The parameters of a request as they come in: how long they may be, how many, and numbers that are in bounds.
//!
//! Everything that a client writes passes here first, so no size that it names is ever believed. Pure.

use crate::api::suggest::suggestion;
use std::borrow::Cow;
use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

/// The longest query part of a URL, bytes.
pub const MAX_QUERY: usize = 32 << 10;
/// The most parameters of one request.
pub const MAX_PARAMETERS: usize = 1024;
/// The most values of a list: processes, names, kinds.
pub const MAX_LIST: usize = 256;
/// The furthest that local time is from UTC, seconds.
pub const MAX_UTC_OFFSET: i32 = 26 * 3600;

/// Characters of a bad value that an error shows.
const SHOWN: usize = 64;

/// One parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter<'a> {
    /// Its name.
    pub key: Cow<'a, str>,
    /// Its value.
    pub value: Cow<'a, str>,
}

/// Parameters that cannot be understood, or are too many.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadParameter {
    /// The value is none of those that are possible.
    #[error("{}={}: {expected}", Shown(.key), Shown(.value))]
    Value {
        /// The parameter's name.
        key: String,
        /// What it was given.
        value: String,
        /// What was possible.
        expected: String,
    },
    /// It does not go with another.
    #[error("{key}: {why}")]
    Clash {
        /// The parameter's name.
        key: &'static str,
        /// What is the matter.
        why: &'static str,
    },
    /// All of them together are too long.
    #[error("the query has {0} bytes; at most {MAX_QUERY} are possible")]
    TooLong(usize),
    /// There are too many.
    #[error("the query has {0} parameters; at most {MAX_PARAMETERS} are possible")]
    TooMany(usize),
}

/// The parameters of the query part of a URL, in their order.
///
/// # Errors
/// They are too long, or too many.
pub fn parameters(query: &str) -> Result<impl Iterator<Item = Parameter<'_>>, BadParameter> {
    if query.len() > MAX_QUERY {
        return Err(BadParameter::TooLong(query.len()));
    }
    let count = query.split('&').count();
    if count > MAX_PARAMETERS {
        return Err(BadParameter::TooMany(count));
    }
    Ok(form_urlencoded::parse(query.as_bytes()).map(|(key, value)| Parameter { key, value }))
}

impl Parameter<'_> {
    /// Its value is wrong, or there is no such parameter: what was possible.
    #[must_use]
    pub fn bad(&self, expected: impl Into<String>) -> BadParameter {
        self.bad_value(&self.value, expected)
    }

    /// A part of its value is wrong.
    #[must_use]
    pub fn bad_value(&self, value: &str, expected: impl Into<String>) -> BadParameter {
        BadParameter::Value { key: self.key.to_string(), value: value.to_owned(), expected: expected.into() }
    }

    /// A word of its value is not known: what was probably meant, or what is possible.
    #[must_use]
    pub fn unknown<'w>(
        &self,
        what: &str,
        word: &str,
        possible: impl IntoIterator<Item = &'w str> + Clone,
    ) -> BadParameter {
        self.bad_value(word, format!("unknown {what}{}", suggestion(word.trim_start_matches('-'), possible)))
    }

    /// The value as whatever that type is, or what was possible.
    ///
    /// # Errors
    /// It is none.
    pub fn parse<T: FromStr>(&self, expected: &str) -> Result<T, BadParameter> {
        self.value.parse().map_err(|_| self.bad(expected))
    }

    /// The value as a number within bounds.
    ///
    /// # Errors
    /// It is none, or out of bounds.
    pub fn number<T>(&self, bounds: RangeInclusive<T>) -> Result<T, BadParameter>
    where
        T: FromStr + PartialOrd + fmt::Display,
    {
        let number = self.value.parse().ok().filter(|number| bounds.contains(number));
        number.ok_or_else(|| self.bad(format!("expected a number, {} to {}", bounds.start(), bounds.end())))
    }

    /// Yes or no.
    ///
    /// # Errors
    /// Neither.
    pub fn flag(&self) -> Result<bool, BadParameter> {
        match &*self.value {
            "1" | "true" | "" => Ok(true),
            "0" | "false" => Ok(false),
            _ => Err(self.bad("expected 1 or 0")),
        }
    }

    /// Adds more values to a list.
    ///
    /// # Errors
    /// They are too many then.
    pub fn extend<T>(
        &self,
        list: &mut Vec<T>,
        more: impl IntoIterator<Item = T>,
    ) -> Result<(), BadParameter> {
        let mut more = more.into_iter();
        list.extend(more.by_ref().take(MAX_LIST.saturating_sub(list.len())));
        match more.next() {
            None => Ok(()),
            Some(_) => Err(self.bad(format!("expected at most {MAX_LIST} of them"))),
        }
    }
}

/// A word of a client in an error: not more of it than helps, and nothing that a terminal would obey.
struct Shown<'a>(&'a str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut chars = self.0.chars();
        let start = chars.by_ref().take(SHOWN).map(|c| if c.is_control() { '?' } else { c });
        start.collect::<String>().fmt(f)?;
        f.write_str(if chars.next().is_some() { "…" } else { "" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn only(query: &str) -> Parameter<'_> {
        parameters(query).unwrap().next().unwrap()
    }

    #[test]
    fn numbers_are_within_their_bounds() {
        for (query, expected) in [
            ("n=1", Ok(1)),
            ("n=10", Ok(10)),
            ("n=11", Err("n=11: expected a number, 1 to 10")),
            ("n=0", Err("n=0: expected a number, 1 to 10")),
            ("n=18446744073709551616", Err("n=18446744073709551616: expected a number, 1 to 10")),
            ("n=-1", Err("n=-1: expected a number, 1 to 10")),
            ("n=", Err("n=: expected a number, 1 to 10")),
            ("n", Err("n=: expected a number, 1 to 10")),
        ] {
            let number = only(query).number(1u64..=10).map_err(|error| error.to_string());
            assert_eq!(number, expected.map_err(str::to_owned), "{query}");
        }
    }

    #[test]
    fn there_are_so_many_and_no_more() {
        let many = |count| "a&".repeat(count - 1) + "a";
        // An empty part is no parameter, and counts: it takes time too.
        assert_eq!(parameters(&many(MAX_PARAMETERS)).unwrap().count(), MAX_PARAMETERS);
        for (query, expected) in [
            (many(MAX_PARAMETERS + 1), "the query has 1025 parameters; at most 1024 are possible"),
            ("x".repeat(MAX_QUERY + 1), "the query has 32769 bytes; at most 32768 are possible"),
        ] {
            assert_eq!(parameters(&query).err().unwrap().to_string(), expected);
        }
        let mut list = vec![0; MAX_LIST - 1];
        assert_eq!(only("pid=1,2").extend(&mut list, [1]), Ok(()));
        let error = only("pid=1,2").extend(&mut list, 0..).unwrap_err();
        assert_eq!(
            (list.len(), error.to_string()),
            (MAX_LIST, "pid=1,2: expected at most 256 of them".to_owned())
        );
    }

    #[test]
    fn an_error_shows_no_more_of_a_value_than_helps_and_nothing_that_a_terminal_obeys() {
        let long = format!("n={}", "9".repeat(1000));
        let error = only(&long).number(1u8..=2).unwrap_err().to_string();
        assert_eq!(error, format!("n={}…: expected a number, 1 to 2", "9".repeat(64)));
        let error = only("%1b[31m=%07").number(1u8..=2).unwrap_err().to_string();
        assert_eq!(error, "?[31m=?: expected a number, 1 to 2");
    }
}

//! Closed sockets in another order than that of their ends, only the first of them, or counted: how that is asked.

use crate::api::columns::Column;
use crate::api::parameters::{BadParameter, Parameter};
use crate::api::suggest::suggestion;

/// How the answer is arranged. By default all of them, in the order of their ends.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Arrangement {
    /// By these columns, the first one first.
    pub sort: Vec<By>,
    /// At most so many sockets, or groups.
    pub top: Option<usize>,
    /// Counted by these columns together instead of listed, if there are some.
    pub count_by: Vec<Column>,
}

/// A column in an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct By {
    /// By what.
    pub column: Column,
    /// The other way round. What is not known stays last.
    pub reversed: bool,
}

/// Words that are no columns of that use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoColumn {
    /// No column that serves is called that.
    #[error("unknown column {word:?}{}", suggestion(.word.trim_start_matches('-'), possible.iter().copied()))]
    Unknown {
        /// The word.
        word: String,
        /// What was possible.
        possible: Vec<&'static str>,
    },
    /// More than can be kept for every line.
    #[error("at most {MAX_COLUMNS} columns can be given")]
    TooMany,
}

/// Columns of an order or of groups: each is kept for every line.
const MAX_COLUMNS: usize = 8;

impl Arrangement {
    /// Its parameters.
    pub const PARAMETERS: [&str; 3] = ["sort", "top", "count_by"];

    /// Whether lines can be written as they are found.
    #[must_use]
    pub const fn is_plain(&self) -> bool {
        self.sort.is_empty() && self.count_by.is_empty()
    }

    /// The order that these words name: columns, with `-` before those that are the other way round.
    ///
    /// # Errors
    /// The first that is none, or one too many.
    pub fn order<'w>(words: impl IntoIterator<Item = &'w str>) -> Result<Vec<By>, NoColumn> {
        let by = |word: &'w str| {
            let (reversed, name) = word.strip_prefix('-').map_or((false, word), |name| (true, name));
            let expected = Column::orders;
            Ok(By { column: column(name, word, expected)?, reversed })
        };
        not_too_many(words).map(|word| by(word?)).collect()
    }

    /// The columns that these words name, if lines can be counted by them.
    ///
    /// # Errors
    /// The first that is none, or one too many.
    pub fn groups<'w>(words: impl IntoIterator<Item = &'w str>) -> Result<Vec<Column>, NoColumn> {
        not_too_many(words).map(|word| word.and_then(|word| column(word, word, Column::groups))).collect()
    }

    /// Takes a parameter of a URL; false if it is not about that.
    ///
    /// # Errors
    /// It has no such value.
    pub fn takes(&mut self, parameter: &Parameter<'_>) -> Result<bool, BadParameter> {
        let bad = |error: NoColumn| parameter.bad(error.to_string());
        match &*parameter.key {
            "sort" => self.sort = Self::order(parameter.value.split(',')).map_err(bad)?,
            "count_by" => self.count_by = Self::groups(parameter.value.split(',')).map_err(bad)?,
            "top" => self.top = Some(parameter.number(1..=usize::MAX)?),
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// As parameters of a URL.
    pub fn parameters(&self) -> impl Iterator<Item = (&'static str, String)> {
        let order =
            self.sort.iter().map(|by| format!("{}{}", if by.reversed { "-" } else { "" }, by.column.word()));
        let order: Vec<_> = order.collect();
        let groups: Vec<_> = self.count_by.iter().map(|column| column.word()).collect();
        let lists = [("sort", order.join(",")), ("count_by", groups.join(","))];
        let top = self.top.map(|top| ("top", top.to_string()));
        lists.into_iter().filter(|(_, list)| !list.is_empty()).chain(top)
    }
}

/// The words; the first that is too many is an error.
fn not_too_many<'w>(
    words: impl IntoIterator<Item = &'w str>,
) -> impl Iterator<Item = Result<&'w str, NoColumn>> {
    words.into_iter().enumerate().map(|(index, word)| match index {
        0..MAX_COLUMNS => Ok(word),
        _ => Err(NoColumn::TooMany),
    })
}

fn column(name: &str, word: &str, possible: fn() -> Vec<&'static str>) -> Result<Column, NoColumn> {
    let known = Column::from_word(name).filter(|column| possible().contains(&column.word()));
    known.ok_or_else(|| NoColumn::Unknown { word: word.to_owned(), possible: possible() })
}

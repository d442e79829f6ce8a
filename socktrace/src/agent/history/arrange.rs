//! Closed sockets in another order than that of their ends, only the first of them, or counted.

use crate::agent::parameters::{BadParameter, Parameter};
use crate::agent::selection::Format;
use crate::render::event_line::{Column, value};
use crate::render::groups::{Counts, Look, Value, compare};
use crate::socket::Event;
use std::io;

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

/// A word that is no column of that use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoColumn {
    /// The word.
    pub word: String,
    /// What was possible.
    pub expected: Vec<&'static str>,
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
        let bad = |NoColumn { word, expected }| {
            parameter.bad_value(&word, format!("expected {}", expected.join(", ")))
        };
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
        _ => Err(NoColumn { word: word.to_owned(), expected: vec!["at most 8 columns"] }),
    })
}

fn column(name: &str, word: &str, possible: fn() -> Vec<&'static str>) -> Result<Column, NoColumn> {
    let known = Column::from_word(name).filter(|column| possible().contains(&column.word()));
    known.ok_or_else(|| NoColumn { word: word.to_owned(), expected: possible() })
}

/// Takes so many more bytes of memory; false if there is no more.
pub type Memory<'a> = &'a dyn Fn(usize) -> bool;

/// What is kept until everything has been looked through.
pub(super) struct Kept<'a> {
    arrangement: &'a Arrangement,
    lines: Vec<Line>,
    counts: Counts,
    memory: Memory<'a>,
    /// Bytes of `lines`, and the most that they have been.
    bytes: usize,
    most: usize,
}

/// A line, and what it is ordered by.
struct Line {
    values: Vec<Value>,
    text: Box<[u8]>,
}

impl Line {
    fn size(&self) -> usize {
        size_of::<Self>() + self.text.len() + self.values.iter().map(Value::size).sum::<usize>()
    }
}

impl<'a> Kept<'a> {
    pub(super) fn new(arrangement: &'a Arrangement, memory: Memory<'a>) -> Self {
        Self { arrangement, lines: Vec::new(), counts: Counts::default(), memory, bytes: 0, most: 0 }
    }

    /// Whether events are counted, and need not be written.
    pub(super) const fn counts(&self) -> bool {
        !self.arrangement.count_by.is_empty()
    }

    /// Counts an event.
    ///
    /// # Errors
    /// There is no memory for it.
    pub(super) fn count(&mut self, event: &Event) -> io::Result<()> {
        let values = self.arrangement.count_by.iter().map(|&column| match value(event, column) {
            value if column == Column::Peer => value.without_port(),
            value => value,
        });
        self.bytes += self.counts.add(values);
        self.take()
    }

    /// Keeps an event's line.
    ///
    /// # Errors
    /// There is no memory for it.
    pub(super) fn line(&mut self, event: &Event, text: &[u8]) -> io::Result<()> {
        let values = self.arrangement.sort.iter().map(|by| value(event, by.column)).collect();
        let line = Line { values, text: text.into() };
        self.bytes += line.size();
        self.lines.push(line);
        if let Some(top) =
            self.arrangement.top.filter(|&top| self.lines.len() >= top.saturating_mul(2).max(1024))
        {
            self.sort(top);
            self.bytes = self.lines.iter().map(Line::size).sum();
        }
        self.take()
    }

    fn take(&mut self) -> io::Result<()> {
        let more = self.bytes.saturating_sub(self.most);
        self.most += more;
        if more == 0 || (self.memory)(more) { Ok(()) } else { Err(io::ErrorKind::OutOfMemory.into()) }
    }

    fn sort(&mut self, top: usize) {
        let order = &self.arrangement.sort;
        let descending = || order.iter().map(|by| by.column.is_largest_first() != by.reversed);
        self.lines.sort_by(|a, b| compare(&a.values, &b.values, descending()));
        self.lines.truncate(top);
    }

    /// All of it, in its order, through `each`.
    ///
    /// # Errors
    /// The first of `each`.
    pub(super) fn write(
        mut self,
        format: Format,
        each: &mut dyn FnMut(&[u8]) -> io::Result<()>,
    ) -> io::Result<()> {
        let Arrangement { top, count_by, .. } = self.arrangement;
        if self.counts() {
            let words: Vec<_> = count_by.iter().map(|column| column.word()).collect();
            let look = match format {
                Format::Json => Look::Json(None),
                Format::Lines { .. } => Look::Table(Some(&words)),
            };
            let mut text = Vec::new();
            self.counts.write(*top, look, &mut text);
            return each(&text);
        }
        self.sort(top.unwrap_or(usize::MAX));
        self.lines.iter().try_for_each(|line| each(&line.text))
    }
}

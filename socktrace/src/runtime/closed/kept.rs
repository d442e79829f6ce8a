//! Closed sockets in another order than that of their ends, or counted: what is kept until all have been seen.

use crate::api::arrangement::Arrangement;
use crate::api::columns::Column;
use crate::api::selection::Format;
use crate::render::event_line::value;
use crate::render::groups::{Counts, Look, Value, compare};
use crate::socket::Event;
use std::io;

/// Takes so many more bytes of memory; false if there is no more.
pub(super) type Memory<'a> = &'a dyn Fn(usize) -> bool;

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

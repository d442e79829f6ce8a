//! The table: cells are kept as text in one buffer, and written aligned when all of them (or one batch) are there.

use std::io::{self, Write};

use crate::api::screen::Screen;
use crate::api::sockets::pick::Pick;
use crate::render::names::Names;
use crate::render::width::width;
use crate::socket::Proto;

use super::columns::{Align, COLUMNS, Column};
use super::{Cell, Row, Show, chosen, layout};

/// Rows on their way to a writer.
///
/// Two buffers for all cells, however many: a listing of 100,000 sockets costs about 10 MB and no allocation per cell.
pub struct Table {
    show: Show,
    columns: Vec<&'static Column>,
    /// Somebody chose the columns: then an empty cell is shown as `-`.
    chosen: bool,
    /// All cells, one after the other.
    text: Vec<u8>,
    /// The length of each cell; `columns.len()` of them are a row.
    lengths: Vec<u32>,
    /// The longest cell of each column so far, earlier batches included.
    widest: Vec<usize>,
    /// The inode of the last IP socket: an SCTP row with the same one is an association of it.
    last_inode: u32,
}

impl Table {
    /// An empty table with the columns that `show` asks for.
    #[must_use]
    pub fn new(show: Show) -> Self {
        let columns: Vec<_> = COLUMNS.iter().filter(|column| (column.shown)(&show)).collect();
        Self::with(show, columns, false)
    }

    /// An empty table with these columns.
    #[must_use]
    pub fn of(show: Show, choices: &[Pick]) -> Self {
        Self::with(show, choices.iter().copied().map(chosen::column).collect(), true)
    }

    fn with(show: Show, columns: Vec<&'static Column>, chosen: bool) -> Self {
        let widest = vec![0; columns.len()];
        Self { show, columns, chosen, text: Vec::new(), lengths: Vec::new(), widest, last_inode: 0 }
    }

    /// Adds the header row.
    pub fn header(&mut self) {
        for index in 0..self.columns.len() {
            let start = self.text.len();
            self.text.extend_from_slice(self.columns[index].header.as_bytes());
            self.end_cell(index, start);
        }
    }

    /// Adds a socket.
    pub fn push(&mut self, row: Row<'_>, names: &mut dyn Names) {
        let association = self.is_association(&row);
        let show = self.show;
        let mut cell = Cell { row, show: &show, names, association };
        for index in 0..self.columns.len() {
            let start = self.text.len();
            (self.columns[index].cell)(&mut self.text, &mut cell);
            if self.chosen {
                chosen::fill(&mut self.text, start);
            }
            self.end_cell(index, start);
        }
    }

    fn end_cell(&mut self, index: usize, start: usize) {
        let length = self.text.len() - start;
        let wide = wide(self.chosen, self.text.get(start..).unwrap_or_default());
        self.widest[index] = self.widest[index].max(wide);
        self.lengths.push(u32::try_from(length).unwrap_or(u32::MAX));
    }

    /// Associations have the inode of their endpoint, which the kernel lists before them.
    fn is_association(&mut self, row: &Row<'_>) -> bool {
        let socket = row.socket;
        let same = socket.proto == Proto::Sctp && socket.inode != 0 && socket.inode == self.last_inode;
        if socket.local.inet().is_some() {
            self.last_inode = socket.inode;
        }
        same
    }

    /// Bytes that the rows take until they are written.
    #[must_use]
    pub fn size(&self) -> usize {
        self.text.len()
    }

    /// Writes the rows so far and forgets them; widths are kept, so that a later batch is never narrower.
    ///
    /// With a `screen` the columns are spread over its width. Without one
    /// (a pipe, a file) they are as narrow as their longest cell. Rows end without trailing blanks.
    ///
    /// # Errors
    ///
    /// Those of the writer.
    pub fn write(&mut self, out: &mut impl Write, screen: Option<Screen>) -> io::Result<()> {
        const CHUNK: usize = 64 * 1024;
        let widths = match screen {
            None => layout::compact(&self.columns, &self.widest),
            Some(screen) => layout::spread(&self.columns, &self.widest, screen.columns().into()),
        };
        let mut buffer = Vec::with_capacity(CHUNK + CHUNK / 4);
        let mut text = self.text.as_slice();
        for row in self.lengths.chunks_exact(self.columns.len()) {
            let mut line = Line { out: &mut buffer, blanks: 0, begun: false, chosen: self.chosen };
            for ((column, &length), &width) in self.columns.iter().zip(row).zip(&widths) {
                let (cell, rest) = text.split_at(length as usize);
                text = rest;
                line.cell(column, cell, width);
            }
            buffer.push(b'\n');
            if buffer.len() >= CHUNK {
                out.write_all(&buffer)?;
                buffer.clear();
            }
        }
        out.write_all(&buffer)?;
        self.text.clear();
        self.lengths.clear();
        Ok(())
    }
}

/// How wide a cell is: in ss's own columns bytes, as ss counts them; in chosen ones what it takes on a terminal.
fn wide(chosen: bool, cell: &[u8]) -> usize {
    if chosen { width(cell) } else { cell.len() }
}

/// A row as it is being written: blanks wait until something follows them.
struct Line<'a> {
    out: &'a mut Vec<u8>,
    blanks: usize,
    begun: bool,
    /// Of columns that somebody chose.
    chosen: bool,
}

impl Line<'_> {
    fn cell(&mut self, column: &Column, cell: &[u8], width: usize) {
        let separator = if self.begun { column.separator.len() } else { 0 };
        self.begun = true;
        let padding = width.saturating_sub(separator + wide(self.chosen, cell));
        self.blanks += separator;
        match column.align {
            Align::Left => {
                self.text(cell);
                self.blanks += padding;
            }
            Align::Right => {
                self.blanks += padding;
                self.text(cell);
            }
        }
    }

    fn text(&mut self, cell: &[u8]) {
        let Some(first) = cell.first() else { return };
        if *first != b'\n' {
            self.out.resize(self.out.len() + self.blanks, b' ');
        }
        self.blanks = cell.iter().rev().take_while(|&&b| b == b' ').count();
        self.out.extend_from_slice(&cell[..cell.len() - self.blanks]);
    }
}

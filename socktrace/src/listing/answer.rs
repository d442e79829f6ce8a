//! The rows of an answer on their way to the writer.

use std::io::Write;

use crate::query::{Facts, Filter, Processes};
use crate::render::ss::{Row, Table};
use crate::socket::{Holder, Socket};

use super::error::Error;
use super::names::Directory;
use super::options::{Format, Options};

/// Takes sockets, says which pass, and writes them.
pub(super) struct Answer<'a, W> {
    format: Format,
    filter: &'a Filter,
    names: &'a mut Directory,
    table: Table,
    rows: usize,
    out: &'a mut W,
}

impl<'a, W: Write> Answer<'a, W> {
    pub(super) fn new(
        options: &Options,
        filter: &'a Filter,
        names: &'a mut Directory,
        out: &'a mut W,
    ) -> Self {
        let mut table = Table::new(options.show);
        if options.header {
            table.header();
        }
        Self { format: options.format, filter, names, table, rows: 0, out }
    }

    /// Whether the filter lets it pass, given who holds it.
    pub(super) fn passes(&self, socket: &Socket, processes: Processes<'_>) -> bool {
        if self.filter.is_empty() {
            return true;
        }
        let port_range = self.names.port_range();
        self.filter.matches(&Facts { processes, port_range, ..Facts::of_socket(socket) })
    }

    /// Adds a row. On a terminal a long listing is shown while it grows; anywhere else its columns are aligned over
    /// the whole.
    pub(super) fn row(&mut self, socket: &Socket, users: &[Holder]) -> Result<(), Error> {
        const SCREENFUL: usize = 64 * 1024;
        self.rows += 1;
        self.table.push(Row { socket, users }, self.names);
        match self.format {
            Format::Text { screen: Some(_) } if self.table.size() >= SCREENFUL => self.write(),
            Format::Text { .. } | Format::Json => Ok(()),
        }
    }

    /// How many rows there were.
    pub(super) const fn rows(&self) -> usize {
        self.rows
    }

    /// Writes what is there.
    pub(super) fn write(&mut self) -> Result<(), Error> {
        let screen = match self.format {
            Format::Text { screen } => screen,
            Format::Json => None,
        };
        self.table.write(self.out, screen).and_then(|()| self.out.flush()).map_err(Error::Output)
    }
}

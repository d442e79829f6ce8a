//! The rows of an answer on their way to the writer.
//!
//! I/O: the writer; the clock, for who watches a terminal.

use std::io::Write;
use std::time::{Duration, Instant};

use crate::api::sockets::pick::Takes;
use crate::api::sockets::show::Show;
use crate::kernel::clock::boot_now;
use crate::render::json;
use crate::render::ss::{Delta, Row, Table};
use crate::socket::{BootNs, Family, Socket};

use super::context::AnswerContext;
use super::error::Error;
use super::names::Directory;
use super::namespaces::Label;
use super::rounds::{Gone, Rounds};
use crate::api::sockets::{Format, Question};

/// On a terminal what has come is written after this time, however little it is and however slowly more comes. Sooner
/// than this a listing is complete as a rule, and its columns are aligned over the whole.
const WRITE_INTERVAL: Duration = Duration::from_millis(100);

/// Takes rows and writes them.
pub(super) struct Answer<'a, W> {
    format: Format,
    show: Show,
    names: &'a mut Directory,
    context: AnswerContext<'a>,
    rounds: Option<&'a mut Rounds>,
    /// Otherwise what has gone would look like what is there.
    marks_changes: bool,
    /// Asking costs something.
    tells_opener: bool,
    /// When the answer was begun: what ages are counted to.
    now: BootNs,
    table: Table,
    json: Vec<u8>,
    rows: usize,
    /// When something was written last, or nothing was there yet.
    written: Instant,
    /// The family of the last row, where each family is to be aligned for itself.
    last_family: Option<Option<Family>>,
    out: &'a mut W,
}

impl<'a, W: Write> Answer<'a, W> {
    pub(super) fn new(
        question: &Question,
        names: &'a mut Directory,
        context: AnswerContext<'a>,
        rounds: Option<&'a mut Rounds>,
        out: &'a mut W,
    ) -> Self {
        let mut table = match &*question.columns {
            [] => Table::new(question.show),
            choices => Table::of(question.show, choices),
        };
        if question.header {
            table.header();
        }
        Self {
            format: question.format,
            show: question.show,
            names,
            context,
            rounds,
            marks_changes: question.marks_changes(),
            tells_opener: question.format == Format::Json || question.has_column_of(Takes::Opener),
            now: boot_now(),
            table,
            json: Vec::new(),
            rows: 0,
            written: Instant::now(),
            last_family: None,
            out,
        }
    }

    /// From now on the rows of one family are written before those of the next come, so that each dump of a recorded
    /// file looks as ss shows the first one, whose end is where it stops.
    pub(super) fn align_each_family(&mut self) {
        self.last_family = Some(None);
    }

    /// Adds rows of which nothing but the socket is known, and empties `sockets`. Their openers are asked for together:
    /// they lie far apart in memory, and the processor waits for several at once.
    pub(super) fn rows(&mut self, sockets: &mut Vec<Socket>) -> Result<(), Error> {
        let asked = sockets.iter().filter(|_| self.tells_opener).map(|socket| self.context.opener(socket));
        let openers: Vec<_> = asked.collect();
        for (place, socket) in sockets.drain(..).enumerate() {
            self.row(&Row { opener: openers.get(place).copied().flatten(), ..Row::of(&socket) })?;
        }
        Ok(())
    }

    /// Adds a row. On a terminal, and as JSON, a long listing is written while it grows; as text for anything else its
    /// columns are aligned over the whole.
    pub(super) fn row(&mut self, row: &Row<'_>) -> Result<(), Error> {
        const SCREENFUL: usize = 64 * 1024;
        self.rows += 1;
        if let Some(last) = &mut self.last_family
            && last.replace(row.socket.family).is_some_and(|last| last != row.socket.family)
        {
            self.write()?;
        }
        let mut row = *row;
        if self.tells_opener && row.opener.is_none() {
            row.opener = self.context.opener(row.socket);
        }
        let opened = row.opener.and_then(|opener| opener.opened);
        row.age_us = opened.map(|opened| self.now.saturating_sub(opened) / 1000);
        if let Some(rounds) = &mut self.rounds
            && row.delta.is_none()
        {
            row.delta = rounds.compare(&row);
        }
        row.round = self.rounds.as_deref().map(Rounds::now);
        let before = self.table.size();
        let size = match self.format {
            Format::Text { .. } => {
                self.table.push(row, self.names);
                self.table.size()
            }
            Format::Json => {
                json::encode(&mut self.json, &row, &self.show, self.names, self.context.clock);
                self.json.len()
            }
        };
        if self.format == (Format::Text { screen: None }) {
            self.context.keep(self.table.size() - before)?;
        }
        match self.format {
            Format::Text { screen: Some(_) } | Format::Json if size >= SCREENFUL => self.write(),
            Format::Text { screen: Some(_) } if self.written.elapsed() >= WRITE_INTERVAL => self.write(),
            Format::Text { .. } | Format::Json => Ok(()),
        }
    }

    /// Whether there has been no row yet.
    pub(super) const fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// How many rows may be kept back from [`rows`](Self::rows).
    pub(super) const fn batch(&self) -> usize {
        match self.format {
            // Somebody watches.
            Format::Text { screen: Some(_) } => 1,
            Format::Text { screen: None } | Format::Json => 32,
        }
    }

    /// Writes the rest, in a repeated listing also what is gone; how many rows there were.
    pub(super) fn finish(mut self) -> Result<usize, Error> {
        let mut gone = self.rounds.as_mut().map(|rounds| rounds.gone()).unwrap_or_default();
        if !self.marks_changes {
            gone.clear();
        }
        for Gone { socket, users, label } in &gone {
            let netns = label.as_ref().map(Label::of_row);
            self.row(&Row { delta: Some(Delta::Gone), users, netns, ..Row::of(socket) })?;
        }
        self.write()?;
        Ok(self.rows)
    }

    /// Writes what is there.
    pub(super) fn write(&mut self) -> Result<(), Error> {
        match self.format {
            Format::Text { screen } => {
                self.written = Instant::now();
                self.table.write(self.out, screen)
            }
            Format::Json => {
                let written = self.out.write_all(&self.json);
                self.json.clear();
                written
            }
        }
        .and_then(|()| self.out.flush())
        .map_err(Error::Output)
    }
}

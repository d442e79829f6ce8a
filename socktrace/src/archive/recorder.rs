//! What the one task that owns the engine does for history: pack, and hand over what is to be written. It never waits.

use super::log::Log;
use super::writer::Writer;
use super::{FileOptions, Options};
use crate::history::{Loser, Ring};
use crate::render::clock::Clock;
use crate::socket::{BootNs, Ended, UnixNs};
use std::path::PathBuf;

/// Keeps closed sockets.
#[derive(Debug)]
pub struct Recorder {
    ring: Ring,
    writer: Option<Writer>,
    dir: Option<PathBuf>,
    /// Lost records that it knows of.
    lost: u64,
}

impl Recorder {
    /// Begins to keep. Where files cannot be written, that is a warning.
    #[must_use]
    pub fn start(options: &Options, now: BootNs, clock: &Clock) -> Self {
        let now = unix(now, clock);
        let writer = options.files.as_ref().map(Writer::start);
        // Numbers go on where they ended, and time never stands behind them: one record takes more than a nanosecond.
        let first = writer.as_ref().map_or(0, Writer::next).max(now);
        let mut ring = Ring::new(options.bounds, first);
        if writer.is_some() {
            ring.write_too();
        }
        ring.began(now);
        let dir = options.files.as_ref().map(|FileOptions { dir, .. }| dir.clone());
        Self { ring, writer, dir, lost: 0 }
    }

    /// Keeps so much from now on, in memory and in the files that there are.
    pub fn keep(&mut self, options: &Options) {
        self.ring.set_bounds(options.bounds);
        if let (Some(writer), Some(files)) = (&self.writer, &options.files) {
            writer.allow(files.most);
        }
    }

    /// Takes an end.
    pub fn push(&mut self, ended: &Ended, clock: &Clock) {
        self.ring.push(ended, clock.unix_minus_boot_ns);
    }

    /// Takes how many records have been lost in all.
    pub fn count_lost(&mut self, lost: u64, now: BootNs, clock: &Clock) {
        let more = lost.saturating_sub(self.lost);
        self.lost = lost;
        if more > 0 {
            self.ring.lost(more, Loser::Kernel, unix(now, clock));
        }
    }

    /// Hands over what has come together to a whole piece.
    pub fn hand_over(&mut self) {
        if let Some(writer) = &mut self.writer {
            self.ring.full_cuts().for_each(|cut| writer.give(cut));
        }
    }

    /// Hands over everything: some time has passed.
    pub fn tick(&mut self) {
        if let Some(writer) = &mut self.writer {
            self.ring.cut().for_each(|cut| writer.give(cut));
        }
    }

    /// All that it has.
    #[must_use]
    pub fn log(&self) -> Log {
        Log { dir: self.dir.clone(), snapshot: self.ring.snapshot() }
    }

    /// Records in memory, and the bytes they take.
    #[must_use]
    pub const fn size(&self) -> (u64, u64) {
        (self.ring.records(), self.ring.bytes() as u64)
    }

    /// Ends: waits a moment for what is to be written.
    pub fn stop(mut self, now: BootNs, clock: &Clock) {
        self.ring.stopped(unix(now, clock));
        self.tick();
        if let Some(writer) = self.writer {
            writer.stop();
        }
    }
}

fn unix(at: BootNs, clock: &Clock) -> UnixNs {
    u64::try_from(clock.unix_ns(at)).unwrap_or(0)
}

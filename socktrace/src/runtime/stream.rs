//! The way of events to one subscriber, with a bounded backlog between.
//!
//! The sending end never waits. What does not fit is counted, and the subscriber is told the number where the gap
//! is, as soon as there is room again. Lines go over in pieces: those of one turn of the sender together. Their bytes
//! count as the subscriber's until it has read them.

use super::budget::Room;
use bytes::{Bytes, BytesMut};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::mpsc;

/// How many lines may wait for a subscriber: half a second of the most that two CPUs can do. Where many come at once
/// they are shared, so that a second slow subscriber of the same costs little more.
pub const BACKLOG: usize = 65_536;
/// How much a subscriber is handed at once, bytes; a little more where the last line says so.
pub const PIECE: usize = 64 * 1024;

/// Bytes of room that are taken at once.
const QUANTUM: usize = 16 * 1024;
/// As long as most lines are, bytes.
pub const LINE: usize = 512;
/// What a piece takes beyond its text, bytes.
const OVERHEAD: usize = 192;

/// The sending end.
#[derive(Debug)]
pub struct Feed {
    pieces: mpsc::UnboundedSender<Piece>,
    /// Lines that have been sent and not been taken.
    waiting: Arc<AtomicUsize>,
    backlog: usize,
    room: Arc<Room>,
    /// Bytes of room that are taken and not used yet.
    reserved: usize,
    /// What the next piece is made of.
    parts: Vec<Part>,
    /// Lines in `parts`, and their bytes.
    lines: usize,
    bytes: usize,
    lost: u64,
}

/// What became of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fed {
    /// It is on its way, or will be with the next [`Feed::flush`].
    Sent,
    /// There was no room; it is counted.
    Lost,
    /// Nobody reads any more.
    Gone,
}

/// The reading end.
#[derive(Debug)]
pub struct EventStream {
    pieces: mpsc::UnboundedReceiver<Piece>,
    waiting: Arc<AtomicUsize>,
    room: Arc<Room>,
}

/// Some lines.
#[derive(Debug)]
struct Piece {
    text: Bytes,
    lines: usize,
    /// Bytes of room that it takes.
    taken: usize,
}

#[derive(Debug)]
enum Part {
    /// Of the text that all subscribers of one look share.
    Shared(Range<usize>),
    /// For this subscriber alone.
    Own(Bytes),
}

impl Part {
    fn bytes<'a>(&'a self, text: &'a Bytes) -> &'a [u8] {
        match self {
            Self::Shared(place) => text.get(place.clone()).unwrap_or_default(),
            Self::Own(line) => line,
        }
    }
}

/// Both ends, with room for `backlog` lines, and for as many bytes as there is room.
#[must_use]
pub fn stream(backlog: usize, room: Room) -> (Feed, EventStream) {
    let (pieces, receiver) = mpsc::unbounded_channel();
    let waiting = Arc::new(AtomicUsize::new(0));
    let room = Arc::new(room);
    let stream = EventStream { pieces: receiver, waiting: waiting.clone(), room: room.clone() };
    let feed =
        Feed { pieces, waiting, backlog, room, reserved: 0, parts: Vec::new(), lines: 0, bytes: 0, lost: 0 };
    (feed, stream)
}

impl Feed {
    /// Puts the line at that place of the shared text into the next piece; if lines were lost before it, `gap` is asked
    /// for the line that says how many.
    pub fn offer(&mut self, place: Range<usize>, gap: impl FnOnce(u64) -> Bytes) -> Fed {
        match self.tell_gap(gap) {
            Fed::Sent if self.has_room(place.len()) => {
                self.lines += 1;
                self.bytes += place.len();
                match self.parts.last_mut() {
                    Some(Part::Shared(before)) if before.end == place.start => before.end = place.end,
                    Some(Part::Shared(_) | Part::Own(_)) | None => self.parts.push(Part::Shared(place)),
                }
                Fed::Sent
            }
            Fed::Gone => Fed::Gone,
            Fed::Sent | Fed::Lost => self.lose(1),
        }
    }

    /// Counts lines that there is no room, or was no time, for.
    pub fn lose(&mut self, lines: u64) -> Fed {
        if self.pieces.is_closed() {
            return Fed::Gone;
        }
        self.lost += lines;
        Fed::Lost
    }

    /// Puts the line about lost ones into the next piece, if there are any and there is room for it.
    pub fn tell_gap(&mut self, gap: impl FnOnce(u64) -> Bytes) -> Fed {
        if self.pieces.is_closed() {
            return Fed::Gone;
        }
        if self.lost > 0 {
            if !self.has_room(LINE) {
                return Fed::Lost;
            }
            let line = gap(std::mem::take(&mut self.lost));
            self.tell(line);
        }
        Fed::Sent
    }

    /// Puts a line for this subscriber alone into the next piece, whether there is room or not.
    pub fn tell(&mut self, line: Bytes) {
        self.lines += 1;
        self.bytes += line.len();
        self.parts.push(Part::Own(line));
    }

    /// Whether there is something to [`flush`](Self::flush).
    #[must_use]
    pub const fn is_pending(&self) -> bool {
        self.lines > 0
    }

    /// Sends the piece; `text` is what the places of all [`offer`](Self::offer)s since the last one are of.
    pub fn flush(&mut self, text: &Bytes) {
        let piece = match self.parts.as_slice() {
            [] => return,
            [Part::Own(line)] => line.clone(),
            // Who keeps a part of a block keeps the block: that must be worth it.
            [Part::Shared(place)] if place.len() >= PIECE / 2 => text.slice(place.clone()),
            parts => {
                let mut piece = BytesMut::with_capacity(self.bytes);
                parts.iter().for_each(|part| piece.extend_from_slice(part.bytes(text)));
                piece.freeze()
            }
        };
        self.parts.clear();
        let lines = std::mem::take(&mut self.lines);
        let taken = std::mem::take(&mut self.bytes) + OVERHEAD;
        // What is more than was reserved: a line that had to be told.
        self.room.force(taken.saturating_sub(self.reserved));
        self.reserved = self.reserved.saturating_sub(taken);
        // Counted before the subscriber can take them.
        self.waiting.fetch_add(lines, Ordering::Relaxed);
        // Where it fails, the next offer says so.
        let _ = self.pieces.send(Piece { text: piece, lines, taken });
    }

    /// Whether a line of so many bytes can be offered now: takes room for it.
    pub fn has_room(&mut self, bytes: usize) -> bool {
        if self.waiting.load(Ordering::Relaxed) + self.lines >= self.backlog {
            return false;
        }
        let needed = self.bytes + bytes + OVERHEAD;
        let more = needed.saturating_sub(self.reserved);
        if more == 0 {
            return true;
        }
        // Where there is no room for a quantum there may be for the line.
        let taken = [more.max(QUANTUM), more].into_iter().find(|&bytes| self.room.take(bytes));
        self.reserved += taken.unwrap_or(0);
        taken.is_some()
    }
}

impl EventStream {
    /// The lines that wait, together; nothing at the end of the stream. May be dropped in mid-wait without
    /// losing a line. They count as waiting until they are dropped.
    pub async fn next(&mut self) -> Option<Bytes> {
        let first = self.pieces.recv().await?;
        self.waiting.fetch_sub(first.lines, Ordering::Relaxed);
        let mut taken = Taken { text: first.text, room: self.room.clone(), taken: first.taken };
        if taken.text.len() < PIECE
            && let Ok(second) = self.pieces.try_recv()
        {
            let mut together = BytesMut::with_capacity(PIECE);
            together.extend_from_slice(&taken.text);
            let mut next = Some(second);
            while let Some(piece) = next {
                self.waiting.fetch_sub(piece.lines, Ordering::Relaxed);
                together.extend_from_slice(&piece.text);
                taken.taken += piece.taken;
                next = if together.len() < PIECE { self.pieces.try_recv().ok() } else { None };
            }
            taken.text = together.freeze();
        }
        Some(Bytes::from_owner(taken))
    }
}

/// Lines on their way to the client: dropped when they have been written.
struct Taken {
    text: Bytes,
    room: Arc<Room>,
    taken: usize,
}

impl AsRef<[u8]> for Taken {
    fn as_ref(&self) -> &[u8] {
        &self.text
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.room.give(self.taken);
    }
}

#[cfg(test)]
mod tests;

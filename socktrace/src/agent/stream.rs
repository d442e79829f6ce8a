//! The way from the one task that makes events to one reader of them, with a bounded backlog between.
//!
//! The sending end never waits. What does not fit is counted, and the reader is told the number where the gap
//! is, as soon as there is room again. Lines go over in pieces: those of one turn of the sender together.

use bytes::{Bytes, BytesMut};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::mpsc;

/// How many lines may wait for a reader: half a second of the most that two CPUs can do, some 40 MB if it takes
/// none of them. Where many come at once they are shared, so that a second slow reader of the same costs little more.
pub const BACKLOG: usize = 65_536;
/// How much a reader is handed at once, bytes; a little more where the last line says so.
pub const PIECE: usize = 64 * 1024;

/// The sending end.
#[derive(Debug)]
pub struct Feed {
    pieces: mpsc::UnboundedSender<Piece>,
    /// Lines that have been sent and not been taken.
    waiting: Arc<AtomicUsize>,
    backlog: usize,
    /// What the next piece is made of.
    parts: Vec<Part>,
    /// Lines in `parts`.
    lines: usize,
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
}

/// Some lines.
#[derive(Debug)]
struct Piece {
    text: Bytes,
    lines: usize,
}

#[derive(Debug)]
enum Part {
    /// Of the text that all readers of one look share.
    Shared(Range<usize>),
    /// For this reader alone.
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

/// Both ends, with room for `backlog` lines.
#[must_use]
pub fn stream(backlog: usize) -> (Feed, EventStream) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let waiting = Arc::new(AtomicUsize::new(0));
    let feed =
        Feed { pieces: sender, waiting: waiting.clone(), backlog, parts: Vec::new(), lines: 0, lost: 0 };
    (feed, EventStream { pieces: receiver, waiting })
}

impl Feed {
    /// Puts the line at that place of the shared text into the next piece; if lines were lost before it, `gap` is asked
    /// for the line that says how many.
    pub fn offer(&mut self, place: Range<usize>, gap: impl FnOnce(u64) -> Bytes) -> Fed {
        match self.tell_gap(gap) {
            Fed::Sent if self.has_room() => {
                self.lines += 1;
                match self.parts.last_mut() {
                    Some(Part::Shared(before)) if before.end == place.start => before.end = place.end,
                    Some(Part::Shared(_) | Part::Own(_)) | None => self.parts.push(Part::Shared(place)),
                }
                Fed::Sent
            }
            Fed::Gone => Fed::Gone,
            Fed::Sent | Fed::Lost => self.lose(),
        }
    }

    /// Counts a line that there is no room for.
    pub fn lose(&mut self) -> Fed {
        if self.pieces.is_closed() {
            return Fed::Gone;
        }
        self.lost += 1;
        Fed::Lost
    }

    /// Puts the line about lost ones into the next piece, if there are any and there is room for it.
    pub fn tell_gap(&mut self, gap: impl FnOnce(u64) -> Bytes) -> Fed {
        if self.pieces.is_closed() {
            return Fed::Gone;
        }
        if self.lost > 0 {
            if !self.has_room() {
                return Fed::Lost;
            }
            let line = gap(std::mem::take(&mut self.lost));
            self.tell(line);
        }
        Fed::Sent
    }

    /// Puts a line for this reader alone into the next piece, whether there is room or not.
    pub fn tell(&mut self, line: Bytes) {
        self.lines += 1;
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
                let len = parts.iter().map(|part| part.bytes(text).len()).sum();
                let mut piece = BytesMut::with_capacity(len);
                parts.iter().for_each(|part| piece.extend_from_slice(part.bytes(text)));
                piece.freeze()
            }
        };
        self.parts.clear();
        let lines = std::mem::take(&mut self.lines);
        // Counted before the reader can take them.
        self.waiting.fetch_add(lines, Ordering::Relaxed);
        // Where it fails, the next offer says so.
        let _ = self.pieces.send(Piece { text: piece, lines });
    }

    /// Whether an [`offer`](Self::offer) is worth making.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) + self.lines < self.backlog
    }
}

impl EventStream {
    /// The lines that wait, together; nothing at the end of the stream. May be dropped in mid-wait without
    /// losing a line.
    pub async fn next(&mut self) -> Option<Bytes> {
        let first = self.pieces.recv().await?;
        let first = self.take(first);
        if first.len() >= PIECE {
            return Some(first);
        }
        let Ok(second) = self.pieces.try_recv() else { return Some(first) };
        let mut together = BytesMut::with_capacity(PIECE);
        together.extend_from_slice(&first);
        together.extend_from_slice(&self.take(second));
        while together.len() < PIECE
            && let Ok(more) = self.pieces.try_recv()
        {
            together.extend_from_slice(&self.take(more));
        }
        Some(together.freeze())
    }

    fn take(&self, piece: Piece) -> Bytes {
        self.waiting.fetch_sub(piece.lines, Ordering::Relaxed);
        piece.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn gap(lost: u64) -> Bytes {
        format!("lost {lost}\n").into()
    }

    fn line(n: usize) -> Bytes {
        format!("{n}\n").into()
    }

    impl Feed {
        /// A line that is a piece of its own.
        pub(crate) fn send(&mut self, line: &Bytes, gap: impl FnOnce(u64) -> Bytes) -> Fed {
            let fed = self.offer(0..line.len(), gap);
            self.flush(line);
            fed
        }
    }

    fn taken(stream: &mut EventStream) -> Option<Bytes> {
        let piece = stream.pieces.try_recv().ok()?;
        Some(stream.take(piece))
    }

    /// What a reader gets who reads when the sender has nothing left to send.
    fn rest(mut stream: EventStream) -> String {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let mut text = String::new();
        while let Some(piece) = runtime.block_on(stream.next()) {
            text.push_str(std::str::from_utf8(&piece).unwrap());
        }
        text
    }

    #[test]
    fn in_order() {
        let (mut feed, stream) = stream(3);
        for n in 0..3 {
            assert_eq!(feed.send(&line(n), gap), Fed::Sent);
        }
        drop(feed);
        assert_eq!(rest(stream), "0\n1\n2\n");
    }

    #[test]
    fn what_does_not_fit_is_counted_where_it_is_missing() {
        let (mut feed, mut stream) = stream(2);
        let fed: Vec<_> = (0..5).map(|n| feed.send(&line(n), gap)).collect();
        assert_eq!(fed, [Fed::Sent, Fed::Sent, Fed::Lost, Fed::Lost, Fed::Lost]);
        assert_eq!(feed.tell_gap(gap), Fed::Lost);
        assert_eq!(taken(&mut stream), Some(line(0)));
        assert_eq!(feed.tell_gap(gap), Fed::Sent);
        feed.flush(&Bytes::new());
        assert_eq!(feed.send(&line(5), gap), Fed::Lost);
        assert_eq!(taken(&mut stream), Some(line(1)));
        assert_eq!(feed.tell_gap(gap), Fed::Sent);
        feed.flush(&Bytes::new());
        drop(feed);
        assert_eq!(rest(stream), "lost 3\nlost 1\n");
    }

    #[test]
    fn a_reader_that_left_is_noticed() {
        let (mut feed, stream) = stream(1);
        assert_eq!(feed.send(&line(0), gap), Fed::Sent);
        assert_eq!(feed.send(&line(1), gap), Fed::Lost);
        drop(stream);
        assert_eq!(feed.tell_gap(gap), Fed::Gone);
        assert_eq!(feed.send(&line(2), gap), Fed::Gone);
    }

    #[test]
    fn many_lines_side_by_side_are_not_copied() {
        let text = Bytes::from(vec![b'x'; PIECE]);
        let quarter = |n: usize| n * PIECE / 4..(n + 1) * PIECE / 4;
        for (places, shared) in [
            (&[quarter(0), quarter(1)][..], true),
            (&[quarter(1), quarter(2), quarter(3)], true),
            // Little of it would keep all of it.
            (&[quarter(1)], false),
            (&[quarter(0), quarter(1), quarter(3)], false),
        ] {
            let (mut feed, mut stream) = stream(10);
            for place in places {
                assert_eq!(feed.offer(place.clone(), gap), Fed::Sent);
            }
            feed.flush(&text);
            let piece = taken(&mut stream).unwrap();
            assert_eq!(piece.len(), places.iter().map(Range::len).sum::<usize>());
            assert_eq!(text.as_ptr_range().contains(&piece.as_ptr()), shared, "{places:?}");
            assert_eq!(taken(&mut stream), None);
        }
    }

    proptest! {
        /// Lines and told losses add up, in every rhythm of reading and of sending.
        #[test]
        fn nothing_is_lost_in_silence(
            reads in proptest::collection::vec((0usize..4, any::<bool>()), 1..60),
            room in 1usize..6,
        ) {
            let (mut feed, mut stream) = stream(room);
            let mut text = String::new();
            let mut shared = BytesMut::new();
            for (n, (reads, flushes)) in reads.iter().enumerate() {
                let start = shared.len();
                shared.extend_from_slice(&line(n));
                feed.offer(start..shared.len(), gap);
                if *flushes {
                    feed.flush(&shared.split().freeze());
                }
                for _ in 0..*reads {
                    if let Some(piece) = taken(&mut stream) {
                        text.push_str(std::str::from_utf8(&piece).unwrap());
                    }
                }
            }
            feed.flush(&shared.freeze());
            let untold = feed.lost;
            drop(feed);
            text.push_str(&rest(stream));
            let mut expected = 0;
            for line in text.lines() {
                match line.strip_prefix("lost ") {
                    Some(lost) => expected += lost.parse::<usize>().unwrap(),
                    None => {
                        prop_assert_eq!(line, expected.to_string());
                        expected += 1;
                    }
                }
            }
            prop_assert_eq!(expected + usize::try_from(untold).unwrap(), reads.len());
        }
    }
}

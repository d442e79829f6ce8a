//! The way from the one task that makes events to one reader of them, with a bounded backlog between.
//!
//! The sending end never waits. What does not fit is counted, and the reader is told the number where the gap
//! is, as soon as there is room again.

use bytes::{Bytes, BytesMut};
use tokio::sync::mpsc::{self, error::TrySendError};

/// How many lines may wait for a reader: half a second of the most that two CPUs can do, some 25 MB if it takes
/// none of them. Lines are shared, so that a second slow reader costs little more.
pub const BACKLOG: usize = 65_536;
/// How much a reader is handed at once, bytes.
const PIECE: usize = 64 * 1024;

/// The sending end.
#[derive(Debug)]
pub struct Feed {
    lines: mpsc::Sender<Bytes>,
    lost: u64,
}

/// What became of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fed {
    /// It is on its way.
    Sent,
    /// There was no room; it is counted.
    Lost,
    /// Nobody reads any more.
    Gone,
}

/// The reading end.
#[derive(Debug)]
pub struct EventStream {
    lines: mpsc::Receiver<Bytes>,
    batch: Vec<Bytes>,
}

/// Both ends, with room for `backlog` lines.
#[must_use]
pub fn stream(backlog: usize) -> (Feed, EventStream) {
    let (sender, receiver) = mpsc::channel(backlog);
    (Feed { lines: sender, lost: 0 }, EventStream { lines: receiver, batch: Vec::new() })
}

impl Feed {
    /// Sends a line; if lines were lost before it, `gap` is asked for the line that says how many.
    pub fn send(&mut self, line: &Bytes, gap: impl FnOnce(u64) -> Bytes) -> Fed {
        match self.tell_gap(gap) {
            Fed::Sent => {}
            Fed::Gone => return Fed::Gone,
            Fed::Lost => {
                self.lost += 1;
                return Fed::Lost;
            }
        }
        match self.lines.try_send(line.clone()) {
            Ok(()) => Fed::Sent,
            Err(TrySendError::Full(_)) => {
                self.lost += 1;
                Fed::Lost
            }
            Err(TrySendError::Closed(_)) => Fed::Gone,
        }
    }

    /// Sends the line about lost ones, if there are any and there is room for it.
    pub fn tell_gap(&mut self, gap: impl FnOnce(u64) -> Bytes) -> Fed {
        if self.lines.is_closed() {
            return Fed::Gone;
        }
        if self.lost > 0 {
            match self.lines.try_reserve() {
                Ok(room) => room.send(gap(std::mem::take(&mut self.lost))),
                Err(TrySendError::Full(())) => return Fed::Lost,
                Err(TrySendError::Closed(())) => return Fed::Gone,
            }
        }
        Fed::Sent
    }
}

impl EventStream {
    /// The lines that wait, together; nothing at the end of the stream. May be dropped in mid-wait without
    /// losing a line.
    pub async fn next(&mut self) -> Option<Bytes> {
        // The limit keeps a piece within a few times PIECE: lines are some hundred bytes.
        let count = self.lines.recv_many(&mut self.batch, PIECE / 256).await;
        match count {
            0 => None,
            1 => self.batch.pop(),
            _ => {
                let mut piece = BytesMut::with_capacity(self.batch.iter().map(Bytes::len).sum());
                for line in self.batch.drain(..) {
                    piece.extend_from_slice(&line);
                }
                Some(piece.freeze())
            }
        }
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
        assert_eq!(stream.lines.try_recv(), Ok(line(0)));
        assert_eq!(feed.tell_gap(gap), Fed::Sent);
        assert_eq!(feed.send(&line(5), gap), Fed::Lost);
        assert_eq!(stream.lines.try_recv(), Ok(line(1)));
        assert_eq!(feed.tell_gap(gap), Fed::Sent);
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

    proptest! {
        /// Lines and told losses add up, in every rhythm of reading.
        #[test]
        fn nothing_is_lost_in_silence(reads in proptest::collection::vec(0usize..4, 1..60), room in 1usize..6) {
            let (mut feed, mut stream) = stream(room);
            let mut text = String::new();
            for (n, reads) in reads.iter().enumerate() {
                feed.send(&line(n), gap);
                for _ in 0..*reads {
                    if let Ok(line) = stream.lines.try_recv() {
                        text.push_str(std::str::from_utf8(&line).unwrap());
                    }
                }
            }
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

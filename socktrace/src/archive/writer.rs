//! The thread that writes closed sockets to files, and the way to it. Whoever hands over never waits: what the disk
//! cannot take in time is dropped, counted and reported.
//!
//! I/O: a thread; files, through `disk`.

use super::FileOptions;
use super::disk::Disk;
use super::dropped::Dropped;
use crate::history::Cut;
use crate::kernel::priority;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

/// Bytes that may wait for the disk.
const WAITING: usize = 4 << 20;
/// How long the end may wait for the disk.
const FAREWELL: Duration = Duration::from_secs(2);

/// The way to the thread.
#[derive(Debug)]
pub(super) struct Writer {
    pieces: Sender<Piece>,
    /// Bytes that wait.
    waiting: Arc<AtomicUsize>,
    /// Bytes that the files may take together.
    most: Arc<AtomicU64>,
    done: Receiver<()>,
    /// The number that follows the last record of the files.
    next: u64,
    /// What was dropped since something was handed over.
    dropped: Dropped,
    /// Whether it has been said that the disk is too slow.
    said: bool,
}

/// What is to be written, and what is missing before it.
#[derive(Debug)]
struct Piece {
    cut: Cut,
    before: Dropped,
}

impl Piece {
    /// Bytes that it takes while it waits.
    const fn size(&self) -> usize {
        size_of::<Self>() + self.cut.bytes.capacity()
    }
}

impl Writer {
    /// Starts the thread. Where nothing can be written, that is a warning; it is tried again and again.
    pub(super) fn start(options: &FileOptions) -> Self {
        let mut disk = Disk::new(options);
        disk.open();
        let next = disk.next();
        let (pieces, to_write) = channel::<Piece>();
        let (finished, done) = channel();
        let waiting = Arc::new(AtomicUsize::new(0));
        let waits = waiting.clone();
        let most = Arc::new(AtomicU64::new(options.most));
        let allowed = most.clone();
        let run = move || {
            priority::go_back();
            for piece in to_write {
                disk.allow(allowed.load(Ordering::Relaxed));
                disk.write(&piece.cut, piece.before);
                waits.fetch_sub(piece.size(), Ordering::Relaxed);
            }
            // The next agent may write from now on.
            drop(disk);
            // Nobody may be waiting any more.
            let _ = finished.send(());
        };
        if let Err(error) = std::thread::Builder::new().name("history".into()).spawn(run) {
            log::warn!("cannot start the thread that writes history: {error}");
        }
        Self { pieces, waiting, most, done, next, dropped: Dropped::default(), said: false }
    }

    /// The number that follows the last record of the files.
    pub(super) const fn next(&self) -> u64 {
        self.next
    }

    /// From the next piece on the files may take so many bytes together.
    pub(super) fn allow(&self, most: u64) {
        self.most.store(most, Ordering::Relaxed);
    }

    /// Hands over a piece.
    pub(super) fn give(&mut self, cut: Cut) {
        let (first, records) = (cut.first, cut.records);
        let piece = Piece { cut, before: self.dropped };
        let size = piece.size();
        if self.waiting.load(Ordering::Relaxed) + size > WAITING {
            self.dropped.add(first, records);
            if !std::mem::replace(&mut self.said, true) {
                log::warn!("the disk is too slow for the history: some closed sockets are not written");
            }
            return;
        }
        self.waiting.fetch_add(size, Ordering::Relaxed);
        self.dropped = Dropped::default();
        // An error means that the thread could not be started, which has been said.
        let _ = self.pieces.send(piece);
    }

    /// Ends it, when all that was handed over is written, or after a moment.
    pub(super) fn stop(self) {
        let Self { pieces, done, .. } = self;
        drop(pieces);
        match done.recv_timeout(FAREWELL) {
            Ok(()) | Err(RecvTimeoutError::Disconnected) => {}
            Err(RecvTimeoutError::Timeout) => {
                log::warn!("the disk did not take the last of the history in time");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_that_takes_nothing_costs_bounded_memory_and_what_is_dropped_is_counted() {
        let (pieces, to_write) = channel();
        let (_finished, done) = channel();
        let waiting = Arc::new(AtomicUsize::new(0));
        let mut writer = Writer {
            pieces,
            waiting: waiting.clone(),
            most: Arc::default(),
            done,
            next: 0,
            dropped: Dropped::default(),
            said: false,
        };
        let mut given = 0;
        let mut give = |writer: &mut Writer| {
            writer.give(Cut { first: given, records: 10, newest: 0, bytes: vec![0; 64 * 1024] });
            given += 10;
        };
        (0..1000).for_each(|_| give(&mut writer));
        assert!(writer.said && waiting.load(Ordering::Relaxed) <= WAITING);
        // It has taken one: there is room for the next, which says what is missing before it.
        let mut taken = vec![to_write.try_recv().unwrap()];
        waiting.fetch_sub(taken[0].size(), Ordering::Relaxed);
        give(&mut writer);
        taken.extend(to_write.try_iter());
        let written: u64 = taken.iter().map(|piece| piece.cut.records).sum();
        let missing: u64 = taken.iter().map(|piece| piece.before.records).sum();
        assert_eq!(written + missing, given);
        let last = taken.last().unwrap();
        assert_eq!((last.cut.first, last.before.first() + missing), (10_000, 10_000));
    }
}

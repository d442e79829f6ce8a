//! Reading the lanes without being woken for every record. I/O: mapped memory, epoll.
//!
//! While the reader is busy it drains on its own, a few milliseconds apart, and the programs wake nobody. When records
//! come seldom, the reader asks to be woken (one word of shared memory) and sleeps; the next record wakes it
//! at once. A record whose program read that word just before it was set wakes nobody, so the first sleep is short.

use std::io;
use std::sync::atomic::{Ordering, fence};
use std::time::{Duration, Instant};

use aya::maps::{MapData, RingBuf};
use socktrace_common::{WAKE_INDEX, WAKE_WANTED};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::lanes::{Drained, Lanes};
use super::mapped::Mapped;
use crate::kernel::clock::{Slept, record_now};
use crate::socket::BootNs;

/// Between two drains while busy.
const PAUSE: Duration = Duration::from_millis(3);
/// A drain of at least so many records, or as many as would be so many in a pause, keeps the reader awake.
const BUSY: usize = 32;
/// The first sleep after asking to be woken: the longest that a record can lie unread.
const SETTLE: Duration = Duration::from_millis(8);

pub(super) struct Reader {
    lanes: Lanes,
    /// Readable when a program has woken us.
    bell: AsyncFd<RingBuf<MapData>>,
    wake: Mapped<u32>,
    slept: Slept,
    /// The time of what was last handed over.
    latest: BootNs,
    pace: Pace,
    drained: Instant,
    /// The last drain left some.
    has_more: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pace {
    /// Records come in numbers.
    Busy,
    /// Asked, or about to ask, to be woken; a record may have slipped by.
    Settling,
    /// Nothing can have slipped by.
    Idle,
}

impl Reader {
    /// Must be called within a tokio runtime.
    pub(super) fn new(lanes: Lanes, bell: RingBuf<MapData>, wake: Mapped<u32>) -> io::Result<Self> {
        // SAFETY: a map's own descriptor, which is not replaced within the `AsyncFd`.
        let bell = unsafe { AsyncFd::register_with_interest(bell, Interest::READABLE) }?;
        Ok(Self {
            lanes,
            bell,
            wake,
            slept: Slept::default(),
            latest: 0,
            pace: Pace::Settling,
            drained: Instant::now(),
            has_more: false,
        })
    }

    /// Wait until a drain is worth while. Cancel-safe.
    pub(super) async fn readable(&mut self) -> io::Result<()> {
        if self.has_more {
            // Whoever hands on what was made of the others has a turn.
            tokio::task::yield_now().await;
            return Ok(());
        }
        if self.pace == Pace::Busy {
            tokio::time::sleep(PAUSE).await;
            return Ok(());
        }
        loop {
            self.wake.set(WAKE_INDEX as usize, WAKE_WANTED);
            // The programs first take a place, by an instruction that all see at once, and then look whether to wake us; we
            // do it the other way round.
            fence(Ordering::SeqCst);
            if !self.lanes.is_empty() {
                return Ok(());
            }
            if self.pace == Pace::Idle {
                return self.rung().await;
            }
            match tokio::time::timeout(SETTLE, self.rung()).await {
                Ok(rung) => return rung,
                Err(_elapsed) => self.pace = Pace::Idle,
            }
        }
    }

    /// Wait until a program wakes us.
    async fn rung(&mut self) -> io::Result<()> {
        let mut ready = self.bell.readable_mut().await?;
        while ready.get_inner_mut().next().is_some() {}
        ready.clear_ready();
        Ok(())
    }

    /// Hand over at most `max` records, each with its time since boot and in one or two parts. Times never fall.
    pub(super) fn drain(&mut self, max: usize, mut each: impl FnMut(BootNs, &[u8], &[u8])) -> Drained {
        self.slept.follow();
        let slept = self.slept;
        let latest = &mut self.latest;
        let drained = self.lanes.drain(record_now(), max, |at, first, second| {
            // When the machine sleeps is known a moment late.
            *latest = slept.since_boot(at).max(*latest);
            each(*latest, first, second);
        });
        let count = drained.records;
        let now = Instant::now();
        self.pace = match (count, drained.all) {
            // Whoever is to complete a record may need our processor for it.
            (0, false) => Pace::Busy,
            _ => self.pace.after(count, now - self.drained),
        };
        self.drained = now;
        self.has_more = count == max;
        drained
    }
}

impl Pace {
    /// After a drain of so many records that came within `time`.
    fn after(self, count: usize, time: Duration) -> Self {
        match (count, self) {
            // Somebody looked by the way: that the reader has asked to be woken still holds.
            (0, Self::Idle) => Self::Idle,
            (0, Self::Busy | Self::Settling) => Self::Settling,
            (BUSY.., _) => Self::Busy,
            // Who is woken at once always finds few, and being woken so often takes more from those who make the records
            // than all the rest.
            (few, _) if PAUSE * few as u32 >= time * BUSY as u32 => Self::Busy,
            (_, _) => Self::Settling,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_records_at_a_time_but_often_keep_the_reader_awake() {
        use Pace::{Busy, Idle, Settling};
        for (before, count, micros, expected) in [
            (Idle, 0, 1_000, Idle),
            (Settling, 0, 1_000, Settling),
            (Busy, 0, 3_000, Settling),
            (Busy, 31, 3_000, Settling),
            (Busy, 32, 3_000, Busy),
            // One connection after a long time.
            (Idle, 7, 400_000, Settling),
            // The reader was kept from reading.
            (Busy, 40, 100_000, Busy),
            // 50,000 connections a second, of which each record wakes the reader.
            (Settling, 5, 40, Busy),
            (Idle, 1, 20, Busy),
            (Settling, 5, 4_000, Settling),
        ] {
            assert_eq!(
                before.after(count, Duration::from_micros(micros)),
                expected,
                "{before:?} {count} {micros}"
            );
        }
    }
}

//! The lanes of all CPUs (`socktrace_common::Slot`), read where they lie and put in order. I/O: mapped memory.
//!
//! Programs take places of their CPU's lane and then read the clock. So when we read the clock and then look how far each
//! lane is taken, whatever is not taken yet is later than that moment, and of what is taken the records' own times say
//! which is first. A record that is taken and not complete (its program was interrupted, or its task lost its processor)
//! has a time that nobody knows: it is later than when its lane was last seen to the end, and nothing later than that is
//! handed over before it.
//!
//! What is handed over comes with the time by which it was put in order, which never falls. It is not
//! quite the record's own where the program was interrupted before it read the clock.
//!
//! Positions are given back a part of the lane at a time: each giving back takes a line of the cache from the programs.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::mem::offset_of;
use std::ptr::NonNull;
use std::slice;
use std::sync::atomic::{AtomicU64, Ordering, fence};

use socktrace_common::{CONTINUED, CpuCounters, PART, Read, RecordHead, Slot};

use super::mapped::Mapped;
use crate::kernel::clock::RecordNs;

/// What has been read is given back at the latest when it is one part in so many of a lane.
const PARTS: u64 = 4;

/// What came of draining.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drained {
    /// How many records there were.
    pub records: usize,
    /// Whether every record was among them whose writing had begun before. Otherwise there were more than asked for, or
    /// one is not finished and those behind it wait: a program whose task may lose its processor can be writing it.
    pub all: bool,
}

/// A reader of all lanes; there may be no other.
pub(super) struct Lanes {
    shared: Shared,
    lanes: Vec<Lane>,
    /// The first unread record of each lane that has one, by time; kept for its memory.
    fronts: BinaryHeap<Reverse<(RecordNs, usize)>>,
    /// The time of what was last handed over.
    last: RecordNs,
}

/// The maps, whose elements programs write meanwhile.
struct Shared {
    slots: Mapped<Slot>,
    cpus: Mapped<CpuCounters>,
    read: Mapped<Read>,
    /// Places of each lane, a power of two.
    each: u64,
}

/// Positions of one lane.
struct Lane {
    /// The next to be read.
    next: u64,
    /// Up to where they were taken when we last looked.
    head: u64,
    given_back: u64,
    /// What is unread is later than this.
    floor: RecordNs,
}

impl Lanes {
    /// All lanes of `each` places, a power of two, one for each element of `cpus`.
    pub(super) fn new(slots: Mapped<Slot>, cpus: Mapped<CpuCounters>, read: Mapped<Read>, each: u32) -> Self {
        let lanes = (0..cpus.len()).map(|_| Lane { next: 0, head: 0, given_back: 0, floor: 0 }).collect();
        Self {
            shared: Shared { slots, cpus, read, each: each.into() },
            lanes,
            fronts: BinaryHeap::new(),
            last: 0,
        }
    }

    /// Hand over at most `max` records, oldest first, each with its time and in one or two parts. `now` is from before this
    /// call.
    pub(super) fn drain(
        &mut self,
        now: RecordNs,
        max: usize,
        mut each: impl FnMut(RecordNs, &[u8], &[u8]),
    ) -> Drained {
        let Self { shared, lanes, fronts, last } = self;
        // Up to when we know all.
        let mut until = now;
        fronts.clear();
        for (n, lane) in lanes.iter_mut().enumerate() {
            lane.head = shared.head(n).load(Ordering::Acquire);
            if lane.next != lane.head {
                match shared.time(n, lane) {
                    Some(time) => fronts.push(Reverse((time, n))),
                    None => until = until.min(lane.floor),
                }
            }
        }
        let mut records = 0;
        while records < max
            && let Some(mut front) = fronts.peek_mut()
        {
            let Reverse((time, n)) = *front;
            let Some(lane) = lanes.get_mut(n).filter(|_| time <= until) else { break };
            *last = time.max(*last);
            lane.next += shared.hand_over(n, lane.next, |first, second| each(*last, first, second));
            lane.floor = lane.floor.max(time);
            records += 1;
            if lane.next - lane.given_back >= shared.each / PARTS {
                shared.give_back(n, lane);
            }
            match (lane.next != lane.head).then(|| shared.time(n, lane)) {
                Some(Some(time)) => front.0.0 = time,
                Some(None) => {
                    until = until.min(lane.floor);
                    PeekMut::pop(front);
                }
                None => {
                    PeekMut::pop(front);
                }
            }
        }
        let mut all = true;
        for (n, lane) in lanes.iter_mut().enumerate() {
            if lane.next != lane.given_back {
                shared.give_back(n, lane);
            }
            if lane.next == lane.head {
                lane.floor = lane.floor.max(now);
            } else {
                all = false;
            }
        }
        Drained { records, all }
    }

    /// Whether no place is taken that was not read.
    pub(super) fn is_empty(&self) -> bool {
        fence(Ordering::SeqCst);
        self.lanes.iter().enumerate().all(|(n, lane)| self.shared.head(n).load(Ordering::SeqCst) == lane.next)
    }
}

impl Shared {
    fn head(&self, lane: usize) -> &AtomicU64 {
        self.cpus.word(lane, offset_of!(CpuCounters, head))
    }

    fn place(&self, lane: usize, position: u64) -> usize {
        // Less than the number of places, which `Mapped` checks.
        lane * self.each as usize + (position & (self.each - 1)) as usize
    }

    /// The word of a position that says whether it is complete: `None` if it is not.
    fn turn(&self, lane: usize, position: u64) -> Option<u64> {
        let turn =
            self.slots.word(self.place(lane, position), offset_of!(Slot, turn)).load(Ordering::Acquire);
        (turn & !CONTINUED == position + 1).then_some(turn)
    }

    /// When the record at the next position belongs; `None` while it is not complete.
    ///
    /// Its own time is too late where others came between its taking of the place and its reading of the clock: then that
    /// of the one behind it.
    fn time(&self, n: usize, lane: &Lane) -> Option<RecordNs> {
        let turn = self.turn(n, lane.next)?;
        let behind = lane.next + width(turn);
        let time = self.stamp(n, lane.next);
        if behind == lane.head || self.turn(n, behind).is_none() {
            return Some(time);
        }
        Some(time.min(self.stamp(n, behind)))
    }

    /// The time that a complete record says.
    fn stamp(&self, lane: usize, position: u64) -> RecordNs {
        let at = offset_of!(Slot, part) + offset_of!(RecordHead, time_ns);
        self.slots.word(self.place(lane, position), at).load(Ordering::Relaxed)
    }

    /// Hand over a complete record; how many places it has.
    fn hand_over(&self, lane: usize, position: u64, each: impl FnOnce(&[u8], &[u8])) -> u64 {
        let width = width(self.turn(lane, position).unwrap_or_default());
        let first = self.part(lane, position);
        each(first, if width == 2 { self.part(lane, position + 1) } else { &[] });
        width
    }

    /// What a place holds that belongs to a complete record.
    fn part(&self, lane: usize, position: u64) -> &[u8] {
        let Some(slot) = self.slots.at(self.place(lane, position)) else { return &[] };
        let slot: NonNull<u8> = slot.cast();
        // SAFETY: within the place; no program writes there before we give it back.
        unsafe { slice::from_raw_parts(slot.add(offset_of!(Slot, part)).as_ptr(), PART) }
    }

    fn give_back(&self, n: usize, lane: &mut Lane) {
        // Whoever finds the lane full reads this before it writes there.
        self.read.word(n, offset_of!(Read, position)).store(lane.next, Ordering::Release);
        lane.given_back = lane.next;
    }
}

/// How many places a record has.
const fn width(turn: u64) -> u64 {
    if turn & CONTINUED == 0 { 1 } else { 2 }
}

#[cfg(test)]
mod tests;

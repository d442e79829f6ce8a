//! The lanes (see `socktrace_common::Slot`): take places, fill them, say that they are complete.
//!
//! Programs on one CPU come between one another (softirqs anywhere, other tasks in the cgroup programs), those on other
//! CPUs never: taking places is one atomic instruction.

use core::intrinsics::{AtomicOrdering, atomic_cxchg, atomic_xchg};
use core::sync::atomic::{Ordering, compiler_fence};

use aya_ebpf::Global;
use aya_ebpf::helpers::bpf_get_smp_processor_id;
use socktrace_common::{CONTINUED, CpuCounters, Slot};

use crate::maps::{LANES, READ};

/// Places of each lane, a power of two; written by the user half before load.
#[unsafe(no_mangle)]
static LANE_SLOTS: Global<u32> = Global::new(0);

/// Not 0 where processors show their stores to others in the order in which they made them (x86-64).
#[unsafe(no_mangle)]
static STORES_IN_ORDER: Global<u32> = Global::new(0);

/// How often a program tries that others interrupt.
const TRIES: u32 = 4;

/// No position.
const NONE: u64 = u64::MAX;

/// Take `count` places of this CPU's lane, one after the other; the position of the first. `None` where they are not
/// free.
///
/// The time of a record is read after this: so whoever has read the clock and then finds a place not taken knows that
/// what will stand there is later.
///
/// # Safety
/// `cpu` is this CPU's map element.
#[inline(always)]
pub(crate) unsafe fn take(cpu: *mut CpuCounters, count: u64) -> Option<u64> {
    // SAFETY: fields of the element.
    unsafe {
        let position = (&raw const (*cpu).head).read_volatile();
        if position + count <= (&raw const (*cpu).room).read_volatile() && move_head(cpu, position, count) {
            return Some(position);
        }
        match take_slowly(cpu, count) {
            NONE => None,
            position => Some(position),
        }
    }
}

/// The same where the lane seemed full, or another program has come between. Apart, so that programs are small.
///
/// # Safety
/// As for [`take`].
#[inline(never)]
unsafe fn take_slowly(cpu: *mut CpuCounters, count: u64) -> u64 {
    // The line is the reader's.
    // SAFETY: takes nothing.
    let Some(read) = READ.get_ptr_mut(unsafe { bpf_get_smp_processor_id() }) else { return NONE };
    // SAFETY: fields of the elements.
    unsafe {
        let room = (&raw const (*read).position).read_volatile() + u64::from(LANE_SLOTS.load());
        (&raw mut (*cpu).room).write_volatile(room);
        for _ in 0..TRIES {
            let position = (&raw const (*cpu).head).read_volatile();
            if position + count > room {
                return NONE;
            }
            if move_head(cpu, position, count) {
                return position;
            }
        }
    }
    NONE
}

/// Whether the head was still there, and has been moved.
///
/// # Safety
/// As for [`take`].
#[inline(always)]
unsafe fn move_head(cpu: *mut CpuCounters, position: u64, count: u64) -> bool {
    // SAFETY: a field of the element.
    unsafe {
        let head = &raw mut (*cpu).head;
        atomic_cxchg::<u64, { AtomicOrdering::SeqCst }, { AtomicOrdering::SeqCst }>(
            head,
            position,
            position + count,
        )
        .1
    }
}

/// The place of a position in this CPU's lane.
#[inline(always)]
pub(crate) fn slot(position: u64) -> Option<*mut Slot> {
    let slots = LANE_SLOTS.load();
    // SAFETY: takes nothing.
    let lane = unsafe { bpf_get_smp_processor_id() };
    LANES.get_ptr_mut(lane * slots + (position as u32 & (slots - 1)))
}

/// A record is complete.
///
/// # Safety
/// The place of that position, which was taken.
#[inline(always)]
pub(crate) unsafe fn complete(slot: *mut Slot, position: u64) {
    // SAFETY: by the caller's word.
    unsafe { publish(slot, position + 1) };
}

/// A record of two parts is complete.
///
/// # Safety
/// The places of that position and the next one, which were taken.
#[inline(always)]
pub(crate) unsafe fn complete_pair(slots: [*mut Slot; 2], position: u64) {
    // SAFETY: by the caller's word. Whoever sees the first sees all of both.
    unsafe {
        publish(slots[1], position + 2);
        publish(slots[0], (position + 1) | CONTINUED);
    }
}

/// Write the word by which the reader knows a place, after all else in it.
///
/// # Safety
/// As for [`complete`].
#[inline(always)]
unsafe fn publish(slot: *mut Slot, turn: u64) {
    // SAFETY: by the caller's word.
    unsafe {
        let word = &raw mut (*slot).turn;
        if STORES_IN_ORDER.load() != 0 {
            compiler_fence(Ordering::Release);
            word.write_volatile(turn);
        } else {
            // The kernel orders all before and after it (Documentation/bpf/standardization/instruction-set.rst, BPF_XCHG).
            atomic_xchg::<u64, { AtomicOrdering::SeqCst }>(word, turn);
        }
    }
}

//! One way out for every record: count, take places, fill them, hand over.

use core::intrinsics::{AtomicOrdering, atomic_xadd};

use aya_ebpf::bindings::BPF_RB_FORCE_WAKEUP;
use aya_ebpf::helpers::bpf_get_smp_processor_id;
use socktrace_common::{CpuCounters, Family, FamilyCounters, PART, UNWANTED_INDEX, WAKE_INDEX, WAKE_WANTED};

use crate::lanes;
use crate::maps::{BELL, COUNTERS, UNWANTED, WAKE};

/// This CPU's counters.
#[inline(always)]
pub(crate) fn cpu() -> Option<*mut CpuCounters> {
    // SAFETY: takes nothing.
    COUNTERS.get_ptr_mut(unsafe { bpf_get_smp_processor_id() })
}

/// close(2) has been called for this established `struct sock`: its next state change follows on this CPU, unless
/// another task comes between, and then says that nobody has the socket any more.
#[inline(always)]
pub(crate) fn closing(sk: u64) {
    if let Some(cpu) = cpu() {
        // SAFETY: an element of the array, which lives as long as the program.
        unsafe { (&raw mut (*cpu).closing).write_volatile(sk) };
    }
}

/// Whether nobody wants the records of that bit now. They are not made then, and not counted.
#[inline(always)]
pub(crate) fn is_unwanted(bit: u32) -> bool {
    match UNWANTED.get_ptr_mut(UNWANTED_INDEX) {
        // SAFETY: an aligned u32 in a map.
        Some(unwanted) => unsafe { unwanted.read_volatile() & bit != 0 },
        None => false,
    }
}

/// How a count is kept.
#[derive(Clone, Copy)]
pub(crate) enum Count {
    /// Nothing else counts the same here on this CPU until the program ends: the tracepoints. The kernel never runs the
    /// typed ones within themselves, nor those of system calls within one another, and never takes their CPU from them
    /// (kernel/trace/bpf_trace.c, `__bpf_trace_run`, `trace_call_bpf`).
    Alone,
    /// Another task's run of the program may come between: the cgroup hooks and those on functions. The atomic addition
    /// waits for all that was written before it.
    Shared,
}

/// Let `fill` write all of a record of that family, and hand it over.
#[inline(always)]
pub(crate) fn emit<T: 'static>(family: Family, how: Count, fill: impl FnOnce(&mut T)) {
    let Some(cpu) = cpu() else { return };
    // SAFETY: an element of the array, which lives as long as the program.
    unsafe {
        let counters = &raw mut (*cpu).families[family as usize];
        emit_parts::<T, ()>(cpu, counters, how, false, fill, |_, ()| ());
    }
}

/// The same of a record of two parts.
#[inline(always)]
pub(crate) fn emit_pair<T: 'static, U: 'static>(
    family: Family,
    how: Count,
    fill: impl FnOnce(&mut T),
    go_on: impl FnOnce(&mut T, &mut U),
) {
    let Some(cpu) = cpu() else { return };
    // SAFETY: as above.
    unsafe { emit_parts(cpu, &raw mut (*cpu).families[family as usize], how, true, fill, go_on) };
}

/// Let `fill` write a record's first part, and if it is to have one, `go_on` its second; counted in `counters`. A full
/// lane is counted, never hidden.
///
/// # Safety
/// `cpu` is this CPU's map element, and `counters` in it. Both write every field of plain data, which has no invalid bit
/// patterns.
#[inline(always)]
pub(crate) unsafe fn emit_parts<T: 'static, U: 'static>(
    cpu: *mut CpuCounters,
    counters: *mut FamilyCounters,
    how: Count,
    has_second: bool,
    fill: impl FnOnce(&mut T),
    go_on: impl FnOnce(&mut T, &mut U),
) {
    const { assert!(size_of::<T>() <= PART && size_of::<U>() <= PART) };
    // SAFETY: by the caller's word.
    unsafe {
        count(how, &raw mut (*counters).seen);
        let Some(position) = lanes::take(cpu, 1 + u64::from(has_second)) else {
            return count(how, &raw mut (*counters).full);
        };
        let Some(slot) = lanes::slot(position) else { return };
        let first: &mut T = &mut *(&raw mut (*slot).part).cast();
        fill(first);
        if has_second {
            let Some(next) = lanes::slot(position + 1) else { return };
            go_on(first, &mut *(&raw mut (*next).part).cast());
            lanes::complete_pair([slot, next], position);
        } else {
            lanes::complete(slot, position);
        }
    }
    wake();
}

/// Add one.
///
/// # Safety
/// `counter` is an aligned u64 of a map element.
#[inline(always)]
unsafe fn count(how: Count, counter: *mut u64) {
    // SAFETY: by the caller's word.
    unsafe {
        match how {
            Count::Alone => *counter += 1,
            Count::Shared => {
                atomic_xadd::<u64, u64, { AtomicOrdering::Relaxed }>(counter, 1);
            }
        }
    }
}

/// Wake the reader only if it sleeps: under load it drains on its own, and a wake-up per record would cost more
/// than the record.
#[inline(always)]
fn wake() {
    let Some(wake) = WAKE.get_ptr_mut(WAKE_INDEX) else { return };
    // SAFETY: an aligned u32 in a map; a race between two CPUs wakes the reader twice, which is harmless.
    unsafe {
        if wake.read_volatile() == WAKE_WANTED {
            wake.write_volatile(0);
            ring();
        }
    }
}

/// Apart, so that programs are small.
#[inline(never)]
fn ring() {
    // Where it is full, it has been rung and not been heard yet.
    let _ = BELL.output(0u8, u64::from(BPF_RB_FORCE_WAKEUP));
}

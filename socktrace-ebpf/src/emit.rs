//! One way out for every record: reserve, fill, submit, count.

use core::intrinsics::{AtomicOrdering, atomic_xadd};

use aya_ebpf::bindings::{BPF_RB_FORCE_WAKEUP, BPF_RB_NO_WAKEUP};
use aya_ebpf::helpers::bpf_get_smp_processor_id;
use socktrace_common::{Family, WAKE_INDEX, WAKE_WANTED};

use crate::maps::{COUNTERS, EVENTS, WAKE};

/// Reserve a `T`, let `fill` write all of it, submit it. A full ring is counted, never hidden.
#[inline(always)]
pub(crate) fn emit<T: 'static>(family: Family, fill: impl FnOnce(&mut T)) {
    // SAFETY: takes nothing.
    let Some(cpu) = COUNTERS.get_ptr_mut(unsafe { bpf_get_smp_processor_id() }) else { return };
    // SAFETY: an element of the array, which lives as long as the program.
    let counters = unsafe { &raw mut (*cpu).families[family as usize] };
    // SAFETY: fields of that element.
    unsafe { count(family, &raw mut (*counters).seen) };
    let Some(mut entry) = EVENTS.reserve_untyped::<T>(0) else {
        // SAFETY: as above.
        unsafe { count(family, &raw mut (*counters).ring_full) };
        return;
    };
    // SAFETY: `fill` writes every field of the plain-data record, which has no invalid bit patterns.
    fill(unsafe { entry.assume_init_mut() });
    entry.submit(wake_flags());
    // SAFETY: as above.
    unsafe { count(family, &raw mut (*counters).submitted) };
}

/// Add one. The cgroup hooks may be preempted by another task's on the same CPU, so theirs is atomic; the tracepoints
/// run with preemption off and never within themselves (kernel/trace/bpf_trace.c), so theirs need not be.
///
/// # Safety
/// `counter` is an aligned u64 of a map element.
#[inline(always)]
unsafe fn count(family: Family, counter: *mut u64) {
    // SAFETY: by the caller's word.
    unsafe {
        match family {
            Family::Inet => {
                atomic_xadd::<u64, u64, { AtomicOrdering::Relaxed }>(counter, 1);
            }
            Family::State | Family::Call => *counter += 1,
        }
    }
}

/// Wake the reader only if it sleeps: under load it drains on its own, and a wake-up per record would cost more
/// than the record.
#[inline(always)]
fn wake_flags() -> u64 {
    let Some(wake) = WAKE.get_ptr_mut(WAKE_INDEX) else { return 0 };
    // SAFETY: an aligned u32 in a map; a race between two CPUs wakes the reader twice, which is harmless.
    unsafe {
        if wake.read_volatile() == WAKE_WANTED {
            wake.write_volatile(0);
            u64::from(BPF_RB_FORCE_WAKEUP)
        } else {
            u64::from(BPF_RB_NO_WAKEUP)
        }
    }
}

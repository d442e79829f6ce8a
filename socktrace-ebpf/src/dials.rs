//! Connects of TCP that a state change has told of, so that their return need not be looked into.

use socktrace_common::Field;

use crate::emit::cpu;
use crate::fields::load;
use crate::task;

/// connect(2) on x86-64 (arch/x86/entry/syscalls/syscall_64.tbl).
pub(crate) const CONNECT: u64 = 42;

/// A TCP connect of the current thread has begun. Only one by connect(2) returns from it: others are of a send with
/// `MSG_FASTOPEN`, or io_uring's.
#[inline(always)]
pub(crate) fn dial() {
    if task::call_number() == Some(CONNECT)
        && let Some(cpu) = cpu()
    {
        // SAFETY: an element of the array, which lives as long as the program.
        unsafe { (&raw mut (*cpu).dialled).write_volatile(moment()) };
    }
}

/// Whether the current thread has begun one on this CPU and has not left it since; asking forgets it. Who has slept
/// meanwhile is looked at closer.
#[inline(always)]
pub(crate) fn has_dialled() -> bool {
    let Some(cpu) = cpu() else { return false };
    // SAFETY: as above.
    unsafe {
        let dialled = &raw mut (*cpu).dialled;
        let [thread, switches] = moment();
        let is_this = dialled.cast::<u64>().read_volatile() == thread
            && dialled.cast::<u64>().add(1).read_volatile() == switches;
        if is_this {
            dialled.cast::<u64>().write_volatile(0);
        }
        is_this
    }
}

/// The current thread, and how often it has left a processor until now.
#[inline(always)]
fn moment() -> [u64; 2] {
    let task = task::current();
    // SAFETY: `current` is typed.
    unsafe {
        let switches = load::<u64>(task, Field::TaskSwitches) + load::<u64>(task, Field::TaskPreempted);
        [load::<u32>(task, Field::TaskPid).into(), switches]
    }
}

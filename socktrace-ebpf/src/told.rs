//! System calls that a hook within them has told of, so that their return need not be looked into.

use socktrace_common::{CpuCounters, Field};

use crate::emit::cpu;
use crate::fields::load;
use crate::task;

/// bind(2) or connect(2), by its number on x86-64 (arch/x86/entry/syscalls/syscall_64.tbl).
#[derive(Clone, Copy)]
pub(crate) enum Call {
    /// Of all but TCP, told by `cgroup/post_bind4` and `cgroup/post_bind6`.
    Bind = 49,
    /// Of TCP, told by the change to SYN_SENT.
    Connect = 42,
}

impl Call {
    /// Where it is remembered that it was told.
    #[inline(always)]
    fn place(self, cpu: *mut CpuCounters) -> *mut u64 {
        // SAFETY: fields of an element of the array, which lives as long as the program.
        unsafe {
            match self {
                Self::Bind => (&raw mut (*cpu).bound).cast(),
                Self::Connect => (&raw mut (*cpu).dialled).cast(),
            }
        }
    }

    /// A hook tells of what the current thread does. Only what this call does returns from it: other connects are of a
    /// send with `MSG_FASTOPEN`, and other binds and connects are io_uring's.
    #[inline(always)]
    pub(crate) fn tell(self) {
        if task::call_number() == Some(self as u64)
            && let Some(cpu) = cpu()
        {
            let [thread, switches] = moment();
            let place = self.place(cpu);
            // SAFETY: two words.
            unsafe {
                place.write_volatile(thread);
                place.add(1).write_volatile(switches);
            }
        }
    }

    /// Whether a hook has told of what the current thread does, on this CPU, which the thread has not left since; asking
    /// forgets it. Who has slept meanwhile is looked at closer.
    #[inline(always)]
    pub(crate) fn is_told(self) -> bool {
        let Some(cpu) = cpu() else { return false };
        let [thread, switches] = moment();
        let place = self.place(cpu);
        // SAFETY: two words.
        unsafe {
            let is_this = place.read_volatile() == thread && place.add(1).read_volatile() == switches;
            if is_this {
                place.write_volatile(0);
            }
            is_this
        }
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

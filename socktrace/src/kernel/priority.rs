//! Which threads go before which. I/O: getpriority(2), setpriority(2), `/proc/self/autogroup`.

use nix::errno::Errno;
use nix::unistd::{getpid, getsid};
use std::sync::atomic::{AtomicBool, Ordering};

/// How far whoever must keep up goes before other programs, steps of nice(2).
const AHEAD: i32 = -10;

/// Whether [`go_ahead`] has done something.
static AHEAD_OF_OTHERS: AtomicBool = AtomicBool::new(false);

/// Lets the calling thread, and those that it starts, go before the other programs of the machine, so that however many
/// of these want a processor, it has one when it needs one. Takes CAP_SYS_NICE. Best effort: without it, or where somebody
/// else has chosen a place for this process, it stays what it is.
pub fn go_ahead() {
    // Where the kernel shares out processors among sessions (sched(7), "The autogroup feature"), the session's place is what
    // counts for other sessions, and a thread's takes from the session that it is in. So only one that is ours, such as a
    // service's, goes ahead.
    let shared_out = std::fs::read_to_string("/proc/sys/kernel/sched_autogroup_enabled");
    let shared_out = shared_out.is_ok_and(|enabled| enabled.trim() == "1");
    if own() != Ok(0) || (shared_out && getsid(None) != Ok(getpid())) || !set(AHEAD) {
        return;
    }
    AHEAD_OF_OTHERS.store(true, Ordering::Relaxed);
    if shared_out {
        let _ = std::fs::write("/proc/self/autogroup", AHEAD.to_string());
    }
}

/// Puts the calling thread back among others, if it was started by one that went ahead of them. Best effort.
pub fn go_back() {
    if AHEAD_OF_OTHERS.load(Ordering::Relaxed) {
        set(0);
    }
}

/// Lets every other thread of the machine that wants a processor go before the calling one, by so many steps of
/// nice(2). There is no way back without privileges. Best effort: without it, it is one thread among others.
pub fn yield_to_others(steps: i32) {
    set(steps);
}

/// For Linux, 0 is the calling thread (setpriority(2), "C library/kernel differences").
fn set(steps: i32) -> bool {
    // SAFETY: takes numbers only.
    (unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, steps) }) == 0
}

/// The calling thread's.
fn own() -> nix::Result<i32> {
    // -1 is an answer as well as an error.
    Errno::clear();
    // SAFETY: takes numbers only.
    let steps = unsafe { libc::getpriority(libc::PRIO_PROCESS, 0) };
    if Errno::last_raw() == 0 { Ok(steps) } else { Err(Errno::last()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_calling_thread_alone() {
        let before = own();
        std::thread::spawn(|| {
            yield_to_others(19);
            assert_eq!(own(), Ok(19));
        })
        .join()
        .unwrap();
        assert_eq!(own(), before);
    }

    #[test]
    fn whoever_has_a_place_keeps_it() {
        std::thread::spawn(|| {
            yield_to_others(7);
            go_ahead();
            assert_eq!(own(), Ok(7));
        })
        .join()
        .unwrap();
    }
}

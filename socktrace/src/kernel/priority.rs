//! Which threads others go before. I/O: setpriority(2).

/// Lets every other thread of the machine that wants a processor go before the calling one, by so many steps of
/// nice(2). There is no way back without privileges. Best effort: without it, it is one thread among others.
pub fn yield_to_others(steps: i32) {
    // SAFETY: takes numbers only. For Linux, 0 is the calling thread (setpriority(2), "C library/kernel differences").
    let _ = unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, steps) };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn niceness() -> String {
        let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
        // Its 19th field; the second one ends in the last bracket.
        stat.rsplit_once(')').unwrap().1.split_whitespace().nth(16).unwrap().to_owned()
    }

    #[test]
    fn it_is_the_calling_thread_alone() {
        let before = niceness();
        std::thread::spawn(|| {
            yield_to_others(19);
            assert_eq!(niceness(), "19");
        })
        .join()
        .unwrap();
        assert_eq!(niceness(), before);
    }
}

//! The same work for many items on several threads. I/O: threads.

use std::sync::{Mutex, PoisonError};
use std::thread::Builder;

/// Does the work for each item on all processors; what it gave, in the order of the items.
pub(super) fn in_parallel<T: Send, R: Send>(items: Vec<T>, work: impl Fn(T) -> R + Sync) -> Vec<R> {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    on_threads(processors.min(8), items, work)
}

/// The same on at most so many threads: whoever is free takes the next item.
pub(super) fn on_threads<T: Send, R: Send>(
    count: usize,
    items: Vec<T>,
    work: impl Fn(T) -> R + Sync,
) -> Vec<R> {
    let helpers = count.min(items.len()).saturating_sub(1);
    let items = Mutex::new(items.into_iter().enumerate());
    let take_all = || {
        let mut done = Vec::new();
        loop {
            let next = items.lock().unwrap_or_else(PoisonError::into_inner).next();
            let Some((place, item)) = next else { return done };
            done.push((place, work(item)));
        }
    };
    let mut done = std::thread::scope(|scope| {
        // Where no more threads are to be had, there are as many as there are.
        let threads: Vec<_> =
            (0..helpers).map_while(|_| Builder::new().spawn_scoped(scope, take_all).ok()).collect();
        let mut done = take_all();
        for thread in threads {
            done.extend(thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        done
    });
    done.sort_unstable_by_key(|&(place, _)| place);
    done.into_iter().map(|(_, done)| done).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_come_in_order_whoever_worked_on_them() {
        for threads in [0, 1, 7, 900] {
            let done = on_threads(threads, (0..500).collect(), |item| item * 2);
            assert_eq!(done, (0..500).map(|item| item * 2).collect::<Vec<_>>(), "{threads}");
        }
        assert_eq!(in_parallel(vec![3, 2, 1], |item| item + 1), [4, 3, 2]);
        assert_eq!(in_parallel(Vec::<u8>::new(), |item| item), Vec::<u8>::new());
    }
}

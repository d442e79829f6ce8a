//! The same work for many items, on all processors. I/O: threads.

use std::sync::{Mutex, PoisonError};
use std::thread::Builder;

/// Does the work for each item, whoever is free takes the next one; what it gave, in the order of the items.
pub(super) fn in_parallel<T: Send, R: Send>(items: Vec<T>, work: impl Fn(T) -> R + Sync) -> Vec<R> {
    let items = Mutex::new(items.into_iter().enumerate());
    let take_all = || {
        let mut done = Vec::new();
        loop {
            let next = items.lock().unwrap_or_else(PoisonError::into_inner).next();
            let Some((place, item)) = next else { return done };
            done.push((place, work(item)));
        }
    };
    let helpers = std::thread::available_parallelism().map_or(1, usize::from).min(8) - 1;
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
        let done: Vec<_> = in_parallel((0..500).collect(), |item| item * 2).into_iter().enumerate().collect();
        assert_eq!(done, (0..500).map(|item| (item, item * 2)).collect::<Vec<_>>());
    }
}

//! A small memory with a bound: what is not taken in time is forgotten, the oldest first.

use std::collections::VecDeque;

use rustc_hash::FxHashMap;

use crate::socket::Cookie;

/// At most `room` values by cookie.
#[derive(Debug)]
pub(super) struct BoundedMap<T> {
    room: usize,
    values: FxHashMap<Cookie, T>,
    /// In the order they came; holds cookies that were taken since.
    order: VecDeque<Cookie>,
}

impl<T> BoundedMap<T> {
    pub(super) fn new(room: usize) -> Self {
        Self { room, values: FxHashMap::default(), order: VecDeque::new() }
    }

    pub(super) fn put(&mut self, cookie: Cookie, value: T) {
        if self.order.len() >= self.room
            && let Some(oldest) = self.order.pop_front()
        {
            self.values.remove(&oldest);
        }
        self.order.push_back(cookie);
        self.values.insert(cookie, value);
    }

    pub(super) fn take(&mut self, cookie: Cookie) -> Option<T> {
        // Nearly always empty: no hashing then.
        if self.values.is_empty() { None } else { self.values.remove(&cookie) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_are_forgotten() {
        let mut aside = BoundedMap::new(2);
        for cookie in 1..=3 {
            aside.put(cookie, cookie * 10);
        }
        assert_eq!(aside.take(1), None);
        assert_eq!(aside.take(3), Some(30));
        assert_eq!(aside.take(3), None);
        for cookie in 4..1000 {
            aside.put(cookie, 0);
        }
        assert!(aside.order.len() <= 2 && aside.values.len() <= 2);
    }
}

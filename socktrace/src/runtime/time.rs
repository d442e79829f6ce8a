//! How far the wall clock is from the kernel's, and following it when somebody sets it.
//!
//! I/O: clock_gettime(2), through `kernel`.

use crate::api::when::{self, WhenError};
use crate::kernel::clock::wall_now;
use crate::render::clock::Clock;
use crate::socket::UnixNs;
use std::sync::atomic::{AtomicI64, Ordering};

pub use crate::kernel::clock::boot_now;

/// The wall clock: nanoseconds since 1970.
#[must_use]
pub fn now() -> u64 {
    u64::try_from(wall_now()).unwrap_or(0)
}

/// The time that a word means, here and now.
///
/// # Errors
/// It is none.
pub fn parse(word: &str) -> Result<UnixNs, WhenError> {
    when::parse(word, jiff::Timestamp::now(), &jiff::tz::TimeZone::system())
}

/// How far the wall clock is from the kernel's, now: for dates of what was a while ago. So that a date is the same in each
/// answer, the distance is the one that was told before, unless the clock was set, or slewed by a millisecond since.
#[must_use]
pub fn clock(local_offset_s: i32) -> Clock {
    static TOLD: AtomicI64 = AtomicI64::new(i64::MIN);
    let unix_minus_boot_ns = Reading::now().told(TOLD.load(Ordering::Relaxed));
    TOLD.store(unix_minus_boot_ns, Ordering::Relaxed);
    Clock { unix_minus_boot_ns, local_offset_s }
}

/// Follows the wall clock: what is told from now on has the time that it shows now. To be called often; it costs three
/// readings of clocks, and no system call.
pub fn follow(clock: &mut Clock) {
    clock.unix_minus_boot_ns = Reading::now().or(clock.unix_minus_boot_ns);
}

/// What the local time zone adds to UTC now, seconds.
#[must_use]
pub fn local_offset_s() -> i32 {
    let now = jiff::Timestamp::now();
    jiff::tz::TimeZone::system().to_offset(now).seconds()
}

/// How far dates may be from the wall clock, nanoseconds.
const SLEWED: u64 = 1_000_000;

/// The kernel's clock, the wall clock, and the kernel's again: between them we may have been kept waiting.
#[derive(Debug, Clone, Copy)]
struct Reading {
    before: i64,
    wall: i64,
    after: i64,
}

impl Reading {
    fn now() -> Self {
        let boot_now = || i64::try_from(boot_now()).unwrap_or(i64::MAX);
        Self { before: boot_now(), wall: wall_now(), after: boot_now() }
    }

    /// The wall clock's reading belongs to the middle.
    const fn distance(self) -> i64 {
        self.wall - (self.before + (self.after - self.before) / 2)
    }

    /// The distance for answers, given the one that was told before.
    const fn told(self, before: i64) -> i64 {
        let new = self.distance();
        if new.saturating_sub(before).unsigned_abs() <= SLEWED { before } else { new }
    }

    /// The distance to go on with: the known one, unless the clocks cannot be so far apart any more. So the times of
    /// events do not jitter with our readings.
    const fn or(self, known: i64) -> i64 {
        let (new, doubt) = (self.distance(), (self.after - self.before) / 2 + 1);
        if (new - known).abs() <= doubt { known } else { new }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wall_clock_is_found_again() {
        let clock = clock(0);
        let now = jiff::Timestamp::now();
        let ours = clock.unix_ns(boot_now());
        let difference = i128::from(ours) - now.as_nanosecond();
        assert!(difference.abs() < 1_000_000_000, "{difference} ns");
    }

    #[test]
    fn a_clock_that_was_set_is_followed_and_a_slow_reading_is_not() {
        const HOUR: i64 = 3_600_000_000_000;
        for (name, [before, wall, after], expected) in [
            ("nothing happened", [1000, 6010, 1020], 5000),
            ("read a little off the middle", [1000, 6003, 1020], 5000),
            ("kept waiting after the wall clock was read", [1000, 6001, 51_000], 5000),
            ("kept waiting before it was read", [1000, 55_999, 51_000], 5000),
            ("set forward", [1000, 6010 + HOUR, 1020], 5000 + HOUR),
            ("set back", [1000, 6010 - HOUR, 1020], 5000 - HOUR),
            ("set forward while we were kept waiting", [1000, HOUR, 51_000], HOUR - 26_000),
            ("slewed by a microsecond", [1000, 7010, 1020], 6000),
        ] {
            assert_eq!(Reading { before, wall, after }.or(5000), expected, "{name}");
        }
    }

    #[test]
    fn dates_of_two_answers_are_the_same_until_the_clock_is_set() {
        let reading = |wall| Reading { before: 0, wall, after: 0 };
        for (wall, before, expected) in [
            (5000, i64::MIN, 5000),
            (5001, 5000, 5000),
            (1_005_000, 5000, 5000),
            (1_005_001, 5000, 1_005_001),
            (-3_600_000_000_000, 5000, -3_600_000_000_000),
        ] {
            assert_eq!(reading(wall).told(before), expected);
        }
    }
}

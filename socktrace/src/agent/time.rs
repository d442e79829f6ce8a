//! The clocks: the kernel's, and how far the wall clock is from it.
//!
//! I/O: clock_gettime(2).

use crate::render::clock::Clock;
use crate::socket::BootNs;
use nix::time::{ClockId, clock_gettime};

/// Now, by the clock that kernel records carry.
#[must_use]
pub fn boot_now() -> BootNs {
    u64::try_from(read(ClockId::CLOCK_BOOTTIME)).unwrap_or(0)
}

/// How far the wall clock is from the kernel's, now: it moves when somebody sets the wall clock.
#[must_use]
pub fn clock(local_offset_s: i32) -> Clock {
    // The kernel's clock is read before and after; the wall clock's reading belongs to the middle.
    let before = read(ClockId::CLOCK_BOOTTIME);
    let wall = read(ClockId::CLOCK_REALTIME);
    let after = read(ClockId::CLOCK_BOOTTIME);
    Clock { unix_minus_boot_ns: wall - (before + (after - before) / 2), local_offset_s }
}

/// What the local time zone adds to UTC now, seconds.
#[must_use]
pub fn local_offset_s() -> i32 {
    let now = jiff::Timestamp::now();
    jiff::tz::TimeZone::system().to_offset(now).seconds()
}

fn read(id: ClockId) -> i64 {
    // The clocks exist since Linux 2.6.39.
    clock_gettime(id).map_or(0, |time| time.tv_sec() * 1_000_000_000 + time.tv_nsec())
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
}

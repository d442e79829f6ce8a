//! The clock of the kernel's records.
//!
//! I/O: clock_gettime(2), `/proc/self/timens_offsets`.

use crate::socket::BootNs;
use nix::time::{ClockId, clock_gettime};
use std::sync::OnceLock;

/// Now, by the clock that kernel records carry (`bpf_ktime_get_boot_ns`): `CLOCK_BOOTTIME` without the offset that a time
/// namespace gives it (time_namespaces(7)). It goes on while the machine sleeps, and nobody can set it.
#[must_use]
pub fn boot_now() -> BootNs {
    u64::try_from(read(ClockId::CLOCK_BOOTTIME) - namespace_offset()).unwrap_or(0)
}

/// Now, by the wall clock: nanoseconds since 1970.
#[must_use]
pub fn wall_now() -> i64 {
    read(ClockId::CLOCK_REALTIME)
}

fn read(id: ClockId) -> i64 {
    // The clocks exist since Linux 2.6.39.
    clock_gettime(id).map_or(0, |time| time.tv_sec() * 1_000_000_000 + time.tv_nsec())
}

/// What our time namespace adds, nanoseconds; 0 where there are none (Linux 5.6 has them). A process with threads does
/// not change its own.
fn namespace_offset() -> i64 {
    static OFFSET: OnceLock<i64> = OnceLock::new();
    *OFFSET.get_or_init(|| {
        std::fs::read_to_string("/proc/self/timens_offsets")
            .ok()
            .and_then(|text| boot_offset(&text))
            .unwrap_or(0)
    })
}

/// Of lines that hold the name or number of a clock, seconds and nanoseconds.
fn boot_offset(text: &str) -> Option<i64> {
    let mut words = text.lines().map(|line| line.split_ascii_whitespace());
    let mut boot = words.find_map(|mut words| matches!(words.next()?, "boottime" | "7").then_some(words))?;
    let mut number = || boot.next()?.parse::<i64>().ok();
    let (seconds, nanos) = (number()?, number()?);
    seconds.checked_mul(1_000_000_000)?.checked_add(nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_of_a_time_namespace() {
        for (text, expected) in [
            ("monotonic           0         0\nboottime            0         0\n", Some(0)),
            (
                "monotonic           5         7\nboottime      1000000         9\n",
                Some(1_000_000_000_000_009),
            ),
            ("monotonic           5         7\nboottime           -2 500000000\n", Some(-1_500_000_000)),
            ("1 0 0\n7 3 4\n", Some(3_000_000_004)),
            ("monotonic 1 2\n", None),
            ("boottime 1\n", None),
            ("boottime 9223372036854775807 0\n", None),
            ("", None),
        ] {
            assert_eq!(boot_offset(text), expected, "{text:?}");
        }
    }
}

//! The clocks of the kernel's records.
//!
//! I/O: clock_gettime(2), `/proc/self/timens_offsets`.

use crate::socket::BootNs;
use nix::time::{ClockId, clock_gettime};
use std::sync::OnceLock;

/// Nanoseconds by the clock that kernel records carry (`bpf_ktime_get_ns`): `CLOCK_MONOTONIC`, of no time namespace. It
/// stands still while the machine sleeps.
pub type RecordNs = u64;

/// Now, by `CLOCK_BOOTTIME` without the offset that a time namespace gives it (time_namespaces(7)). It goes on while the
/// machine sleeps, and nobody can set it.
#[must_use]
pub fn boot_now() -> BootNs {
    u64::try_from(read(ClockId::CLOCK_BOOTTIME) - offsets().boot).unwrap_or(0)
}

/// Now, by the clock of records.
#[must_use]
pub fn record_now() -> RecordNs {
    u64::try_from(read(ClockId::CLOCK_MONOTONIC) - offsets().monotonic).unwrap_or(0)
}

/// What has to be added to a record's time to make it one since boot: how long the machine has slept.
///
/// A record from before a sleep that is read after it is taken for one from after it: there is no telling, and the order
/// stays right.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Slept(u64);

impl Slept {
    /// Look at the clocks.
    pub fn follow(&mut self) {
        self.see(boot_now(), record_now(), boot_now());
    }

    /// The clock of records was read between two readings of the other, and we may have been kept waiting meanwhile. Both
    /// go at the same pace: what can be as it was stays so, that times do not jitter with our readings.
    const fn see(&mut self, before: BootNs, record: RecordNs, after: BootNs) {
        let doubt = after.saturating_sub(before) / 2;
        let slept = before.saturating_add(doubt).saturating_sub(record);
        if slept.abs_diff(self.0) > doubt + 1 {
            self.0 = slept;
        }
    }

    /// A record's time, since boot.
    #[must_use]
    pub const fn since_boot(self, at: RecordNs) -> BootNs {
        at.saturating_add(self.0)
    }
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

/// What our time namespace adds, nanoseconds.
struct Offsets {
    boot: i64,
    monotonic: i64,
}

/// Those of our own; 0 where there are no time namespaces (Linux 5.6 has them). A process with threads does not change
/// its own.
fn offsets() -> &'static Offsets {
    static OFFSETS: OnceLock<Offsets> = OnceLock::new();
    OFFSETS.get_or_init(|| {
        let text = std::fs::read_to_string("/proc/self/timens_offsets").unwrap_or_default();
        let of = |names| offset(&text, names).unwrap_or(0);
        Offsets { boot: of(["boottime", "7"]), monotonic: of(["monotonic", "1"]) }
    })
}

/// Of lines that hold the name or number of a clock, seconds and nanoseconds.
fn offset(text: &str, names: [&str; 2]) -> Option<i64> {
    let mut words = text.lines().map(|line| line.split_ascii_whitespace());
    let mut clock = words.find_map(|mut words| names.contains(&words.next()?).then_some(words))?;
    let mut number = || clock.next()?.parse::<i64>().ok();
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
            assert_eq!(offset(text, ["boottime", "7"]), expected, "{text:?}");
        }
        let both = "monotonic           5         7\nboottime      1000000         9\n";
        assert_eq!(offset(both, ["monotonic", "1"]), Some(5_000_000_007));
    }

    #[test]
    fn a_sleep_is_told_from_the_time_between_two_looks() {
        let mut slept = Slept::default();
        for (before, record, after, expected) in [
            (1_000, 1_060, 1_100, 0),
            // We are kept waiting.
            (2_000, 2_050, 9_000_000, 0),
            (9_000_100, 9_000_130, 9_000_180, 0),
            // It sleeps for a while.
            (70_000_000, 10_000_000, 70_000_100, 60_000_050),
            (70_001_000, 10_000_980, 70_001_080, 60_000_050),
        ] {
            slept.see(before, record, after);
            assert_eq!(slept.since_boot(7), expected + 7, "{before}");
        }
    }
}

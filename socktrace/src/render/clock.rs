//! Kernel time (`CLOCK_BOOTTIME`) to wall-clock text. Pure: the offsets are given, no clock is read here.

use crate::socket::BootNs;

const NS: i64 = 1_000_000_000;
const DAY: i64 = 86_400;

/// Length of an RFC 3339 time with nanoseconds: `2026-07-28T15:04:05.123456789Z`.
pub const RFC3339_LEN: usize = 30;

/// How far the wall clock is from the kernel's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Clock {
    /// `CLOCK_REALTIME` minus `CLOCK_BOOTTIME`, nanoseconds.
    pub unix_minus_boot_ns: i64,
    /// What the local time zone adds to UTC, seconds; only human lines use it.
    pub local_offset_s: i32,
}

impl Clock {
    /// As RFC 3339, UTC, nine digits of a second. Years beyond 9999 cannot occur: 64 bits of nanoseconds
    /// end in 2262.
    #[must_use]
    pub fn rfc3339(&self, at: BootNs) -> [u8; RFC3339_LEN] {
        let unix = self.unix_ns(at);
        let (seconds, nanos) = (unix.div_euclid(NS), unix.rem_euclid(NS));
        let (year, month, day) = civil(seconds.div_euclid(DAY));
        let mut text = *b"0000-00-00T00:00:00.000000000Z";
        digits(&mut text, 0, 4, year);
        digits(&mut text, 5, 2, month);
        digits(&mut text, 8, 2, day);
        time_of_day(&mut text, 11, seconds.rem_euclid(DAY));
        digits(&mut text, 20, 9, nanos);
        text
    }

    /// Date and time in the local zone with milliseconds: `2026-07-28 15:04:05.123`.
    #[must_use]
    pub fn local_date_time(&self, at: BootNs) -> [u8; 23] {
        let offset_ns = i64::from(self.local_offset_s) * NS;
        let local = Self { unix_minus_boot_ns: self.unix_minus_boot_ns.saturating_add(offset_ns), ..*self };
        let mut text = *b"0000-00-00 00:00:00.000";
        for (to, from) in text.iter_mut().zip(local.rfc3339(at)) {
            if from.is_ascii_digit() {
                *to = from;
            }
        }
        text
    }

    /// Time of day in the local zone with microseconds: `15:04:05.123456`.
    #[must_use]
    pub fn local_time(&self, at: BootNs) -> [u8; 15] {
        let unix = self.unix_ns(at).saturating_add(i64::from(self.local_offset_s) * NS);
        let mut text = *b"00:00:00.000000";
        time_of_day(&mut text, 0, unix.div_euclid(NS).rem_euclid(DAY));
        digits(&mut text, 9, 6, unix.rem_euclid(NS) / 1000);
        text
    }

    /// Nanoseconds since 1970-01-01 UTC.
    #[must_use]
    pub fn unix_ns(&self, at: BootNs) -> i64 {
        i64::try_from(at).unwrap_or(i64::MAX).saturating_add(self.unix_minus_boot_ns)
    }
}

/// Days since 1970-01-01 to (year, month, day), in years of 365.2425 days that begin in March, so that the
/// leap day is the last of its year.
const fn civil(days: i64) -> (i64, i64, i64) {
    const DAYS_400_YEARS: i64 = 146_097;
    let shifted = days + 719_468; // days since 0000-03-01
    let era = shifted.div_euclid(DAYS_400_YEARS);
    let day_of_era = shifted.rem_euclid(DAYS_400_YEARS);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / (DAYS_400_YEARS - 1)) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + if month <= 2 { 1 } else { 0 };
    (year, month, day)
}

fn time_of_day(text: &mut [u8], at: usize, second_of_day: i64) {
    digits(text, at, 2, second_of_day / 3600);
    digits(text, at + 3, 2, second_of_day / 60 % 60);
    digits(text, at + 6, 2, second_of_day % 60);
}

/// Writes the last `count` decimal digits of a number that is not negative.
fn digits(text: &mut [u8], at: usize, count: usize, mut number: i64) {
    let Some(place) = text.get_mut(at..at + count) else { return };
    for digit in place.iter_mut().rev() {
        // The remainder is 0 to 9.
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_times() {
        for (unix_ns, expected) in [
            (0, "1970-01-01T00:00:00.000000000Z"),
            (1, "1970-01-01T00:00:00.000000001Z"),
            (951_782_400 * NS, "2000-02-29T00:00:00.000000000Z"),
            (951_868_799 * NS + 999_999_999, "2000-02-29T23:59:59.999999999Z"),
            (1_000_000_000 * NS, "2001-09-09T01:46:40.000000000Z"),
            (4_107_542_399 * NS, "2100-02-28T23:59:59.000000000Z"),
            (i64::MAX, "2262-04-11T23:47:16.854775807Z"),
        ] {
            let clock = Clock { unix_minus_boot_ns: unix_ns - 5, local_offset_s: 7200 };
            assert_eq!(std::str::from_utf8(&clock.rfc3339(5)), Ok(expected));
        }
    }

    #[test]
    fn local_time_of_day_wraps_at_midnight_both_ways() {
        let at = |seconds: i64, offset| {
            let clock = Clock { unix_minus_boot_ns: seconds * NS + 123_456_789, local_offset_s: offset };
            String::from_utf8(clock.local_time(0).to_vec()).unwrap()
        };
        assert_eq!(at(0, 0), "00:00:00.123456");
        assert_eq!(at(0, -3600), "23:00:00.123456");
        assert_eq!(at(86_399, 1), "00:00:00.123456");
        assert_eq!(at(54_245, 0), "15:04:05.123456");
    }

    proptest! {
        #[test]
        fn agrees_with_jiff(unix_ns in i64::MIN / 5 ..= i64::MAX) {
            let clock = Clock { unix_minus_boot_ns: unix_ns, local_offset_s: 0 };
            let expected = jiff::Timestamp::from_nanosecond(unix_ns.into()).unwrap();
            let ours = clock.rfc3339(0);
            prop_assert_eq!(std::str::from_utf8(&ours).unwrap(), format!("{expected:.9}"));
        }
    }
}

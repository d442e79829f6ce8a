//! Words for a time: `10m`, `14:05`, `2026-11-22T14:05:00Z`.

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::UnixNs;

/// What can be said.
const POSSIBLE: &str = "a time is 90s, 10m, 2h, 1d, 1w (ago), 14:05, 2026-11-22, \
     2026-11-22T14:05:00 (local time), or one with Z or an offset like +01:00";

/// A word that is no time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WhenError {
    /// It is none of the forms.
    #[error("{POSSIBLE}")]
    NoTime,
    /// There is no such hour, day or month, or it is too far away.
    #[error("there is no such time")]
    Impossible,
}

/// The time that a word means. `now` and `zone` are the reader's.
///
/// # Errors
/// See [`WhenError`].
pub fn parse(word: &str, now: Timestamp, zone: &TimeZone) -> Result<UnixNs, WhenError> {
    let at = absolute(word, now, zone).unwrap_or_else(|| ago(word, now))?;
    u64::try_from(at.as_nanosecond()).map_err(|_| WhenError::Impossible)
}

/// So long ago: numbers, each with a unit.
fn ago(word: &str, now: Timestamp) -> Result<Timestamp, WhenError> {
    let mut rest = word;
    let mut seconds = 0i64;
    if rest.is_empty() {
        return Err(WhenError::NoTime);
    }
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = rest.split_at_checked(digits).ok_or(WhenError::NoTime)?;
        let mut unit = unit.chars();
        let unit_s = match unit.next() {
            Some('s') => 1,
            Some('m') => 60,
            Some('h') => 3600,
            Some('d') => 86_400,
            Some('w') => 7 * 86_400,
            Some(_) | None => return Err(WhenError::NoTime),
        };
        if number.is_empty() {
            return Err(WhenError::NoTime);
        }
        let number: i64 = number.parse().map_err(|_| WhenError::Impossible)?;
        let part = number.checked_mul(unit_s).ok_or(WhenError::Impossible)?;
        seconds = seconds.checked_add(part).ok_or(WhenError::Impossible)?;
        rest = unit.as_str();
    }
    now.checked_sub(SignedDuration::from_secs(seconds)).map_err(|_| WhenError::Impossible)
}

/// A time of day or a date; none if it does not look like one.
fn absolute(word: &str, now: Timestamp, zone: &TimeZone) -> Option<Result<Timestamp, WhenError>> {
    let (time_of_day, date) = (looks_like(word, "dd:dd"), looks_like(word, "dddd-dd-dd"));
    if !time_of_day && !date {
        return None;
    }
    let civil = if time_of_day {
        word.parse::<Time>().ok().map(|time| now.to_zoned(zone.clone()).date().to_datetime(time))
    } else if let Ok(timestamp) = word.parse::<Timestamp>() {
        return Some(Ok(timestamp));
    } else if word.len() == "2026-11-22".len() {
        word.parse::<Date>().ok().map(|date| date.to_datetime(Time::midnight()))
    } else if word.ends_with(['Z', 'z', ']']) || word.get(10..).is_some_and(|rest| rest.contains(['+', '-']))
    {
        // It has an offset, and would have been a timestamp.
        None
    } else {
        word.parse::<DateTime>().ok()
    };
    let timestamp = civil.and_then(|civil| zone.to_timestamp(civil).ok());
    Some(timestamp.ok_or(WhenError::Impossible))
}

/// Whether the text begins so; `d` is any digit.
fn looks_like(text: &str, pattern: &str) -> bool {
    let fits = |(byte, wanted): (u8, u8)| if wanted == b'd' { byte.is_ascii_digit() } else { byte == wanted };
    text.len() >= pattern.len() && text.bytes().zip(pattern.bytes()).all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Two hours ahead of UTC.
    fn zone() -> TimeZone {
        TimeZone::fixed(jiff::tz::Offset::constant(2))
    }

    fn now() -> Timestamp {
        "2026-11-22T18:30:00Z".parse().unwrap()
    }

    #[track_caller]
    fn check(word: &str, expected: Result<&str, WhenError>) {
        let found = parse(word, now(), &zone());
        let expected = expected.map(|text| text.parse::<Timestamp>().unwrap().as_nanosecond() as u64);
        assert_eq!(found, expected, "{word}");
    }

    #[test]
    fn words_and_what_they_mean() {
        for (word, expected) in [
            ("90s", "2026-11-22T18:28:30Z"),
            ("10m", "2026-11-22T18:20:00Z"),
            ("2h", "2026-11-22T16:30:00Z"),
            ("1h30m", "2026-11-22T17:00:00Z"),
            ("1d", "2026-11-21T18:30:00Z"),
            ("1w", "2026-11-15T18:30:00Z"),
            ("0s", "2026-11-22T18:30:00Z"),
            ("14:05", "2026-11-22T12:05:00Z"),
            ("14:05:06", "2026-11-22T12:05:06Z"),
            ("14:05:06.5", "2026-11-22T12:05:06.5Z"),
            ("2026-11-21", "2026-11-20T22:00:00Z"),
            ("2026-11-21T14:05", "2026-11-21T12:05:00Z"),
            ("2026-11-21 14:05:00", "2026-11-21T12:05:00Z"),
            ("2026-11-21T14:05:00Z", "2026-11-21T14:05:00Z"),
            ("2026-11-21T14:05:00.25Z", "2026-11-21T14:05:00.25Z"),
            ("2026-11-21T14:05:00-05:00", "2026-11-21T19:05:00Z"),
            ("2026-11-21 14:05+01:00", "2026-11-21T13:05:00Z"),
        ] {
            check(word, Ok(expected));
        }
    }

    #[test]
    fn words_that_are_no_time() {
        for word in
            ["", "10", "m", "10x", "10m5", "-10m", "yesterday", "1.5h", "10 m", "14", "1:05", "h1", "٣m"]
        {
            check(word, Err(WhenError::NoTime));
        }
        for word in [
            "25:00",
            "14:60",
            "14:05x",
            "14:05Z",
            "2026-13-01",
            "2026-02-30",
            "2026-11-22T25:00",
            "2026-11-22T14:05+99:00",
            "2026-11-22T14:05:00[Nowhere/Land]",
            "1900-01-01",
            "99999999999999999999s",
            "9223372036854775807w",
            "999999w",
        ] {
            check(word, Err(WhenError::Impossible));
        }
    }

    proptest! {
        #[test]
        fn any_word_has_an_answer(word in "\\PC{0,30}") {
            let _ = parse(&word, now(), &zone());
        }

        #[test]
        fn any_word_of_their_letters_has_an_answer(word in "[0-9smhdwTZ:+. -]{0,30}") {
            let _ = parse(&word, now(), &zone());
        }
    }
}

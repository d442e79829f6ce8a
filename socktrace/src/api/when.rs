//! Words for a time: `10m`, `14:05`, `2026-11-22T14:05:00Z`, and those of date(1): `10 minutes ago`, `yesterday 14:00`,
//! `@1760000000`.

use jiff::civil::{Date, DateTime, Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, Timestamp};

use crate::socket::UnixNs;

/// What can be said.
const POSSIBLE: &str = "a time is 90s, 10m, 2h, 1d, 1w (ago), 10 minutes ago, yesterday 14:00, 14:05, @1760000000, \
     2026-11-22, 2026-11-22T14:05:00 (local time), or one with Z or an offset like +01:00";

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

/// The time that a word, or several, mean. `now` and `zone` are the reader's.
///
/// # Errors
/// See [`WhenError`].
pub fn parse(word: &str, now: Timestamp, zone: &TimeZone) -> Result<UnixNs, WhenError> {
    let at = absolute(word, now, zone)
        .or_else(|| as_date_has_it(&word.to_ascii_lowercase(), now, zone))
        .unwrap_or_else(|| ago(word, now))?;
    u64::try_from(at.as_nanosecond()).map_err(|_| WhenError::Impossible)
}

/// In the words of date(1); none if it is not said so.
fn as_date_has_it(text: &str, now: Timestamp, zone: &TimeZone) -> Option<Result<Timestamp, WhenError>> {
    if let Some(seconds) = text.strip_prefix('@') {
        return Some(since_1970(seconds));
    }
    let words: Vec<&str> = text.split_whitespace().collect();
    match words.as_slice() {
        ["now"] => Some(Ok(now)),
        [amounts @ .., "ago"] => Some(before(amounts, now, zone)),
        words => day_and_time(words, now, zone),
    }
}

/// `1760000000` or `1760000000.5`.
fn since_1970(text: &str) -> Result<Timestamp, WhenError> {
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number(seconds) || !is_number(fraction) || fraction.len() > 9 {
        return Err(WhenError::NoTime);
    }
    let seconds = seconds.parse().map_err(|_| WhenError::Impossible)?;
    let nanos = format!("{fraction:0<9}").parse().map_err(|_| WhenError::NoTime)?;
    Timestamp::new(seconds, nanos).map_err(|_| WhenError::Impossible)
}

/// So much before now: `10 minutes`, `an hour`, `1 day 2 hours`, `10m`. Days and more are those of the calendar.
fn before(amounts: &[&str], now: Timestamp, zone: &TimeZone) -> Result<Timestamp, WhenError> {
    if let [word] = amounts
        && !word.bytes().all(|byte| byte.is_ascii_alphabetic())
    {
        return ago(word, now);
    }
    let mut span = Span::new();
    let mut words = amounts.iter();
    if amounts.is_empty() {
        return Err(WhenError::NoTime);
    }
    while let Some(word) = words.next() {
        let (count, unit) = match *word {
            "a" | "an" | "one" => (1, words.next().copied()),
            word if word.bytes().all(|byte| byte.is_ascii_digit()) => {
                (word.parse().map_err(|_| WhenError::Impossible)?, words.next().copied())
            }
            // As in `hour ago`.
            word => (1, Some(word)),
        };
        span = added(span, count, unit.ok_or(WhenError::NoTime)?)?;
    }
    let at = now.to_zoned(zone.clone()).checked_sub(span).map_err(|_| WhenError::Impossible)?;
    Ok(at.timestamp())
}

fn added(span: Span, count: i64, unit: &str) -> Result<Span, WhenError> {
    let unit = unit.trim_end_matches(',');
    let sum = |before: i64| before.checked_add(count).ok_or(WhenError::Impossible);
    let span = match unit.strip_suffix('s').unwrap_or(unit) {
        "" | "sec" | "second" => span.try_seconds(sum(span.get_seconds())?),
        "m" | "min" | "minute" => span.try_minutes(sum(span.get_minutes())?),
        "h" | "hour" => span.try_hours(sum(span.get_hours().into())?),
        "d" | "day" => span.try_days(sum(span.get_days().into())?),
        "w" | "week" => span.try_weeks(sum(span.get_weeks().into())?),
        "fortnight" => span.try_weeks(sum(count.saturating_add(span.get_weeks().into()))?),
        "month" => span.try_months(sum(span.get_months().into())?),
        "year" => span.try_years(sum(span.get_years().into())?),
        _ => return Err(WhenError::NoTime),
    };
    span.map_err(|_| WhenError::Impossible)
}

/// `yesterday`, `yesterday 14:00`, `2pm`, `noon`, `last monday 9:30`; none if a word is neither a day nor a time of it.
fn day_and_time(words: &[&str], now: Timestamp, zone: &TimeZone) -> Option<Result<Timestamp, WhenError>> {
    let today = now.to_zoned(zone.clone()).date();
    let (mut day, mut time) = (None, None);
    let mut words = words.iter().copied().filter(|word| *word != "at").peekable();
    words.peek()?;
    while let Some(word) = words.next() {
        let said = match word {
            "today" => day.replace(Ok(today)).is_none(),
            "yesterday" => day.replace(today.yesterday()).is_none(),
            "tomorrow" => day.replace(today.tomorrow()).is_none(),
            "last" => day.replace(today.nth_weekday(-1, weekday(words.next()?)?)).is_none(),
            "noon" => time.replace(Some(Time::constant(12, 0, 0, 0))).is_none(),
            "midnight" => time.replace(Some(Time::midnight())).is_none(),
            word if looks_like(word, "dddd-dd-dd") => day.replace(word.parse::<Date>()).is_none(),
            word => {
                let half = words.next_if(|next| matches!(*next, "am" | "pm")).unwrap_or_default();
                time.replace(time_of_day(&format!("{word}{half}"))?).is_none()
            }
        };
        if !said {
            return Some(Err(WhenError::NoTime));
        }
    }
    let at = || {
        let day = day.unwrap_or(Ok(today)).ok()?;
        zone.to_timestamp(day.to_datetime(time.unwrap_or(Some(Time::midnight()))?)).ok()
    };
    Some(at().ok_or(WhenError::Impossible))
}

/// `14:05`, `9:30`, `2pm`, `2:30pm`: none within if there is no such time; none at all if it does not look like one.
fn time_of_day(word: &str) -> Option<Option<Time>> {
    let (clock, half) = match (word.strip_suffix("am"), word.strip_suffix("pm")) {
        (Some(clock), _) => (clock, Some(0)),
        (None, Some(clock)) => (clock, Some(12)),
        (None, None) => (word, None),
    };
    let digits = clock.bytes().take_while(u8::is_ascii_digit).count();
    let (hour, rest) = clock.split_at_checked(digits).filter(|_| matches!(digits, 1 | 2))?;
    if !rest.starts_with(':') && (half.is_none() || !rest.is_empty()) {
        return None;
    }
    let rest = if rest.is_empty() { ":00" } else { rest };
    let hour: i8 = hour.parse().ok()?;
    let hour = match half {
        None => Some(hour),
        Some(half) => (1..=12).contains(&hour).then_some(hour % 12 + half),
    };
    Some(hour.and_then(|hour| format!("{hour:02}{rest}").parse().ok()))
}

fn weekday(word: &str) -> Option<Weekday> {
    const DAYS: [(&str, Weekday); 7] = [
        ("monday", Weekday::Monday),
        ("tuesday", Weekday::Tuesday),
        ("wednesday", Weekday::Wednesday),
        ("thursday", Weekday::Thursday),
        ("friday", Weekday::Friday),
        ("saturday", Weekday::Saturday),
        ("sunday", Weekday::Sunday),
    ];
    DAYS.into_iter().find(|(name, _)| *name == word || name.get(..3) == Some(word)).map(|(_, day)| day)
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
    // As in `14:05 yesterday`, the time may come first.
    let time_of_day = looks_like(word, "dd:dd") && !word.contains(' ');
    let twelve_hours =
        ["am", "pm", "noon", "midnight"].iter().any(|end| word.to_ascii_lowercase().ends_with(end));
    let date = looks_like(word, "dddd-dd-dd") && !twelve_hours;
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
            ("now", "2026-11-22T18:30:00Z"),
            ("@1760000000", "2025-10-09T08:53:20Z"),
            ("@1760000000.25", "2025-10-09T08:53:20.25Z"),
            ("10 minutes ago", "2026-11-22T18:20:00Z"),
            ("10 min ago", "2026-11-22T18:20:00Z"),
            ("1 hour, 5 minutes ago", "2026-11-22T17:25:00Z"),
            ("an hour ago", "2026-11-22T17:30:00Z"),
            ("hour ago", "2026-11-22T17:30:00Z"),
            ("10m ago", "2026-11-22T18:20:00Z"),
            ("1 day ago", "2026-11-21T18:30:00Z"),
            ("2 weeks ago", "2026-11-08T18:30:00Z"),
            ("1 month ago", "2026-10-22T18:30:00Z"),
            ("1 Year AGO", "2025-11-22T18:30:00Z"),
            ("today", "2026-11-21T22:00:00Z"),
            ("yesterday", "2026-11-20T22:00:00Z"),
            ("yesterday 14:00", "2026-11-21T12:00:00Z"),
            ("14:00 yesterday", "2026-11-21T12:00:00Z"),
            ("yesterday at 2pm", "2026-11-21T12:00:00Z"),
            ("yesterday 2:30 pm", "2026-11-21T12:30:00Z"),
            ("12am", "2026-11-21T22:00:00Z"),
            ("noon", "2026-11-22T10:00:00Z"),
            ("9:30", "2026-11-22T07:30:00Z"),
            ("last friday 09:30", "2026-11-20T07:30:00Z"),
            ("2026-11-21 2pm", "2026-11-21T12:00:00Z"),
        ] {
            check(word, Ok(expected));
        }
    }

    #[test]
    fn words_that_are_no_time() {
        for word in [
            "",
            "10",
            "m",
            "10x",
            "10m5",
            "-10m",
            "yesterdays",
            "1.5h",
            "10 m",
            "14",
            "h1",
            "٣m",
            "ago",
            "10 ago",
        ] {
            check(word, Err(WhenError::NoTime));
        }
        for word in [
            "10 minutes",
            "ten minutes ago",
            "@",
            "@x",
            "@1.",
            "yesterday today",
            "last",
            "last week",
            "2 pm pm",
        ] {
            check(word, Err(WhenError::NoTime));
        }
        for word in [
            "25:00",
            "14:60",
            "14:05x",
            "14:05Z",
            "yesterday 25:00",
            "13pm",
            "0am",
            "@99999999999999999",
            "99999999 years ago",
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
        fn any_word_of_their_letters_has_an_answer(word in "[0-9smhdwTZ:+. @agonlpty-]{0,30}") {
            let _ = parse(&word, now(), &zone());
        }
    }
}

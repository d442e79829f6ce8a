//! Numbers as people write them: C notation, durations, sizes, marks, cookies.

/// A number as C's strtoul reads it with base 0: `0x16` is hexadecimal, `026` octal; no sign, no blanks.
pub(super) fn c_number(text: &str) -> Option<u64> {
    if let Some(hex) = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        return digits(hex, 16);
    }
    match text.strip_prefix('0') {
        Some("") => Some(0),
        Some(octal) => digits(octal, 8),
        None => digits(text, 10),
    }
}

/// A number in decimal or, with `0x`, hexadecimal.
pub(super) fn plain_number(text: &str) -> Option<u64> {
    match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(hex) => digits(hex, 16),
        None => digits(text, 10),
    }
}

/// Digits and nothing else; `from_str_radix` alone would take a sign.
fn digits(text: &str, radix: u32) -> Option<u64> {
    let plain = text.chars().all(|c| c.is_digit(radix));
    if plain { u64::from_str_radix(text, radix).ok() } else { None }
}

/// Units of time, in microseconds, the largest first.
const TIME: [(&str, u64); 6] = [
    ("d", 86_400_000_000),
    ("h", 3_600_000_000),
    ("m", 60_000_000),
    ("s", 1_000_000),
    ("ms", 1000),
    ("us", 1),
];

/// A duration in microseconds: `5ms`, `1.5s`, `1h30m`. The unit must be said, but for 0.
pub(super) fn duration(text: &str) -> Option<u64> {
    if text == "0" {
        return Some(0);
    }
    let mut rest = text;
    let mut sum = 0u64;
    while !rest.is_empty() {
        let (number, after) = split_where(rest, |c| c.is_ascii_digit() || c == '.');
        let (unit, after) = split_where(after, |c| c.is_ascii_alphabetic());
        let scale = TIME.iter().find(|(name, _)| *name == unit)?.1;
        sum = sum.checked_add(scaled(number, scale)?)?;
        rest = after;
    }
    // Comparisons are made in i64.
    (!text.is_empty() && i64::try_from(sum).is_ok()).then_some(sum)
}

/// A duration in the largest unit that loses nothing; [`duration`] reads it back.
pub(super) fn print_duration(us: u64) -> String {
    if us == 0 {
        return "0".to_owned();
    }
    let (unit, scale) = TIME.into_iter().find(|(_, scale)| us.is_multiple_of(*scale)).unwrap_or(("us", 1));
    format!("{}{unit}", us / scale)
}

/// A number of bytes: `4096`, `64k` (1000), `64Ki` (1024), also `M`, `Mi`, `G`, `Gi`.
#[must_use]
pub fn size(text: &str) -> Option<u64> {
    let (number, unit) = split_where(text, |c| c.is_ascii_digit() || c == '.' || c == 'x');
    if unit.is_empty() {
        return plain_number(text);
    }
    let scale = match unit {
        "k" | "K" => 1000,
        "M" => 1_000_000,
        "G" => 1_000_000_000,
        "Ki" => 1 << 10,
        "Mi" => 1 << 20,
        "Gi" => 1 << 30,
        _ => return plain_number(text),
    };
    scaled(number, scale)
}

/// A cookie: `0x1a`, decimal, or `sk:1a` as ss prints it.
pub(super) fn cookie(text: &str) -> Option<u64> {
    match text.strip_prefix("sk:") {
        Some(hex) => digits(hex, 16),
        None => plain_number(text),
    }
}

/// `number` × `scale`, where the number may have a fraction that leaves a whole result.
fn scaled(number: &str, scale: u64) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let mut value = digits(whole, 10)?.checked_mul(scale)?;
    if number.contains('.') {
        let width = u32::try_from(fraction.len()).ok()?;
        let part = digits(fraction, 10)?.checked_mul(scale)?;
        let unit = 10u64.checked_pow(width)?;
        if part % unit != 0 {
            return None;
        }
        value = value.checked_add(part / unit)?;
    }
    Some(value)
}

/// The longest beginning of which every character passes, and the rest.
fn split_where(text: &str, passes: impl Fn(char) -> bool) -> (&str, &str) {
    let end = text.find(|c| !passes(c)).unwrap_or(text.len());
    text.split_at(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c_notation() {
        for (text, expected) in [
            ("22", Some(22)),
            ("0x16", Some(22)),
            ("026", Some(22)),
            ("0", Some(0)),
            ("08", None),
            ("", None),
            ("0x", None),
            ("+1", None),
            ("-1", None),
            ("1 ", None),
            ("18446744073709551616", None),
        ] {
            assert_eq!(c_number(text), expected, "{text:?}");
        }
    }

    #[test]
    fn durations_need_a_unit() {
        for (text, expected) in [
            ("5ms", Some(5000)),
            ("1.5s", Some(1_500_000)),
            ("1h30m", Some(5_400_000_000)),
            ("0", Some(0)),
            ("250us", Some(250)),
            ("5", None),
            ("ms", None),
            ("", None),
            ("1.0000001s", None),
            ("1.s", None),
            (".5s", None),
            ("5 ms", None),
            ("9999999999999d", None),
        ] {
            assert_eq!(duration(text), expected, "{text:?}");
        }
    }

    #[test]
    fn a_printed_duration_is_read_back() {
        for us in [0, 1, 999, 1000, 1500, 60_000_000, 90_000_000, 86_400_000_000, 123_456_789] {
            assert_eq!(duration(&print_duration(us)), Some(us));
        }
        assert_eq!(print_duration(5000), "5ms");
    }

    #[test]
    fn sizes_have_decimal_and_binary_units() {
        for (text, expected) in [
            ("4096", Some(4096)),
            ("0x10", Some(16)),
            ("64k", Some(64000)),
            ("64Ki", Some(65536)),
            ("1.5Mi", Some(1_572_864)),
            ("1x", None),
            ("k", None),
            ("", None),
        ] {
            assert_eq!(size(text), expected, "{text:?}");
        }
    }

    #[test]
    fn a_cookie_as_ss_prints_it_is_hexadecimal() {
        assert_eq!(cookie("sk:10"), Some(16));
        assert_eq!(cookie("10"), Some(10));
        assert_eq!(cookie("0xffffffffffffffff"), Some(u64::MAX));
        assert_eq!(cookie("1a"), None);
    }
}

//! Numbers, addresses and units as text, appended to a buffer without the machinery of `fmt`.
//!
//! A listing of 100,000 sockets writes about a million of these; each is a few instructions.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::escape::hex_digit;

const DIGITS: &[u8; 200] =
    b"0001020304050607080910111213141516171819202122232425262728293031323334353637383940414243444546474849\
5051525354555657585960616263646566676869707172737475767778798081828384858687888990919293949596979899";

/// Appends a number in decimal.
pub fn push_u64(out: &mut Vec<u8>, mut value: u64) {
    let mut buffer = [0u8; 20];
    let mut at = buffer.len();
    while value >= 100 {
        let pair = usize::from((value % 100) as u8) * 2;
        value /= 100;
        at -= 2;
        buffer[at..at + 2].copy_from_slice(&DIGITS[pair..pair + 2]);
    }
    if value >= 10 {
        let pair = usize::from(value as u8) * 2;
        at -= 2;
        buffer[at..at + 2].copy_from_slice(&DIGITS[pair..pair + 2]);
    } else {
        at -= 1;
        buffer[at] = b'0' + value as u8;
    }
    out.extend_from_slice(&buffer[at..]);
}

/// Appends a number in decimal.
pub fn push_u32(out: &mut Vec<u8>, value: u32) {
    push_u64(out, u64::from(value));
}

/// Appends a signed number in decimal.
pub fn push_i64(out: &mut Vec<u8>, value: i64) {
    if value < 0 {
        out.push(b'-');
    }
    push_u64(out, value.unsigned_abs());
}

/// Appends a number in lower-case hexadecimal without leading zeros, `0` for zero.
pub fn push_hex(out: &mut Vec<u8>, value: u64) {
    let digits = (64 - value.leading_zeros()).div_ceil(4).max(1);
    for digit in (0..digits).rev() {
        out.push(hex_digit((value >> (digit * 4)) as u8 & 15));
    }
}

/// Appends a number in hexadecimal, at least `width` digits.
pub fn push_hex_padded(out: &mut Vec<u8>, value: u64, width: usize) {
    let digits = ((64 - value.leading_zeros()).div_ceil(4).max(1)) as usize;
    out.resize(out.len() + width.saturating_sub(digits), b'0');
    push_hex(out, value);
}

/// Appends an address without brackets or port.
pub fn push_ip(out: &mut Vec<u8>, addr: IpAddr) {
    match addr {
        IpAddr::V4(addr) => push_ipv4(out, addr),
        IpAddr::V6(addr) => push_ipv6(out, addr),
    }
}

/// Appends an IPv4 address in dotted decimal.
pub fn push_ipv4(out: &mut Vec<u8>, addr: Ipv4Addr) {
    for (index, octet) in addr.octets().into_iter().enumerate() {
        if index > 0 {
            out.push(b'.');
        }
        push_octet(out, octet);
    }
}

fn push_octet(out: &mut Vec<u8>, octet: u8) {
    if octet >= 100 {
        let pair = usize::from(octet % 100) * 2;
        out.extend_from_slice(&[b'0' + octet / 100, DIGITS[pair], DIGITS[pair + 1]]);
    } else if octet >= 10 {
        let pair = usize::from(octet) * 2;
        out.extend_from_slice(&DIGITS[pair..pair + 2]);
    } else {
        out.push(b'0' + octet);
    }
}

/// Appends an IPv6 address as glibc's `inet_ntop` does: the longest run of two or more zero words as `::`, the last
/// four bytes dotted for v4-mapped and v4-compatible addresses.
pub fn push_ipv6(out: &mut Vec<u8>, addr: Ipv6Addr) {
    let words = addr.segments();
    let (start, length) = longest_zero_run(&words);
    let dotted = start == 0 && (length == 6 || (length == 5 && words[5] == 0xffff));
    let mut index = 0;
    while index < 8 {
        if length > 0 && index == start {
            out.extend_from_slice(b"::");
            index += length;
            continue;
        }
        if index > 0 && index != start + length {
            out.push(b':');
        }
        if index == 6 && dotted {
            let [.., a, b, c, d] = addr.octets();
            return push_ipv4(out, Ipv4Addr::new(a, b, c, d));
        }
        push_hex(out, u64::from(words[index]));
        index += 1;
    }
}

/// Start and length of the first longest run of zero words; length 0 if no run has two.
fn longest_zero_run(words: &[u16; 8]) -> (usize, usize) {
    let (mut best, mut run) = ((8, 0), (0, 0));
    for (index, &word) in words.iter().enumerate() {
        run = match (word, run.1) {
            (0, 0) => (index, 1),
            (0, length) => (run.0, length + 1),
            (_, _) => (0, 0),
        };
        if run.1 > best.1 {
            best = run;
        }
    }
    if best.1 >= 2 { best } else { (8, 0) }
}

/// Appends microseconds as milliseconds, in C's `%g` (six significant digits).
pub fn push_us_as_ms(out: &mut Vec<u8>, us: u32) {
    if us >= 1_000_000 {
        return push_g(out, f64::from(us) / 1000.0, 6);
    }
    push_u32(out, us / 1000);
    let rest = us % 1000;
    if rest > 0 {
        out.extend_from_slice(&[b'.', b'0' + (rest / 100) as u8]);
        if !rest.is_multiple_of(100) {
            out.push(b'0' + (rest / 10 % 10) as u8);
        }
        if !rest.is_multiple_of(10) {
            out.push(b'0' + (rest % 10) as u8);
        }
    }
}

/// Appends a number as C's `%.{digits}g`: that many significant digits, trailing zeros gone, exponent where C has one.
pub fn push_g(out: &mut Vec<u8>, value: f64, digits: usize) {
    if !push_g_by_integers(out, value, digits) {
        push_g_exactly(out, value, digits);
    }
}

fn push_g_exactly(out: &mut Vec<u8>, value: f64, digits: usize) {
    let scientific = format!("{:.*e}", digits - 1, value);
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if exponent < -4 || exponent >= digits as i32 {
        out.extend_from_slice(trim_zeros(mantissa).as_bytes());
        out.push(b'e');
        out.push(if exponent < 0 { b'-' } else { b'+' });
        if exponent.unsigned_abs() < 10 {
            out.push(b'0');
        }
        return push_u32(out, exponent.unsigned_abs());
    }
    let decimals = (digits as i32 - 1 - exponent) as usize;
    out.extend_from_slice(trim_zeros(&format!("{value:.decimals$}")).as_bytes());
}

/// The same for numbers from a tenth up that need no exponent, where the rounding cannot be in doubt; the exact way
/// costs more than all else of a row. Says whether it did it.
fn push_g_by_integers(out: &mut Vec<u8>, value: f64, digits: usize) -> bool {
    const POWERS: [u32; 8] = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000];
    let Some(&limit) = POWERS.get(digits) else { return false };
    if !(0.1..f64::from(limit)).contains(&value) {
        return false;
    }
    let whole = POWERS.iter().take_while(|&&power| value >= f64::from(power)).count();
    let scale = POWERS[digits - whole];
    let scaled = value * f64::from(scale);
    let fraction = scaled.fract();
    let rounded = scaled as u32 + u32::from(fraction > 0.5);
    if (fraction - 0.5).abs() < 1e-6 || rounded >= limit {
        return false;
    }
    push_u32(out, rounded / scale);
    let (mut rest, mut place) = (rounded % scale, scale);
    if rest > 0 {
        out.push(b'.');
    }
    while rest > 0 {
        place /= 10;
        out.push(b'0' + (rest / place) as u8);
        rest %= place;
    }
    true
}

/// Appends a number without decimals, a half to the even side, as C's `%.0f`.
fn push_whole(out: &mut Vec<u8>, value: f64) {
    /// From here on not every whole number is a double.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if !(0.0..EXACT).contains(&value) {
        return out.extend_from_slice(format!("{value:.0}").as_bytes());
    }
    push_u64(out, value.round_ties_even() as u64);
}

fn trim_zeros(number: &str) -> &str {
    if number.contains('.') { number.trim_end_matches('0').trim_end_matches('.') } else { number }
}

/// Appends bits per second as ss does: three significant digits and `T`, `G`, `M` or `k`; whole bits if `numeric`.
pub fn push_bandwidth(out: &mut Vec<u8>, bits_per_second: f64, numeric: bool) {
    if numeric {
        return push_whole(out, bits_per_second);
    }
    for (unit, letter) in [(1e12, b'T'), (1e9, b'G'), (1e6, b'M'), (1e3, b'k')] {
        if bits_per_second >= unit {
            push_g(out, bits_per_second / unit, 3);
            return out.push(letter);
        }
    }
    push_g(out, bits_per_second, 6);
}

/// Appends the time a timer has left as ss does: `040ms`, `1.048sec`, `33sec`, `1min33sec`, `119min`, nothing for 0.
pub fn push_timer(out: &mut Vec<u8>, ms: u32) {
    let (minutes, seconds, rest) = (ms / 60_000, ms / 1000 % 60, ms % 1000);
    if minutes > 0 {
        push_u32(out, minutes);
        out.extend_from_slice(b"min");
    }
    let seconds = if minutes > 9 { 0 } else { seconds };
    let rest = if minutes > 0 || seconds > 9 { 0 } else { rest };
    if seconds > 0 {
        push_u32(out, seconds);
        if rest == 0 {
            return out.extend_from_slice(b"sec");
        }
        out.push(b'.');
    }
    if rest > 0 {
        out.extend_from_slice(&[
            b'0' + (rest / 100) as u8,
            b'0' + (rest / 10 % 10) as u8,
            b'0' + (rest % 10) as u8,
        ]);
        out.extend_from_slice(if seconds > 0 { b"sec" } else { b"ms" });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn addresses_as_inet_ntop() {
        fn check(words: [u16; 8], expected: &str) {
            assert_eq!(made(|out| push_ipv6(out, words.into())), expected);
        }
        check([0; 8], "::");
        check([0, 0, 0, 0, 0, 0, 0, 1], "::1");
        check([0xfe80, 0, 0, 0, 0, 0, 0, 0x16], "fe80::16");
        check([0x2001, 0xdb8, 0, 1, 0, 0, 0, 1], "2001:db8:0:1::1");
        check([0x2001, 0, 0, 1, 1, 0, 0, 1], "2001::1:1:0:0:1");
        check([1, 0, 2, 3, 4, 5, 6, 7], "1:0:2:3:4:5:6:7");
        check([1, 2, 3, 4, 5, 6, 0, 0], "1:2:3:4:5:6::");
        check([0, 0, 3, 4, 5, 6, 7, 8], "::3:4:5:6:7:8");
        check([0, 0, 0, 0, 0, 0xffff, 0x7f00, 1], "::ffff:127.0.0.1");
        check([0, 0, 0, 0, 0, 0, 0x102, 0x304], "::1.2.3.4");
        check([0, 0, 0, 0, 0, 1, 0x102, 0x304], "::1:102:304");
    }

    #[test]
    fn times_of_timers() {
        fn check(ms: u32, expected: &str) {
            assert_eq!(made(|out| push_timer(out, ms)), expected);
        }
        check(0, "");
        check(40, "040ms");
        check(1048, "1.048sec");
        check(3000, "3sec");
        check(33_700, "33sec");
        check(93_000, "1min33sec");
        check(60_000, "1min");
        check(61_500, "1min1sec");
        check(7_180_950, "119min");
    }

    #[test]
    fn bandwidths() {
        fn check(bits: f64, expected: &str) {
            assert_eq!(made(|out| push_bandwidth(out, bits, false)), expected);
        }
        check(655_360_000_000.0, "655G");
        check(999.0, "999");
        check(1_000.0, "1k");
        check(1_005_000.0, "1M");
        check(1_015_000.0, "1.01M");
        check(999_900_000.0, "1e+03M");
        check(12_345_678.0, "12.3M");
        check(4.2e13, "42T");
        assert_eq!(made(|out| push_bandwidth(out, 524_288_000_000.0, true)), "524288000000");
    }

    #[test]
    fn milliseconds() {
        fn check(us: u32, expected: &str) {
            assert_eq!(made(|out| push_us_as_ms(out, us)), expected);
        }
        check(0, "0");
        check(4, "0.004");
        check(200_000, "200");
        check(12_340, "12.34");
        check(999_999, "999.999");
        check(1_234_567, "1234.57");
        check(120_000_000, "120000");
        check(u32::MAX, "4.29497e+06");
    }

    #[test]
    fn hexadecimal() {
        assert_eq!(made(|out| push_hex(out, 0)), "0");
        assert_eq!(made(|out| push_hex(out, 0xdead_beef)), "deadbeef");
        assert_eq!(made(|out| push_hex_padded(out, 0x1a, 8)), "0000001a");
        assert_eq!(made(|out| push_hex_padded(out, 0x1_2345_6789, 8)), "123456789");
    }

    proptest::proptest! {
        #[test]
        fn numbers_read_back(value: u64) {
            assert_eq!(made(|out| push_u64(out, value)), value.to_string());
            assert_eq!(made(|out| push_i64(out, value as i64)), (value as i64).to_string());
        }

        #[test]
        fn addresses_read_back(bits: u128, zeros: u8) {
            // Zero words are rare in random bits: mask some out.
            let mask = (0..8).filter(|n| zeros & (1 << n) == 0).fold(0u128, |m, n| m | 0xffff << (n * 16));
            let addr = Ipv6Addr::from(bits & mask);
            assert_eq!(made(|out| push_ipv6(out, addr)).parse::<Ipv6Addr>().unwrap(), addr);
            let addr = Ipv4Addr::from(bits as u32);
            assert_eq!(made(|out| push_ipv4(out, addr)), addr.to_string());
        }

        #[test]
        fn fast_and_exact_rounding_agree(value in 0.0..1.0f64, power in -2..16i32, us: u32, gain: u16) {
            for value in [value * 10f64.powi(power), f64::from(gain) / 256.0, f64::from(gain), f64::from(gain) / 2.0] {
                for digits in [3, 6] {
                    assert_eq!(made(|out| push_g(out, value, digits)), made(|out| push_g_exactly(out, value, digits)));
                }
                assert_eq!(made(|out| push_whole(out, value)), format!("{value:.0}"));
            }
            let ms = f64::from(us) / 1000.0;
            assert_eq!(made(|out| push_us_as_ms(out, us)), made(|out| push_g_exactly(out, ms, 6)));
        }
    }
}

//! Words for people: processes, ends, times and counts, safe for a terminal.

use std::fmt::Write as _;
use std::net::IpAddr;

use super::row::End;
use crate::render::clock::Clock;
use crate::render::escape;
use crate::socket::{Process, UnixNs};

/// `node[4112] api.service`; the unit where it is known, `?` for a process that is not.
pub(super) fn owner(process: Option<&Process>, unit: Option<&str>) -> String {
    let mut said = process.map_or_else(|| "?".to_owned(), name);
    if let Some(unit) = unit {
        said.push(' ');
        said.push_str(&escape::text(unit.as_bytes()));
    }
    said
}

/// `node[4112]`.
pub(super) fn name(process: &Process) -> String {
    format!("{}[{}]", escape::text(process.comm.as_bytes()), process.pid)
}

/// `10.0.0.9:443`, `[::1]:443`, `*:443` for any address.
pub(super) fn end((addr, port): End) -> String {
    match addr {
        addr if addr.is_unspecified() && addr.is_ipv4() => format!("0.0.0.0:{port}"),
        IpAddr::V4(addr) => format!("{addr}:{port}"),
        IpAddr::V6(addr) => format!("[{addr}]:{port}"),
    }
}

/// `27,940`.
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut said = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            said.push(',');
        }
        said.push(digit);
    }
    said
}

/// The greatest few of what was counted, `a 3, b 2 …`.
pub(super) fn greatest<T>(counts: &[(T, u64)], few: usize, name: impl Fn(&T) -> String) -> String {
    let mut said = String::new();
    for (index, (of, number)) in counts.iter().take(few).enumerate() {
        if index > 0 {
            said.push_str(", ");
        }
        // Writing to a string cannot fail.
        let _ = match counts.len() {
            1 => write!(said, "{}", name(of)),
            _ => write!(said, "{} ({})", name(of), count(*number)),
        };
    }
    if counts.len() > few {
        let _ = write!(said, " and {} more", counts.len() - few);
    }
    said
}

/// `2026-11-22 14:02:11`, local.
pub(super) fn date(at: UnixNs, local_offset_s: i32) -> String {
    let clock = Clock { unix_minus_boot_ns: 0, local_offset_s };
    let text = clock.local_date_time(at);
    String::from_utf8_lossy(text.get(..19).unwrap_or_default()).into_owned()
}

/// As in JSON: RFC 3339, UTC.
pub(super) fn rfc3339(at: UnixNs) -> String {
    String::from_utf8_lossy(&Clock::default().rfc3339(at)).into_owned()
}

/// `1 connection`, `2 connections`.
pub(super) fn many(number: u64, one: &str) -> String {
    format!("{} {one}{}", count(number), if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::socket::Comm;

    #[test]
    fn words() {
        for (number, said) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(count(number), said);
        }
        let process = Process { pid: 7, comm: Comm::from_bytes(b"a\x1b[2J") };
        assert_eq!(owner(Some(&process), Some("x.service")), "a\\033[2J[7] x.service");
        assert_eq!(owner(None, None), "?");
        assert_eq!(end(([0, 0, 0, 0, 0, 0, 0, 1].into(), 443)), "[::1]:443");
        assert_eq!(
            greatest(&[("a", 3), ("b", 2), ("c", 1)], 2, |it| (*it).to_owned()),
            "a (3), b (2) and 1 more"
        );
        assert_eq!(date(1_795_356_301_000_000_000, 3600), "2026-11-22 15:05:01");
    }
}

//! The limits and counters of a network namespace, from the text of files in /proc.

/// The limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Host {
    /// The ports that the kernel chooses from.
    pub ports: Option<PortRange>,
    /// `net.ipv4.tcp_max_tw_buckets`.
    pub max_time_wait: Option<u64>,
}

/// The ephemeral ports, both ends included, and how many of them are reserved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PortRange {
    /// The first.
    pub low: u16,
    /// The last.
    pub high: u16,
    /// How many between them are never chosen.
    pub reserved: u64,
}

impl PortRange {
    /// From `ip_local_port_range` and `ip_local_reserved_ports`.
    #[must_use]
    pub fn parse(range: &str, reserved: &str) -> Option<Self> {
        let mut ends = range.split_whitespace().map(str::parse);
        let (Some(Ok(low)), Some(Ok(high))) = (ends.next(), ends.next()) else { return None };
        let within = |part: &str| {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (first, last): (u64, u64) = (first.parse().ok()?, last.parse().ok()?);
            let (first, last) = (first.max(u64::from(low)), last.min(u64::from(high)));
            Some((last + 1).saturating_sub(first))
        };
        let reserved = reserved.trim().split(',').filter_map(within).sum();
        Some(Self { low, high, reserved })
    }

    /// How many can be chosen.
    #[must_use]
    pub fn usable(&self) -> u64 {
        (u64::from(self.high) + 1).saturating_sub(u64::from(self.low)).saturating_sub(self.reserved)
    }

    /// Whether that is one of them.
    #[must_use]
    pub const fn contains(&self, port: u16) -> bool {
        self.low <= port && port <= self.high
    }
}

/// Counters since the network namespace was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// Connections that met a full accept queue (`ListenOverflows`).
    pub listen_overflows: u64,
    /// Connections for which there was no room in TIME-WAIT (`TCPTimeWaitOverflow`).
    pub time_wait_overflows: u64,
}

impl Counters {
    /// From the text of `/proc/net/netstat`: lines in pairs, names and numbers.
    #[must_use]
    pub fn parse(netstat: &str) -> Self {
        let mut lines = netstat.lines();
        let mut counters = Self::default();
        while let (Some(names), Some(numbers)) = (lines.next(), lines.next()) {
            for (name, number) in names.split_whitespace().zip(numbers.split_whitespace()) {
                let number = number.parse().unwrap_or(0);
                match name {
                    "ListenOverflows" => counters.listen_overflows = number,
                    "TCPTimeWaitOverflow" => counters.time_wait_overflows = number,
                    _ => {}
                }
            }
        }
        counters
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_the_kernel() {
        for (range, reserved, expected) in [
            ("32768\t60999\n", "\n", Some((32768, 60999, 28232))),
            ("1000 1009\n", "8080,1003-1004,1009-1020\n", Some((1000, 1009, 7))),
            ("1000\n", "", None),
            ("", "", None),
        ] {
            let found = PortRange::parse(range, reserved);
            assert_eq!(found.map(|it| (it.low, it.high, it.usable())), expected, "{range}");
        }
        let netstat = "TcpExt: A ListenOverflows TCPTimeWaitOverflow\nTcpExt: 1 22 3\nIpExt: B\nIpExt: 4\n";
        assert_eq!(Counters::parse(netstat), Counters { listen_overflows: 22, time_wait_overflows: 3 });
        assert_eq!(Counters::parse("ListenOverflows"), Counters::default());
    }
}

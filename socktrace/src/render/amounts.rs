//! Times and sizes as people say them.

/// Microseconds as people say them: three digits or so, and a unit.
#[derive(Debug, Clone, Copy)]
pub struct Micros(
    /// Microseconds.
    pub u64,
);

impl std::fmt::Display for Micros {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let us = self.0;
        let seconds = us / 1_000_000;
        match us {
            0..1_000 => write!(f, "{us}us"),
            1_000..1_000_000 => write!(f, "{}.{}ms", us / 1000, us / 100 % 10),
            1_000_000..60_000_000 => write!(f, "{seconds}.{}s", us / 100_000 % 10),
            60_000_000..3_600_000_000 => write!(f, "{}m{:02}s", seconds / 60, seconds % 60),
            3_600_000_000.. => write!(f, "{}h{:02}m", seconds / 3600, seconds / 60 % 60),
        }
    }
}

/// How long a socket was open. Where its end was found by a pass over the kernel's tables, the time of the pass is an upper
/// bound.
pub(super) struct Lifetime {
    pub(super) us: u64,
    pub(super) is_bound: bool,
}

impl std::fmt::Display for Lifetime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}{}", if self.is_bound { "≤" } else { "" }, Micros(self.us))
    }
}

/// Bytes as people say them, in powers of 1000.
#[derive(Debug, Clone, Copy)]
pub struct Bytes(
    /// Bytes.
    pub u64,
);

impl std::fmt::Display for Bytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let bytes = self.0;
        let (unit, divisor) = match bytes {
            0..1_000 => return write!(f, "{bytes}B"),
            1_000..1_000_000 => ("kB", 1_000),
            1_000_000..1_000_000_000 => ("MB", 1_000_000),
            1_000_000_000.. => ("GB", 1_000_000_000),
        };
        write!(f, "{}.{}{unit}", bytes / divisor, bytes / (divisor / 10) % 10)
    }
}

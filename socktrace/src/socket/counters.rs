//! What the kernel half counted: monotonic since it was loaded.

/// One reading of the kernel half's counters, summed over the CPUs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// TCP state changes.
    pub state: FamilyCount,
    /// bind, listen, connect, accept by system call.
    pub call: FamilyCount,
    /// The cgroup hooks of UDP, RAW and ping sockets.
    pub inet: FamilyCount,
    /// Runs of a program that the kernel skipped because it was already running on that CPU
    /// (`bpf_prog_info.recursion_misses`): lost without a trace in the counters above.
    pub missed: u64,
}

/// Counters of one event family. What was seen and did not find the ring full was, or is to be, delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FamilyCount {
    /// Records that a hook wanted to send.
    pub seen: u64,
    /// Records that found the ring full.
    pub ring_full: u64,
}

impl Counters {
    /// The families with the words of the status report.
    #[must_use]
    pub const fn families(&self) -> [(&'static str, FamilyCount); 3] {
        [("state", self.state), ("call", self.call), ("inet", self.inet)]
    }

    /// Records that any hook wanted to send.
    #[must_use]
    pub const fn seen(&self) -> u64 {
        self.state.seen + self.call.seen + self.inet.seen
    }

    /// Records that never reached the ring.
    #[must_use]
    pub const fn lost(&self) -> u64 {
        self.state.ring_full + self.call.ring_full + self.inet.ring_full + self.missed
    }
}

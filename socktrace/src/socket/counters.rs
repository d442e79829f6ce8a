//! What the kernel half counted, and what came of it: monotonic since it was loaded.

use super::{Change, ChangeKind};

/// One reading of the kernel half's counters, summed over the CPUs, beside what was delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// TCP state changes.
    pub state: FamilyCount,
    /// bind, listen, connect, accept by system call, and what hooks on kernel functions report.
    pub call: FamilyCount,
    /// The cgroup hooks of UDP, RAW and ping sockets, and sends that no cgroup hook sees.
    pub inet: FamilyCount,
    /// Runs of a program that the kernel skipped because it was already running on that CPU
    /// (`bpf_prog_info.recursion_misses`): lost without a trace in the counters above.
    pub missed: u64,
}

/// Counters of one event family. `seen == delivered + ring_full` when the ring has been read to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FamilyCount {
    /// Records that a hook wanted to send.
    pub seen: u64,
    /// Records that were read from the ring.
    pub delivered: u64,
    /// Records that found the ring full.
    pub ring_full: u64,
}

impl Counters {
    /// The families with the words of the status report.
    #[must_use]
    pub const fn families(&self) -> [(&'static str, FamilyCount); 3] {
        [("state", self.state), ("call", self.call), ("inet", self.inet)]
    }

    /// The family that a change was counted in, by the hook that reported it.
    pub const fn of(&mut self, change: &Change) -> &mut FamilyCount {
        match change.kind {
            ChangeKind::State { .. } | ChangeKind::TakenBack { .. } => &mut self.state,
            ChangeKind::Bind { .. }
            | ChangeKind::Listen { .. }
            | ChangeKind::Connect { .. }
            | ChangeKind::Disconnect
            | ChangeKind::Accept { .. } => &mut self.call,
            // These the hook on a kernel function reports, not those of cgroups.
            ChangeKind::Release if change.proto.is_unix() => &mut self.call,
            ChangeKind::Create
            | ChangeKind::PostBind
            | ChangeKind::Dial
            | ChangeKind::FirstSend
            | ChangeKind::Release
            | ChangeKind::Waits
            | ChangeKind::Orphan => &mut self.inet,
        }
    }

    /// The same with what was delivered according to `other`.
    #[must_use]
    pub const fn with_delivered(mut self, other: &Self) -> Self {
        self.state.delivered = other.state.delivered;
        self.call.delivered = other.call.delivered;
        self.inet.delivered = other.inet.delivered;
        self
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

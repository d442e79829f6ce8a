//! What each CPU counted: monotonic, never reset. The user half maps the array into its memory and compares readings.

/// Event families that are counted apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Family {
    /// TCP state changes.
    State = 0,
    /// bind, listen, connect, accept by system call.
    Call = 1,
    /// The cgroup hooks of UDP, RAW and ping sockets.
    Inet = 2,
}

impl Family {
    /// Every family, in the order of the counters.
    pub const ALL: [Self; FAMILIES] = [Self::State, Self::Call, Self::Inet];

    /// The word of the status report.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::State => "state",
            Self::Call => "call",
            Self::Inet => "inet",
        }
    }
}

/// How many families there are.
pub const FAMILIES: usize = 3;

/// What was counted of one family. What was seen and did not find its lane full was submitted; whoever reads the lanes
/// knows how much came.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[repr(C)]
pub struct FamilyCounters {
    /// Records that a hook wanted to send.
    pub seen: u64,
    /// Records that found the lane full and are lost.
    pub full: u64,
}

/// The counters of one CPU: one element of the `COUNTERS` array, whose index is the CPU's number. No two share a line of
/// the processors' caches.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[repr(C, align(64))]
pub struct CpuCounters {
    /// By [`Family`].
    pub families: [FamilyCounters; FAMILIES],
    /// State changes that the stand-in told of, because they interrupted the state program.
    pub interrupting: FamilyCounters,
    /// How often the stand-in acted: runs that the kernel kept from the state program. At least `interrupting.seen`.
    pub stood_in: u64,
    /// 1 while the state program runs on this CPU.
    pub running: u64,
    /// The thread (its id) that last began a TCP connect on this CPU, and how often it had left a processor until then.
    pub dialled: [u64; 2],
    /// The protocol's functions (`skc_prot`) of the last connection that was born on this CPU, IPv4 and IPv6.
    pub prot: [u64; 2],
    /// The established `struct sock` that close(2) was last called for on this CPU.
    pub closing: u64,
    /// The thread that was last told of a bind on this CPU, likewise.
    pub bound: [u64; 2],
    /// The first position of this CPU's lane that nobody has taken.
    pub head: u64,
    /// Up to where positions may be taken, as was known when the lane last seemed full.
    pub room: u64,
}

const _: () = assert!(size_of::<FamilyCounters>() == 16);
const _: () = assert!(size_of::<CpuCounters>() == 192);

//! Which details of a socket somebody wants.

/// What a listing wants beyond the row itself. It decides what the kernel is asked for and what is kept;
/// where nothing is wanted, a row's `detail` stays `None`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Want {
    /// Timer, mark, cgroup, v6only, shutdown, socket options, the bound path's inode, the accept queue, rings:
    /// what ss shows with `-e`, `-o`, `--cgroup` and `--inet-sockopt`.
    pub extended: bool,
    /// The cgroup's id, also without the rest of `extended`.
    pub cgroup: bool,
    /// `SK_MEMINFO_*`, ss's `-m`.
    pub memory: bool,
    /// tcp_info and its like, congestion control, ULP and MD5 keys: ss's `-i`.
    pub info: bool,
    /// Type of service, traffic class, class id: ss's `--tos`.
    pub tos: bool,
    /// Classic BPF filters of packet sockets: ss's `-b`.
    pub filter: bool,
}

impl Want {
    /// Only the rows.
    pub const NONE: Self =
        Self { extended: false, cgroup: false, memory: false, info: false, tos: false, filter: false };
    /// The rows and the cgroups' ids.
    pub const CGROUP: Self = Self { cgroup: true, ..Self::NONE };
    /// Everything.
    pub const ALL: Self =
        Self { extended: true, cgroup: true, memory: true, info: true, tos: true, filter: true };

    /// Whether only the rows are wanted.
    #[must_use]
    pub const fn is_none(self) -> bool {
        !(self.extended || self.cgroup || self.memory || self.info || self.tos || self.filter)
    }
}

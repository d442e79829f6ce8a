//! What only some options show of a socket: timers, memory, tcp_info, options, marks.
//!
//! Every field is optional: a kernel that does not send an attribute leaves it `None`.

/// What sock_diag's attributes add to a row. `None` means the kernel did not say.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Detail {
    /// The timer that is running.
    pub timer: Option<Timer>,
    /// `SK_MEMINFO_*` in the kernel's order, as many as it sent (rmem_alloc, rcvbuf, wmem_alloc, sndbuf,
    /// fwd_alloc, wmem_queued, optmem, backlog, drops), bytes but the last.
    pub skmem: Option<Vec<u32>>,
    /// `SO_MARK`; shown only to those with CAP_NET_ADMIN.
    pub mark: Option<u32>,
    /// Cgroup id (v2).
    pub cgroup_id: Option<u64>,
    /// Which directions are shut down.
    pub shutdown: Option<Shutdown>,
    /// IPv4 type of service.
    pub tos: Option<u8>,
    /// IPv6 traffic class.
    pub tclass: Option<u8>,
    /// Net class id.
    pub class_id: Option<u32>,
    /// `INET_DIAG_SOCKOPT`: the two bytes of bit fields, as the kernel sent them.
    pub sockopt: Option<[u8; 2]>,
    /// Congestion control (`INET_DIAG_CONG`).
    pub congestion: Option<Box<str>>,
    /// `struct tcp_info` (or mptcp_info, sctp_info) as the kernel sent it: a prefix of today's.
    pub info: Option<Box<[u8]>>,
    /// `INET_DIAG_VEGASINFO`, raw.
    pub vegas: Option<Box<[u8]>>,
    /// `INET_DIAG_DCTCPINFO`, raw.
    pub dctcp: Option<Box<[u8]>>,
    /// `INET_DIAG_BBRINFO`, raw.
    pub bbr: Option<Box<[u8]>>,
    /// `INET_DIAG_MD5SIG`, raw.
    pub md5: Option<Box<[u8]>>,
    /// `INET_DIAG_ULP_INFO`, raw nested attributes.
    pub ulp: Option<Box<[u8]>>,
    /// `INET_DIAG_LOCALS`, raw sockaddr_storage array (SCTP).
    pub locals: Option<Box<[u8]>>,
    /// `INET_DIAG_PEERS`, raw sockaddr_storage array (SCTP).
    pub peers: Option<Box<[u8]>>,
    /// `INET_DIAG_SK_BPF_STORAGES`, raw nested attributes.
    pub bpf_storages: Option<Box<[u8]>>,
    /// UNIX: device and inode number of the bound path.
    pub unix_vfs: Option<(u32, u32)>,
    /// UNIX: inodes of the sockets in the accept queue (`UNIX_DIAG_ICONS`).
    pub unix_queue: Option<Vec<u32>>,
    /// Everything of the families that only `-e` shows, as raw attributes: (type, payload).
    pub raw: Vec<(u16, Box<[u8]>)>,
}

impl Detail {
    /// The payload of a raw attribute, by the kernel's number within the family.
    #[must_use]
    pub fn raw(&self, kind: u16) -> Option<&[u8]> {
        self.raw.iter().find(|(number, _)| *number == kind).map(|(_, payload)| &**payload)
    }
}

/// A running timer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timer {
    /// Which.
    pub kind: TimerKind,
    /// Until it fires, milliseconds.
    pub expires_ms: u32,
    /// Retransmissions (or probes) so far.
    pub retrans: u8,
}

/// Which timer runs (`idiag_timer`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimerKind {
    /// 1: retransmission.
    On,
    /// 2
    Keepalive,
    /// 3
    TimeWait,
    /// 4: zero-window probe.
    Persist,
    /// A number that this build has no name for (5 is `delack` since Linux 6.18 or so).
    Other(u8),
}

/// Which directions are shut down (`sk_shutdown`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Shutdown {
    /// Receiving is shut down.
    pub receive: bool,
    /// Sending is shut down.
    pub send: bool,
}

//! The records: a `RecordHead` or a `CallRecord`, and for some kinds a second part. Native endian; addresses in network
//! order; ports in host order.

use core::mem::offset_of;

use crate::PART;

/// `TASK_COMM_LEN` (include/linux/sched.h).
pub const COMM_LEN: usize = 16;
/// `sizeof(sun_path)` (include/uapi/linux/un.h).
pub const UNIX_NAME_LEN: usize = 108;

/// Flag of a record: `pid` and `comm` are of the process that made the call.
pub const EXACT: u8 = 1;
/// Flag of a record: the peer's FIN had arrived (`SOCK_DONE`).
pub const FIN_RECEIVED: u8 = 2;
/// Flag of a record: nothing more is received (`RCV_SHUTDOWN` of `sk_shutdown`).
pub const RECEIVE_SHUT: u8 = 4;
/// Flag of a record: nothing more is sent (`SEND_SHUTDOWN`).
pub const SEND_SHUT: u8 = 8;
/// Flag of a record: close(2) has left the connection to the kernel (`SOCK_DEAD`), or is doing so; of a listener that it is
/// being closed.
pub const ORPHAN: u8 = 16;
/// Flag of a record: no segment with data has arrived (`tcp_sock.data_segs_in`).
pub const NO_DATA: u8 = 32;
/// Flag of a record: bind(2) gave it its port (`SOCK_BINDPORT_LOCK`), which it keeps, because something refers to the socket.
pub const KEEPS_PORT: u8 = 64;

/// What a record tells of; the byte `RecordHead::kind`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// `inet_sock_set_state` (a `RecordHead`; of a change to CLOSE, `Totals` follow).
    State = 1,
    /// `cgroup/sock_create` of a RAW socket; of others only while somebody wants them (`CallRecord`, as all below but
    /// `TakenBack` and `Waits`).
    Create = 2,
    /// `cgroup/post_bind4`, `cgroup/post_bind6`.
    PostBind = 3,
    /// bind(2) returned; of datagram sockets mostly not told where it succeeds, as `PostBind` has told of it.
    Bind = 4,
    /// listen(2) returned; `aux` is the backlog.
    Listen = 5,
    /// connect(2) returned; of TCP only where it failed, or dissolved a connection. Of TCP `local` is 0 where the socket does
    /// not stand there as bound and nothing more. Of a UNIX socket whose peer is AF_UNSPEC no name follows.
    Connect = 6,
    /// accept(2) returned; `aux` is the new descriptor.
    Accept = 7,
    /// `cgroup/udp4_sendmsg`, `cgroup/udp6_sendmsg`, the first of the socket; `sock_send_length` where it failed before.
    FirstSend = 8,
    /// `cgroup/sock_release`.
    Release = 9,
    /// The same, of a TCP connection that has sent its FIN already, or is about to: it is nobody's from now on.
    Orphan = 10,
    /// `inet_sock_set_state` from SYN_SENT to CLOSE within the connect(2) that began it, whose return says why (as `State`).
    TakenBack = 11,
    /// A SYN is sent again: the socket is in SYN_SENT still (a `RecordHead`).
    Waits = 12,
    /// `cgroup/connect4`, `cgroup/connect6` of a datagram socket, where nothing reports what comes of it: 32-bit calls.
    Dial = 13,
}

impl Kind {
    /// From the byte of a record.
    #[must_use]
    pub const fn from_byte(byte: u8) -> Option<Self> {
        Some(match byte {
            1 => Self::State,
            2 => Self::Create,
            3 => Self::PostBind,
            4 => Self::Bind,
            5 => Self::Listen,
            6 => Self::Connect,
            7 => Self::Accept,
            8 => Self::FirstSend,
            9 => Self::Release,
            10 => Self::Orphan,
            11 => Self::TakenBack,
            12 => Self::Waits,
            13 => Self::Dial,
            _ => return None,
        })
    }
}

/// How every record begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub struct RecordHead {
    /// `bpf_ktime_get_ns`: nanoseconds of `CLOCK_MONOTONIC`, which stands still while the machine sleeps. (The one that
    /// does not costs a call more.)
    pub time_ns: u64,
    /// The kernel's socket cookie, 0 where nobody has asked for one yet.
    pub cookie: u64,
    /// Cgroup id (v2), 0 for not known.
    pub cgroup: u64,
    /// Inode of the network namespace, 0 for not known.
    pub netns: u32,
    /// `sk_uid`; `u32::MAX` for not known.
    pub uid: u32,
    /// A [`Kind`].
    pub kind: u8,
    /// Address family, AF_*.
    pub family: u8,
    /// State before (`Kind::State`), or the state now.
    pub old: u8,
    /// State after (`Kind::State`), or the socket's type, SOCK_*.
    pub new: u8,
    /// Local port.
    pub local_port: u16,
    /// Peer port.
    pub peer_port: u16,
    /// Local address; an IPv4 address fills the first four bytes.
    pub local: [u8; 16],
    /// Peer address, likewise.
    pub peer: [u8; 16],
    /// Bound interface, 0 for none.
    pub ifindex: u32,
    /// `SO_MARK`.
    pub mark: u32,
    /// Thread-group id of the current task; valid only with `EXACT`.
    pub pid: u32,
    /// IP protocol.
    pub protocol: u16,
    /// `EXACT` and its like.
    pub flags: u8,
    /// Bytes of the [`UnixName`] that follows.
    pub name_len: u8,
    /// Name of the group leader of the current task; valid only with `EXACT`.
    pub comm: [u8; COMM_LEN],
}

/// A change of state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub struct StateRecord {
    /// What all records have.
    pub head: RecordHead,
    /// Address of the MPTCP socket that this is, or is a subflow of. 0 of all else, and of the changes between the first and
    /// the last of a subflow.
    pub msk: u64,
}

/// What a TCP connection came to: the second part of a change to CLOSE.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub struct Totals {
    /// `tcp_sock.bytes_sent`: with retransmissions.
    pub bytes_sent: u64,
    /// `tcp_sock.bytes_retrans`.
    pub bytes_retrans: u64,
    /// `tcp_sock.bytes_acked`.
    pub bytes_acked: u64,
    /// `tcp_sock.bytes_received`.
    pub bytes_received: u64,
    /// `tcp_sock.segs_out`.
    pub segs_out: u32,
    /// `tcp_sock.segs_in`.
    pub segs_in: u32,
    /// `tcp_sock.total_retrans`.
    pub total_retrans: u32,
    /// `tcp_sock.srtt_us`: eighths of a microsecond.
    pub srtt_us: u32,
    /// `tcp_sock.rtt_min`: microseconds, `u32::MAX` for none.
    pub rtt_min: u32,
    /// `sk_err`.
    pub error: u32,
}

/// Which MPTCP socket lies at that address: a number that no other has while it lives, as two `struct mptcp_sock` lie
/// further apart than the bits that it lacks. The cookie of an accepted MPTCP connection is its listener's
/// (net/mptcp/protocol.c, `mptcp_sk_clone_init`), and tells nothing.
#[inline(always)]
#[must_use]
pub const fn msk_number(address: u64) -> u32 {
    (address >> 10) as u32
}

/// A call on a socket, or one of the cgroup hooks. Of calls on UNIX sockets a [`UnixName`] follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub struct CallRecord {
    /// What all records have.
    pub head: RecordHead,
    /// Inode of the socket, 0 for not known.
    pub inode: u32,
    /// Errno, 0 for success.
    pub error: u32,
    /// Backlog (listen), descriptor (accept).
    pub aux: u32,
    /// Of MPTCP, and of subflows that are bound: the MPTCP socket's [`msk_number`]; 0 of all else. At the end of an MPTCP
    /// socket, its address lies here and in `aux`.
    pub msk: u32,
}

/// The second part of a call on a UNIX socket: the local name (bind, listen, accept) or the peer's (connect).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub struct UnixName {
    /// The first `name_len` bytes are of `sun_path`.
    pub bytes: [u8; UNIX_NAME_LEN + 4],
}

const _: () = assert!(size_of::<RecordHead>() == 104);
const _: () = assert!(size_of::<StateRecord>() == 112);
const _: () = assert!(size_of::<Totals>() == 56);
const _: () = assert!(size_of::<CallRecord>() == PART);
const _: () = assert!(size_of::<UnixName>() <= PART);
const _: () = assert!(offset_of!(RecordHead, local).is_multiple_of(8));
const _: () = assert!(offset_of!(RecordHead, peer).is_multiple_of(8));
const _: () = assert!(offset_of!(RecordHead, comm).is_multiple_of(8));

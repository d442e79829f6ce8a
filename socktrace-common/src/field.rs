//! The struct fields that the programs read. Where they lie differs from kernel to kernel, so the user half looks
//! each up in the kernel's BTF and writes the offsets into the programs' instructions before it loads them: a load of a
//! field is one instruction. The programs are compiled with marks in their places, which name the field.

/// The offset of a field that this kernel does not have.
pub const ABSENT: u32 = u32::MAX;

/// Mark in the offset of a load: plus a [`Field`], to become its offset. Where it is absent, the load becomes a zero.
pub const LOAD_MARK: i16 = 0x7d00;
/// The same for the offset plus eight.
pub const LOAD_NEXT_MARK: i16 = 0x7e00;
/// Mark in the constant that a register is set to, likewise; where the field is absent, [`ABSENT`].
pub const CONSTANT_MARK: i32 = 0x50c7_0000;
/// Marks of each kind.
pub const MARKS: usize = 256;

macro_rules! fields {
    ($($(#[$doc:meta])* $name:ident = $strukt:literal, $path:literal, $required:literal;)*) => {
        /// A field of a kernel struct, and its place in the table of offsets.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[repr(u32)]
        #[allow(missing_docs, reason = "each is named after the field that it stands for")]
        pub enum Field {
            $($(#[$doc])* $name,)*
        }

        impl Field {
            /// Every field, in the order of the table.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The struct it is in.
            #[must_use]
            pub const fn strukt(self) -> &'static str {
                match self { $(Self::$name => $strukt,)* }
            }

            /// The path of members that leads to it; anonymous members are not named, arrays stand for their first element.
            #[must_use]
            pub const fn path(self) -> &'static str {
                match self { $(Self::$name => $path,)* }
            }

            /// Whether nothing works without it.
            #[must_use]
            pub const fn required(self) -> bool {
                match self { $(Self::$name => $required,)* }
            }
        }
    };
}

fields! {
    SkDaddr = "sock_common", "skc_daddr", true;
    SkRcvSaddr = "sock_common", "skc_rcv_saddr", true;
    SkDport = "sock_common", "skc_dport", true;
    SkNum = "sock_common", "skc_num", true;
    SkFamily = "sock_common", "skc_family", true;
    SkState = "sock_common", "skc_state", true;
    SkBoundDevIf = "sock_common", "skc_bound_dev_if", true;
    SkNet = "sock_common", "skc_net.net", true;
    SkV6Daddr = "sock_common", "skc_v6_daddr", false;
    SkV6RcvSaddr = "sock_common", "skc_v6_rcv_saddr", false;
    SkCookie = "sock_common", "skc_cookie", true;
    SkProt = "sock_common", "skc_prot", true;
    SkFlags = "sock_common", "skc_flags", false;
    SkType = "sock", "sk_type", true;
    SkProtocol = "sock", "sk_protocol", true;
    SkMark = "sock", "sk_mark", false;
    SkUid = "sock", "sk_uid", true;
    SkErr = "sock", "sk_err", false;
    SkShutdown = "sock", "sk_shutdown", false;
    /// The byte in which the bit lies.
    SkKernSock = "sock", "sk_kern_sock", false;
    /// Which bit of that byte it is.
    SkKernBit = "sock", "sk_kern_sock", false;
    SkSocket = "sock", "sk_socket", false;
    /// Linux 6.18; before, the inode is found through the socket.
    SkIno = "sock", "sk_ino", false;
    SkCgroup = "sock", "sk_cgrp_data.cgroup", false;
    CgroupKn = "cgroup", "kn", false;
    KnId = "kernfs_node", "id", false;
    NetInum = "net", "ns.inum", true;
    TcpSport = "tcp_sock", "inet_conn.icsk_inet.inet_sport", false;
    /// How many connections may wait before their handshakes are over (TCP Fast Open), of a listener.
    TcpFastOpen = "tcp_sock", "inet_conn.icsk_accept_queue.fastopenq.max_qlen", false;
    TcpBytesSent = "tcp_sock", "bytes_sent", false;
    TcpBytesRetrans = "tcp_sock", "bytes_retrans", false;
    TcpBytesAcked = "tcp_sock", "bytes_acked", false;
    TcpBytesReceived = "tcp_sock", "bytes_received", false;
    TcpSegsOut = "tcp_sock", "segs_out", false;
    TcpSegsIn = "tcp_sock", "segs_in", false;
    TcpDataSegsIn = "tcp_sock", "data_segs_in", false;
    TcpTotalRetrans = "tcp_sock", "total_retrans", false;
    TcpSrtt = "tcp_sock", "srtt_us", false;
    TcpRttMin = "tcp_sock", "rtt_min.s.v", false;
    TcpIsMptcp = "tcp_sock", "is_mptcp", false;
    TcpUlpData = "tcp_sock", "inet_conn.icsk_ulp_data", false;
    SubflowConn = "mptcp_subflow_context", "conn", false;
    MptcpFirst = "mptcp_sock", "first", false;
    MptcpBytesSent = "mptcp_sock", "bytes_sent", false;
    MptcpBytesAcked = "mptcp_sock", "bytes_acked", false;
    MptcpBytesReceived = "mptcp_sock", "bytes_received", false;
    TaskGroupLeader = "task_struct", "group_leader", true;
    TaskComm = "task_struct", "comm", true;
    TaskFiles = "task_struct", "files", true;
    TaskNsproxy = "task_struct", "nsproxy", false;
    TaskTgid = "task_struct", "tgid", true;
    TaskFlags = "task_struct", "flags", false;
    TaskPid = "task_struct", "pid", true;
    TaskCgroups = "task_struct", "cgroups", false;
    CssSetCgroup = "css_set", "dfl_cgrp", false;
    /// The first word of the set.
    TaskPending = "task_struct", "pending.signal.sig", false;
    TaskBlocked = "task_struct", "blocked.sig", false;
    TaskSignal = "task_struct", "signal", false;
    SignalPending = "signal_struct", "shared_pending.signal.sig", false;
    TaskSighand = "task_struct", "sighand", false;
    SighandAction = "sighand_struct", "action", false;
    /// Whether the system call is a 32-bit one, on x86-64.
    TaskStatus = "task_struct", "thread_info.status", false;
    TaskSwitches = "task_struct", "nvcsw", true;
    TaskPreempted = "task_struct", "nivcsw", true;
    NsproxyNet = "nsproxy", "net_ns", false;
    NetCookie = "net", "net_cookie", false;
    FilesFdt = "files_struct", "fdt", true;
    FdtFd = "fdtable", "fd", true;
    FdtMaxFds = "fdtable", "max_fds", true;
    FilePrivate = "file", "private_data", true;
    FileInode = "file", "f_inode", true;
    /// Before Linux 6.13.
    FileCount = "file", "f_count.counter", false;
    /// From then on.
    FileRef = "file", "f_ref.refcnt.counter", false;
    InodeIno = "inode", "i_ino", true;
    SocketFile = "socket", "file", true;
    SocketSk = "socket", "sk", true;
    SocketIno = "socket_alloc", "vfs_inode.i_ino", false;
    SocketUid = "socket_alloc", "vfs_inode.i_uid", true;
    /// First argument of a system call on x86-64; absent elsewhere.
    RegsFirst = "pt_regs", "di", false;
    /// Second argument, likewise.
    RegsSecond = "pt_regs", "si", false;
    /// Third argument, likewise.
    RegsThird = "pt_regs", "dx", false;
    /// Number of the system call, likewise.
    RegsNumber = "pt_regs", "orig_ax", false;
    IoFile = "io_kiocb", "file", false;
    IoOpcode = "io_kiocb", "opcode", false;
    /// Linux 5.19.
    IoResult = "io_kiocb", "cqe.res", false;
    /// In the `struct io_kiocb`, which begins with what the request is about; likewise those that follow.
    IoConnectAddress = "io_connect", "addr", false;
    IoConnectLength = "io_connect", "addr_len", false;
    IoAcceptSlot = "io_accept", "file_slot", false;
    /// Linux 6.11; likewise.
    IoListenBacklog = "io_listen", "backlog", false;
    UnixAddr = "unix_sock", "addr", false;
    UnixAddressLen = "unix_address", "len", false;
    UnixAddressName = "unix_address", "name", false;
}

/// How many fields there are: the length of the table of offsets.
pub const FIELDS: usize = Field::ALL.len();

const _: () = assert!(FIELDS <= MARKS);

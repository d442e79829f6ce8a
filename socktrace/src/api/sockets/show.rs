//! What a listing shows of each socket.

/// What to show of each socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Show {
    /// A column of network namespaces.
    pub netns: bool,
    /// The Netid column: more than one table was asked for.
    pub netid: bool,
    /// The State column: more than one state was asked for.
    pub state: bool,
    /// The Recv-Q and Send-Q columns.
    pub queues: bool,
    /// The Process column.
    pub users: Option<Users>,
    /// Timers (`-o`).
    pub timers: bool,
    /// Uid, inode, cookie and what else the family has (`-e`).
    pub extended: bool,
    /// Memory (`-m`).
    pub memory: bool,
    /// Internal TCP information (`-i`).
    pub info: bool,
    /// Type of service, traffic class, class id.
    pub tos: bool,
    /// The cgroup's path.
    pub cgroup: bool,
    /// Socket options.
    pub sockopt: bool,
    /// Socket filters (`-b`).
    pub bpf: bool,
    /// TIPC's own line.
    pub tipcinfo: bool,
    /// Everything of a socket on its row (`-O`).
    pub oneline: bool,
    /// Numbers instead of names (`-n`).
    pub numeric: bool,
    /// Host names instead of addresses (`-r`).
    pub resolve: bool,
}

/// What to show of the processes that hold a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Users {
    /// Their threads.
    pub threads: bool,
    /// The SELinux context of the process.
    pub process_context: bool,
    /// The SELinux context of the socket's file.
    pub socket_context: bool,
}

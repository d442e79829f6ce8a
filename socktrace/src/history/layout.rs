//! The numbers in a record: its kind, what it holds, and the kinds of endpoints and owners.

/// The kind of a record: its first byte. Its length follows, then its time, then the rest.
pub(super) mod kind {
    /// A socket was closed.
    pub(in crate::history) const CLOSE: u8 = 0;
    /// A connection did not come about.
    pub(in crate::history) const FAILED: u8 = 1;
    /// A connection that had ended was accepted.
    pub(in crate::history) const ACCEPTED: u8 = 2;
    /// The buffer between the kernel and the agent was full.
    pub(in crate::history) const LOST_BY_KERNEL: u8 = 3;
    /// The files could not be written.
    pub(in crate::history) const LOST_BY_FILES: u8 = 4;
    /// An agent began.
    pub(in crate::history) const BEGAN: u8 = 5;
    /// The agent ended.
    pub(in crate::history) const STOPPED: u8 = 6;
    /// bind(2) failed.
    pub(in crate::history) const NOT_BOUND: u8 = 7;
    /// listen(2) failed.
    pub(in crate::history) const NOT_LISTENING: u8 = 8;
    /// Added to the kind of a record that stands on nothing.
    pub(in crate::history) const FRESH: u8 = 0x80;
}

/// What a record of a socket holds beside its identity, owner and ends.
pub(super) mod has {
    /// Its kind is said, not that of the record before.
    pub(in crate::history) const KIND: u16 = 1;
    /// Likewise its network namespace.
    pub(in crate::history) const NETNS: u16 = 1 << 1;
    /// Likewise its user.
    pub(in crate::history) const UID: u16 = 1 << 2;
    /// Likewise its cgroup: which one follows.
    pub(in crate::history) const CGROUP: u16 = 1 << 3;
    /// Interface, mark and inode.
    pub(in crate::history) const RARE: u16 = 1 << 4;
    /// A state other than CLOSE.
    pub(in crate::history) const STATE: u16 = 1 << 5;
    /// How long it lived.
    pub(in crate::history) const AGE: u16 = 1 << 6;
    /// The totals.
    pub(in crate::history) const TOTALS: u16 = 1 << 7;
    /// Why a connection did not come about.
    pub(in crate::history) const FAILURE: u16 = 1 << 8;
    /// Nothing: its event was lost.
    pub(in crate::history) const MISSED: u16 = 1 << 9;
}

/// The kind of an endpoint.
pub(super) mod end {
    /// None.
    pub(in crate::history) const NONE: u8 = 0;
    /// The IP address of the record before, another port.
    pub(in crate::history) const SAME: u8 = 1;
    /// IPv4.
    pub(in crate::history) const V4: u8 = 2;
    /// IPv6.
    pub(in crate::history) const V6: u8 = 3;
    /// UNIX.
    pub(in crate::history) const UNIX: u8 = 4;
    /// Packet.
    pub(in crate::history) const PACKET: u8 = 5;
    /// Netlink.
    pub(in crate::history) const NETLINK: u8 = 6;
    /// The peer of a netlink socket.
    pub(in crate::history) const NETLINK_PEER: u8 = 7;
    /// vsock.
    pub(in crate::history) const VSOCK: u8 = 8;
    /// TIPC.
    pub(in crate::history) const TIPC: u8 = 9;
    /// XDP.
    pub(in crate::history) const XDP: u8 = 10;
}

/// The owner: not known, one that was said before (1 and more), or a new one.
pub(super) mod owner {
    /// Not known.
    pub(in crate::history) const UNKNOWN: u8 = 0;
    /// The first that was said before.
    pub(in crate::history) const KNOWN: u8 = 1;
    /// A new one, seen making the call.
    pub(in crate::history) const EXACT: u8 = 0xfe;
    /// A new one, found holding the socket.
    pub(in crate::history) const HOLDER: u8 = 0xff;
}

/// The cgroup: one that was said before (0 and more), or a new one.
pub(super) mod place {
    /// A new one, of which only its id is known.
    pub(in crate::history) const NAMELESS: u8 = 0xfe;
    /// A new one, and its path.
    pub(in crate::history) const NAMED: u8 = 0xff;
}

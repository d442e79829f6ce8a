//! Address families and kinds of socket, and the words for them.

/// Address family (include/linux/socket.h).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Family {
    /// AF_UNIX, 1
    Unix,
    /// AF_INET, 2
    Inet,
    /// AF_INET6, 10
    Inet6,
    /// AF_NETLINK, 16
    Netlink,
    /// AF_PACKET, 17
    Packet,
    /// AF_TIPC, 30
    Tipc,
    /// AF_VSOCK, 40
    Vsock,
    /// AF_XDP, 44
    Xdp,
    /// A number that this build has no name for.
    Other(u16),
}

impl Family {
    /// From the kernel's number; every number is kept.
    #[must_use]
    pub const fn from_number(number: u16) -> Self {
        match number {
            1 => Self::Unix,
            2 => Self::Inet,
            10 => Self::Inet6,
            16 => Self::Netlink,
            17 => Self::Packet,
            30 => Self::Tipc,
            40 => Self::Vsock,
            44 => Self::Xdp,
            other => Self::Other(other),
        }
    }

    /// The kernel's number.
    #[must_use]
    pub const fn number(self) -> u16 {
        match self {
            Self::Unix => 1,
            Self::Inet => 2,
            Self::Inet6 => 10,
            Self::Netlink => 16,
            Self::Packet => 17,
            Self::Tipc => 30,
            Self::Vsock => 40,
            Self::Xdp => 44,
            Self::Other(number) => number,
        }
    }

    /// The word of the JSON schema: `inet`, `inet6`, `unix` …
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unix => "unix",
            Self::Inet => "inet",
            Self::Inet6 => "inet6",
            Self::Netlink => "netlink",
            Self::Packet => "packet",
            Self::Tipc => "tipc",
            Self::Vsock => "vsock",
            Self::Xdp => "xdp",
            Self::Other(_) => "other",
        }
    }
}

/// What kind of socket it is: one value for each of ss's tables, and the few that ss folds into another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Proto {
    /// TCP.
    Tcp,
    /// An MPTCP connection (its subflows are `Tcp`).
    Mptcp,
    /// UDP.
    Udp,
    /// UDP-Lite.
    UdpLite,
    /// A raw IP socket of that IP protocol number.
    Raw(u16),
    /// An ICMP datagram ("ping") socket; the number tells ICMP from ICMPv6.
    Ping(u8),
    /// SCTP.
    Sctp,
    /// DCCP.
    Dccp,
    /// UNIX stream.
    UnixStream,
    /// UNIX datagram.
    UnixDgram,
    /// UNIX seqpacket.
    UnixSeqpacket,
    /// Packet, SOCK_RAW.
    PacketRaw,
    /// Packet, SOCK_DGRAM.
    PacketDgram,
    /// Netlink.
    Netlink,
    /// vsock stream.
    VsockStream,
    /// vsock datagram.
    VsockDgram,
    /// vsock seqpacket.
    VsockSeqpacket,
    /// TIPC stream.
    TipcStream,
    /// TIPC datagram.
    TipcDgram,
    /// TIPC reliable datagram.
    TipcRdm,
    /// TIPC seqpacket.
    TipcSeqpacket,
    /// XDP.
    Xdp,
    /// Anything else, by IP protocol or socket type number.
    Other(u16),
}

impl Proto {
    /// The word of the JSON schema's `proto`: `tcp`, `udp`, `raw`, `unix` …
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Mptcp => "mptcp",
            Self::Udp => "udp",
            Self::UdpLite => "udplite",
            Self::Raw(_) => "raw",
            Self::Ping(_) => "icmp",
            Self::Sctp => "sctp",
            Self::Dccp => "dccp",
            Self::UnixStream | Self::UnixDgram | Self::UnixSeqpacket => "unix",
            Self::PacketRaw | Self::PacketDgram => "packet",
            Self::Netlink => "netlink",
            Self::VsockStream | Self::VsockDgram | Self::VsockSeqpacket => "vsock",
            Self::TipcStream | Self::TipcDgram | Self::TipcRdm | Self::TipcSeqpacket => "tipc",
            Self::Xdp => "xdp",
            Self::Other(_) => "other",
        }
    }

    /// The Netid that ss prints (misc/ss.c): `tcp`, `u_str`, `p_raw`, `nl` …
    #[must_use]
    pub const fn netid(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Mptcp => "mptcp",
            Self::Udp | Self::UdpLite => "udp",
            Self::Raw(58) | Self::Ping(58) => "icmp6",
            Self::Raw(_) => "raw",
            Self::Ping(_) | Self::Other(_) => "???",
            Self::Sctp => "sctp",
            Self::Dccp => "dccp",
            Self::UnixStream => "u_str",
            Self::UnixDgram => "u_dgr",
            Self::UnixSeqpacket => "u_seq",
            Self::PacketRaw => "p_raw",
            Self::PacketDgram => "p_dgr",
            Self::Netlink => "nl",
            Self::VsockStream => "v_str",
            Self::VsockDgram => "v_dgr",
            Self::VsockSeqpacket => "v_seq",
            Self::TipcStream => "ti_st",
            Self::TipcDgram => "ti_dg",
            Self::TipcRdm => "ti_rd",
            Self::TipcSeqpacket => "ti_sq",
            Self::Xdp => "xdp",
        }
    }

    /// Whether it is one of the three UNIX kinds.
    #[must_use]
    pub const fn is_unix(self) -> bool {
        matches!(self, Self::UnixStream | Self::UnixDgram | Self::UnixSeqpacket)
    }
}

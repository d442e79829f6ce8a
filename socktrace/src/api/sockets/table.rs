//! The tables in which ss lists sockets, and what they are called.

use super::family::FamilySet;
use crate::socket::{Family, Proto, State, StateSet};

/// One of ss's tables of sockets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Table {
    Tcp,
    Mptcp,
    Dccp,
    Udp,
    Raw,
    UnixDgram,
    UnixStream,
    UnixSeqpacket,
    PacketDgram,
    PacketRaw,
    Netlink,
    Sctp,
    VsockStream,
    VsockDgram,
    Tipc,
    Xdp,
}

impl Table {
    /// All of them.
    pub const ALL: [Self; 16] = [
        Self::Tcp,
        Self::Mptcp,
        Self::Dccp,
        Self::Udp,
        Self::Raw,
        Self::UnixDgram,
        Self::UnixStream,
        Self::UnixSeqpacket,
        Self::PacketDgram,
        Self::PacketRaw,
        Self::Netlink,
        Self::Sctp,
        Self::VsockStream,
        Self::VsockDgram,
        Self::Tipc,
        Self::Xdp,
    ];

    /// The table in which ss lists that kind of socket.
    #[must_use]
    pub const fn of(proto: Proto) -> Option<Self> {
        Some(match proto {
            Proto::Tcp => Self::Tcp,
            Proto::Mptcp => Self::Mptcp,
            Proto::Dccp => Self::Dccp,
            Proto::Udp => Self::Udp,
            Proto::Raw(_) => Self::Raw,
            Proto::UnixDgram => Self::UnixDgram,
            Proto::UnixStream => Self::UnixStream,
            Proto::UnixSeqpacket => Self::UnixSeqpacket,
            Proto::PacketDgram => Self::PacketDgram,
            Proto::PacketRaw => Self::PacketRaw,
            Proto::Netlink => Self::Netlink,
            Proto::Sctp => Self::Sctp,
            // ss has no table of its own for seqpacket and lists it with either.
            Proto::VsockStream | Proto::VsockSeqpacket => Self::VsockStream,
            Proto::VsockDgram => Self::VsockDgram,
            Proto::TipcStream | Proto::TipcDgram | Proto::TipcRdm | Proto::TipcSeqpacket => Self::Tipc,
            Proto::Xdp => Self::Xdp,
            Proto::UdpLite | Proto::Ping(_) | Proto::Other(_) => return None,
        })
    }

    /// The tables of a name, or of a group.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static [Self]> {
        NAMES.iter().find(|(known, _)| *known == name).map(|(_, tables)| *tables)
    }

    /// The names of all tables and groups.
    pub fn words() -> impl Iterator<Item = &'static str> + Clone {
        NAMES.iter().map(|(name, _)| *name)
    }

    /// Its own name.
    #[must_use]
    pub fn word(self) -> &'static str {
        let own = NAMES.iter().find(|(_, tables)| matches!(tables, [table] if *table == self));
        own.map_or("", |(name, _)| name)
    }

    const fn bit(self) -> u32 {
        1 << self as u32
    }

    /// The families whose sockets it holds.
    pub(super) const fn families(self) -> FamilySet {
        match self {
            Self::Tcp | Self::Mptcp | Self::Dccp | Self::Udp | Self::Raw | Self::Sctp => FamilySet::INET,
            Self::UnixDgram | Self::UnixStream | Self::UnixSeqpacket => FamilySet::of(Family::Unix),
            Self::PacketDgram | Self::PacketRaw => FamilySet::of(Family::Packet),
            Self::Netlink => FamilySet::of(Family::Netlink),
            Self::VsockStream | Self::VsockDgram => FamilySet::of(Family::Vsock),
            Self::Tipc => FamilySet::of(Family::Tipc),
            Self::Xdp => FamilySet::of(Family::Xdp),
        }
    }

    /// The states shown when the table was chosen and no state was.
    pub(super) const fn default_states(self) -> StateSet {
        match self {
            Self::Tcp
            | Self::Mptcp
            | Self::Dccp
            | Self::Sctp
            | Self::UnixStream
            | Self::UnixSeqpacket
            | Self::VsockStream
            | Self::VsockDgram => CONNECTED,
            Self::Udp | Self::Raw => StateSet::of(State::Established),
            Self::UnixDgram | Self::PacketDgram | Self::PacketRaw | Self::Netlink | Self::Xdp => {
                StateSet::of(State::Close)
            }
            Self::Tipc => TIPC,
        }
    }
}

/// What tables are called, those of one name together; the first name that has one table alone is its own.
const NAMES: [(&str, &[Table]); 28] = {
    use Table::{
        Dccp, Mptcp, Netlink, PacketDgram, PacketRaw, Raw, Sctp, Tcp, Tipc, Udp, UnixDgram, UnixSeqpacket,
        UnixStream, VsockDgram, VsockStream, Xdp,
    };
    [
        (
            "all",
            &[
                Udp,
                Dccp,
                Tcp,
                Mptcp,
                Raw,
                UnixStream,
                UnixDgram,
                UnixSeqpacket,
                PacketRaw,
                PacketDgram,
                Netlink,
                Sctp,
                VsockStream,
                VsockDgram,
                Xdp,
            ],
        ),
        ("inet", &[Udp, Dccp, Tcp, Mptcp, Sctp, Raw]),
        ("udp", &[Udp]),
        ("dccp", &[Dccp]),
        ("tcp", &[Tcp]),
        ("mptcp", &[Mptcp]),
        ("sctp", &[Sctp]),
        ("raw", &[Raw]),
        ("unix", &[UnixStream, UnixDgram, UnixSeqpacket]),
        ("unix_stream", &[UnixStream]),
        ("u_str", &[UnixStream]),
        ("unix_dgram", &[UnixDgram]),
        ("u_dgr", &[UnixDgram]),
        ("unix_seqpacket", &[UnixSeqpacket]),
        ("u_seq", &[UnixSeqpacket]),
        ("packet", &[PacketRaw, PacketDgram]),
        ("packet_raw", &[PacketRaw]),
        ("p_raw", &[PacketRaw]),
        ("packet_dgram", &[PacketDgram]),
        ("p_dgr", &[PacketDgram]),
        ("netlink", &[Netlink]),
        ("tipc", &[Tipc]),
        ("vsock", &[VsockStream, VsockDgram]),
        ("vsock_stream", &[VsockStream]),
        ("vsock_dgram", &[VsockDgram]),
        ("v_str", &[VsockStream]),
        ("v_dgr", &[VsockDgram]),
        ("xdp", &[Xdp]),
    ]
};

/// A set of tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TableSet(u32);

impl TableSet {
    /// None.
    pub const EMPTY: Self = Self(0);

    /// Of these.
    #[must_use]
    pub const fn of(tables: &[Table]) -> Self {
        let mut bits = 0;
        let mut rest = tables;
        while let [table, after @ ..] = rest {
            bits |= table.bit();
            rest = after;
        }
        Self(bits)
    }

    /// Whether the table is in the set.
    #[must_use]
    pub const fn contains(self, table: Table) -> bool {
        self.0 & table.bit() != 0
    }

    /// Whether there is one of those in the set.
    #[must_use]
    pub const fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Both together.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What is in this one and not in the other.
    #[must_use]
    pub const fn difference(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// How many.
    #[must_use]
    pub const fn len(self) -> u32 {
        self.0.count_ones()
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Each of them.
    pub fn iter(self) -> impl Iterator<Item = Table> {
        Table::ALL.into_iter().filter(move |table| self.contains(*table))
    }
}

/// What is shown when nothing is said: neither listening nor closed, and none of the mini-sockets.
pub const CONNECTED: StateSet =
    StateSet::CONNECTED.difference(StateSet::of(State::TimeWait)).difference(StateSet::of(State::SynRecv));

/// What `-l` shows.
pub const LISTENING: StateSet = StateSet::of(State::Listen).union(StateSet::of(State::Close));

pub(super) const TIPC: StateSet = LISTENING.union(StateSet::of(State::Established));

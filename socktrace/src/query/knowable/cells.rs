//! Kinds of sockets, and the moments at which they are seen, as far as what is known differs between them.

use crate::socket::{Family, KindSet, Proto};

/// A kind of socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Sort {
    Tcp4,
    Tcp6,
    Mptcp4,
    Mptcp6,
    /// UDP, UDP-Lite, raw IP, ping.
    Datagram4,
    Datagram6,
    /// SCTP, DCCP.
    OtherIp4,
    OtherIp6,
    Unix,
    Packet,
    Netlink,
    Vsock,
    Tipc,
    Xdp,
}

impl Sort {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::Tcp4,
        Self::Tcp6,
        Self::Mptcp4,
        Self::Mptcp6,
        Self::Datagram4,
        Self::Datagram6,
        Self::OtherIp4,
        Self::OtherIp6,
        Self::Unix,
        Self::Packet,
        Self::Netlink,
        Self::Vsock,
        Self::Tipc,
        Self::Xdp,
    ];

    /// Of a kind of socket and its family; none of numbers that this build has no name for.
    #[must_use]
    pub const fn of(proto: Proto, family: Family) -> Option<Self> {
        let (four, six) = match proto {
            Proto::Tcp => (Self::Tcp4, Self::Tcp6),
            Proto::Mptcp => (Self::Mptcp4, Self::Mptcp6),
            Proto::Udp | Proto::UdpLite | Proto::Raw(_) | Proto::Ping(_) => {
                (Self::Datagram4, Self::Datagram6)
            }
            Proto::Sctp | Proto::Dccp => (Self::OtherIp4, Self::OtherIp6),
            Proto::UnixStream | Proto::UnixDgram | Proto::UnixSeqpacket => return Some(Self::Unix),
            Proto::PacketRaw | Proto::PacketDgram => return Some(Self::Packet),
            Proto::Netlink => return Some(Self::Netlink),
            Proto::VsockStream | Proto::VsockDgram | Proto::VsockSeqpacket => return Some(Self::Vsock),
            Proto::TipcStream | Proto::TipcDgram | Proto::TipcRdm | Proto::TipcSeqpacket => {
                return Some(Self::Tipc);
            }
            Proto::Xdp => return Some(Self::Xdp),
            Proto::Other(_) => return None,
        };
        match family {
            Family::Inet => Some(four),
            Family::Inet6 => Some(six),
            Family::Unix
            | Family::Netlink
            | Family::Packet
            | Family::Tipc
            | Family::Vsock
            | Family::Xdp
            | Family::Other(_) => None,
        }
    }

    /// Its family.
    #[must_use]
    pub const fn family(self) -> Family {
        match self {
            Self::Tcp4 | Self::Mptcp4 | Self::Datagram4 | Self::OtherIp4 => Family::Inet,
            Self::Tcp6 | Self::Mptcp6 | Self::Datagram6 | Self::OtherIp6 => Family::Inet6,
            Self::Unix => Family::Unix,
            Self::Packet => Family::Packet,
            Self::Netlink => Family::Netlink,
            Self::Vsock => Family::Vsock,
            Self::Tipc => Family::Tipc,
            Self::Xdp => Family::Xdp,
        }
    }

    /// What people call it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Tcp4 | Self::Tcp6 => "TCP",
            Self::Mptcp4 | Self::Mptcp6 => "MPTCP",
            Self::Datagram4 | Self::Datagram6 => "UDP and raw",
            Self::OtherIp4 | Self::OtherIp6 => "SCTP and DCCP",
            Self::Unix => "UNIX",
            Self::Packet => "packet",
            Self::Netlink => "netlink",
            Self::Vsock => "vsock",
            Self::Tipc => "TIPC",
            Self::Xdp => "XDP",
        }
    }
}

/// A set of kinds of sockets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Sorts(u16);

impl Sorts {
    /// None.
    pub const NONE: Self = Self(0);
    /// All of them.
    pub const ALL: Self = Self((1 << Sort::ALL.len()) - 1);
    /// TCP.
    pub const TCP: Self = Self::of(&[Sort::Tcp4, Sort::Tcp6]);
    /// UDP, UDP-Lite, raw IP, ping.
    pub const DATAGRAM: Self = Self::of(&[Sort::Datagram4, Sort::Datagram6]);
    /// Everything over IP.
    pub const IP: Self = Self::of(&[
        Sort::Tcp4,
        Sort::Tcp6,
        Sort::Mptcp4,
        Sort::Mptcp6,
        Sort::Datagram4,
        Sort::Datagram6,
        Sort::OtherIp4,
        Sort::OtherIp6,
    ]);
    /// What is connected before it is used, over IP.
    pub(super) const STREAMS: Self = Self::IP.without(Self::DATAGRAM);
    pub(super) const UNIX: Self = Self::of(&[Sort::Unix]);

    /// Of these.
    #[must_use]
    pub const fn of(sorts: &[Sort]) -> Self {
        let mut bits = 0;
        let mut rest = sorts;
        while let [sort, after @ ..] = rest {
            bits |= 1 << *sort as u16;
            rest = after;
        }
        Self(bits)
    }

    /// Those of this family.
    pub(super) fn of_family(family: Family) -> Self {
        Sort::ALL.into_iter().filter(|sort| sort.family() == family).collect()
    }

    /// Whether it is in the set.
    #[must_use]
    pub const fn has(self, sort: Sort) -> bool {
        self.0 & (1 << sort as u16) != 0
    }

    /// Both together.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(super) const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// What people call them, each name once.
    pub(super) fn names(self) -> Vec<&'static str> {
        let mut names: Vec<_> =
            Sort::ALL.into_iter().filter(|sort| self.has(*sort)).map(Sort::name).collect();
        names.dedup();
        names
    }
}

impl FromIterator<Sort> for Sorts {
    fn from_iter<T: IntoIterator<Item = Sort>>(sorts: T) -> Self {
        sorts.into_iter().fold(Self::NONE, |all, sort| all.union(Self::of(&[sort])))
    }
}

/// How many moments there are: one for each kind of event that has a socket, and being listed.
const MOMENTS: usize = 9;
/// The number of the last one; the others have those of [`KindSet::index`].
const LISTED: usize = 8;

/// Kinds of sockets, at the moments at which they are seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Cells([Sorts; MOMENTS]);

impl Cells {
    pub(super) const NONE: Self = Self([Sorts::NONE; MOMENTS]);
    pub(super) const ALL: Self = Self([Sorts::ALL; MOMENTS]);

    /// These, when they are listed.
    pub(super) const fn listed(sorts: Sorts) -> Self {
        let mut cells = Self::NONE;
        cells.0[LISTED] = sorts;
        cells
    }

    /// These, in events of these kinds.
    pub(super) fn events(kinds: KindSet, sorts: Sorts) -> Self {
        let of = |moment| if moment < LISTED && kinds.has(moment) { sorts } else { Sorts::NONE };
        Self(std::array::from_fn(of))
    }

    /// These, whenever they are seen.
    pub(super) const fn of(sorts: Sorts) -> Self {
        Self([sorts; MOMENTS])
    }

    pub(super) fn and(self, other: Self) -> Self {
        Self(std::array::from_fn(|moment| Sorts(self.0[moment].0 & other.0[moment].0)))
    }

    pub(super) fn or(self, other: Self) -> Self {
        Self(std::array::from_fn(|moment| self.0[moment].union(other.0[moment])))
    }

    pub(super) fn is_empty(self) -> bool {
        self == Self::NONE
    }

    /// The kinds of sockets among them.
    pub(super) fn sorts(self) -> Sorts {
        self.0.into_iter().fold(Sorts::NONE, Sorts::union)
    }
}

const IP_AND_UNIX: Sorts = Sorts::IP.union(Sorts::UNIX);

/// Which events there are of which sockets.
pub(super) fn reported() -> Cells {
    let kinds: [(KindSet, Sorts); 8] = [
        (KindSet::BIND, IP_AND_UNIX),
        (KindSet::LISTEN, Sorts::STREAMS.union(Sorts::UNIX)),
        (KindSet::CONNECT, IP_AND_UNIX),
        (KindSet::CONNECT_FAILED, IP_AND_UNIX),
        (KindSet::ACCEPT, Sorts::STREAMS.union(Sorts::UNIX)),
        (KindSet::OPEN, Sorts::DATAGRAM),
        (KindSet::CLOSE, IP_AND_UNIX),
        (KindSet::STATE, Sorts::STREAMS),
    ];
    kinds.into_iter().fold(Cells::NONE, |all, (kind, sorts)| all.or(Cells::events(kind, sorts)))
}

/// Which of them history keeps: of binds and listens those that failed; a failed connect leaves a UDP or UNIX socket as it was.
pub(super) fn kept() -> Cells {
    let whole = KindSet::BIND.union(KindSet::LISTEN).union(KindSet::CLOSE);
    reported()
        .and(Cells::events(whole, Sorts::ALL))
        .or(Cells::events(KindSet::CONNECT_FAILED, Sorts::STREAMS))
}

//! Where a socket stands and who its peer is, small.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::socket::{Change, Endpoint, Family, Proto, State};

/// Both ends of a socket.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Ends {
    V4 { local: Ipv4Addr, peer: Ipv4Addr, ports: [u16; 2] },
    V6 { local: Ipv6Addr, peer: Ipv6Addr, ports: [u16; 2] },
    Other(Box<[Endpoint; 2]>),
}

impl Ends {
    /// Those that a change says.
    pub(super) fn of_change(change: &Change) -> Self {
        Self::of(change.family, &change.local, &change.peer).said_of(change.proto)
    }

    /// After a connect(2) that failed, the kernel keeps the address that was tried, and no port (net/ipv4/tcp.c,
    /// `tcp_disconnect`): a TCP socket has no peer then.
    pub(super) fn said_of(mut self, proto: Proto) -> Self {
        if proto == Proto::Tcp {
            match &mut self {
                Self::V4 { peer, ports: [_, 0], .. } => *peer = Ipv4Addr::UNSPECIFIED,
                Self::V6 { peer, ports: [_, 0], .. } => *peer = Ipv6Addr::UNSPECIFIED,
                Self::V4 { .. } | Self::V6 { .. } | Self::Other(_) => {}
            }
        }
        self
    }

    /// An end that an IPv4 or IPv6 socket does not have is the unspecified address and port 0, as in sock_diag.
    pub(super) fn of(family: Family, local: &Endpoint, peer: &Endpoint) -> Self {
        match (family, inet(local), inet(peer)) {
            (Family::Inet, Some((local, a)), Some((peer, b))) => match (local, peer) {
                (IpAddr::V4(local), IpAddr::V4(peer)) => Self::V4 { local, peer, ports: [a, b] },
                (IpAddr::V4(_) | IpAddr::V6(_), _) => Self::v6(local, peer, [a, b]),
            },
            (Family::Inet6, Some((local, a)), Some((peer, b))) => Self::v6(local, peer, [a, b]),
            _ => Self::Other(Box::new([local.clone(), peer.clone()])),
        }
    }

    fn v6(local: IpAddr, peer: IpAddr, ports: [u16; 2]) -> Self {
        let wide = |addr| match addr {
            IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv6Addr::UNSPECIFIED,
            IpAddr::V4(addr) => addr.to_ipv6_mapped(),
            IpAddr::V6(addr) => addr,
        };
        Self::V6 { local: wide(local), peer: wide(peer), ports }
    }

    pub(super) fn local(&self) -> Endpoint {
        match self {
            Self::V4 { local, ports, .. } => Endpoint::Inet { addr: IpAddr::V4(*local), port: ports[0] },
            Self::V6 { local, ports, .. } => Endpoint::Inet { addr: IpAddr::V6(*local), port: ports[0] },
            Self::Other(ends) => ends[0].clone(),
        }
    }

    pub(super) fn peer(&self) -> Endpoint {
        match self {
            Self::V4 { peer, ports, .. } => Endpoint::Inet { addr: IpAddr::V4(*peer), port: ports[1] },
            Self::V6 { peer, ports, .. } => Endpoint::Inet { addr: IpAddr::V6(*peer), port: ports[1] },
            Self::Other(ends) => ends[1].clone(),
        }
    }

    /// Local and peer port of an IPv4 or IPv6 socket.
    pub(super) const fn ports(&self) -> Option<[u16; 2]> {
        match self {
            Self::V4 { ports, .. } | Self::V6 { ports, .. } => Some(*ports),
            Self::Other(_) => None,
        }
    }

    pub(super) const fn local_port(&self) -> u16 {
        match self {
            Self::V4 { ports, .. } | Self::V6 { ports, .. } => ports[0],
            Self::Other(_) => 0,
        }
    }

    /// Whether `row` says the same of a socket in that state. At CLOSE→SYN_SENT the kernel has not chosen the local port yet
    /// (net/ipv4/tcp_ipv4.c, `tcp_v4_connect`), and at CLOSE→LISTEN neither, so a row that knows it only says more. Of a
    /// socket that is bound and nothing more, a connect(2) that failed may have taken all but the port without a record:
    /// one through io_uring.
    pub(super) fn agrees_with(&self, row: &Self, state: State) -> bool {
        self == row
            || (state == State::BoundInactive && self.local_port() == row.local_port())
            || (matches!(state, State::SynSent | State::Listen) && self.local_port() == 0 && {
                let mut more = self.clone();
                match &mut more {
                    Self::V4 { ports, .. } | Self::V6 { ports, .. } => ports[0] = row.local_port(),
                    Self::Other(_) => {}
                }
                more == *row
            })
    }
}

/// Address and port of an IP endpoint; an end that is not known is unspecified. `None` for other families.
const fn inet(end: &Endpoint) -> Option<(IpAddr, u16)> {
    if matches!(end, Endpoint::None) { Some((IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0)) } else { end.inet() }
}

//! One socket in the table, small: 300 bytes must hold it and its share of every index.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::socket::{
    BootNs, Change, Cookie, Endpoint, Family, NetnsId, Owner, Proto, Socket, State, Subject,
};

/// One socket in the table.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    pub(super) cookie: Cookie,
    /// State and ends are known to have held at this time. 0: an event only touched them.
    pub(super) as_of: BootNs,
    /// When it opened; 0 for not seen.
    pub(super) opened: BootNs,
    pub(super) cgroup: u64,
    pub(super) ends: Ends,
    pub(super) owner: Owner,
    pub(super) netns: NetnsId,
    pub(super) ifindex: u32,
    /// `NO_UID` for not known.
    uid: u32,
    pub(super) mark: u32,
    pub(super) inode: u32,
    pub(super) proto: Proto,
    pub(super) family: Family,
    pub(super) state: State,
    marks: u8,
}

const _: () = assert!(size_of::<Entry>() <= 136);

/// (uid_t)-1 is no user (kernel/uid16.c, `INVALID_UID`).
const NO_UID: u32 = u32::MAX;

/// The bind was told at the cgroup hook; the system call's exit will speak of the same one.
const BIND: u8 = 1;
/// The listener was told of, or was there before us: its end is to be told too.
const LISTEN: u8 = 2;
/// The accept was told.
const ACCEPT: u8 = 4;
/// The close was told: letting go of the descriptor later is none.
const CLOSE: u8 = 8;
/// Its connect was told, and dissolved: its end is to be told too, whether a listing shows it or not.
const DISSOLVED: u8 = 16;

impl Entry {
    /// A socket as a change first shows it.
    pub(super) fn of_change(change: &Change, state: State) -> Self {
        Self {
            cookie: change.cookie,
            as_of: change.at,
            opened: 0,
            cgroup: change.cgroup,
            ends: Ends::of(change.family, &change.local, &change.peer),
            owner: change.process.map_or(Owner::Unknown, Owner::Exact),
            netns: change.netns,
            ifindex: change.ifindex,
            uid: change.uid.unwrap_or(NO_UID),
            mark: change.mark,
            inode: change.inode,
            proto: change.proto,
            family: change.family,
            state,
            marks: 0,
        }
    }

    /// A socket as a dump that began at `as_of` shows it.
    pub(super) fn of_row(row: &Socket, as_of: BootNs) -> Self {
        Self {
            cookie: row.cookie,
            as_of,
            opened: 0,
            cgroup: row.detail.as_ref().and_then(|detail| detail.cgroup_id).unwrap_or(0),
            ends: Ends::of(row.family, &row.local, &row.peer),
            owner: Owner::Unknown,
            netns: row.netns,
            ifindex: row.ifindex,
            uid: row.uid.unwrap_or(NO_UID),
            mark: row.detail.as_ref().and_then(|detail| detail.mark).unwrap_or(0),
            inode: row.inode,
            proto: row.proto,
            family: row.family,
            state: row.state,
            marks: match row.state {
                State::BoundInactive => 0,
                _ => LISTEN,
            },
        }
    }

    /// What no slot holds.
    pub(super) const fn vacant() -> Self {
        Self {
            cookie: 0,
            as_of: 0,
            opened: 0,
            cgroup: 0,
            ends: Ends::V4 { local: Ipv4Addr::UNSPECIFIED, peer: Ipv4Addr::UNSPECIFIED, ports: [0; 2] },
            owner: Owner::Unknown,
            netns: 0,
            ifindex: 0,
            uid: NO_UID,
            mark: 0,
            inode: 0,
            proto: Proto::Tcp,
            family: Family::Inet,
            state: State::Close,
            marks: 0,
        }
    }

    /// A new life of the socket begins.
    pub(super) fn begin_life(&mut self, state: State, at: BootNs) {
        self.state = state;
        self.opened = at;
        self.as_of = self.as_of.max(at);
        self.marks = 0;
    }

    /// Its connection is over, and it is what it was when bind(2) returned.
    pub(super) const fn fall_back(&mut self, close_told: bool) {
        self.marks = if close_told { CLOSE } else { 0 };
    }

    /// Takes what the change knows beside state, ends and owner; what it does not know stays.
    pub(super) fn learn(&mut self, change: &Change) {
        // accept(2) gives a connection to the user who calls it (net/core/sock.c, `sock_graft`).
        if let Some(uid) = change.uid {
            self.uid = uid;
        }
        for (fact, news) in [
            (&mut self.netns, change.netns),
            (&mut self.ifindex, change.ifindex),
            (&mut self.mark, change.mark),
            (&mut self.inode, change.inode),
        ] {
            if news != 0 {
                *fact = news;
            }
        }
        if change.cgroup != 0 {
            self.cgroup = change.cgroup;
        }
    }

    /// Takes what the row of a dump knows beside state and ends.
    pub(super) fn learn_row(&mut self, row: &Self) {
        (self.netns, self.ifindex, self.inode) = (row.netns, row.ifindex, row.inode);
        // Before Linux 6.17 sock_diag says root of a socket without an inode (net/core/sock.c, `sock_i_uid`).
        if row.uid != NO_UID && (row.inode != 0 || self.uid == NO_UID) {
            self.uid = row.uid;
        }
        if row.mark != 0 {
            self.mark = row.mark;
        }
        if row.cgroup != 0 {
            self.cgroup = row.cgroup;
        }
    }

    /// Names the owner, unless one was seen before.
    pub(super) fn own(&mut self, change: &Change) {
        if let (Owner::Holder(_) | Owner::Unknown, Some(process)) = (self.owner, change.process) {
            self.owner = Owner::Exact(process);
        }
    }

    /// A UNIX socket opens with the first call that gives it a name or a peer; nothing tells when it was made. Whoever
    /// looked through the sockets may have met it before this is told.
    pub(super) fn open_unix(&mut self, at: BootNs) {
        let fresh = match &self.ends {
            Ends::Other(ends) => self.state == State::Close && is_unnamed(&ends[0]),
            Ends::V4 { .. } | Ends::V6 { .. } => false,
        };
        if self.proto.is_unix() && self.opened == 0 && (fresh || at <= self.as_of) {
            self.opened = at;
        }
    }

    /// When it opened, if that was seen.
    pub(super) const fn opened(&self) -> Option<BootNs> {
        match self.opened {
            0 => None,
            at => Some(at),
        }
    }

    /// Microseconds from its opening to `at`.
    pub(super) const fn open_for_us(&self, at: BootNs) -> Option<u64> {
        match self.opened {
            0 => None,
            opened => Some(at.saturating_sub(opened) / 1000),
        }
    }

    /// Whether a listing shows it. A UDP or ping socket is hashed, and so listed, once it has a local port
    /// (net/ipv4/udp.c, `udp_lib_get_port`); of a RAW socket that is its protocol.
    pub(super) const fn is_listed(&self) -> bool {
        match self.proto {
            Proto::Udp | Proto::UdpLite | Proto::Ping(_) | Proto::Raw(_) => self.ends.local_port() != 0,
            // The kernel lists those that listen, or have had a token given (net/mptcp/mptcp_diag.c).
            Proto::Mptcp => !matches!(self.state, State::Close | State::BoundInactive),
            _ => true,
        }
    }

    pub(super) const fn bind_told(&mut self) {
        self.marks |= BIND;
    }

    pub(super) const fn is_bind_told(&self) -> bool {
        self.marks & BIND != 0
    }

    pub(super) const fn is_close_told(&self) -> bool {
        self.marks & CLOSE != 0
    }

    /// Whether it is a RAW socket that the kernel has unhashed: nothing puts it back.
    pub(super) const fn is_unhashed(&self) -> bool {
        matches!(self.proto, Proto::Raw(_)) && self.ends.local_port() == 0
    }

    pub(super) const fn dissolve(&mut self) {
        self.marks |= DISSOLVED;
    }

    pub(super) const fn is_dissolved(&self) -> bool {
        self.marks & DISSOLVED != 0
    }

    /// The kernel has unhashed the RAW socket.
    pub(super) const fn unhash(&mut self) {
        match &mut self.ends {
            Ends::V4 { ports, .. } | Ends::V6 { ports, .. } => ports[0] = 0,
            Ends::Other(_) => {}
        }
    }

    /// Whether the bind was told at the cgroup hook; asking forgets it.
    pub(super) const fn take_bind_told(&mut self) -> bool {
        let was = self.marks & BIND != 0;
        self.marks &= !BIND;
        was
    }

    pub(super) const fn listen_told(&mut self) {
        self.marks |= LISTEN;
    }

    pub(super) const fn is_listen_told(&self) -> bool {
        self.marks & LISTEN != 0
    }

    pub(super) const fn accept_told(&mut self) {
        self.marks |= ACCEPT;
    }

    pub(super) const fn is_accept_told(&self) -> bool {
        self.marks & ACCEPT != 0
    }

    /// The subject of an event.
    pub(super) fn subject(&self) -> Subject {
        Subject {
            cookie: self.cookie,
            netns: self.netns,
            proto: self.proto,
            family: self.family,
            local: self.ends.local(),
            peer: self.ends.peer(),
            state: self.state,
            ifindex: self.ifindex,
            uid: (self.uid != NO_UID).then_some(self.uid),
            mark: self.mark,
            inode: self.inode,
            cgroup: self.cgroup,
            place: None,
            owner: self.owner,
            opened: self.opened(),
        }
    }
}

/// Both ends of a socket.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Ends {
    V4 { local: Ipv4Addr, peer: Ipv4Addr, ports: [u16; 2] },
    V6 { local: Ipv6Addr, peer: Ipv6Addr, ports: [u16; 2] },
    Other(Box<[Endpoint; 2]>),
}

impl Ends {
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

    /// Whether `row` says the same of a socket in that state. At CLOSE→SYN_SENT the kernel has not chosen the local port yet (net/ipv4/
    /// tcp_ipv4.c, `tcp_v4_connect`), so a row that knows it only says more. Of a socket that is bound and nothing
    /// more, a failed connect(2) may have taken all but the port, which nothing tells (net/ipv4/tcp.c,
    /// `tcp_disconnect`).
    pub(super) fn agrees_with(&self, row: &Self, state: State) -> bool {
        self == row
            || (state == State::BoundInactive && self.local_port() == row.local_port())
            || (state == State::SynSent && self.local_port() == 0 && {
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
    match end {
        Endpoint::None => Some((IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0)),
        _ => end.inet(),
    }
}

/// Whether a UNIX socket has no name there.
fn is_unnamed(end: &Endpoint) -> bool {
    match end {
        Endpoint::Unix { name, .. } => name.is_unnamed(),
        Endpoint::None => true,
        Endpoint::Inet { .. }
        | Endpoint::Packet { .. }
        | Endpoint::Netlink { .. }
        | Endpoint::NetlinkPeer { .. }
        | Endpoint::Vsock { .. }
        | Endpoint::Tipc { .. }
        | Endpoint::Xdp { .. } => false,
    }
}

//! One socket in the table, small: 300 bytes must hold it and its share of every index.

use std::net::Ipv4Addr;

use super::ends::Ends;
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
    flags: u8,
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
/// Where it stands may have changed without a record.
const DOUBT: u8 = 32;
/// That it listens was reported before the return of listen(2) was seen, if it is to be seen.
const OVERDUE: u8 = 64;
/// The kernel made it for itself, as for a tunnel: no hook tells its end (net/ipv4/af_inet.c, `inet_release`).
const KERNELS: u8 = 128;

impl Entry {
    /// A socket as a change first shows it.
    pub(super) fn of_change(change: &Change, state: State) -> Self {
        Self {
            cookie: change.cookie,
            as_of: change.at,
            opened: 0,
            cgroup: change.cgroup,
            ends: Ends::of_change(change),
            owner: change.process.map_or(Owner::Unknown, Owner::Exact),
            netns: change.netns,
            ifindex: change.ifindex,
            uid: change.uid.unwrap_or(NO_UID),
            mark: change.mark,
            inode: change.inode,
            proto: change.proto,
            family: change.family,
            state,
            flags: 0,
        }
    }

    /// A socket as a dump that began at `as_of` shows it.
    pub(super) fn of_row(row: &Socket, as_of: BootNs) -> Self {
        Self {
            cookie: row.cookie,
            as_of,
            opened: 0,
            cgroup: row.detail.as_ref().and_then(|detail| detail.cgroup_id).unwrap_or(0),
            ends: Ends::of(row.family, &row.local, &row.peer).said_of(row.proto),
            owner: Owner::Unknown,
            netns: row.netns,
            ifindex: row.ifindex,
            uid: row.uid.unwrap_or(NO_UID),
            mark: row.detail.as_ref().and_then(|detail| detail.mark).unwrap_or(0),
            inode: row.inode,
            proto: row.proto,
            family: row.family,
            state: row.state,
            flags: if row.state == State::BoundInactive { 0 } else { LISTEN },
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
            flags: 0,
        }
    }

    /// A new life of the socket begins.
    pub(super) fn begin_life(&mut self, state: State, at: BootNs) {
        self.state = state;
        self.opened = at;
        self.as_of = self.as_of.max(at);
        self.flags = 0;
    }

    /// Its connection is over, and it is what it was when bind(2) returned.
    pub(super) const fn fall_back(&mut self, close_told: bool) {
        self.flags = if close_told { CLOSE } else { 0 };
    }

    /// It is bound and nothing more, there.
    pub(super) fn stand(&mut self, change: &Change) {
        self.state = State::BoundInactive;
        self.ends = Ends::of(change.family, &change.local, &Endpoint::None);
        self.as_of = self.as_of.max(change.at);
        self.flags &= !DOUBT;
        self.learn(change);
    }

    /// Where it stands may have changed without a record.
    pub(super) const fn doubt(&mut self) {
        self.flags |= DOUBT;
    }

    /// Whether only the kernel's table knows where it stands.
    pub(super) const fn is_doubted(&self) -> bool {
        self.flags & DOUBT != 0 || (matches!(self.state, State::Listen) && self.lacks_port())
    }

    /// Whether it is a TCP socket whose local port the kernel has chosen and not said.
    const fn lacks_port(&self) -> bool {
        matches!(self.proto, Proto::Tcp) && self.ends.local_port() == 0
    }

    /// Whether the row of a dump shows another life of the same TCP socket: another port, another peer, or a peer where it had
    /// none.
    pub(super) fn is_outlived_by(&self, row: &Self) -> bool {
        let is_other = |before: u16, now: u16| before != 0 && now != 0 && before != now;
        match (row.proto, self.ends.ports(), row.ends.ports()) {
            (Proto::Tcp, Some(before), Some(now)) => {
                is_other(before[0], now[0]) || (now[1] != 0 && self.ends.peer() != row.ends.peer())
            }
            _ => false,
        }
    }

    /// Takes what the change knows beside state, ends and owner; what it does not know stays.
    pub(super) fn learn(&mut self, change: &Change) {
        // accept(2) gives a connection to the user who calls it (net/core/sock.c, `sock_graft`).
        if let Some(uid) = change.uid {
            self.uid = uid;
        }
        if change.kind.knows_interface() {
            self.ifindex = change.ifindex;
        }
        for (fact, news) in
            [(&mut self.netns, change.netns), (&mut self.mark, change.mark), (&mut self.inode, change.inode)]
        {
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
        (self.netns, self.inode) = (row.netns, row.inode);
        // Procfs does not tell it.
        if row.ifindex != 0 || !matches!(row.proto, Proto::Raw(_) | Proto::Ping(_)) {
            self.ifindex = row.ifindex;
        }
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
        self.flags &= !DOUBT;
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

    /// A datagram socket opens with the call that gives it its port.
    pub(super) const fn open_datagram(&mut self, at: BootNs) {
        if self.opened == 0 && !self.is_listed() && !matches!(self.proto, Proto::Raw(_)) {
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
            Proto::Tcp
            | Proto::Sctp
            | Proto::Dccp
            | Proto::UnixStream
            | Proto::UnixDgram
            | Proto::UnixSeqpacket
            | Proto::PacketRaw
            | Proto::PacketDgram
            | Proto::Netlink
            | Proto::VsockStream
            | Proto::VsockDgram
            | Proto::VsockSeqpacket
            | Proto::TipcStream
            | Proto::TipcDgram
            | Proto::TipcRdm
            | Proto::TipcSeqpacket
            | Proto::Xdp
            | Proto::Other(_) => true,
        }
    }

    pub(super) const fn is_kernels(&self) -> bool {
        self.flags & KERNELS != 0
    }

    /// Whether it is a datagram socket that was there before us and that no process was seen to hold: the kernel's own, it seems.
    pub(super) const fn is_nobodys(&self) -> bool {
        let is_datagram = matches!(self.proto, Proto::Udp | Proto::UdpLite | Proto::Raw(_) | Proto::Ping(_));
        is_datagram && self.opened == 0 && matches!(self.owner, Owner::Unknown)
    }

    pub(super) const fn made_by_the_kernel(&mut self) {
        self.flags |= KERNELS;
    }

    pub(super) const fn bind_told(&mut self) {
        self.flags |= BIND;
    }

    pub(super) const fn is_bind_told(&self) -> bool {
        self.flags & BIND != 0
    }

    pub(super) const fn is_close_told(&self) -> bool {
        self.flags & CLOSE != 0
    }

    /// Whether it is a RAW socket that the kernel has unhashed: nothing puts it back.
    pub(super) const fn is_unhashed(&self) -> bool {
        matches!(self.proto, Proto::Raw(_)) && self.ends.local_port() == 0
    }

    pub(super) const fn dissolve(&mut self) {
        self.flags |= DISSOLVED;
    }

    pub(super) const fn is_dissolved(&self) -> bool {
        self.flags & DISSOLVED != 0
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
        let was = self.flags & BIND != 0;
        self.flags &= !BIND;
        was
    }

    pub(super) const fn listen_told(&mut self) {
        self.flags |= LISTEN;
    }

    pub(super) const fn is_listen_told(&self) -> bool {
        self.flags & LISTEN != 0
    }

    pub(super) const fn listen_overdue(&mut self) {
        self.flags |= LISTEN | OVERDUE;
    }

    /// Whether that it listens was reported before the return of listen(2) was seen; asking forgets it.
    pub(super) const fn take_listen_overdue(&mut self) -> bool {
        let was = self.flags & OVERDUE != 0;
        self.flags &= !OVERDUE;
        was
    }

    pub(super) const fn accept_told(&mut self) {
        self.flags |= ACCEPT;
    }

    pub(super) const fn is_accept_told(&self) -> bool {
        self.flags & ACCEPT != 0
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

/// Whether a UNIX socket has no name there.
pub(super) fn is_unnamed(end: &Endpoint) -> bool {
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

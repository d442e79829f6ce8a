//! Change: what a hook saw, decoded. The only thing the kernel programs may say.

use super::Family;
use super::{BootNs, ClosedFirst, Cookie, Endpoint, NetnsId, Process, Proto, Reset, State};

/// One thing that happened to one socket, as the kernel programs saw it.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// When.
    pub at: BootNs,
    /// Which socket; 0 where the hook does not know (a UNIX socket that nobody has asked for its cookie).
    pub cookie: Cookie,
    /// In which network namespace; 0 where the hook does not know.
    pub netns: NetnsId,
    /// What kind of socket.
    pub proto: Proto,
    /// Its address family.
    pub family: Family,
    /// This side, as far as known at that moment.
    pub local: Endpoint,
    /// The other side, as far as known at that moment.
    pub peer: Endpoint,
    /// Its state after the call, where the return of a call reports it; the last one, where its release does.
    pub state: Option<State>,
    /// Interface the socket is bound to, 0 for none or where [`ChangeKind::knows_interface`] says that it is not known.
    pub ifindex: u32,
    /// User id, where the hook reports it.
    pub uid: Option<u32>,
    /// `SO_MARK`, 0 for none or not known.
    pub mark: u32,
    /// Cgroup id (v2), 0 for not known.
    pub cgroup: u64,
    /// The process, only where the hook ran in its own context.
    pub process: Option<Process>,
    /// Inode of the socket, where the hook went through a file; 0 otherwise.
    pub inode: u32,
    /// Of MPTCP: a number that no other MPTCP socket has while this one lives. Of a subflow, that of its MPTCP socket, where
    /// the hook tells. 0 of all else.
    pub msk: u32,
    /// What happened.
    pub kind: ChangeKind,
}

/// What happened to the socket.
#[derive(Debug, Clone, PartialEq)]
pub enum ChangeKind {
    /// TCP went from one state to another (`inet_sock_set_state`).
    State {
        /// Before.
        old: State,
        /// After.
        new: State,
        /// Whether close(2) leaves the connection to the kernel by this, or has done so before: it has no inode and
        /// no holder. At CLOSE there is nothing to leave: of a listener it says that close(2) ended it.
        orphan: bool,
        /// The totals of the connection, on the transition to CLOSE.
        closing: Option<Box<Closing>>,
    },
    /// It was created (`cgroup/sock_create`): a RAW socket is listed from then on. Datagram sockets only until the first
    /// dump is in the table.
    Create,
    /// The kernel bound it to an address (`cgroup/post_bind4`, `6`). Without a process: the kernel bound a socket of its
    /// own, whose end no hook reports.
    PostBind,
    /// bind(2) returned; errno 0 is success. On failure `local` is the address that was asked for. Of datagram sockets a
    /// success may be reported by `PostBind` alone.
    Bind {
        /// 0, or what went wrong.
        errno: u16,
    },
    /// listen(2) returned; errno 0 is success.
    Listen {
        /// 0, or what went wrong.
        errno: u16,
        /// The backlog that was asked for.
        backlog: u32,
    },
    /// TCP went from SYN_SENT back to CLOSE within the connect(2) that began it, and whose return (`Connect`) says why.
    TakenBack {
        /// As [`Closing::bound`].
        bound: bool,
    },
    /// TCP sends its SYN again: it is in SYN_SENT still, and its port is known.
    Waits,
    /// connect(2) returned; errno 0 is success. Of TCP only reported where it failed, and possibly after a state change that
    /// said so. `peer` is the one that was asked for then, and `local`, if it has a port, where the socket is bound and has
    /// no peer.
    Connect {
        /// 0, or what went wrong.
        errno: u16,
    },
    /// connect(2) of a datagram socket has begun, and nothing will report what comes of it.
    Dial,
    /// connect(2) to AF_UNSPEC dissolved the association of a socket. Of TCP, a state change has reported the end of a
    /// connection, and `local` is as for `Connect`.
    Disconnect,
    /// accept(2) or accept4(2) returned this new socket.
    Accept {
        /// The new descriptor, in the process's own table.
        fd: u32,
        /// Whether the handshake is not over yet (TCP Fast Open).
        early: bool,
    },
    /// A datagram socket sent its first datagram to an address (`cgroup/udp4_sendmsg`, `6`), or tried to in vain.
    FirstSend,
    /// The last descriptor is gone (`cgroup/sock_release`); for TCP only reported of sockets in CLOSE.
    Release,
    /// The last descriptor of a TCP connection is gone that is closing already: the kernel brings it to its end.
    Orphan,
}

impl ChangeKind {
    /// Whether such a change says which interface the socket is bound to.
    #[must_use]
    pub const fn knows_interface(&self) -> bool {
        match self {
            Self::State { .. }
            | Self::TakenBack { .. }
            | Self::Waits
            | Self::PostBind
            | Self::Bind { .. }
            | Self::Listen { .. }
            | Self::Connect { .. }
            | Self::Dial
            | Self::Disconnect
            | Self::Accept { .. }
            | Self::FirstSend => true,
            Self::Create | Self::Release | Self::Orphan => false,
        }
    }
}

/// The totals of a TCP connection when it ended. Application bytes: SYN and FIN are not counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Closing {
    /// Bytes sent, each once (retransmissions are not counted again).
    pub bytes_sent: u64,
    /// Bytes the peer acknowledged.
    pub bytes_acked: u64,
    /// Bytes received.
    pub bytes_received: u64,
    /// Segments sent; see [`Closing::segments`].
    pub segs_out: u32,
    /// Segments received.
    pub segs_in: u32,
    /// Retransmitted segments.
    pub retrans: u32,
    /// Smoothed round-trip time, microseconds; 0 for not measured.
    pub rtt_us: u32,
    /// Smallest round-trip time, microseconds; 0 for not measured.
    pub min_rtt_us: u32,
    /// `sk_err`: 0, or the errno that ended it.
    pub errno: u16,
    /// Who closed first.
    pub closed_first: Option<ClosedFirst>,
    /// Who reset it, if it was reset.
    pub reset: Option<Reset>,
    /// Whether the peer's FIN had arrived.
    pub fin_received: bool,
    /// Whether the socket goes on as bound and nothing more: bind(2) gave it its port, and a descriptor that is not
    /// being closed refers to it.
    pub bound: bool,
}

/// Segments of a TCP connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segments {
    /// Sent, those sent again included.
    pub sent: u32,
    /// Received.
    pub received: u32,
    /// Sent again.
    pub again: u32,
}

impl Closing {
    /// The segments; none where the kernel counts none: those of an MPTCP connection are its subflows'. No TCP connection is
    /// without any, as its SYN is one.
    #[must_use]
    pub fn segments(&self) -> Option<Segments> {
        let &Self { segs_out: sent, segs_in: received, retrans: again, .. } = self;
        (sent != 0 || received != 0).then_some(Segments { sent, received, again })
    }
}

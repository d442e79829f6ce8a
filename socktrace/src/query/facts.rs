//! What the evaluator may look at.

use super::ending::Ends;
use crate::socket::{
    Cgroup, Cookie, Endpoint, Event, EventKind, Family, Holder, NetnsId, Owner, Process, Proto,
};
use crate::socket::{Socket, State, Subject, TimerKind, info};

/// The facts of one socket, borrowed. Building one allocates nothing.
///
/// What is not known satisfies neither a predicate nor its negation: `comm != sshd` does not pass a socket whose
/// processes could not be seen. Fields are public: whoever knows more than the constructors (age, holders) sets it.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// Kind of socket.
    pub proto: Proto,
    /// Address family.
    pub family: Family,
    /// State.
    pub state: State,
    /// This side.
    pub local: &'a Endpoint,
    /// The other side.
    pub peer: &'a Endpoint,
    /// In a listing, the number in ss's local Port column: port, UNIX inode, interface index, netlink port id,
    /// queue. In an event only a true port, and none where the family has no ports.
    pub local_port: Option<i64>,
    /// The number in ss's peer Port column.
    pub peer_port: Option<i64>,
    /// Interface the socket is bound to, 0 for none.
    pub ifindex: u32,
    /// `SO_MARK`.
    pub mark: Option<u32>,
    /// Cgroup id (v2), 0 for none.
    pub cgroup_id: Option<u64>,
    /// What that cgroup is.
    pub cgroup: InCgroup<'a>,
    /// Inode of the socket, 0 if no file refers to it.
    pub inode: Option<u32>,
    /// Identity, 0 where it is not known.
    pub cookie: Cookie,
    /// Network namespace, 0 where it is not known.
    pub netns: NetnsId,
    /// User id.
    pub uid: Option<u32>,
    /// Bytes received and not yet read; for a listener, pending connections.
    pub recv_q: Option<u32>,
    /// Bytes sent and not yet acknowledged; for a listener, the backlog.
    pub send_q: Option<u32>,
    /// Who holds it.
    pub processes: Processes<'a>,
    /// Smoothed round-trip time, microseconds.
    pub rtt_us: Option<u32>,
    /// Retransmitted segments in all.
    pub retrans: Option<u32>,
    /// How long it has been open, microseconds.
    pub age_us: Option<u64>,
    /// How it ended; none if it has not, or nobody saw.
    pub ends: Option<Ends>,
    /// `ip_local_port_range`, both ends included: the ports that `autobound` means.
    pub port_range: (u16, u16),
}

/// The processes of a socket.
#[derive(Debug, Clone, Copy, Default)]
pub enum Processes<'a> {
    /// Not known (not looked for, or no right to see).
    #[default]
    Unknown,
    /// These and no others; none at all if empty.
    Holders(&'a [Holder]),
    /// This one.
    One(&'a Process),
}

/// The cgroup of a socket.
#[derive(Debug, Clone, Copy, Default)]
pub enum InCgroup<'a> {
    /// Not known.
    #[default]
    Unknown,
    /// It can have none.
    None,
    /// This one.
    Known(&'a Cgroup),
}

/// Linux's default for `ip_local_port_range`.
const DEFAULT_PORT_RANGE: (u16, u16) = (32768, 60999);

impl<'a> Facts<'a> {
    /// Of a listed socket. `processes`, `age_us` and what the cgroup is stay unknown, `port_range` is Linux's default.
    #[must_use]
    pub fn of_socket(socket: &'a Socket) -> Self {
        let detail = socket.detail.as_deref();
        let inet = matches!(socket.family, Family::Inet | Family::Inet6);
        let (rtt_us, retrans) = match (socket.proto, detail.and_then(|detail| detail.info.as_deref())) {
            (Proto::Tcp, Some(bytes)) => (word(info::tcp::RTT, bytes), word(info::tcp::TOTAL_RETRANS, bytes)),
            _ => (None, None),
        };
        // Other families have no mark and no cgroup in sock_diag; to ss both are 0 there.
        let cgroup_id = detail.and_then(|detail| detail.cgroup_id);
        let cgroup_id = cgroup_id.or(if inet && is_full(socket) { None } else { Some(0) });
        Self {
            proto: socket.proto,
            family: socket.family,
            state: socket.state,
            local: &socket.local,
            peer: &socket.peer,
            local_port: Some(column(&socket.local)),
            peer_port: Some(peer_column(socket)),
            ifindex: socket.ifindex,
            mark: detail.and_then(|detail| detail.mark).or(if inet { None } else { Some(0) }),
            cgroup_id,
            // A UNIX socket has one, which sock_diag does not report.
            cgroup: match cgroup_id {
                Some(0) if inet => InCgroup::None,
                Some(_) | None => InCgroup::Unknown,
            },
            inode: Some(socket.inode),
            cookie: socket.cookie,
            netns: socket.netns,
            uid: socket.uid,
            recv_q: counted(socket.recv_q),
            send_q: counted(socket.send_q),
            processes: Processes::Unknown,
            rtt_us: rtt_us.filter(|&rtt| rtt != 0),
            retrans,
            age_us: None,
            ends: None,
            port_range: DEFAULT_PORT_RANGE,
        }
    }

    /// Of an event: its subject, its age at that moment, and what a close says. None if it has no subject.
    #[must_use]
    pub fn of_event(event: &'a Event) -> Option<Self> {
        let subject = event.subject.as_deref()?;
        let mut facts = Self::of_subject(subject);
        facts.ends = Ends::of(&event.kind, subject.proto);
        facts.age_us = subject.opened.map(|opened| event.at.saturating_sub(opened) / 1000);
        if let EventKind::Close { duration_us, .. } = &event.kind {
            facts.age_us = duration_us.or(facts.age_us);
        }
        if let Some(closing) = event.kind.closing() {
            facts.rtt_us = Some(closing.rtt_us).filter(|&rtt| rtt != 0);
            facts.retrans = closing.segments().map(|segments| segments.again);
        }
        Some(facts)
    }

    /// Of the subject of an event.
    #[must_use]
    pub fn of_subject(subject: &'a Subject) -> Self {
        Self {
            proto: subject.proto,
            family: subject.family,
            state: subject.state,
            local: &subject.local,
            peer: &subject.peer,
            local_port: port(&subject.local),
            peer_port: port(&subject.peer),
            ifindex: subject.ifindex,
            mark: Some(subject.mark),
            cgroup_id: Some(subject.cgroup).filter(|&id| id != 0),
            cgroup: subject.place.as_deref().map_or(InCgroup::Unknown, InCgroup::Known),
            inode: Some(subject.inode).filter(|&inode| inode != 0),
            cookie: subject.cookie,
            netns: subject.netns,
            uid: subject.uid,
            recv_q: None,
            send_q: None,
            processes: match &subject.owner {
                Owner::Exact(process) | Owner::Holder(process) => Processes::One(process),
                Owner::Unknown => Processes::Unknown,
            },
            rtt_us: None,
            retrans: None,
            age_us: None,
            ends: None,
            port_range: DEFAULT_PORT_RANGE,
        }
    }
}

/// A queue's bytes. The kernel says -1 for a UDP socket that is being destroyed, which is no number of bytes.
fn counted(bytes: u32) -> Option<u32> {
    (bytes.cast_signed() >= 0).then_some(bytes)
}

/// Whether it is no mini-socket: those have no cgroup. A TIME-WAIT one may say FIN-WAIT-2; its timer tells.
fn is_full(socket: &Socket) -> bool {
    let timer = socket.detail.as_ref().and_then(|detail| detail.timer);
    !matches!(socket.state, State::TimeWait | State::SynRecv | State::NewSynRecv)
        && timer.is_none_or(|timer| timer.kind != TimerKind::TimeWait)
}

/// What ss compares with a port: the number it prints in the Port column (misc/ss.c, `lport`, `rport`).
const fn column(end: &Endpoint) -> i64 {
    match *end {
        Endpoint::Inet { port, .. } => port as i64,
        Endpoint::Vsock { port, .. } => port as i64,
        Endpoint::Unix { inode, .. } => inode as i64,
        Endpoint::Packet { ifindex, .. } => ifindex as i64,
        // Ids that the kernel chose are negative there.
        Endpoint::Netlink { portid, .. } => portid.cast_signed() as i64,
        Endpoint::NetlinkPeer { .. } => -1,
        Endpoint::Tipc { reference, .. } => reference as i64,
        Endpoint::Xdp { queue, .. } => queue as i64,
        Endpoint::None => 0,
    }
}

/// The same for the peer: ss knows none of a netlink socket (`netlink_show_one`).
fn peer_column(socket: &Socket) -> i64 {
    if socket.family == Family::Netlink { -1 } else { column(&socket.peer) }
}

/// The port, if it is an endpoint of a family that has ports.
const fn port(end: &Endpoint) -> Option<i64> {
    match *end {
        Endpoint::Inet { port, .. } => Some(port as i64),
        Endpoint::Vsock { port, .. } => Some(port as i64),
        Endpoint::None
        | Endpoint::Unix { .. }
        | Endpoint::Packet { .. }
        | Endpoint::Netlink { .. }
        | Endpoint::NetlinkPeer { .. }
        | Endpoint::Tipc { .. }
        | Endpoint::Xdp { .. } => None,
    }
}

/// A member of 32 bits.
fn word(member: info::Member, bytes: &[u8]) -> Option<u32> {
    u32::try_from(member.of(bytes)?).ok()
}

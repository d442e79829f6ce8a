//! A record of the kernel half → a [`Change`]. Pure.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use socktrace_common::{
    CallRecord, EXACT, FIN_RECEIVED, KEEPS_PORT, Kind, NO_DATA, ORPHAN, RECEIVE_SHUT, RecordHead, SEND_SHUT,
    StateRecord, Totals, UnixName as NameRecord, msk_number,
};

use crate::socket::{
    Change, ChangeKind, ClosedFirst, Closing, Comm, Ending, Endpoint, Family, Process, Proto, Reset, State,
    UnixName,
};

/// IPPROTO_TCP
const TCP: u16 = 6;
/// IPPROTO_MPTCP
const MPTCP: u16 = 262;

/// Why a record cannot be understood; the programs and this decoder are then of different makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Shorter than its kind.
    #[error("a record of {0} bytes is too short")]
    Short(usize),
    /// A kind that this build does not know.
    #[error("unknown kind of record {0}")]
    Kind(u8),
}

/// Records are plain data of the contract: any bytes of that length are a valid value.
trait Record: Copy {}
impl Record for RecordHead {}
impl Record for StateRecord {}
impl Record for Totals {}
impl Record for CallRecord {}
impl Record for NameRecord {}

fn read<T: Record>(bytes: &[u8]) -> Result<T, DecodeError> {
    if bytes.len() < size_of::<T>() {
        return Err(DecodeError::Short(bytes.len()));
    }
    // SAFETY: long enough, read unaligned, and `Record` types are plain data.
    Ok(unsafe { bytes.as_ptr().cast::<T>().read_unaligned() })
}

/// Decode one record: its first part and, for the kinds that have one, its second. Its time is by the records' own clock.
///
/// # Errors
/// If one is shorter than its kind, or of an unknown kind.
pub fn decode(first: &[u8], second: &[u8]) -> Result<Change, DecodeError> {
    let head: RecordHead = read(first)?;
    let kind = Kind::from_byte(head.kind).ok_or(DecodeError::Kind(head.kind))?;
    let call = || read::<CallRecord>(first);
    let unix = Family::from_number(head.family.into()) == Family::Unix;
    Ok(match kind {
        Kind::State if State::from_number(head.new) == State::Close => {
            of_state(&read(first)?, Some(Box::new(closing(&head, &read(second)?))))
        }
        Kind::State => of_state(&read(first)?, None),
        Kind::TakenBack => {
            of_tcp(&read(first)?, ChangeKind::TakenBack { bound: head.flags & KEEPS_PORT != 0 })
        }
        Kind::Waits => of_tcp(&read(first)?, ChangeKind::Waits),
        Kind::Create => of_call(&call()?, None, ChangeKind::Create),
        Kind::PostBind => of_call(&call()?, None, ChangeKind::PostBind),
        Kind::FirstSend => of_call(&call()?, None, ChangeKind::FirstSend),
        Kind::Release => of_call(&call()?, None, ChangeKind::Release),
        Kind::Dial => of_call(&call()?, None, ChangeKind::Dial),
        Kind::Orphan => of_call(&call()?, None, ChangeKind::Orphan),
        Kind::Bind | Kind::Listen | Kind::Connect | Kind::Accept if unix => {
            let (record, name): (_, NameRecord) = (call()?, read(second)?);
            let name = name.bytes.get(..usize::from(head.name_len)).unwrap_or_default();
            of_call(&record, Some(UnixName::from_bytes(name)), call_kind(kind, &record))
        }
        Kind::Bind | Kind::Listen | Kind::Connect | Kind::Accept => {
            let record = call()?;
            of_call(&record, None, call_kind(kind, &record))
        }
    })
}

/// From here on errors are the kernel's own, which it tells nobody (include/linux/errno.h): a signal interrupted the call.
const RESTART: u16 = 512;
const EINTR: u16 = 4;

fn call_kind(kind: Kind, record: &CallRecord) -> ChangeKind {
    let errno = match u16::try_from(record.error).unwrap_or(u16::MAX) {
        RESTART.. => EINTR,
        errno => errno,
    };
    match kind {
        Kind::Bind => ChangeKind::Bind { errno },
        Kind::Listen => ChangeKind::Listen { errno, backlog: record.aux },
        // The state is what tells: of an IPv6 socket the kernel keeps the old peer's address.
        Kind::Connect if errno == 0 && is_dissolved(&record.head) => ChangeKind::Disconnect,
        Kind::Connect => ChangeKind::Connect { errno },
        Kind::Accept => ChangeKind::Accept {
            fd: record.aux,
            early: record.head.protocol == TCP && State::from_number(record.head.old) == State::SynRecv,
        },
        Kind::Create => ChangeKind::Create,
        Kind::PostBind => ChangeKind::PostBind,
        Kind::Dial => ChangeKind::Dial,
        Kind::FirstSend => ChangeKind::FirstSend,
        Kind::Orphan => ChangeKind::Orphan,
        Kind::Waits => ChangeKind::Waits,
        Kind::Release | Kind::State | Kind::TakenBack => ChangeKind::Release,
    }
}

/// Whether a socket of which connect(2) has succeeded has no peer (net/ipv4/udp.c, `udp_disconnect`; net/ipv4/tcp.c,
/// `tcp_disconnect`). On old kernels UNIX sockets stay in CLOSE: of them only an address without a name says so
/// (net/unix/af_unix.c, `unix_dgram_connect`).
fn is_dissolved(head: &RecordHead) -> bool {
    let is_unix = Family::from_number(head.family.into()) == Family::Unix;
    State::from_number(head.old) == State::Close && (!is_unix || head.name_len == 0)
}

fn of_state(record: &StateRecord, closing: Option<Box<Closing>>) -> Change {
    let head = &record.head;
    let (old, new) = (State::from_number(head.old), State::from_number(head.new));
    let orphan = head.flags & ORPHAN != 0 && (new != State::Close || old == State::Listen);
    of_tcp(record, ChangeKind::State { old, new, orphan, closing })
}

fn of_tcp(record: &StateRecord, kind: ChangeKind) -> Change {
    let head = &record.head;
    let family = Family::from_number(head.family.into());
    Change {
        local: inet(family, head.local, head.local_port),
        peer: inet(family, head.peer, head.peer_port),
        msk: msk_number(record.msk),
        ..of_head(head, family, of_states(head), kind)
    }
}

/// The protocol, of those whose states are recorded.
const fn of_states(head: &RecordHead) -> Proto {
    if head.protocol == MPTCP { Proto::Mptcp } else { Proto::Tcp }
}

/// Application bytes: the kernel counts a received FIN as a byte (net/ipv4/tcp_input.c, `tcp_rcv_nxt_update`), an
/// acknowledged SYN or FIN as one acknowledged, and retransmitted bytes again.
fn closing(head: &RecordHead, sums: &Totals) -> Closing {
    let is = |flag: u8| head.flags & flag != 0;
    let bytes_sent = sums.bytes_sent.saturating_sub(sums.bytes_retrans);
    let errno = u16::try_from(sums.error).unwrap_or(u16::MAX);
    let ending = Ending {
        old: State::from_number(head.old),
        errno,
        fin_received: is(FIN_RECEIVED),
        receive_shut: is(RECEIVE_SHUT),
        send_shut: is(SEND_SHUT),
        orphan: is(ORPHAN),
        heard: !is(NO_DATA),
    };
    let reset = Reset::of(&ending);
    Closing {
        bytes_sent,
        bytes_acked: sums.bytes_acked.min(bytes_sent),
        bytes_received: sums
            .bytes_received
            .saturating_sub(u64::from(ending.fin_received && head.protocol != MPTCP)),
        segs_out: sums.segs_out,
        segs_in: sums.segs_in,
        retrans: sums.total_retrans,
        rtt_us: sums.srtt_us >> 3,
        min_rtt_us: if sums.rtt_min == u32::MAX { 0 } else { sums.rtt_min },
        errno,
        closed_first: ClosedFirst::of(ending.old, reset),
        reset,
        fin_received: ending.fin_received,
        bound: is(KEEPS_PORT),
    }
}

fn of_call(record: &CallRecord, name: Option<UnixName>, kind: ChangeKind) -> Change {
    let head = &record.head;
    let family = Family::from_number(head.family.into());
    let (local, peer) = match (name, &kind) {
        (Some(_), ChangeKind::Disconnect) => (Endpoint::None, Endpoint::None),
        (Some(name), ChangeKind::Connect { .. }) => (Endpoint::None, Endpoint::Unix { name, inode: 0 }),
        (Some(name), _) => (Endpoint::Unix { name, inode: record.inode }, Endpoint::None),
        (None, ChangeKind::Create | ChangeKind::Release | ChangeKind::Orphan) => {
            (Endpoint::None, Endpoint::None)
        }
        (None, _) => (inet(family, head.local, head.local_port), inet(family, head.peer, head.peer_port)),
    };
    let msk = if matches!(kind, ChangeKind::Release) {
        msk_number(u64::from(record.aux) | u64::from(record.msk) << 32)
    } else {
        record.msk
    };
    let state = match kind {
        ChangeKind::Bind { .. }
        | ChangeKind::Listen { .. }
        | ChangeKind::Connect { .. }
        | ChangeKind::Disconnect
        | ChangeKind::Accept { .. }
        | ChangeKind::Release => Some(State::from_number(head.old)).filter(|_| head.old != 0),
        ChangeKind::State { .. }
        | ChangeKind::TakenBack { .. }
        | ChangeKind::Waits
        | ChangeKind::Create
        | ChangeKind::PostBind
        | ChangeKind::Dial
        | ChangeKind::FirstSend
        | ChangeKind::Orphan => None,
    };
    Change {
        local,
        peer,
        state,
        inode: record.inode,
        msk,
        ..of_head(head, family, proto(head, family), kind)
    }
}

fn of_head(head: &RecordHead, family: Family, proto: Proto, kind: ChangeKind) -> Change {
    let exact = head.flags & EXACT != 0;
    Change {
        at: head.time_ns,
        cookie: head.cookie,
        netns: head.netns,
        proto,
        family,
        local: Endpoint::None,
        peer: Endpoint::None,
        state: None,
        ifindex: head.ifindex,
        uid: (head.uid != u32::MAX).then_some(head.uid),
        mark: head.mark,
        cgroup: head.cgroup,
        process: exact.then(|| Process { pid: head.pid, comm: Comm::from_bytes(&head.comm) }),
        inode: 0,
        msk: 0,
        kind,
    }
}

fn inet(family: Family, bytes: [u8; 16], port: u16) -> Endpoint {
    let [a, b, c, d, ..] = bytes;
    let addr = if family == Family::Inet6 {
        IpAddr::V6(Ipv6Addr::from(bytes))
    } else {
        IpAddr::V4(Ipv4Addr::new(a, b, c, d))
    };
    Endpoint::Inet { addr, port }
}

/// Kind of socket from family, type (SOCK_*) and IP protocol.
fn proto(head: &RecordHead, family: Family) -> Proto {
    const SOCK_RAW: u8 = 3;
    let protocol = u8::try_from(head.protocol).unwrap_or(u8::MAX);
    match (family, head.new, head.protocol) {
        (Family::Unix, 1, _) => Proto::UnixStream,
        (Family::Unix, 2, _) => Proto::UnixDgram,
        (Family::Unix, 5, _) => Proto::UnixSeqpacket,
        (_, SOCK_RAW, number) => Proto::Raw(number),
        (_, _, 6) => Proto::Tcp,
        (_, _, 17) => Proto::Udp,
        (_, _, 136) => Proto::UdpLite,
        (_, _, 1 | 58) => Proto::Ping(protocol),
        (_, _, 132) => Proto::Sctp,
        (_, _, 33) => Proto::Dccp,
        (_, _, 262) => Proto::Mptcp,
        (_, _, other) => Proto::Other(other),
    }
}

#[cfg(test)]
mod tests;

//! bind, listen, connect and accept by system call, when they have returned: any family, success and failure.
//!
//! The socket is found through the descriptor. All of it runs in the caller's own context, so the owner is exact. Where
//! the arguments come from is no concern of this file.

use aya_ebpf::EbpfContext;
use aya_ebpf::helpers::{bpf_ktime_get_ns, bpf_probe_read_user};
use aya_log_ebpf::debug;
use socktrace_common::{CallRecord, Family, Kind, UNIX_NAME_LEN, UnixName, msk_number};

use crate::asked::Asked;
use crate::emit::{Count, emit, emit_pair};
use crate::socket::{self, AF_INET, AF_INET6, AF_UNIX, Found, MPTCP, SOCK_RAW, TCP};
use crate::{known, task, words};

/// `EINPROGRESS`: what connect(2) returns when it has begun and will not wait.
const IN_PROGRESS: i64 = -115;
/// `TCP_CLOSE` and `TCP_LISTEN` (include/net/tcp_states.h): in all other states there is a connection, or is to be one.
const CLOSE: u8 = 7;
const LISTEN: u8 = 10;

/// The first of the numbers by which the kernel says that a signal interrupted a call (include/linux/errno.h), and the last
/// one.
const RESTART: core::ops::RangeInclusive<u32> = 512..=516;
/// What the caller is told if the call does not begin again.
const EINTR: u32 = 4;

/// The errno of a result, 0 for success. `None` where the call begins again: its outcome is still to come.
#[inline(always)]
pub(crate) fn outcome(result: i64) -> Option<u32> {
    if result >= 0 {
        return Some(0);
    }
    let error = -result as u32;
    if RESTART.contains(&error) {
        return if task::is_restarted(error) { None } else { Some(EINTR) };
    }
    Some(error)
}

/// Whether a connect(2) with that result has not failed, as far as that says.
#[inline(always)]
pub(crate) const fn has_begun(result: i64) -> bool {
    result == 0 || result == IN_PROGRESS
}

/// bind(2) returned.
#[inline(always)]
pub(crate) fn bound(ctx: &impl EbpfContext, result: i64, asked: Asked) {
    let mut found = Found::nothing();
    if find(ctx, &mut found, asked.fd)
        && let Some(error) = outcome(result)
    {
        tell_bind(&found, error, asked);
    }
}

#[inline(always)]
pub(crate) fn tell_bind(found: &Found, error: u32, asked: Asked) {
    tell(found, Count::Alone, &Call { error, asked, ..Call::of(Kind::Bind) });
}

/// listen(2) returned.
#[inline(always)]
pub(crate) fn listened(ctx: &impl EbpfContext, result: i64, asked: Asked) {
    let mut found = Found::nothing();
    if find(ctx, &mut found, asked.fd)
        && let Some(error) = outcome(result)
    {
        tell_listen(&found, error, asked.second as u32);
    }
}

#[inline(always)]
pub(crate) fn tell_listen(found: &Found, error: u32, backlog: u32) {
    tell(found, Count::Alone, &Call { error, aux: backlog, ..Call::of(Kind::Listen) });
}

/// connect(2) returned.
#[inline(always)]
pub(crate) fn connected(ctx: &impl EbpfContext, result: i64, asked: Asked) {
    let mut found = Found::nothing();
    if find(ctx, &mut found, asked.fd)
        && let Some(error) = outcome(result)
    {
        connect_ended(&found, result, error, asked);
    }
}

/// Whether the return of a TCP connect(2) says more than the state changes: there is no connection, and none is to be.
#[inline(always)]
fn is_news(found: &Found, result: i64) -> bool {
    let state = found.state();
    match result {
        IN_PROGRESS => false,
        // To AF_UNSPEC.
        0 => state == CLOSE,
        // Where a signal came first, the state has changed since.
        _ => !RESTART.contains(&(-result as u32)) && (state == CLOSE || state == LISTEN),
    }
}

/// A connect has come to its end. State changes tell of TCP, unless it failed, or dissolved a connection; and of MPTCP those
/// of its subflows.
#[inline(always)]
pub(crate) fn connect_ended(found: &Found, result: i64, error: u32, asked: Asked) {
    if found.family() != AF_UNIX {
        match found.kind() {
            (SOCK_RAW, _) => {}
            (_, MPTCP) => return,
            (_, TCP) if !is_news(found, result) => return,
            (_, TCP) => {}
            _ => known::connected(found),
        }
    }
    tell_connect(found, error, asked);
}

/// Tell of a connect(2).
#[inline(always)]
pub(crate) fn tell_connect(found: &Found, error: u32, asked: Asked) {
    tell(found, Count::Alone, &Call { error, asked, ..Call::of(Kind::Connect) });
}

/// accept(2) or accept4(2) returned: the new descriptor, unless it failed.
#[inline(always)]
pub(crate) fn accepted(ctx: &impl EbpfContext, result: i64) {
    if result < 0 {
        return;
    }
    let mut found = Found::nothing();
    if find(ctx, &mut found, result as u32) {
        tell(&found, Count::Alone, &Call { aux: result as u32, ..Call::of(Kind::Accept) });
    }
}

#[inline(always)]
fn find(ctx: &impl EbpfContext, found: &mut Found, fd: u32) -> bool {
    let is_found = found.by_fd(fd);
    if !is_found {
        debug!(ctx, "no socket behind descriptor {}", fd);
    }
    is_found
}

/// An accept that made no system call of its own.
#[inline(always)]
pub(crate) fn tell_accept(found: &Found) {
    tell(found, Count::Shared, &Call::of(Kind::Accept));
}

/// A datagram socket got its port by sending.
#[inline(always)]
pub(crate) fn tell_first_send(found: &Found) {
    emit(Family::Inet, Count::Shared, |record: &mut CallRecord| {
        fill(record, found, &Call::of(Kind::FirstSend));
    });
}

/// What came of a call.
struct Call {
    kind: Kind,
    error: u32,
    /// Backlog (listen), descriptor (accept).
    aux: u32,
    /// For what the socket itself does not tell: the address of a bind that failed, the peer's name of a UNIX connect.
    asked: Asked,
}

impl Call {
    /// One that has succeeded.
    const fn of(kind: Kind) -> Self {
        Self { kind, error: 0, aux: 0, asked: Asked { fd: 0, second: 0, third: 0 } }
    }
}

/// Emit it.
#[inline(always)]
fn tell(found: &Found, how: Count, call: &Call) {
    let &Call { kind, error, asked, .. } = call;
    let family = found.family();
    if family == AF_UNIX {
        emit_pair(
            Family::Call,
            how,
            #[inline(always)]
            |record: &mut CallRecord| {
                fill(record, found, call);
                record.head.cgroup = task::cgroup_id(found.task);
            },
            #[inline(always)]
            |record: &mut CallRecord, name: &mut UnixName| {
                // SAFETY: a field of the record.
                unsafe { words::clear(&mut name.bytes) };
                let is_asked = matches!(kind, Kind::Connect) || (matches!(kind, Kind::Bind) && error != 0);
                record.head.name_len = if is_asked {
                    asked_name(asked, &mut name.bytes)
                } else {
                    socket::unix_name(found.sk, &mut name.bytes)
                };
            },
        );
    } else if family == AF_INET || family == AF_INET6 {
        emit(
            Family::Call,
            how,
            #[inline(always)]
            |record: &mut CallRecord| {
                fill(record, found, call);
                let head = &mut record.head;
                if matches!(kind, Kind::Bind) && error != 0 {
                    head.local_port = asked_address(asked, head.family, &mut head.local);
                } else if matches!(kind, Kind::Connect) {
                    let is_tcp = head.protocol == TCP && head.new != SOCK_RAW as u8;
                    if is_tcp && (head.old != CLOSE || head.peer_port != 0) {
                        head.local_port = 0;
                        // SAFETY: a field of the record.
                        unsafe { words::clear(&mut head.local) };
                    }
                    if error != 0 && asked.second != 0 {
                        head.peer_port = asked_address(asked, head.family, &mut head.peer);
                    }
                }
            },
        );
    }
}

#[inline(always)]
fn fill(record: &mut CallRecord, found: &Found, call: &Call) {
    let head = &mut record.head;
    // SAFETY: takes nothing.
    head.time_ns = unsafe { bpf_ktime_get_ns() };
    head.kind = call.kind as u8;
    head.cgroup = 0;
    head.mark = 0;
    head.flags = 0;
    head.name_len = 0;
    found.read(head);
    task::own_led(found.task, found.leader, head);
    let is_mptcp = record.head.protocol == MPTCP && record.head.new != SOCK_RAW as u8;
    record.inode = found.inode;
    record.error = call.error;
    record.aux = call.aux;
    record.msk = 0;
    if is_mptcp {
        // Where a kernel function passed the socket, its pointer is typed.
        record.msk = msk_number(socket::untyped(&mut record.head, found.sk));
        record.head.cookie = found.cookie();
    }
}

/// Port and address of a `struct sockaddr_in` or `sockaddr_in6`; the address into a field of a record. None where it is of
/// another family than the socket.
#[inline(always)]
fn asked_address(asked: Asked, family: u8, into: &mut [u8; 16]) -> u16 {
    // SAFETY: fields of a record.
    unsafe {
        if read::<u16>(asked, 0) != u16::from(family) {
            words::clear(into);
            return 0;
        }
        if family == AF_INET6 {
            words::put(into, read::<[u64; 2]>(asked, 8));
        } else {
            words::put_v4(into, read::<u32>(asked, 4));
        }
    }
    u16::from_be(read(asked, 2))
}

/// What lies so far within the address that was asked for; zeroes where it cannot be read.
#[inline(always)]
fn read<T: Copy + Default>(asked: Asked, offset: u64) -> T {
    let at = (asked.second + offset) as *const T;
    // SAFETY: bpf_probe_read_user takes any address and fails on a bad one.
    unsafe { bpf_probe_read_user(at) }.unwrap_or_default()
}

/// The name in the `struct sockaddr_un` of that length; none in an address of another family.
#[inline(always)]
fn asked_name(asked: Asked, into: &mut [u8; UNIX_NAME_LEN + 4]) -> u8 {
    if read::<u16>(asked, 0) != u16::from(AF_UNIX) {
        return 0;
    }
    socket::copy_user_name(into, asked.second + 2, asked.third.saturating_sub(2))
}

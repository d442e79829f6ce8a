//! bind, listen, connect and accept by system call, when they have returned: any family, success and failure.
//!
//! The socket is found through the descriptor. All of it runs in the caller's own context, so the owner is exact. Where
//! the arguments come from is no concern of this file.

use aya_ebpf::EbpfContext;
use aya_ebpf::helpers::{bpf_ktime_get_ns, bpf_probe_read_user, generated};
use aya_log_ebpf::debug;
use socktrace_common::{CallRecord, Family, Kind, UNIX_NAME_LEN, UnixName, msk_number};

use crate::emit::{Count, emit, emit_pair};
use crate::socket::{self, AF_INET, AF_INET6, AF_UNIX, Found, MPTCP, TCP};
use crate::{inet, task, words};

/// `EINPROGRESS`: what connect(2) returns when it has begun and will not wait.
const IN_PROGRESS: i64 = -115;
/// `ERESTARTSYS`, the first errno that is the kernel's own (include/linux/errno.h): a signal comes first, and the call is
/// made again, or has been interrupted.
const INTERNAL: u32 = 512;
/// `TCP_CLOSE` and `TCP_LISTEN` (include/net/tcp_states.h): in all other states there is a connection, or is to be one.
const CLOSE: u8 = 7;
const LISTEN: u8 = 10;

/// What a call was asked: its first three arguments.
#[derive(Clone, Copy)]
pub(crate) struct Asked {
    pub(crate) fd: u32,
    /// The user's `struct sockaddr` (bind, connect), or the backlog (listen).
    pub(crate) second: u64,
    /// The length of the address (bind, connect).
    pub(crate) third: u32,
}

/// The errno of a result, 0 for success.
#[inline(always)]
pub(crate) const fn errno(result: i64) -> u32 {
    if result < 0 { -result as u32 } else { 0 }
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
    if find(ctx, &mut found, asked.fd) {
        let Asked { second: address, third: length, .. } = asked;
        let call = Call { error: errno(result), address, length, ..Call::of(Kind::Bind) };
        tell(&found, Count::Alone, &call);
    }
}

/// listen(2) returned.
#[inline(always)]
pub(crate) fn listened(ctx: &impl EbpfContext, result: i64, asked: Asked) {
    let mut found = Found::nothing();
    if find(ctx, &mut found, asked.fd) {
        let call = Call { error: errno(result), aux: asked.second as u32, ..Call::of(Kind::Listen) };
        tell(&found, Count::Alone, &call);
    }
}

/// connect(2) returned. State changes tell of TCP, unless it failed, or dissolved a connection; and of MPTCP those of its
/// subflows.
#[inline(always)]
pub(crate) fn connected(ctx: &impl EbpfContext, result: i64, asked: Asked) {
    let mut found = Found::nothing();
    if !find(ctx, &mut found, asked.fd) {
        return;
    }
    let error = errno(result);
    if found.family() != AF_UNIX {
        match found.protocol() {
            MPTCP => return,
            TCP if !is_news(&found, result) => return,
            _ => {}
        }
    }
    tell_connect(&found, error, asked);
}

/// Whether the return of a TCP connect(2) says more than the state changes: there is no connection, and none is to be.
#[inline(always)]
fn is_news(found: &Found, result: i64) -> bool {
    let state = found.state();
    match result {
        IN_PROGRESS => false,
        // To AF_UNSPEC.
        0 => state == CLOSE,
        _ => errno(result) < INTERNAL && (state == CLOSE || state == LISTEN),
    }
}

/// Tell of a connect(2), and what it means for the port of a datagram socket.
#[inline(always)]
pub(crate) fn tell_connect(found: &Found, error: u32, Asked { second: address, third: length, .. }: Asked) {
    if error == 0 && found.family() != AF_UNIX && found.protocol() != TCP {
        inet::connected(found);
    }
    tell(found, Count::Alone, &Call { error, address, length, ..Call::of(Kind::Connect) });
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
    emit(Family::Call, Count::Shared, |record: &mut CallRecord| {
        fill(record, found, &Call::of(Kind::FirstSend));
    });
}

/// What came of a call.
struct Call {
    kind: Kind,
    error: u32,
    /// Backlog (listen), descriptor (accept).
    aux: u32,
    /// The user's `struct sockaddr` and its length, for what the socket itself does not tell: the address of a bind that
    /// failed, the peer's name of a UNIX connect.
    address: u64,
    length: u32,
}

impl Call {
    /// One that has succeeded.
    const fn of(kind: Kind) -> Self {
        Self { kind, error: 0, aux: 0, address: 0, length: 0 }
    }
}

/// Emit it.
#[inline(always)]
fn tell(found: &Found, how: Count, call: &Call) {
    let &Call { kind, error, address, length, .. } = call;
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
                let asked = matches!(kind, Kind::Connect) || (matches!(kind, Kind::Bind) && error != 0);
                record.head.name_len = if asked {
                    user_name(address, length, &mut name.bytes)
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
                    head.local_port = user_address(address, head.family, &mut head.local);
                } else if matches!(kind, Kind::Connect) {
                    if head.protocol == TCP && (head.old != CLOSE || head.peer_port != 0) {
                        head.local_port = 0;
                        // SAFETY: a field of the record.
                        unsafe { words::clear(&mut head.local) };
                    }
                    if error != 0 && address != 0 {
                        head.peer_port = user_address(address, head.family, &mut head.peer);
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
    record.inode = found.inode;
    record.error = call.error;
    record.aux = call.aux;
    record.msk = 0;
    if record.head.protocol == MPTCP {
        // Where a kernel function passed the socket, its pointer is typed.
        record.msk = msk_number(socket::untyped(&mut record.head, found.sk));
        record.head.cookie = found.cookie();
    }
}

/// Port and address of a user's `struct sockaddr_in` or `sockaddr_in6`; the address into a field of a record. None where it
/// is of another family than the socket.
#[inline(always)]
fn user_address(address: u64, family: u8, into: &mut [u8; 16]) -> u16 {
    // SAFETY: bpf_probe_read_user takes any address and fails on a bad one; a field of the record.
    unsafe {
        if bpf_probe_read_user(address as *const u16).unwrap_or_default() != u16::from(family) {
            words::clear(into);
            return 0;
        }
        if family == AF_INET6 {
            words::put(into, bpf_probe_read_user((address + 8) as *const [u64; 2]).unwrap_or_default());
        } else {
            words::put_v4(into, bpf_probe_read_user((address + 4) as *const u32).unwrap_or_default());
        }
        u16::from_be(bpf_probe_read_user((address + 2) as *const u16).unwrap_or_default())
    }
}

/// The name in the user's `struct sockaddr_un` of that length.
#[inline(always)]
fn user_name(address: u64, length: u32, into: &mut [u8; UNIX_NAME_LEN + 4]) -> u8 {
    let Some(len) = socket::name_len(length.saturating_sub(2)) else { return 0 };
    // SAFETY: the length is within the buffer; any address may be asked.
    match unsafe { generated::bpf_probe_read_user(into.as_mut_ptr().cast(), len, (address + 2) as *const _) }
    {
        0 => len as u8,
        _ => 0,
    }
}

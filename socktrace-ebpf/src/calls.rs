//! bind, listen, connect and accept by system call: any family, success and failure.
//!
//! The exit hook finds the socket through the descriptor and tells what came of the call. Its arguments are those in
//! the saved registers of the thread; where we do not know these, and for connect(2), an enter hook remembers them.
//! They run in the caller's own context, so the owner is exact.

use aya_ebpf::helpers::{
    bpf_get_current_cgroup_id, bpf_get_current_pid_tgid, bpf_ktime_get_boot_ns, bpf_probe_read_user,
    generated,
};
use aya_ebpf::macros::tracepoint;
use aya_ebpf::programs::TracePointContext;
use aya_log_ebpf::debug;
use socktrace_common::{CallRecord, Family, Kind, UNIX_NAME_LEN, UnixCallRecord};

use crate::emit::{self, Count, emit};
use crate::fields::{sys_enter_arg, sys_exit_ret};
use crate::maps::{PENDING, Pending};
use crate::socket::{self, AF_INET, AF_INET6, AF_UNIX, Found};
use crate::{inet, task};

const EBADF: u32 = 9;
const ENOTSOCK: u32 = 88;
/// What connect(2) returns when it fails at once: EPERM, EACCES, EADDRINUSE, EADDRNOTAVAIL, ENETUNREACH
/// (net/ipv4/tcp_ipv4.c, `tcp_v4_connect`, net/ipv4/datagram.c, `__ip4_datagram_connect`, and the routing and cgroup
/// code that they call).
const NEVER_BEGAN: [i64; 5] = [1, 13, 98, 99, 101];
/// In [`Pending::fd`]: the address is that of the `struct sock`.
const NO_FD: u32 = u32::MAX;

#[tracepoint]
pub(crate) fn sys_enter_bind(ctx: TracePointContext) -> u32 {
    enter_bind(&ctx)
}

#[tracepoint]
pub(crate) fn sys_enter_listen(ctx: TracePointContext) -> u32 {
    enter_listen(&ctx)
}

#[tracepoint]
pub(crate) fn sys_enter_connect(ctx: TracePointContext) -> u32 {
    enter_connect(&ctx)
}

#[tracepoint]
pub(crate) fn sys_exit_bind(ctx: TracePointContext) -> u32 {
    match task::call_arguments() {
        Some((fd, address, length)) => {
            returned(&ctx, Kind::Bind, Pending { address, fd: fd as u32, aux: length as u32 })
        }
        None => exit(&ctx, Kind::Bind),
    }
}

#[tracepoint]
pub(crate) fn sys_exit_listen(ctx: TracePointContext) -> u32 {
    match task::call_arguments() {
        Some((fd, backlog, _)) => {
            returned(&ctx, Kind::Listen, Pending { address: 0, fd: fd as u32, aux: backlog as u32 })
        }
        None => exit(&ctx, Kind::Listen),
    }
}

#[tracepoint]
pub(crate) fn sys_exit_connect(ctx: TracePointContext) -> u32 {
    connected(&ctx)
}

#[tracepoint]
pub(crate) fn sys_exit_accept(ctx: TracePointContext) -> u32 {
    accepted(&ctx)
}

#[tracepoint]
pub(crate) fn sys_exit_accept4(ctx: TracePointContext) -> u32 {
    accepted(&ctx)
}

/// Remember (fd, address, length).
#[inline(always)]
fn enter_bind(ctx: &TracePointContext) -> u32 {
    remember(Pending {
        address: sys_enter_arg(ctx, 1),
        fd: sys_enter_arg(ctx, 0) as u32,
        aux: sys_enter_arg(ctx, 2) as u32,
    });
    0
}

/// Remember (fd, backlog).
#[inline(always)]
fn enter_listen(ctx: &TracePointContext) -> u32 {
    remember(Pending { address: 0, fd: sys_enter_arg(ctx, 0) as u32, aux: sys_enter_arg(ctx, 1) as u32 });
    0
}

/// Of connects, only those of UNIX sockets are followed here: TCP's are seen by its state changes, those of UDP and
/// ping by the cgroup hooks, which call [`remember_connect`], and all others when they return.
#[inline(always)]
fn enter_connect(ctx: &TracePointContext) -> u32 {
    emit::dial(0);
    let address = sys_enter_arg(ctx, 1);
    // SAFETY: bpf_probe_read_user takes any address and fails on a bad one.
    let family = unsafe { bpf_probe_read_user(address as *const u16) }.unwrap_or_default();
    if family != u16::from(AF_UNIX) {
        return 0;
    }
    remember(Pending { address, fd: sys_enter_arg(ctx, 0) as u32, aux: sys_enter_arg(ctx, 2) as u32 });
    0
}

#[inline(always)]
fn remember(pending: Pending) {
    let _ = PENDING.insert(bpf_get_current_pid_tgid(), pending, 0);
}

/// A call returned whose arguments were remembered.
#[inline(always)]
fn exit(ctx: &TracePointContext, kind: Kind) -> u32 {
    let thread = bpf_get_current_pid_tgid();
    let Some(pending) = PENDING.get_ptr(thread) else { return 0 };
    // SAFETY: an element of the map; only this thread writes it.
    let pending = unsafe { *pending };
    let _ = PENDING.remove(thread);
    returned(ctx, kind, pending)
}

/// A call with these arguments returned.
#[inline(always)]
fn returned(ctx: &TracePointContext, kind: Kind, Pending { address, fd, aux }: Pending) -> u32 {
    let result = sys_exit_ret(ctx);
    let error = if result < 0 { -result as u32 } else { 0 };
    if error == EBADF || error == ENOTSOCK {
        return 0;
    }
    let mut found = Found::nothing();
    if !found.by_fd(fd) {
        debug!(ctx, "no socket behind descriptor {}", fd);
        return 0;
    }
    let told = if let Kind::Listen = kind { aux } else { 0 };
    tell(&found, Count::Alone, &Call { kind, error, aux: told, address, length: aux });
    0
}

/// connect(2) returned: of a socket that was remembered, or of one that no other hook tells of. The latter are those
/// that the cgroup hooks pass over (RAW, UDP-Lite, a datagram socket that AF_UNSPEC disconnects), and TCP where it
/// failed before the socket left CLOSE. Their arguments come from the saved registers.
#[inline(always)]
fn connected(ctx: &TracePointContext) -> u32 {
    let thread = bpf_get_current_pid_tgid();
    // What a connect of TCP costs ends here: a state change has told of it.
    if emit::has_dialled(thread) {
        return 0;
    }
    let result = sys_exit_ret(ctx);
    let error = if result < 0 { -result as u32 } else { 0 };
    let mut found = Found::nothing();
    let (is_found, address, length) = match PENDING.get_ptr(thread) {
        Some(pending) => {
            // SAFETY: an element of the map; only this thread writes it.
            let Pending { address, fd, aux } = unsafe { *pending };
            let _ = PENDING.remove(thread);
            if fd == NO_FD { (found.by_sock(address), 0, 0) } else { (found.by_fd(fd), address, aux) }
        }
        None => {
            if error != 0 && !NEVER_BEGAN.contains(&-result) {
                return 0;
            }
            let Some((fd, address, length)) = task::call_arguments() else { return 0 };
            let is_ours = found.by_fd(fd as u32) && !inet::is_told_by_states(found.protocol().into(), error);
            (is_ours, address, length as u32)
        }
    };
    if is_found {
        if error == 0 && found.family() != AF_UNIX {
            inet::connected(&found);
        }
        tell(&found, Count::Alone, &Call { error, address, length, ..Call::of(Kind::Connect) });
    }
    0
}

#[inline(always)]
fn accepted(ctx: &TracePointContext) -> u32 {
    let result = sys_exit_ret(ctx);
    if result < 0 {
        return 0;
    }
    let mut found = Found::nothing();
    if !found.by_fd(result as u32) {
        debug!(ctx, "no socket behind accepted descriptor {}", result);
        return 0;
    }
    tell(&found, Count::Alone, &Call { aux: result as u32, ..Call::of(Kind::Accept) });
    0
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
        emit(Family::Call, how, |record: &mut UnixCallRecord| {
            fill(&mut record.call, found, call);
            // SAFETY: takes nothing.
            record.call.head.cgroup = unsafe { bpf_get_current_cgroup_id() };
            record.name = [0; UNIX_NAME_LEN + 4];
            let asked = matches!(kind, Kind::Connect) || (matches!(kind, Kind::Bind) && error != 0);
            record.call.head.name_len = if asked {
                user_name(address, length, &mut record.name)
            } else {
                socket::unix_name(found.sk, &mut record.name)
            };
        });
    } else if family == AF_INET || family == AF_INET6 {
        emit(Family::Call, how, |record: &mut CallRecord| {
            fill(record, found, call);
            let head = &mut record.head;
            if matches!(kind, Kind::Bind) && error != 0 {
                (head.local_port, head.local) = user_address(address, head.family);
            } else if matches!(kind, Kind::Connect) && error != 0 && address != 0 {
                (head.peer_port, head.peer) = user_address(address, head.family);
            }
        });
    }
}

#[inline(always)]
fn fill(record: &mut CallRecord, found: &Found, call: &Call) {
    let head = &mut record.head;
    // SAFETY: takes nothing.
    head.boot_ns = unsafe { bpf_ktime_get_boot_ns() };
    head.kind = call.kind as u8;
    head.cgroup = 0;
    head.mark = 0;
    head.flags = 0;
    head.name_len = 0;
    found.read(head);
    task::own(head);
    record.inode = found.inode();
    record.error = call.error;
    record.aux = call.aux;
    record.padding = 0;
}

/// Port and address of a user's `struct sockaddr_in` or `sockaddr_in6`.
#[inline(always)]
fn user_address(address: u64, family: u8) -> (u16, [u8; 16]) {
    // SAFETY: bpf_probe_read_user takes any address and fails on a bad one.
    unsafe {
        let port = u16::from_be(bpf_probe_read_user((address + 2) as *const u16).unwrap_or_default());
        if family == AF_INET6 {
            return (port, bpf_probe_read_user((address + 8) as *const [u8; 16]).unwrap_or_default());
        }
        let mut ip = [0; 16];
        socket::put_v4(&mut ip, bpf_probe_read_user((address + 4) as *const u32).unwrap_or_default());
        (port, ip)
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

/// Follow a connect that a cgroup hook saw begin, so that its exit tells the outcome and the local address.
///
/// The hook knows the `struct sock` and not the descriptor; the exit takes it from there.
#[inline(always)]
pub(crate) fn remember_connect(sk: u64) {
    remember(Pending { address: sk, fd: NO_FD, aux: 0 });
}

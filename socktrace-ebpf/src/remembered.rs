//! What a call was asked, remembered from its beginning: where we do not know the registers that a thread saves (all
//! architectures but x86-64).
//!
//! connect(2) of RAW and UDP-Lite, and to AF_UNSPEC, is not told this way.

use aya_ebpf::helpers::{bpf_get_current_pid_tgid, bpf_probe_read_user};
use aya_ebpf::macros::tracepoint;
use aya_ebpf::programs::TracePointContext;

use crate::calls::{self, Asked};
use crate::fields::{sys_enter_arg, sys_exit_ret};
use crate::maps::PENDING;
use crate::socket::{AF_UNIX, Found};

/// In [`Asked::fd`]: the second is the address of the `struct sock`.
const NO_FD: u32 = u32::MAX;

#[tracepoint]
pub(crate) fn sys_enter_bind(ctx: TracePointContext) -> u32 {
    remember(three(&ctx));
    0
}

#[tracepoint]
pub(crate) fn sys_enter_listen(ctx: TracePointContext) -> u32 {
    remember(Asked { fd: sys_enter_arg(&ctx, 0) as u32, second: sys_enter_arg(&ctx, 1), third: 0 });
    0
}

#[tracepoint]
pub(crate) fn sys_enter_connect(ctx: TracePointContext) -> u32 {
    connecting(three(&ctx));
    0
}

/// The arguments (fd, address, length).
#[inline(always)]
fn three(ctx: &TracePointContext) -> Asked {
    Asked {
        fd: sys_enter_arg(ctx, 0) as u32,
        second: sys_enter_arg(ctx, 1),
        third: sys_enter_arg(ctx, 2) as u32,
    }
}

/// Of connects, only those of UNIX sockets are followed from here: those of UDP and ping by the cgroup hooks, which call
/// [`remember_connect`].
#[inline(always)]
fn connecting(asked: Asked) {
    // SAFETY: bpf_probe_read_user takes any address and fails on a bad one.
    let family = unsafe { bpf_probe_read_user(asked.second as *const u16) }.unwrap_or_default();
    if family == u16::from(AF_UNIX) {
        remember(asked);
    }
}

/// connect(2) returned that was remembered.
#[inline(always)]
pub(crate) fn connected(ctx: &TracePointContext) {
    let Some(asked) = recall() else { return };
    let result = sys_exit_ret(ctx);
    if asked.fd != NO_FD {
        return calls::connected(ctx, result, asked);
    }
    let mut found = Found::nothing();
    if found.by_sock(asked.second) {
        calls::tell_connect(&found, calls::errno(result), Asked { second: 0, third: 0, ..asked });
    }
}

/// Follow a connect that a cgroup hook saw begin, so that its exit tells the outcome and the local address.
///
/// The hook knows the `struct sock` and not the descriptor; the exit takes it from there.
#[inline(always)]
pub(crate) fn remember_connect(sk: u64) {
    remember(Asked { fd: NO_FD, second: sk, third: 0 });
}

#[inline(always)]
fn remember(asked: Asked) {
    let _ = PENDING.insert(bpf_get_current_pid_tgid(), asked, 0);
}

/// What the current thread's call was asked; asking forgets it.
#[inline(always)]
pub(crate) fn recall() -> Option<Asked> {
    let thread = bpf_get_current_pid_tgid();
    let asked = PENDING.get_ptr(thread)?;
    // SAFETY: an element of the map; only this thread writes it.
    let asked = unsafe { *asked };
    let _ = PENDING.remove(thread);
    Some(asked)
}

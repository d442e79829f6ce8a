//! What a call was asked, remembered from its beginning: where we do not know the registers that a thread saves (all
//! architectures but x86-64).

use aya_ebpf::helpers::bpf_get_current_pid_tgid;
use aya_ebpf::macros::tracepoint;
use aya_ebpf::programs::TracePointContext;

use crate::asked::Asked;
use crate::fields::sys_enter_arg;
use crate::maps::PENDING;

#[tracepoint]
pub(crate) fn sys_enter_bind(ctx: TracePointContext) -> u32 {
    remember(three(&ctx));
    0
}

#[tracepoint]
pub(crate) fn sys_enter_listen(ctx: TracePointContext) -> u32 {
    remember(Asked { fd: sys_enter_arg(&ctx, 0) as u32, third: 0, second: sys_enter_arg(&ctx, 1) });
    0
}

#[tracepoint]
pub(crate) fn sys_enter_connect(ctx: TracePointContext) -> u32 {
    remember(three(&ctx));
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

#[inline(always)]
fn remember(asked: Asked) {
    let _ = PENDING.insert(bpf_get_current_pid_tgid(), asked, 0);
}

/// Whether the current thread is in a call that was remembered.
#[inline(always)]
pub(crate) fn is_pending() -> bool {
    PENDING.get_ptr(bpf_get_current_pid_tgid()).is_some()
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

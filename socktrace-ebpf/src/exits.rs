//! bind, listen, connect and accept when they return: a tracepoint for each of the calls.
//!
//! What a call was asked is in the registers that its thread saved; where we do not know these, it was `remembered`.

use aya_ebpf::macros::tracepoint;
use aya_ebpf::programs::TracePointContext;

use crate::calls::{self, Asked};
use crate::fields::sys_exit_ret;
use crate::{dials, remembered, task};

#[tracepoint]
pub(crate) fn sys_exit_bind(ctx: TracePointContext) -> u32 {
    if let Some(asked) = asked() {
        calls::bound(&ctx, sys_exit_ret(&ctx), asked);
    }
    0
}

#[tracepoint]
pub(crate) fn sys_exit_listen(ctx: TracePointContext) -> u32 {
    if let Some(asked) = asked() {
        calls::listened(&ctx, sys_exit_ret(&ctx), asked);
    }
    0
}

#[tracepoint]
pub(crate) fn sys_exit_connect(ctx: TracePointContext) -> u32 {
    // What a connect of TCP costs mostly ends here: a state change has told of it.
    if !dials::has_dialled() {
        connected(&ctx);
    }
    0
}

/// Apart, so that the program is small for those that end before.
#[inline(never)]
fn connected(ctx: &TracePointContext) {
    match task::call_arguments() {
        Some(asked) => calls::connected(ctx, sys_exit_ret(ctx), asked),
        None => remembered::connected(ctx),
    }
}

#[tracepoint]
pub(crate) fn sys_exit_accept(ctx: TracePointContext) -> u32 {
    calls::accepted(&ctx, sys_exit_ret(&ctx));
    0
}

#[tracepoint]
pub(crate) fn sys_exit_accept4(ctx: TracePointContext) -> u32 {
    calls::accepted(&ctx, sys_exit_ret(&ctx));
    0
}

#[inline(always)]
fn asked() -> Option<Asked> {
    task::call_arguments().or_else(remembered::recall)
}

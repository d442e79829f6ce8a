//! bind, listen, connect and accept when they return: a tracepoint for each of the calls.
//!
//! What a call was asked is in the registers that its thread saved; where we do not know these, it was `remembered`.

use aya_ebpf::macros::tracepoint;
use aya_ebpf::programs::TracePointContext;

use crate::calls::{self, Asked};
use crate::fields::sys_exit_ret;
use crate::told::Call;
use crate::{remembered, task};

#[tracepoint]
pub(crate) fn sys_exit_bind(ctx: TracePointContext) -> u32 {
    let (result, is_told) = (sys_exit_ret(&ctx), Call::Bind.is_told());
    // What a bind of an IP socket costs mostly ends here: the cgroup hook has told of it.
    if !is_told || result != 0 {
        bound(&ctx, result, is_told);
    }
    0
}

/// Apart, so that the program is small for those that end before.
#[inline(never)]
fn bound(ctx: &TracePointContext, result: i64, is_told: bool) {
    if let Some(asked) = asked() {
        calls::bound(ctx, result, asked, is_told);
    }
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
    if !Call::Connect.is_told() {
        connected(&ctx);
    }
    0
}

/// Apart, likewise.
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

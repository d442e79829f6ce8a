//! bind, listen, connect and accept when they return: a tracepoint for each of the calls.
//!
//! What a call was asked is in the registers that its thread saved; where we do not know these, it was `remembered`.

use aya_ebpf::macros::tracepoint;
use aya_ebpf::programs::TracePointContext;

use crate::asked::Asked;
use crate::calls;
use crate::fields::sys_exit_ret;
use crate::told::Call;
use crate::{remembered, task};

#[tracepoint]
pub(crate) fn sys_exit_bind(ctx: TracePointContext) -> u32 {
    let result = sys_exit_ret(&ctx);
    // What a bind of a datagram socket costs mostly ends here: the cgroup hook has told of it.
    if !Call::Bind.is_told() || result != 0 {
        bound(&ctx, result);
    }
    0
}

/// Apart, so that the program is small for those that end before.
#[inline(never)]
fn bound(ctx: &TracePointContext, result: i64) {
    if let Some(asked) = asked() {
        calls::bound(ctx, result, asked);
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
    if !Call::Connect.is_told() || !calls::has_begun(sys_exit_ret(&ctx)) {
        connected(&ctx);
    }
    0
}

/// Apart, likewise.
#[inline(never)]
fn connected(ctx: &TracePointContext) {
    if let Some(asked) = asked() {
        calls::connected(ctx, sys_exit_ret(ctx), asked);
    }
}

/// Of accept(2) and accept4(2).
#[tracepoint]
pub(crate) fn sys_exit_accept(ctx: TracePointContext) -> u32 {
    calls::accepted(&ctx, sys_exit_ret(&ctx));
    0
}

#[inline(always)]
fn asked() -> Option<Asked> {
    task::call_arguments().or_else(remembered::recall)
}

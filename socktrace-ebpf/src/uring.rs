//! io_uring: what its requests came to. They make no system call whose exit would report it.
//!
//! A request completes in the context of the thread that submitted it, or of a worker of its process.

use aya_ebpf::macros::btf_tracepoint;
use aya_ebpf::programs::BtfTracePointContext;
use socktrace_common::Field;

use crate::asked::Asked;
use crate::calls;
use crate::fields::{is_present, probe};
use crate::socket::Found;

/// Operations (include/uapi/linux/io_uring.h, `enum io_uring_op`).
const ACCEPT: u8 = 13;
const CONNECT: u8 = 16;
const BIND: u8 = 56;
const LISTEN: u8 = 57;

/// Attached to `tp_btf/io_uring_complete`, whose second argument is the `struct io_kiocb` since Linux 5.19; null for all
/// but the last of what a multishot request comes to.
#[btf_tracepoint(function = "io_uring_complete")]
pub(crate) fn io_uring_complete(ctx: BtfTracePointContext) -> i32 {
    // A pointer without a type.
    let request = ctx.arg::<*const u8>(1) as u64;
    if request != 0 && is_present(Field::IoResult) {
        let operation = probe(request, Field::IoOpcode);
        if operation == ACCEPT || operation == CONNECT || operation == BIND || operation == LISTEN {
            completed(&ctx, request, operation);
        }
    }
    0
}

/// Apart, so that the program is small for all other requests.
#[inline(never)]
fn completed(ctx: &BtfTracePointContext, request: u64, operation: u8) {
    let result = i64::from(probe::<i32>(request, Field::IoResult));
    if operation == ACCEPT {
        // Where it was asked to, it has put the socket into a table of its own instead of that of the process.
        if probe::<u32>(request, Field::IoAcceptSlot) == 0 {
            calls::accepted(ctx, result);
        }
        return;
    }
    let mut found = Found::nothing();
    let Some(error) = calls::outcome(result) else { return };
    if !found.by_file(probe(request, Field::IoFile)) {
        return;
    }
    if operation == CONNECT {
        let third = probe(request, Field::IoConnectLength);
        let second = probe(request, Field::IoConnectAddress);
        calls::connect_ended(&found, result, error, Asked { fd: 0, second, third });
    } else if operation == BIND {
        // Of a bind that failed the request does not know the address any more.
        calls::tell_bind(&found, error, Asked { fd: 0, second: 0, third: 0 });
    } else {
        calls::tell_listen(&found, error, probe(request, Field::IoListenBacklog));
    }
}

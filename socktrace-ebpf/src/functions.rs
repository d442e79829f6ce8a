//! Kernel functions, where the kernel lets programs be attached to them: what no tracepoint and no cgroup hook tells.
//!
//! Every one is optional. They run in the context of the process that made the call, or of a worker of its io_uring.

use aya_ebpf::helpers::bpf_ktime_get_ns;
use aya_ebpf::helpers::generated::bpf_get_socket_cookie;
use aya_ebpf::macros::{fentry, fexit};
use aya_ebpf::programs::{FEntryContext, FExitContext};
use socktrace_common::{CallRecord, Family, Field, Kind};

use crate::emit::{Count, emit};
use crate::fields::{load, load_ptr, probe};
use crate::socket::{AF_UNIX, Found};
use crate::told::Call;
use crate::{calls, task, words};

/// accept(2) and accept4(2) on x86-64: their exits tell.
const ACCEPTS: [u64; 2] = [43, 288];
/// Their hooks tell.
const NAMES: [u64; 2] = [Call::Bind as u64, Call::Connect as u64];

/// The end of a UNIX socket (net/unix/af_unix.c): `(struct sock *sk, int embrion)`.
#[fentry(function = "unix_release_sock")]
pub(crate) fn unix_release_sock(ctx: FEntryContext) -> i32 {
    // SAFETY: the first argument is typed for the verifier.
    unsafe { unix_released(ctx.arg(0), ctx.arg(1)) };
    0
}

/// accept of a TCP connection, by whatever call (net/ipv4/af_inet.c): `(struct socket *sock, struct socket *newsock, …)`.
#[fexit(function = "inet_accept")]
pub(crate) fn inet_accept(ctx: FExitContext) -> i32 {
    // SAFETY: the second argument is typed for the verifier.
    unsafe { accepted(ctx.arg(1)) };
    0
}

/// A ping socket gets its identifier (net/ipv4/ping.c): `(struct sock *sk, unsigned short ident)`.
#[fexit(function = "ping_get_port")]
pub(crate) fn ping_get_port(ctx: FExitContext) -> i32 {
    ping_named(ctx.arg::<*const u8>(0) as u64);
    0
}

/// # Safety
/// `sk` is a BTF-typed `struct sock`.
#[inline(always)]
unsafe fn unix_released(sk: *const u8, embryo: i32) {
    emit(
        Family::Call,
        Count::Shared,
        #[inline(always)]
        |record: &mut CallRecord| {
            // SAFETY: every pointer is typed by the one before, or probed.
            unsafe {
                let head = &mut record.head;
                head.time_ns = bpf_ktime_get_ns();
                head.cookie = bpf_get_socket_cookie(sk.cast_mut().cast());
                head.netns = load(load_ptr(sk, Field::SkNet), Field::NetInum);
                head.uid = load(sk, Field::SkUid);
                head.new = load::<u16>(sk, Field::SkType) as u8;
                record.inode = probe::<u64>(load_ptr(sk, Field::SkSocket) as u64, Field::SocketIno) as u32;
            }
            let head = &mut record.head;
            head.kind = Kind::Release as u8;
            head.family = AF_UNIX;
            (head.old, head.flags, head.name_len) = (0, 0, 0);
            (head.cgroup, head.ifindex, head.mark, head.protocol) = (0, 0, 0, 0);
            (head.local_port, head.peer_port) = (0, 0);
            // SAFETY: fields of the record.
            unsafe {
                words::clear(&mut head.local);
                words::clear(&mut head.peer);
            }
            // A connection that nobody has accepted goes with its listener.
            if embryo == 0 {
                task::own(task::current(), head);
            } else {
                head.pid = 0;
                // SAFETY: likewise.
                unsafe { words::clear(&mut head.comm) };
            }
            (record.error, record.aux, record.msk) = (0, 0, 0);
        },
    );
}

/// # Safety
/// `socket` is a BTF-typed `struct socket`.
#[inline(always)]
unsafe fn accepted(socket: *const u8) {
    if task::call_number().is_some_and(|number| ACCEPTS.contains(&number)) {
        return;
    }
    // SAFETY: by the caller's word. There is no `struct sock` where the accept failed.
    let sk = unsafe { load_ptr(socket, Field::SocketSk) } as u64;
    let mut found = Found::nothing();
    if sk != 0 && found.by_sock(sk) {
        calls::tell_accept(&found);
    }
}

#[inline(always)]
fn ping_named(sk: u64) {
    if task::call_number().is_some_and(|number| NAMES.contains(&number)) {
        return;
    }
    let mut found = Found::nothing();
    if found.by_sock(sk) && found.local_port() != 0 {
        calls::tell_first_send(&found);
    }
}

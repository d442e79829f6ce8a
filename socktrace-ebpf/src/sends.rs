//! Sends that give a datagram socket its port and that no cgroup hook sees: those that fail before the address is looked at
//! (net/ipv4/af_inet.c, `inet_send_prepare`; net/ipv4/udp.c, `udp_sendmsg`), and those of ping sockets.

use aya_ebpf::helpers::bpf_ktime_get_ns;
use aya_ebpf::helpers::generated::bpf_get_socket_cookie;
use aya_ebpf::macros::btf_tracepoint;
use aya_ebpf::programs::BtfTracePointContext;
use socktrace_common::{CallRecord, Family, Field, Kind};

use crate::emit::{Count, emit};
use crate::fields::{load, load_ptr, probe};
use crate::socket::{self, AF_INET, AF_INET6, SOCK_DGRAM};
use crate::{known, task};

/// `IPPROTO_ICMP` and `IPPROTO_ICMPV6`.
const PING: u16 = 1;
const PING_V6: u16 = 58;

/// Attached to `tp_btf/sock_send_length` (Linux 6.3), which comes after every send of every socket: (struct sock *sk, int
/// ret, int flags).
#[btf_tracepoint(function = "sock_send_length")]
pub(crate) fn sock_send_length(ctx: BtfTracePointContext) -> i32 {
    // SAFETY: the first argument is typed for the verifier.
    unsafe {
        let sk: *const u8 = ctx.arg(0);
        let protocol: u16 = load(sk, Field::SkProtocol);
        if ctx.arg::<i32>(1) < 0 || protocol == PING || protocol == PING_V6 {
            seldom(sk, protocol);
        }
    }
    0
}

/// # Safety
/// `sk` is a BTF-typed `struct sock`.
#[inline(always)]
unsafe fn seldom(sk: *const u8, protocol: u16) {
    // SAFETY: by the caller's word.
    unsafe {
        let (kind, family) = (load::<u16>(sk, Field::SkType), load::<u16>(sk, Field::SkFamily) as u8);
        let is_ip = family == AF_INET || family == AF_INET6;
        if !is_ip || kind != SOCK_DGRAM || load::<u16>(sk, Field::SkNum) == 0 {
            return;
        }
        let cookie = bpf_get_socket_cookie(sk.cast_mut().cast());
        if socket::is_kernel_bit(load(sk, Field::SkKernSock)) || known::is_known(cookie) {
            return;
        }
        emit(
            Family::Inet,
            Count::Shared,
            #[inline(always)]
            |record: &mut CallRecord| {
                let head = &mut record.head;
                head.time_ns = bpf_ktime_get_ns();
                (head.kind, head.old, head.new) = (Kind::FirstSend as u8, 0, kind as u8);
                (head.cookie, head.protocol) = (cookie, protocol);
                (head.flags, head.name_len) = (0, 0);
                socket::read_typed(sk, head);
                task::own(task::current(), head);
                record.inode = probe::<u64>(load_ptr(sk, Field::SkSocket) as u64, Field::SocketIno) as u32;
                (record.error, record.aux, record.msk) = (0, 0, 0);
            },
        );
    }
}

//! TCP state changes: `inet_sock_set_state` (net/ipv4/af_inet.c, `inet_sk_set_state`).

use aya_ebpf::helpers::bpf_ktime_get_boot_ns;
use aya_ebpf::helpers::generated::{bpf_get_socket_cookie, bpf_skc_to_tcp_sock};
use aya_ebpf::macros::btf_tracepoint;
use aya_ebpf::programs::BtfTracePointContext;
use socktrace_common::{FIN_RECEIVED, Family, Field, Kind, StateRecord};

use crate::emit::emit;
use crate::fields::load;
use crate::{socket, task};

const SYN_SENT: u8 = 2;
const CLOSE: u8 = 7;
const LISTEN: u8 = 10;
/// `SOCK_DONE` of `enum sock_flags` (include/net/sock.h): set by `tcp_fin` when the peer's FIN arrives.
const SOCK_DONE: u64 = 1 << 1;

/// Attached to `tp_btf/inet_sock_set_state`.
#[btf_tracepoint(function = "inet_sock_set_state")]
pub(crate) fn inet_sock_set_state(ctx: BtfTracePointContext) -> i32 {
    // SAFETY: the tracepoint's arguments are (const struct sock *sk, const int oldstate, const int newstate).
    unsafe { state_change(ctx.arg(0), ctx.arg(1), ctx.arg(2)) };
    0
}

/// # Safety
/// `sk` is a BTF-typed `struct sock`.
#[inline(always)]
unsafe fn state_change(sk: *const u8, old: i32, new: i32) {
    let (old, new) = (old as u8, new as u8);
    // The tracepoint also fires for DCCP, SCTP and MPTCP; those tables are not kept from events.
    // SAFETY: `sk` is typed.
    if unsafe { load::<u16>(sk, Field::SkProtocol) } != socket::TCP {
        return;
    }
    emit(Family::State, |record: &mut StateRecord| {
        let head = &mut record.head;
        // SAFETY: the helpers take nothing, or the typed socket.
        unsafe {
            head.boot_ns = bpf_ktime_get_boot_ns();
            head.cookie = bpf_get_socket_cookie(sk.cast_mut().cast());
        }
        head.kind = Kind::State as u8;
        head.old = old;
        head.new = new;
        head.protocol = socket::TCP;
        head.flags = 0;
        head.name_len = 0;
        // SAFETY: `sk` is typed.
        unsafe { socket::read_typed(sk, head) };
        // Only these two run in the context of the process that made the call; elsewhere the current task is
        // whoever the softirq interrupted.
        if old == CLOSE && (new == SYN_SENT || new == LISTEN) {
            task::own(head);
        } else {
            head.pid = 0;
            head.comm = [0; 16];
        }
        no_totals(record);
        if new == CLOSE {
            // SAFETY: `sk` is typed.
            unsafe { totals(sk, record) };
        }
    });
}

#[inline(always)]
fn no_totals(record: &mut StateRecord) {
    record.bytes_sent = 0;
    record.bytes_retrans = 0;
    record.bytes_acked = 0;
    record.bytes_received = 0;
    record.segs_out = 0;
    record.segs_in = 0;
    record.total_retrans = 0;
    record.srtt_us = 0;
    record.rtt_min = u32::MAX;
    record.error = 0;
}

/// # Safety
/// `sk` is a BTF-typed `struct sock`.
#[inline(always)]
unsafe fn totals(sk: *const u8, record: &mut StateRecord) {
    // SAFETY: the helper returns a typed `struct tcp_sock` or null.
    unsafe {
        record.error = load(sk, Field::SkErr);
        if load::<u64>(sk, Field::SkFlags) & SOCK_DONE != 0 {
            record.head.flags |= FIN_RECEIVED;
        }
        let tp = bpf_skc_to_tcp_sock(sk.cast_mut().cast()) as *const u8;
        if tp.is_null() {
            return;
        }
        // The port has already been given back (`inet_put_port` clears skc_num); inet_sport still tells it.
        record.head.local_port = u16::from_be(load(tp, Field::TcpSport));
        record.bytes_sent = load(tp, Field::TcpBytesSent);
        record.bytes_retrans = load(tp, Field::TcpBytesRetrans);
        record.bytes_acked = load(tp, Field::TcpBytesAcked);
        record.bytes_received = load(tp, Field::TcpBytesReceived);
        record.segs_out = load(tp, Field::TcpSegsOut);
        record.segs_in = load(tp, Field::TcpSegsIn);
        record.total_retrans = load(tp, Field::TcpTotalRetrans);
        record.srtt_us = load(tp, Field::TcpSrtt);
        record.rtt_min = load(tp, Field::TcpRttMin);
    }
}

//! TCP state changes: `inet_sock_set_state` (net/ipv4/af_inet.c, `inet_sk_set_state`).

use aya_ebpf::helpers::bpf_ktime_get_ns;
use aya_ebpf::helpers::generated::{bpf_get_socket_cookie, bpf_skc_to_tcp_sock};
use aya_ebpf::macros::btf_tracepoint;
use aya_ebpf::programs::BtfTracePointContext;
use socktrace_common::{
    CpuCounters, FIN_RECEIVED, Family, FamilyCounters, Field, KEEPS_PORT, Kind, NO_DATA, ORPHAN,
    RECEIVE_SHUT, RecordHead, SEND_SHUT, StateRecord, Totals, UNWANTED_NEWBORN,
};

use crate::emit::{self, Count};
use crate::fields::{is_present, load, load_ptr};
use crate::{mptcp, remembered, socket, task, told, words};

const SYN_SENT: u8 = 2;
const SYN_RECV: u8 = 3;
const FIN_WAIT1: u8 = 4;
const FIN_WAIT2: u8 = 5;
const CLOSE: u8 = 7;
const LAST_ACK: u8 = 9;
const LISTEN: u8 = 10;
const CLOSING: u8 = 11;
/// `SOCK_DEAD` of `enum sock_flags` (include/net/sock.h): set by `sock_orphan` when close(2) lets go of the socket.
const SOCK_DEAD: u64 = 1;
/// `SOCK_DONE` of `enum sock_flags` (include/net/sock.h): set by `tcp_fin` when the peer's FIN arrives.
const SOCK_DONE: u64 = 1 << 1;
/// Both bits of `sk_shutdown`: `RCV_SHUTDOWN` and `SEND_SHUTDOWN`.
const SHUTDOWN_MASK: u8 = 3;
const _: () = assert!(RECEIVE_SHUT == 1 << 2 && SEND_SHUT == 2 << 2);

/// Attached to `tp_btf/inet_sock_set_state`.
#[btf_tracepoint(function = "inet_sock_set_state")]
pub(crate) fn inet_sock_set_state(ctx: BtfTracePointContext) -> i32 {
    let Some(cpu) = emit::cpu() else { return 0 };
    // SAFETY: an element of the array, which lives as long as the program; the tracepoint's arguments are
    // (const struct sock *sk, const int oldstate, const int newstate).
    unsafe {
        let running = &raw mut (*cpu).running;
        running.write_volatile(1);
        let counters = &raw mut (*cpu).families[Family::State as usize];
        state_change(ctx.arg(0), ctx.arg(1), ctx.arg(2), cpu, counters);
        if ctx.arg::<i32>(2) as u8 == SYN_SENT {
            told::Call::Connect.tell();
        }
        running.write_volatile(0);
    }
    0
}

/// Attached to `tp_btf/tcp_retransmit_skb` (net/ipv4/tcp_output.c): `(const struct sock *sk, …)`. When a SYN is sent again
/// the local port is known, which the kernel chose after the change to SYN_SENT.
#[btf_tracepoint(function = "tcp_retransmit_skb")]
pub(crate) fn tcp_retransmit_skb(ctx: BtfTracePointContext) -> i32 {
    // SAFETY: the first argument is typed for the verifier.
    unsafe {
        let sk: *const u8 = ctx.arg(0);
        if load::<u8>(sk, Field::SkState) == SYN_SENT && load::<u16>(sk, Field::SkProtocol) == socket::TCP {
            emit::emit(
                Family::Inet,
                Count::Shared,
                #[inline(always)]
                |record: &mut StateRecord| {
                    fill(sk, &mut record.head, SYN_SENT, SYN_SENT);
                    record.head.kind = Kind::Waits as u8;
                    record.head.protocol = socket::TCP;
                    no_process(&mut record.head);
                    record.msk = 0;
                },
            );
        }
    }
    0
}

/// Attached to the same tracepoint as the first. The kernel does not run a program within itself (kernel/trace/bpf_trace.c,
/// `__bpf_trace_run`): a state change in a softirq that interrupts the first one would be lost. This one acts then,
/// and only then.
#[btf_tracepoint(function = "inet_sock_set_state")]
pub(crate) fn set_state_nested(ctx: BtfTracePointContext) -> i32 {
    let Some(cpu) = emit::cpu() else { return 0 };
    // SAFETY: as above.
    unsafe {
        if (&raw const (*cpu).running).read_volatile() == 1 {
            (*cpu).stood_in += 1;
            state_change(ctx.arg(0), ctx.arg(1), ctx.arg(2), cpu, &raw mut (*cpu).interrupting);
        }
    }
    0
}

/// # Safety
/// `sk` is a BTF-typed `struct sock`, `cpu` and `counters` in a map element.
#[inline(always)]
unsafe fn state_change(
    sk: *const u8,
    old: i32,
    new: i32,
    cpu: *mut CpuCounters,
    counters: *mut FamilyCounters,
) {
    let (old, new) = (old as u8, new as u8);
    // The tracepoint also fires for DCCP and SCTP; those tables are not kept from events.
    // SAFETY: `sk` is typed.
    let protocol = unsafe { load::<u16>(sk, Field::SkProtocol) };
    let is_mptcp = protocol == socket::MPTCP;
    if protocol != socket::TCP && !is_mptcp {
        return;
    }
    if old == LISTEN && new == SYN_RECV && emit::is_unwanted(UNWANTED_NEWBORN) {
        // SAFETY: likewise.
        unsafe { name_early(sk) };
        return;
    }
    // SAFETY: by the caller's word.
    unsafe {
        if old == SYN_RECV && !is_mptcp {
            learn(sk, cpu);
        }
        let orphan = is_orphan(sk, new, cpu);
        emit::emit_parts(
            cpu,
            counters,
            Count::Alone,
            new == CLOSE,
            #[inline(always)]
            |record: &mut StateRecord| {
                let head = &mut record.head;
                fill(sk, head, old, new);
                head.protocol = protocol;
                record.msk = if is_mptcp {
                    sk as u64
                } else if old == CLOSE || new == CLOSE || old == SYN_RECV {
                    mptcp::parent(sk)
                } else {
                    0
                };
                if orphan {
                    head.flags |= ORPHAN;
                }
                // Others that end it leave an error. (Of an MPTCP socket no return is reported.)
                let taken_back = old == SYN_SENT && new == CLOSE && record.msk == 0;
                if taken_back && load::<u32>(sk, Field::SkErr) == 0 && is_in_connect() {
                    head.kind = Kind::TakenBack as u8;
                }
                // Only these two run in the context of the process that made the call; elsewhere the current task is
                // whoever the softirq interrupted.
                if old == CLOSE && (new == SYN_SENT || new == LISTEN) {
                    task::own(task::current(), head);
                } else {
                    no_process(head);
                }
            },
            #[inline(always)]
            |record: &mut StateRecord, sums: &mut Totals| {
                totals(sk, &mut record.head, sums);
                if is_mptcp {
                    mptcp::totals(record.msk, sums);
                }
            },
        );
    }
}

/// Make the cookie of a child whose listener may hand it out before the handshake is over (TCP Fast Open): accept(2) can
/// read it and not make it. (Before Linux 6.13 the child has its listener's at that moment, and none afterwards.)
///
/// # Safety
/// As for [`is_orphan`].
#[inline(always)]
unsafe fn name_early(sk: *const u8) {
    // SAFETY: the helper returns a typed `struct tcp_sock` or null, which reads as 0.
    unsafe {
        let tp = bpf_skc_to_tcp_sock(sk.cast_mut().cast()) as *const u8;
        if !tp.is_null() && load::<u32>(tp, Field::TcpFastOpen) != 0 {
            cookie(sk);
        }
    }
}

/// Whether the current thread is in connect(2), whose return is still to come.
#[inline(always)]
fn is_in_connect() -> bool {
    match task::call_number() {
        Some(number) => number == told::Call::Connect as u64,
        None => !is_present(Field::RegsNumber) && remembered::is_pending(),
    }
}

/// Remember by which functions a TCP connection is known: those of one that is born have not been exchanged yet.
///
/// # Safety
/// As for [`is_orphan`].
#[inline(always)]
unsafe fn learn(sk: *const u8, cpu: *mut CpuCounters) {
    // SAFETY: by the caller's word.
    unsafe {
        let prots = (&raw mut (*cpu).prot).cast::<u64>();
        let is_v6 = load::<u16>(sk, Field::SkFamily) as u8 == socket::AF_INET6;
        let place = if is_v6 { prots.add(1) } else { prots };
        place.write_volatile(load(sk, Field::SkProt));
    }
}

/// Whether close(2) leaves the connection to the kernel by this change, or has done so before.
///
/// # Safety
/// `sk` is a BTF-typed `struct sock`, `cpu` a map element.
#[inline(always)]
unsafe fn is_orphan(sk: *const u8, new: u8, cpu: *mut CpuCounters) -> bool {
    // SAFETY: by the caller's word.
    unsafe {
        let closing = &raw mut (*cpu).closing;
        let is_closing = closing.read_volatile() == sk as u64;
        if is_closing {
            closing.write_volatile(0);
        }
        match new {
            FIN_WAIT1 | LAST_ACK => is_closing,
            FIN_WAIT2 | CLOSING => load::<u64>(sk, Field::SkFlags) & SOCK_DEAD != 0,
            _ => false,
        }
    }
}

/// Fill all of `head` but the process.
///
/// # Safety
/// `sk` is a BTF-typed `struct sock`.
#[inline(always)]
unsafe fn fill(sk: *const u8, head: &mut RecordHead, old: u8, new: u8) {
    head.kind = Kind::State as u8;
    head.old = old;
    head.new = new;
    head.flags = 0;
    head.name_len = 0;
    // SAFETY: the helpers take nothing, or the typed socket.
    unsafe {
        head.time_ns = bpf_ktime_get_ns();
        head.cookie = cookie(sk);
        socket::read_typed(sk, head);
    }
}

/// The socket's cookie, made where nobody has asked for one yet: only then is it worth a call.
///
/// # Safety
/// `sk` is a BTF-typed `struct sock`.
#[inline(always)]
unsafe fn cookie(sk: *const u8) -> u64 {
    // SAFETY: by the caller's word.
    unsafe {
        match load(sk, Field::SkCookie) {
            0 => bpf_get_socket_cookie(sk.cast_mut().cast()),
            made => made,
        }
    }
}

#[inline(always)]
fn no_process(head: &mut RecordHead) {
    head.pid = 0;
    // SAFETY: a field of the record.
    unsafe { words::clear(&mut head.comm) };
}

#[inline(always)]
fn no_totals(sums: &mut Totals) {
    sums.bytes_sent = 0;
    sums.bytes_retrans = 0;
    sums.bytes_acked = 0;
    sums.bytes_received = 0;
    sums.segs_out = 0;
    sums.segs_in = 0;
    sums.total_retrans = 0;
    sums.srtt_us = 0;
    sums.rtt_min = u32::MAX;
}

/// Whether the last descriptor of a socket is gone, and its release is under way: nothing refers to its file any more.
///
/// # Safety
/// `sk` is a BTF-typed `struct sock`.
#[inline(always)]
unsafe fn is_let_go(sk: *const u8) -> bool {
    // SAFETY: every pointer is typed by the one before; faults read zero.
    unsafe {
        let socket = load_ptr(sk, Field::SkSocket);
        if socket.is_null() {
            return false;
        }
        let file = load_ptr(socket, Field::SocketFile);
        if file.is_null() {
            // The kernel's own: close shuts both directions first (net/ipv4/tcp.c, `__tcp_close`).
            return load::<u8>(sk, Field::SkShutdown) & SHUTDOWN_MASK == SHUTDOWN_MASK;
        }
        if is_present(Field::FileRef) {
            // FILE_REF_DEAD (include/linux/file_ref.h).
            load::<i64>(file, Field::FileRef) < 0
        } else {
            load::<i64>(file, Field::FileCount) == 0
        }
    }
}

/// # Safety
/// `sk` is a BTF-typed `struct sock`.
#[inline(always)]
unsafe fn totals(sk: *const u8, head: &mut RecordHead, sums: &mut Totals) {
    // SAFETY: the helper returns a typed `struct tcp_sock` or null.
    unsafe {
        sums.error = load(sk, Field::SkErr);
        let flags = load::<u64>(sk, Field::SkFlags);
        if flags & SOCK_DONE != 0 {
            head.flags |= FIN_RECEIVED;
        }
        if flags & SOCK_DEAD != 0 {
            head.flags |= ORPHAN;
        }
        head.flags |= (load::<u8>(sk, Field::SkShutdown) & SHUTDOWN_MASK) << 2;
        let tp = bpf_skc_to_tcp_sock(sk.cast_mut().cast()) as *const u8;
        if tp.is_null() {
            return no_totals(sums);
        }
        // A port that bind(2) did not give has already been given back (net/ipv4/tcp.c, `tcp_set_state`; `inet_put_port`
        // clears skc_num); inet_sport still tells it.
        let has_port = head.local_port != 0;
        if (has_port || head.old == LISTEN) && flags & SOCK_DEAD == 0 {
            if is_let_go(sk) {
                // Of connections this says more than `__tcp_close` has done by now.
                head.flags |= if head.old == LISTEN { ORPHAN } else { 0 };
            } else if has_port {
                head.flags |= KEEPS_PORT;
            }
        }
        head.local_port = u16::from_be(load(tp, Field::TcpSport));
        sums.bytes_sent = load(tp, Field::TcpBytesSent);
        sums.bytes_retrans = load(tp, Field::TcpBytesRetrans);
        sums.bytes_acked = load(tp, Field::TcpBytesAcked);
        sums.bytes_received = load(tp, Field::TcpBytesReceived);
        sums.segs_out = load(tp, Field::TcpSegsOut);
        sums.segs_in = load(tp, Field::TcpSegsIn);
        if load::<u32>(tp, Field::TcpDataSegsIn) == 0 {
            head.flags |= NO_DATA;
        }
        sums.total_retrans = load(tp, Field::TcpTotalRetrans);
        sums.srtt_us = load(tp, Field::TcpSrtt);
        sums.rtt_min = load(tp, Field::TcpRttMin);
    }
}

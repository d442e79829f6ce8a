//! UDP, RAW and ping sockets, by the cgroup hooks: creation, bind, connect, first send, release.
//!
//! They run in the caller's own context. They only watch: every one returns 1, which allows the operation.

use aya_ebpf::bindings::{bpf_sock, bpf_sock_addr};
use aya_ebpf::helpers::bpf_ktime_get_ns;
use aya_ebpf::helpers::generated::{bpf_get_netns_cookie, bpf_get_socket_cookie};
use aya_ebpf::macros::{cgroup_sock, cgroup_sock_addr};
use aya_ebpf::programs::{SockAddrContext, SockContext};
use socktrace_common::{CallRecord, EXACT, Family, Field, Kind, UNWANTED_CREATION};

use crate::emit::{self, Count};
use crate::fields::{is_present, probe};
use crate::known::is_known;
use crate::socket::{self, AF_INET6, MPTCP, Own, TCP};
use crate::told::Call;
use crate::words::{self, put_v4};
use crate::{mptcp, task};

/// What the kernel is to do: allow.
const ALLOW: i32 = 1;
/// `TCP_ESTABLISHED` and those that follow it (include/net/tcp_states.h).
const ESTABLISHED: u32 = 1;
const FIN_WAIT1: u32 = 4;
const CLOSE: u32 = 7;
const CLOSE_WAIT: u32 = 8;
const LAST_ACK: u32 = 9;
const CLOSING: u32 = 11;
/// As the contexts of the cgroup hooks have it.
const SOCK_RAW: u32 = socket::SOCK_RAW as u32;
const SOCK_DGRAM: u32 = socket::SOCK_DGRAM as u32;

#[cgroup_sock(sock_create)]
pub(crate) fn sock_create(ctx: SockContext) -> i32 {
    created(ctx.sock)
}

#[cgroup_sock(sock_release)]
pub(crate) fn sock_release(ctx: SockContext) -> i32 {
    released(ctx.sock)
}

#[cgroup_sock(post_bind4)]
pub(crate) fn post_bind4(ctx: SockContext) -> i32 {
    bound_v4(ctx.sock)
}

#[cgroup_sock(post_bind6)]
pub(crate) fn post_bind6(ctx: SockContext) -> i32 {
    bound_v6(ctx.sock)
}

#[cgroup_sock_addr(connect4)]
pub(crate) fn connect4(ctx: SockAddrContext) -> i32 {
    connecting(ctx.sock_addr, |record| put_ends_v4(record, ctx.sock_addr))
}

#[cgroup_sock_addr(connect6)]
pub(crate) fn connect6(ctx: SockAddrContext) -> i32 {
    connecting(ctx.sock_addr, |record| put_ends_v6(record, ctx.sock_addr))
}

#[cgroup_sock_addr(sendmsg4)]
pub(crate) fn sendmsg4(ctx: SockAddrContext) -> i32 {
    sending_v4(&ctx)
}

#[cgroup_sock_addr(sendmsg6)]
pub(crate) fn sendmsg6(ctx: SockAddrContext) -> i32 {
    sending_v6(&ctx)
}

/// TCP sockets are told of by their state changes; MPTCP by its subflows'. A RAW socket may have any protocol's number.
#[inline(always)]
fn is_tcp(kind: u32, protocol: u32) -> bool {
    kind != SOCK_RAW && (protocol == u32::from(TCP) || protocol == u32::from(MPTCP))
}

#[inline(always)]
fn tell(fill: impl FnOnce(&mut CallRecord)) {
    emit::emit(Family::Inet, Count::Shared, fill);
}

/// Of RAW sockets, which are listed from now on; and of datagram sockets while somebody asks which of them are new. Of all
/// others only the cookie is made: what becomes of them is reported by hooks that can read it and not make it.
#[inline(always)]
fn created(sock: *mut bpf_sock) -> i32 {
    // SAFETY: the context of the program.
    unsafe {
        let cookie = bpf_get_socket_cookie(sock.cast());
        let kind = (*sock).type_;
        if kind == SOCK_RAW || (kind == SOCK_DGRAM && !emit::is_unwanted(UNWANTED_CREATION)) {
            tell(|record| {
                let mut own = Own::nothing();
                of_sock(record, sock, Kind::Create, cookie, &mut own);
            });
        }
    }
    ALLOW
}

/// Of TCP, sockets that are bound and nothing more: for all others CLOSE is told by a state change, or they never left
/// it, and without a port nobody has listed them. And those that close(2) leaves to the kernel: by the state change that
/// follows at once, where one does.
#[inline(always)]
fn released(sock: *mut bpf_sock) -> i32 {
    // SAFETY: the context of the program.
    unsafe {
        if (*sock).type_ != SOCK_RAW && (*sock).protocol == u32::from(MPTCP) {
            tell(|record| of_mptcp_end(record, sock));
            return ALLOW;
        }
        let kind = match (*sock).state {
            _ if !is_tcp((*sock).type_, (*sock).protocol) => Kind::Release,
            // The context of this hook shows no port (net/core/filter.c, `__sock_filter_check_attach_type`).
            CLOSE if probe::<u16>(sock as u64, Field::SkNum) == 0 => return ALLOW,
            CLOSE => Kind::Release,
            ESTABLISHED | CLOSE_WAIT => {
                emit::closing(sock as u64);
                return ALLOW;
            }
            FIN_WAIT1 | LAST_ACK | CLOSING => Kind::Orphan,
            _ => return ALLOW,
        };
        tell(|record| of_end(record, sock, kind));
    }
    ALLOW
}

#[inline(always)]
fn bound_v4(sock: *mut bpf_sock) -> i32 {
    let cookie = told_of(sock);
    tell(|record| {
        of_bind(record, sock, cookie);
        // SAFETY: the context of the program.
        unsafe {
            put_v4(&mut record.head.local, (*sock).src_ip4);
            record.head.local_port = (*sock).src_port as u16;
        }
    });
    ALLOW
}

#[inline(always)]
fn bound_v6(sock: *mut bpf_sock) -> i32 {
    let cookie = told_of(sock);
    tell(|record| {
        of_bind(record, sock, cookie);
        // SAFETY: the context of the program.
        unsafe {
            let from = &raw const (*sock).src_ip6;
            put_v6(&mut record.head.local, from.cast());
            record.head.local_port = (*sock).src_port as u16;
        }
    });
    ALLOW
}

/// The return of bind(2) need not be looked into, and what is bound needs no telling when it sends. Its cookie.
///
/// Not of TCP: what is bound may be the subflow of the MPTCP socket that the call is of.
#[inline(always)]
fn told_of(sock: *mut bpf_sock) -> u64 {
    // SAFETY: the context of the program.
    unsafe {
        let cookie = bpf_get_socket_cookie(sock.cast());
        if !is_tcp((*sock).type_, (*sock).protocol) {
            Call::Bind.tell();
            is_known(cookie);
        }
        cookie
    }
}

/// The rest is known when connect(2) returns. Of a 32-bit call nothing reports the return: that it was made has to do.
#[inline(always)]
fn connecting(ctx: *mut bpf_sock_addr, put_peer: impl FnOnce(&mut CallRecord)) -> i32 {
    // SAFETY: the context of the program.
    unsafe {
        let is_tcp = is_tcp((*ctx).type_, (*ctx).protocol);
        // Most connects are of TCP, and of new sockets.
        if is_tcp && is_present(Field::RegsNumber) {
            return ALLOW;
        }
        // Asking for the cookie makes it: the system call hooks can only read it.
        let cookie = bpf_get_socket_cookie(ctx.cast());
        if !is_tcp && task::is_in_32_bit_call() {
            tell(|record| {
                of_sock_addr(record, ctx, Kind::Dial, cookie);
                put_peer(record);
            });
        }
    }
    ALLOW
}

#[inline(always)]
fn sending_v4(ctx: &SockAddrContext) -> i32 {
    if let Some(cookie) = first_send(ctx) {
        tell(|record| {
            of_sock_addr(record, ctx.sock_addr, Kind::FirstSend, cookie);
            put_ends_v4(record, ctx.sock_addr);
        });
    }
    ALLOW
}

/// Both addresses; those of an IPv6 socket to `::ffff:a.b.c.d` are IPv6 ones (net/ipv6/udp.c, `udpv6_sendmsg`).
#[inline(always)]
fn put_ends_v4(record: &mut CallRecord, ctx: *mut bpf_sock_addr) {
    let head = &mut record.head;
    // SAFETY: the context of the program.
    unsafe {
        let sk = (*ctx).__bindgen_anon_1.sk;
        let to = (*ctx).user_ip4;
        if head.family == AF_INET6 {
            put_v6(&mut head.local, (&raw const (*sk).src_ip6).cast());
            words::put_mapped(&mut head.peer, to);
        } else {
            put_v4(&mut head.local, (*sk).src_ip4);
            put_v4(&mut head.peer, to);
        }
    }
}

#[inline(always)]
fn put_ends_v6(record: &mut CallRecord, ctx: *mut bpf_sock_addr) {
    let head = &mut record.head;
    // SAFETY: the context of the program.
    unsafe {
        let sk = (*ctx).__bindgen_anon_1.sk;
        put_v6(&mut head.local, (&raw const (*sk).src_ip6).cast());
        put_v6(&mut head.peer, (&raw const (*ctx).user_ip6).cast());
    }
}

#[inline(always)]
fn sending_v6(ctx: &SockAddrContext) -> i32 {
    if let Some(cookie) = first_send(ctx) {
        tell(|record| {
            of_sock_addr(record, ctx.sock_addr, Kind::FirstSend, cookie);
            put_ends_v6(record, ctx.sock_addr);
        });
    }
    ALLOW
}

/// The cookie of a socket that sends for the first time.
#[inline(always)]
fn first_send(ctx: &SockAddrContext) -> Option<u64> {
    // SAFETY: takes the context of the program.
    let cookie = unsafe { bpf_get_socket_cookie(ctx.sock_addr.cast()) };
    if is_known(cookie) { None } else { Some(cookie) }
}

/// # Safety
/// `into` is a field of a record; `from` points at four words in network order that the verifier lets be read one by one.
#[inline(always)]
unsafe fn put_v6(into: &mut [u8; 16], from: *const u32) {
    // SAFETY: by the caller's word. Volatile, because a context is read by words and not otherwise.
    unsafe {
        let pair =
            |n| u64::from(from.add(n).read_volatile()) | u64::from(from.add(n + 1).read_volatile()) << 32;
        words::put(into, [pair(0), pair(2)]);
    }
}

#[inline(always)]
fn of_bind(record: &mut CallRecord, sock: *mut bpf_sock, cookie: u64) {
    let mut own = Own::nothing();
    of_sock(record, sock, Kind::PostBind, cookie, &mut own);
    // SAFETY: the context of the program.
    let (kind, protocol) = unsafe { ((*sock).type_, (*sock).protocol) };
    // A tunnel's, say: whoever made the tunnel has not opened it. (One of TCP may be below an MPTCP socket.)
    if own.is_kernels() {
        if !is_tcp(kind, protocol) {
            record.head.flags &= !EXACT;
            record.head.cgroup = 0;
        } else if protocol == u32::from(TCP) {
            record.msk = mptcp::parent_of(sock as u64);
        }
    }
}

#[inline(always)]
fn of_sock(record: &mut CallRecord, sock: *mut bpf_sock, kind: Kind, cookie: u64, own: &mut Own) {
    let task = task::current();
    by_task(record, sock, kind, task, cookie);
    // SAFETY: the context of the program.
    let netns = unsafe { bpf_get_netns_cookie(sock.cast()) };
    own.fill(sock as u64);
    own.read(task, netns, &mut record.head);
    // Some of these contexts do not show it.
    record.head.ifindex = probe(sock as u64, Field::SkBoundDevIf);
    record.inode = own.inode();
}

/// No more than what tells which socket it is, and whose last word: the rest is known from its life.
#[inline(always)]
fn of_end(record: &mut CallRecord, sock: *mut bpf_sock, kind: Kind) {
    // SAFETY: the context of the program.
    let cookie = unsafe { bpf_get_socket_cookie(sock.cast()) };
    by_task(record, sock, kind, task::current(), cookie);
}

/// Of MPTCP, whatever its state: what becomes of its subflows depends on it.
#[inline(always)]
fn of_mptcp_end(record: &mut CallRecord, sock: *mut bpf_sock) {
    of_end(record, sock, Kind::Release);
    // Not by arithmetic: to the verifier it is a pointer.
    // SAFETY: the last word of the record.
    unsafe { (&raw mut record.aux).cast::<u64>().write_volatile(sock as u64) };
}

#[inline(always)]
fn by_task(record: &mut CallRecord, sock: *mut bpf_sock, kind: Kind, task: *const u8, cookie: u64) {
    begin(record, kind, task);
    let head = &mut record.head;
    head.cookie = cookie;
    // SAFETY: the context of the program.
    unsafe {
        head.family = (*sock).family as u8;
        head.new = (*sock).type_ as u8;
        head.protocol = (*sock).protocol as u16;
        head.old = (*sock).state as u8;
    }
    (head.netns, head.uid, head.cgroup) = (0, u32::MAX, 0);
    (head.local_port, head.peer_port) = (0, 0);
    // SAFETY: fields of the record.
    unsafe {
        words::clear(&mut head.local);
        words::clear(&mut head.peer);
    }
}

#[inline(always)]
fn of_sock_addr(record: &mut CallRecord, ctx: *mut bpf_sock_addr, kind: Kind, cookie: u64) {
    let task = task::current();
    begin(record, kind, task);
    let head = &mut record.head;
    // SAFETY: the context of the program.
    unsafe {
        head.family = (*ctx).family as u8;
        head.new = (*ctx).type_ as u8;
        head.protocol = (*ctx).protocol as u16;
        let sk = (*ctx).__bindgen_anon_1.sk;
        head.local_port = (*sk).src_port as u16;
        head.peer_port = u16::from_be((*ctx).user_port as u16);
        head.ifindex = (*sk).bound_dev_if;
        let sk = socket::untyped(head, sk as u64);
        let mut own = Own::nothing();
        own.fill(sk);
        own.read(task, bpf_get_netns_cookie(ctx.cast()), head);
        record.inode = own.inode();
    }
    record.head.cookie = cookie;
}

/// Time, kind and process, and nothing where these hooks say nothing.
#[inline(always)]
fn begin(record: &mut CallRecord, kind: Kind, task: *const u8) {
    words::clear_call(record);
    let head = &mut record.head;
    // SAFETY: takes nothing.
    head.time_ns = unsafe { bpf_ktime_get_ns() };
    head.kind = kind as u8;
    (head.old, head.flags, head.name_len) = (0, 0, 0);
    (head.ifindex, head.mark) = (0, 0);
    task::own(task, head);
}

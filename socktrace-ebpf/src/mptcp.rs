//! MPTCP: sockets over TCP sockets that the kernel makes for them, the subflows.
//!
//! Records say which MPTCP socket they are of by its address, see `socktrace_common::msk_number`.

use aya_ebpf::helpers::generated::bpf_skc_to_tcp_sock;
use socktrace_common::{Field, Totals, msk_number};

use crate::fields::{load, probe};
use crate::socket;

/// The address of the MPTCP socket whose subflow this TCP socket is; 0 where it is none. Subflows are sockets that the
/// kernel makes for itself, or the children of such (net/mptcp/subflow.c, `mptcp_subflow_create_socket`): of all others it
/// is enough to look at one bit.
///
/// # Safety
/// `sk` is a BTF-typed `struct sock`.
#[inline(always)]
pub(crate) unsafe fn parent(sk: *const u8) -> u64 {
    // SAFETY: the helper returns a typed `struct tcp_sock` or null.
    unsafe {
        if !socket::is_kernel_bit(load(sk, Field::SkKernSock)) {
            return 0;
        }
        let tp = bpf_skc_to_tcp_sock(sk.cast_mut().cast()) as *const u8;
        if tp.is_null() || load::<u8>(tp, Field::TcpIsMptcp) == 0 {
            return 0;
        }
        probe(load(tp, Field::TcpUlpData), Field::SubflowConn)
    }
}

/// The number of the MPTCP socket whose subflow this TCP socket is, one of the kernel's own, which the verifier does not
/// know; 0 where it is none.
#[inline(always)]
pub(crate) fn parent_of(sk: u64) -> u32 {
    if probe::<u8>(sk, Field::TcpIsMptcp) == 0 {
        return 0;
    }
    msk_number(probe(probe(sk, Field::TcpUlpData), Field::SubflowConn))
}

/// What an MPTCP connection came to. Why it failed, its first subflow knows earlier.
#[inline(never)]
pub(crate) fn totals(msk: u64, sums: &mut Totals) {
    sums.bytes_sent = probe(msk, Field::MptcpBytesSent);
    sums.bytes_retrans = 0;
    sums.bytes_acked = probe(msk, Field::MptcpBytesAcked);
    sums.bytes_received = probe(msk, Field::MptcpBytesReceived);
    if sums.error == 0 {
        sums.error = probe(probe(msk, Field::MptcpFirst), Field::SkErr);
    }
}

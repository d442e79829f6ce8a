//! The info structs of sock_diag (`tcp_info`, `mptcp_info`, `sctp_info`) as tables of their members.
//!
//! The kernel appends members with every few releases, so what it sends is a prefix of these tables or longer than
//! them: a member that lies beyond the end is `None`, bytes beyond the tables are ignored. Offsets were read from
//! include/uapi/linux/tcp.h, mptcp.h and sctp.h.

/// A member of an info struct.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    /// Its name in the kernel without the struct's prefix: `rtt` for `tcpi_rtt`.
    pub name: &'static str,
    offset: u16,
    bytes: u8,
    /// Lowest bit and number of bits, for a bit field; (0, 0) for a whole member.
    bits: (u8, u8),
}

impl Member {
    /// Its value, if the struct that the kernel sent reaches that far.
    #[must_use]
    pub fn of(self, info: &[u8]) -> Option<u64> {
        let start = usize::from(self.offset);
        let bytes = info.get(start..start + usize::from(self.bytes))?;
        let whole = match *bytes {
            [a] => u64::from(a),
            [a, b] => u64::from(u16::from_ne_bytes([a, b])),
            [a, b, c, d] => u64::from(u32::from_ne_bytes([a, b, c, d])),
            [a, b, c, d, e, f, g, h] => u64::from_ne_bytes([a, b, c, d, e, f, g, h]),
            _ => return None,
        };
        Some(match self.bits {
            (_, 0) => whole,
            (lowest, count) => (whole >> lowest) & ((1 << count) - 1),
        })
    }

    /// Its value, 0 where the kernel did not send it.
    #[must_use]
    pub fn or_zero(self, info: &[u8]) -> u64 {
        self.of(info).unwrap_or(0)
    }
}

#[cfg(test)]
impl Member {
    /// Writes it into a struct that reaches that far.
    pub(crate) fn put(self, info: &mut [u8], value: u64) {
        let start = usize::from(self.offset);
        let bytes = &mut info[start..start + usize::from(self.bytes)];
        if self.bits.1 == 0 {
            bytes.copy_from_slice(&value.to_le_bytes()[..bytes.len()]);
        } else {
            bytes[0] |= (value << self.bits.0) as u8;
        }
    }
}

macro_rules! members {
    ($(#[$doc:meta])* $all:ident: $($constant:ident $name:literal $offset:literal $bytes:literal
        $([$lowest:literal; $count:literal])?;)*) => {
        $(
            #[doc = concat!("`", $name, "`")]
            pub const $constant: Member = Member {
                name: $name,
                offset: $offset,
                bytes: $bytes,
                bits: members!(@bits $($lowest $count)?),
            };
        )*
        $(#[$doc])*
        pub const $all: &[Member] = &[$($constant),*];
    };
    (@bits) => { (0, 0) };
    (@bits $lowest:literal $count:literal) => { ($lowest, $count) };
}

/// `struct tcp_info` of Linux 6.18. Times are microseconds but for the `last_*` members (milliseconds).
pub mod tcp {
    use super::Member;

    members! {
        /// All of them, in the kernel's order.
        ALL:
        STATE "state" 0 1;
        CA_STATE "ca_state" 1 1;
        RETRANSMITS "retransmits" 2 1;
        PROBES "probes" 3 1;
        BACKOFF "backoff" 4 1;
        OPTIONS "options" 5 1;
        SND_WSCALE "snd_wscale" 6 1 [0; 4];
        RCV_WSCALE "rcv_wscale" 6 1 [4; 4];
        DELIVERY_RATE_APP_LIMITED "delivery_rate_app_limited" 7 1 [0; 1];
        FASTOPEN_CLIENT_FAIL "fastopen_client_fail" 7 1 [1; 2];
        RTO "rto" 8 4;
        ATO "ato" 12 4;
        SND_MSS "snd_mss" 16 4;
        RCV_MSS "rcv_mss" 20 4;
        UNACKED "unacked" 24 4;
        SACKED "sacked" 28 4;
        LOST "lost" 32 4;
        RETRANS "retrans" 36 4;
        FACKETS "fackets" 40 4;
        LAST_DATA_SENT "last_data_sent" 44 4;
        LAST_ACK_SENT "last_ack_sent" 48 4;
        LAST_DATA_RECV "last_data_recv" 52 4;
        LAST_ACK_RECV "last_ack_recv" 56 4;
        PMTU "pmtu" 60 4;
        RCV_SSTHRESH "rcv_ssthresh" 64 4;
        RTT "rtt" 68 4;
        RTTVAR "rttvar" 72 4;
        SND_SSTHRESH "snd_ssthresh" 76 4;
        SND_CWND "snd_cwnd" 80 4;
        ADVMSS "advmss" 84 4;
        REORDERING "reordering" 88 4;
        RCV_RTT "rcv_rtt" 92 4;
        RCV_SPACE "rcv_space" 96 4;
        TOTAL_RETRANS "total_retrans" 100 4;
        PACING_RATE "pacing_rate" 104 8;
        MAX_PACING_RATE "max_pacing_rate" 112 8;
        BYTES_ACKED "bytes_acked" 120 8;
        BYTES_RECEIVED "bytes_received" 128 8;
        SEGS_OUT "segs_out" 136 4;
        SEGS_IN "segs_in" 140 4;
        NOTSENT_BYTES "notsent_bytes" 144 4;
        MIN_RTT "min_rtt" 148 4;
        DATA_SEGS_IN "data_segs_in" 152 4;
        DATA_SEGS_OUT "data_segs_out" 156 4;
        DELIVERY_RATE "delivery_rate" 160 8;
        BUSY_TIME "busy_time" 168 8;
        RWND_LIMITED "rwnd_limited" 176 8;
        SNDBUF_LIMITED "sndbuf_limited" 184 8;
        DELIVERED "delivered" 192 4;
        DELIVERED_CE "delivered_ce" 196 4;
        BYTES_SENT "bytes_sent" 200 8;
        BYTES_RETRANS "bytes_retrans" 208 8;
        DSACK_DUPS "dsack_dups" 216 4;
        REORD_SEEN "reord_seen" 220 4;
        RCV_OOOPACK "rcv_ooopack" 224 4;
        SND_WND "snd_wnd" 228 4;
        RCV_WND "rcv_wnd" 232 4;
        REHASH "rehash" 236 4;
        TOTAL_RTO "total_rto" 240 2;
        TOTAL_RTO_RECOVERIES "total_rto_recoveries" 242 2;
        TOTAL_RTO_TIME "total_rto_time" 244 4;
        RECEIVED_CE "received_ce" 248 4;
        DELIVERED_E1_BYTES "delivered_e1_bytes" 252 4;
        DELIVERED_E0_BYTES "delivered_e0_bytes" 256 4;
        DELIVERED_CE_BYTES "delivered_ce_bytes" 260 4;
        RECEIVED_E1_BYTES "received_e1_bytes" 264 4;
        RECEIVED_E0_BYTES "received_e0_bytes" 268 4;
        RECEIVED_CE_BYTES "received_ce_bytes" 272 4;
        ACCECN_FAIL_MODE "accecn_fail_mode" 276 2;
        ACCECN_OPT_SEEN "accecn_opt_seen" 278 2;
    }
}

/// `struct mptcp_info` of Linux 6.18. The `last_*` members are milliseconds.
pub mod mptcp {
    use super::Member;

    members! {
        /// All of them, in the kernel's order.
        ALL:
        SUBFLOWS "subflows" 0 1;
        ADD_ADDR_SIGNAL "add_addr_signal" 1 1;
        ADD_ADDR_ACCEPTED "add_addr_accepted" 2 1;
        SUBFLOWS_MAX "subflows_max" 3 1;
        ADD_ADDR_SIGNAL_MAX "add_addr_signal_max" 4 1;
        ADD_ADDR_ACCEPTED_MAX "add_addr_accepted_max" 5 1;
        FLAGS "flags" 8 4;
        TOKEN "token" 12 4;
        WRITE_SEQ "write_seq" 16 8;
        SND_UNA "snd_una" 24 8;
        RCV_NXT "rcv_nxt" 32 8;
        LOCAL_ADDR_USED "local_addr_used" 40 1;
        LOCAL_ADDR_MAX "local_addr_max" 41 1;
        CSUM_ENABLED "csum_enabled" 42 1;
        RETRANSMITS "retransmits" 44 4;
        BYTES_RETRANS "bytes_retrans" 48 8;
        BYTES_SENT "bytes_sent" 56 8;
        BYTES_RECEIVED "bytes_received" 64 8;
        BYTES_ACKED "bytes_acked" 72 8;
        SUBFLOWS_TOTAL "subflows_total" 80 1;
        ENDP_LAMINAR_MAX "endp_laminar_max" 81 1;
        LAST_DATA_SENT "last_data_sent" 84 4;
        LAST_DATA_RECV "last_data_recv" 88 4;
        LAST_ACK_RECV "last_ack_recv" 92 4;
    }
}

/// `struct sctp_info`; the address of the primary path, between `ictrlchunks` and `p_state`, is left out.
pub mod sctp {
    use super::Member;

    members! {
        /// All of them, in the kernel's order.
        ALL:
        TAG "tag" 0 4;
        STATE "state" 4 4;
        RWND "rwnd" 8 4;
        UNACKDATA "unackdata" 12 2;
        PENDDATA "penddata" 14 2;
        INSTRMS "instrms" 16 2;
        OUTSTRMS "outstrms" 18 2;
        FRAGMENTATION_POINT "fragmentation_point" 20 4;
        INQUEUE "inqueue" 24 4;
        OUTQUEUE "outqueue" 28 4;
        OVERALL_ERROR "overall_error" 32 4;
        MAX_BURST "max_burst" 36 4;
        MAXSEG "maxseg" 40 4;
        PEER_RWND "peer_rwnd" 44 4;
        PEER_TAG "peer_tag" 48 4;
        PEER_CAPABLE "peer_capable" 52 1;
        PEER_SACK "peer_sack" 53 1;
        ISACKS "isacks" 56 8;
        OSACKS "osacks" 64 8;
        OPACKETS "opackets" 72 8;
        IPACKETS "ipackets" 80 8;
        RTXCHUNKS "rtxchunks" 88 8;
        OUTOFSEQTSNS "outofseqtsns" 96 8;
        IDUPCHUNKS "idupchunks" 104 8;
        GAPCNT "gapcnt" 112 8;
        OUODCHUNKS "ouodchunks" 120 8;
        IUODCHUNKS "iuodchunks" 128 8;
        OODCHUNKS "oodchunks" 136 8;
        IODCHUNKS "iodchunks" 144 8;
        OCTRLCHUNKS "octrlchunks" 152 8;
        ICTRLCHUNKS "ictrlchunks" 160 8;
        P_STATE "p_state" 296 4;
        P_CWND "p_cwnd" 300 4;
        P_SRTT "p_srtt" 304 4;
        P_RTO "p_rto" 308 4;
        P_HBINTERVAL "p_hbinterval" 312 4;
        P_PATHMAXRXT "p_pathmaxrxt" 316 4;
        P_SACKDELAY "p_sackdelay" 320 4;
        P_SACKFREQ "p_sackfreq" 324 4;
        P_SSTHRESH "p_ssthresh" 328 4;
        P_PARTIAL_BYTES_ACKED "p_partial_bytes_acked" 332 4;
        P_FLIGHT_SIZE "p_flight_size" 336 4;
        P_ERROR "p_error" 340 2;
        S_AUTOCLOSE "s_autoclose" 344 4;
        S_ADAPTATION_IND "s_adaptation_ind" 348 4;
        S_PD_POINT "s_pd_point" 352 4;
        S_NODELAY "s_nodelay" 356 1;
        S_DISABLE_FRAGMENTS "s_disable_fragments" 357 1;
        S_V4MAPPED "s_v4mapped" 358 1;
        S_FRAG_INTERLEAVE "s_frag_interleave" 359 1;
        S_TYPE "s_type" 360 4;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Members follow each other without overlap, bit fields of one byte aside.
    fn check_order(all: &[Member]) {
        for pair in all.windows(2) {
            let [a, b] = pair else { continue };
            let shares_byte = a.offset == b.offset && b.bits.0 == a.bits.0 + a.bits.1;
            assert!(shares_byte || b.offset >= a.offset + u16::from(a.bytes), "{} {}", a.name, b.name);
            assert!(b.offset.is_multiple_of(u16::from(b.bytes)), "{} is not aligned", b.name);
        }
    }

    #[test]
    fn members_follow_each_other() {
        check_order(tcp::ALL);
        check_order(mptcp::ALL);
        check_order(sctp::ALL);
    }

    #[test]
    fn every_prefix_reads_what_it_has() {
        let info: Vec<u8> = (0..=255).chain(0..=39).collect();
        for end in 0..info.len() {
            for member in tcp::ALL {
                let reaches = usize::from(member.offset) + usize::from(member.bytes) <= end;
                assert_eq!(member.of(&info[..end]).is_some(), reaches, "{} of {end}", member.name);
            }
        }
        assert_eq!(tcp::RCV_WSCALE.of(&info), Some(0));
        assert_eq!(tcp::FASTOPEN_CLIENT_FAIL.of(&info), Some(3));
        assert_eq!(tcp::RTT.of(&info), Some(u64::from(u32::from_ne_bytes([68, 69, 70, 71]))));
    }
}

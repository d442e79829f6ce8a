//! The tokens of TCP.

use super::*;

/// A `tcp_info` with these members.
fn tcp_info(length: usize, members: &[(info::Member, u64)]) -> Box<[u8]> {
    let mut bytes = vec![0; length];
    for (member, value) in members {
        member.put(&mut bytes, *value);
    }
    bytes.into()
}

#[test]
fn every_token_of_tcp_in_order() {
    use info::tcp as t;
    let show = Show { info: true, timers: true, memory: true, oneline: true, ..Show::default() };
    let everything = tcp_info(
        280,
        &[
            (t::OPTIONS, 0x7f),
            (t::SND_WSCALE, 7),
            (t::RCV_WSCALE, 8),
            (t::RTO, 204_000),
            (t::BACKOFF, 2),
            (t::RTT, 12_345),
            (t::RTTVAR, 6_000),
            (t::ATO, 40_000),
            (t::SND_MSS, 1448),
            (t::PMTU, 1500),
            (t::RCV_MSS, 536),
            (t::ADVMSS, 1449),
            (t::SND_CWND, 10),
            (t::SND_SSTHRESH, 20),
            (t::BYTES_SENT, 1),
            (t::BYTES_RETRANS, 2),
            (t::BYTES_ACKED, 3),
            (t::BYTES_RECEIVED, 4),
            (t::SEGS_OUT, 5),
            (t::SEGS_IN, 6),
            (t::DATA_SEGS_OUT, 7),
            (t::DATA_SEGS_IN, 8),
            (t::LAST_DATA_SENT, 9),
            (t::LAST_DATA_RECV, 10),
            (t::LAST_ACK_RECV, 11),
            (t::PACING_RATE, 1_000_000),
            (t::MAX_PACING_RATE, 2_000_000),
            (t::DELIVERY_RATE, 500),
            (t::DELIVERED, 12),
            (t::DELIVERED_CE, 13),
            (t::DELIVERY_RATE_APP_LIMITED, 1),
            (t::BUSY_TIME, 8_000),
            (t::RWND_LIMITED, 4_000),
            (t::SNDBUF_LIMITED, 1_000),
            (t::UNACKED, 14),
            (t::RETRANS, 15),
            (t::TOTAL_RETRANS, 16),
            (t::LOST, 17),
            (t::SACKED, 18),
            (t::DSACK_DUPS, 19),
            (t::FACKETS, 20),
            (t::REORDERING, 5),
            (t::REORD_SEEN, 21),
            (t::RCV_RTT, 1_500),
            (t::RCV_SPACE, 22),
            (t::RCV_SSTHRESH, 23),
            (t::NOTSENT_BYTES, 24),
            (t::MIN_RTT, 25),
            (t::RCV_OOOPACK, 26),
            (t::SND_WND, 27),
            (t::RCV_WND, 28),
            (t::REHASH, 29),
        ],
    );
    let detail = Detail {
        skmem: Some(vec![0, 131_072, 0, 87_040, 0, 0, 0, 0, 3]),
        congestion: Some("cubic".into()),
        info: Some(everything),
        ..Detail::default()
    };
    let row = with(tcp(("127.0.0.1", 1), ("127.0.0.1", 2)), detail);
    assert_eq!(
        details(&row, show),
        " skmem:(r0,rb131072,t0,tb87040,f0,w0,o0,bl0,d3) ts usec_ts sack ecn ecnseen fastopen cubic wscale:7,8 rto:204 \
         backoff:2 rtt:12.345/6 ato:40 mss:1448 pmtu:1500 rcvmss:536 advmss:1449 cwnd:10 ssthresh:20 bytes_sent:1 \
         bytes_retrans:2 bytes_acked:3 bytes_received:4 segs_out:5 segs_in:6 data_segs_out:7 data_segs_in:8 \
         send 9.38Mbps lastsnd:9 lastrcv:10 lastack:11 pacing_rate 8Mbps/16Mbps delivery_rate 4kbps delivered:12 \
         delivered_ce:13 app_limited busy:8ms rwnd_limited:4ms(50.0%) sndbuf_limited:1ms(12.5%) unacked:14 \
         retrans:15/16 lost:17 sacked:18 dsack_dups:19 fackets:20 reordering:5 reord_seen:21 rcv_rtt:1.5 rcv_space:22 \
         rcv_ssthresh:23 notsent:24 minrtt:0.025 rcv_ooopack:26 snd_wnd:27 rcv_wnd:28 rehash:29"
    );
    assert!(details(&row, Show { numeric: true, ..show }).contains(" send 9383556bps "));
}

#[test]
fn tcp_tokens_that_follow_no_simple_rule() {
    use info::tcp as t;
    fn check(state: State, detail: Detail, expected: &str) {
        let show = Show { info: true, oneline: true, ..Show::default() };
        let row = Socket { state, ..with(tcp(("127.0.0.1", 1), ("127.0.0.1", 2)), detail) };
        assert_eq!(details(&row, show), expected);
    }
    let of = |members: &[(info::Member, u64)]| Detail {
        info: Some(tcp_info(280, &[members, &[(t::REORDERING, 3)]].concat())),
        ..Detail::default()
    };
    let established = State::Established;
    check(established, of(&[(t::RTO, 3_000_000)]), "");
    check(established, of(&[(t::SND_SSTHRESH, 0xffff)]), "");
    check(established, of(&[(t::MIN_RTT, u32::MAX.into())]), "");
    check(established, of(&[(t::PACING_RATE, u64::MAX)]), "");
    check(established, of(&[(t::PACING_RATE, 1), (t::MAX_PACING_RATE, u64::MAX)]), " pacing_rate 8bps");
    check(established, of(&[(t::TOTAL_RETRANS, 2)]), " retrans:0/2");
    check(State::Listen, of(&[(t::UNACKED, 1), (t::SACKED, 128)]), " unacked:1");
    // The flags of what was negotiated need -o.
    check(established, of(&[(t::OPTIONS, 3)]), "");
    // An older kernel's shorter struct: the rest counts as 0, and a reordering of 0 is shown.
    let short = Detail { info: Some(tcp_info(60, &[(t::RTO, 200_000)])), ..Detail::default() };
    check(established, short, " rto:200 reordering:0");
    let nothing = Detail { info: None, ..Detail::default() };
    check(established, nothing, "");

    let words = |words: &[u32]| -> Option<Box<[u8]>> {
        Some(words.iter().flat_map(|word| word.to_ne_bytes()).collect())
    };
    let base = of(&[(t::SND_CWND, 10), (t::SND_MSS, 1000), (t::RTT, 1000)]);
    let vegas = Detail { vegas: words(&[1, 5, 2000, 1]), ..base.clone() };
    check(established, vegas, " rtt:1/0 mss:1000 cwnd:10 send 40Mbps");
    let unused = Detail { vegas: words(&[1, 5, 0x7fff_ffff, 1]), ..base.clone() };
    check(established, unused, " rtt:1/0 mss:1000 cwnd:10 send 80Mbps");
    let dctcp = Detail { dctcp: words(&[0x0002_0001, 512, 3, 4]), ..of(&[]) };
    check(established, dctcp, " dctcp:(ce_state:2,alpha:512,ab_ecn:3,ab_tot:4)");
    let fallback = Detail { dctcp: words(&[0, 0, 0, 0]), ..of(&[]) };
    check(established, fallback, " dctcp:fallback_mode");
    let bbr = Detail { bbr: words(&[0, 1, 25_000, 739, 0]), ..of(&[]) };
    check(established, bbr, " bbr:(bw:34.4Gbps,mrtt:25,pacing_gain:2.88672)");
}

#[test]
fn keys_and_upper_layers() {
    fn check(detail: Detail, expected: &str) {
        let show = Show { info: true, oneline: true, ..Show::default() };
        assert_eq!(details(&with(tcp(("127.0.0.1", 1), ("127.0.0.1", 2)), detail), show), expected);
    }
    let mut key = vec![0; 100];
    key[..8].copy_from_slice(&[2, 24, 9, 0, 192, 0, 2, 0]);
    key[20..29].copy_from_slice(b"a,b \\c\x01de");
    let mut six = vec![0; 100];
    six[..4].copy_from_slice(&[10, 128, 1, 0]);
    six[19] = 1;
    six[20] = b'k';
    let md5 = Some([key, six].concat().into());
    check(Detail { md5, ..Detail::default() }, " md5keys:192.0.2.0/24=a\\054b\\040\\134c\\001de,::1/128=k");

    let attribute = |kind: u16, payload: &[u8]| {
        let mut bytes = ((payload.len() + 4) as u16).to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(payload);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    };
    let tls = [
        attribute(1, &0x0304u16.to_ne_bytes()),
        attribute(2, &52u16.to_ne_bytes()),
        attribute(3, &2u16.to_ne_bytes()),
        attribute(4, &9u16.to_ne_bytes()),
        attribute(5, &[]),
        attribute(6, &[]),
    ]
    .concat();
    let ulp = Some([attribute(1, b"tls\0"), attribute(2 | 0x8000, &tls)].concat().into());
    check(
        Detail { ulp, ..Detail::default() },
        " tcp-ulp-tls version: 1.3 cipher: aes-gcm-256 rxconf: unknown(9) txconf: sw zc_ro_tx no_pad_rx",
    );
    let subflow = [
        attribute(1, &0xbb_u32.to_ne_bytes()),
        attribute(2, &0xcccc_dddd_u32.to_ne_bytes()),
        attribute(4, &77u64.to_ne_bytes()),
        attribute(5, &5u32.to_ne_bytes()),
        attribute(6, &6u32.to_ne_bytes()),
        attribute(7, &300u16.to_ne_bytes()),
        attribute(8, &0b1_1100_0011u32.to_ne_bytes()),
        attribute(9, &[1]),
        attribute(10, &[2]),
    ]
    .concat();
    let ulp = Some([attribute(1, b"mptcp\0"), attribute(3, &subflow)].concat().into());
    check(
        Detail { ulp, ..Detail::default() },
        " tcp-ulp-mptcp flags:Mmecv token:00bb(id:1)/ccccdddd(id:2) seq:77 sfseq:5 ssnoff:6 maplen:300",
    );
}

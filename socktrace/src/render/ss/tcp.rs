//! The information line of a TCP socket: every token of ss's `-i`, in its order. A value of 0 is left out.

use crate::render::escape::push_text;
use crate::render::units::{push_bandwidth, push_g, push_ip, push_u32, push_u64, push_us_as_ms};
use crate::socket::info::{Member, tcp};
use crate::socket::{Detail, State};

use super::{Cell, Show, push, ulp};
use crate::render::nested::{u16_at, u32_at};

/// What one place of the line is made from.
struct Source<'a> {
    show: &'a Show,
    state: State,
    detail: &'a Detail,
    info: &'a [u8],
}

enum Token {
    /// A number as it is.
    Count(&'static str, Member),
    /// Microseconds, shown as milliseconds.
    Time(&'static str, Member),
    /// What follows no simple rule.
    Own(fn(&mut Vec<u8>, &Source<'_>)),
}

const TOKENS: [Token; 50] = [
    Token::Own(options),
    Token::Own(congestion),
    Token::Own(window_scales),
    Token::Own(retransmission_timeout),
    Token::Count(" backoff:", tcp::BACKOFF),
    Token::Own(round_trip),
    Token::Time(" ato:", tcp::ATO),
    Token::Count(" mss:", tcp::SND_MSS),
    Token::Count(" pmtu:", tcp::PMTU),
    Token::Count(" rcvmss:", tcp::RCV_MSS),
    Token::Count(" advmss:", tcp::ADVMSS),
    Token::Count(" cwnd:", tcp::SND_CWND),
    Token::Own(slow_start_threshold),
    Token::Count(" bytes_sent:", tcp::BYTES_SENT),
    Token::Count(" bytes_retrans:", tcp::BYTES_RETRANS),
    Token::Count(" bytes_acked:", tcp::BYTES_ACKED),
    Token::Count(" bytes_received:", tcp::BYTES_RECEIVED),
    Token::Count(" segs_out:", tcp::SEGS_OUT),
    Token::Count(" segs_in:", tcp::SEGS_IN),
    Token::Count(" data_segs_out:", tcp::DATA_SEGS_OUT),
    Token::Count(" data_segs_in:", tcp::DATA_SEGS_IN),
    Token::Own(dctcp),
    Token::Own(bbr),
    Token::Own(send_rate),
    Token::Count(" lastsnd:", tcp::LAST_DATA_SENT),
    Token::Count(" lastrcv:", tcp::LAST_DATA_RECV),
    Token::Count(" lastack:", tcp::LAST_ACK_RECV),
    Token::Own(pacing),
    Token::Own(delivery_rate),
    Token::Count(" delivered:", tcp::DELIVERED),
    Token::Count(" delivered_ce:", tcp::DELIVERED_CE),
    Token::Own(app_limited),
    Token::Own(busy),
    Token::Count(" unacked:", tcp::UNACKED),
    Token::Own(retransmissions),
    Token::Count(" lost:", tcp::LOST),
    Token::Own(sacked),
    Token::Count(" dsack_dups:", tcp::DSACK_DUPS),
    Token::Count(" fackets:", tcp::FACKETS),
    Token::Own(reordering),
    Token::Count(" reord_seen:", tcp::REORD_SEEN),
    Token::Time(" rcv_rtt:", tcp::RCV_RTT),
    Token::Count(" rcv_space:", tcp::RCV_SPACE),
    Token::Count(" rcv_ssthresh:", tcp::RCV_SSTHRESH),
    Token::Count(" notsent:", tcp::NOTSENT_BYTES),
    Token::Own(min_rtt),
    Token::Count(" rcv_ooopack:", tcp::RCV_OOOPACK),
    Token::Count(" snd_wnd:", tcp::SND_WND),
    Token::Count(" rcv_wnd:", tcp::RCV_WND),
    Token::Count(" rehash:", tcp::REHASH),
];

/// The line, if the kernel sent what it is made from.
pub(super) fn info(out: &mut Vec<u8>, cell: &Cell<'_>, detail: &Detail) {
    if !cell.show.info {
        return;
    }
    if let Some(info) = &detail.info {
        let source = Source { show: cell.show, state: cell.socket().state, detail, info };
        for token in &TOKENS {
            match token {
                Token::Count(name, member) => {
                    if let Some(value @ 1..) = member.of(info) {
                        push(out, name);
                        push_u64(out, value);
                    }
                }
                Token::Time(name, member) => {
                    if let Some(us @ 1..) = member.of(info) {
                        push(out, name);
                        push_us_as_ms(out, us as u32);
                    }
                }
                Token::Own(write) => write(out, &source),
            }
        }
    }
    if let Some(keys) = &detail.md5 {
        md5_keys(out, keys);
    }
    if let Some(block) = &detail.ulp {
        ulp::info(out, block);
    }
}

impl Source<'_> {
    fn number(&self, member: Member) -> u64 {
        member.or_zero(self.info)
    }

    /// A rate in bits per second.
    fn push_rate(&self, out: &mut Vec<u8>, bits: f64) {
        push_bandwidth(out, bits, self.show.numeric);
        push(out, "bps");
    }
}

/// What was negotiated; only with `-o`, `-e` or `-b`, as in ss.
fn options(out: &mut Vec<u8>, source: &Source<'_>) {
    const WORDS: [(u64, &str); 6] =
        [(1, " ts"), (64, " usec_ts"), (2, " sack"), (8, " ecn"), (16, " ecnseen"), (32, " fastopen")];
    if !source.show.timers {
        return;
    }
    let set = source.number(tcp::OPTIONS);
    for (bit, word) in WORDS {
        if set & bit != 0 {
            push(out, word);
        }
    }
}

fn congestion(out: &mut Vec<u8>, source: &Source<'_>) {
    if let Some(name) = &source.detail.congestion
        && !name.is_empty()
    {
        push(out, " ");
        push_text(out, name.as_bytes());
    }
}

fn window_scales(out: &mut Vec<u8>, source: &Source<'_>) {
    const NEGOTIATED: u64 = 4;
    if source.number(tcp::OPTIONS) & NEGOTIATED != 0 {
        push(out, " wscale:");
        push_u64(out, source.number(tcp::SND_WSCALE));
        push(out, ",");
        push_u64(out, source.number(tcp::RCV_WSCALE));
    }
}

/// Not shown when it is exactly three seconds, the initial value of old kernels.
fn retransmission_timeout(out: &mut Vec<u8>, source: &Source<'_>) {
    let rto = source.number(tcp::RTO);
    if rto != 0 && rto != 3_000_000 {
        push(out, " rto:");
        push_us_as_ms(out, rto as u32);
    }
}

fn round_trip(out: &mut Vec<u8>, source: &Source<'_>) {
    let rtt = source.number(tcp::RTT);
    if rtt != 0 {
        push(out, " rtt:");
        push_us_as_ms(out, rtt as u32);
        push(out, "/");
        push_us_as_ms(out, source.number(tcp::RTTVAR) as u32);
    }
}

/// Not shown while it is infinite.
fn slow_start_threshold(out: &mut Vec<u8>, source: &Source<'_>) {
    let threshold = source.number(tcp::SND_SSTHRESH);
    if (1..0xffff).contains(&threshold) {
        push(out, " ssthresh:");
        push_u64(out, threshold);
    }
}

/// `struct tcp_dctcp_info { u16 enabled, ce_state; u32 alpha, ab_ecn, ab_tot; }`
fn dctcp(out: &mut Vec<u8>, source: &Source<'_>) {
    let Some(dctcp) = &source.detail.dctcp else { return };
    if u16_at(dctcp, 0) == 0 {
        return push(out, " dctcp:fallback_mode");
    }
    push(out, " dctcp:(ce_state:");
    push_u32(out, u16_at(dctcp, 2).into());
    for (name, index) in [",alpha:", ",ab_ecn:", ",ab_tot:"].iter().zip(1..) {
        push(out, name);
        push_u32(out, u32_at(dctcp, index));
    }
    push(out, ")");
}

/// `struct tcp_bbr_info { u32 bw_lo, bw_hi, min_rtt, pacing_gain, cwnd_gain; }`: bytes per second, microseconds,
/// gains in 1/256.
fn bbr(out: &mut Vec<u8>, source: &Source<'_>) {
    let Some(bbr) = &source.detail.bbr else { return };
    let bandwidth = u64::from(u32_at(bbr, 1)) << 32 | u64::from(u32_at(bbr, 0));
    push(out, " bbr:(bw:");
    source.push_rate(out, bandwidth as f64 * 8.0);
    push(out, ",mrtt:");
    push_us_as_ms(out, u32_at(bbr, 2));
    for (name, index) in [(",pacing_gain:", 3), (",cwnd_gain:", 4)] {
        let gain = u32_at(bbr, index);
        if gain != 0 {
            push(out, name);
            push_g(out, f64::from(gain) / 256.0, 6);
        }
    }
    push(out, ")");
}

/// What the window allows: cwnd × mss each round trip (vegas's own round trip where it has one).
fn send_rate(out: &mut Vec<u8>, source: &Source<'_>) {
    let mut rtt = source.number(tcp::RTT) as f64;
    if let Some(vegas) = &source.detail.vegas {
        let (enabled, vegas_rtt) = (u32_at(vegas, 0), u32_at(vegas, 2));
        if enabled != 0 && vegas_rtt != 0 && vegas_rtt != 0x7fff_ffff {
            rtt = f64::from(vegas_rtt);
        }
    }
    let window = source.number(tcp::SND_CWND) as f64 * source.number(tcp::SND_MSS) as f64;
    if rtt > 0.0 && window > 0.0 {
        push(out, " send ");
        source.push_rate(out, window * 8_000_000.0 / rtt);
    }
}

fn pacing(out: &mut Vec<u8>, source: &Source<'_>) {
    let known = |member| Some(source.number(member)).filter(|rate| *rate != 0 && *rate != u64::MAX);
    let Some(rate) = known(tcp::PACING_RATE) else { return };
    push(out, " pacing_rate ");
    source.push_rate(out, rate as f64 * 8.0);
    if let Some(most) = known(tcp::MAX_PACING_RATE) {
        push(out, "/");
        source.push_rate(out, most as f64 * 8.0);
    }
}

fn delivery_rate(out: &mut Vec<u8>, source: &Source<'_>) {
    let rate = source.number(tcp::DELIVERY_RATE);
    if rate != 0 {
        push(out, " delivery_rate ");
        source.push_rate(out, rate as f64 * 8.0);
    }
}

fn app_limited(out: &mut Vec<u8>, source: &Source<'_>) {
    if source.number(tcp::DELIVERY_RATE_APP_LIMITED) != 0 {
        push(out, " app_limited");
    }
}

/// How long it was sending, and how much of that it waited for the peer's window or for buffer space.
fn busy(out: &mut Vec<u8>, source: &Source<'_>) {
    let busy = source.number(tcp::BUSY_TIME);
    if busy == 0 {
        return;
    }
    push(out, " busy:");
    push_u64(out, busy / 1000);
    push(out, "ms");
    for (name, member) in [(" rwnd_limited:", tcp::RWND_LIMITED), (" sndbuf_limited:", tcp::SNDBUF_LIMITED)] {
        let limited = source.number(member);
        if limited != 0 {
            push(out, name);
            push_u64(out, limited / 1000);
            push(out, &format!("ms({:.1}%)", 100.0 * limited as f64 / busy as f64));
        }
    }
}

fn retransmissions(out: &mut Vec<u8>, source: &Source<'_>) {
    let (now, total) = (source.number(tcp::RETRANS), source.number(tcp::TOTAL_RETRANS));
    if now != 0 || total != 0 {
        push(out, " retrans:");
        push_u64(out, now);
        push(out, "/");
        push_u64(out, total);
    }
}

/// For a listener the kernel puts the backlog there.
fn sacked(out: &mut Vec<u8>, source: &Source<'_>) {
    let sacked = source.number(tcp::SACKED);
    if sacked != 0 && source.state != State::Listen {
        push(out, " sacked:");
        push_u64(out, sacked);
    }
}

/// Not shown while it is 3, the initial value.
fn reordering(out: &mut Vec<u8>, source: &Source<'_>) {
    let reordering = source.number(tcp::REORDERING);
    if reordering != 3 {
        push(out, " reordering:");
        push_u64(out, reordering);
    }
}

/// Not shown before the first measurement.
fn min_rtt(out: &mut Vec<u8>, source: &Source<'_>) {
    let rtt = source.number(tcp::MIN_RTT);
    if rtt != 0 && rtt != u64::from(u32::MAX) {
        push(out, " minrtt:");
        push_us_as_ms(out, rtt as u32);
    }
}

/// `struct tcp_diag_md5sig { u8 family, prefixlen; u16 keylen; u8 addr[16], key[80]; }`, 100 bytes each.
fn md5_keys(out: &mut Vec<u8>, keys: &[u8]) {
    push(out, " md5keys:");
    for (index, entry) in keys.chunks_exact(100).enumerate() {
        if index > 0 {
            push(out, ",");
        }
        let addr = match entry {
            [10, _, _, _, rest @ ..] => rest.first_chunk::<16>().map(|&octets| octets.into()),
            [_, _, _, _, rest @ ..] => rest.first_chunk::<4>().map(|&octets| octets.into()),
            _ => None,
        };
        if let Some(addr) = addr {
            push_ip(out, addr);
        }
        push(out, "/");
        push_u32(out, entry.get(1).copied().unwrap_or(0).into());
        push(out, "=");
        let key = entry.get(20..20 + usize::from(u16_at(entry, 2))).unwrap_or_default();
        for &byte in key {
            push_key_byte(out, byte);
        }
    }
}

/// Printable bytes as they are, but for what separates keys.
fn push_key_byte(out: &mut Vec<u8>, byte: u8) {
    if byte.is_ascii_graphic() && byte != b'\\' && byte != b',' {
        return out.push(byte);
    }
    out.extend_from_slice(&[b'\\', b'0' + (byte >> 6), b'0' + ((byte >> 3) & 7), b'0' + (byte & 7)]);
}

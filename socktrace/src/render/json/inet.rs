//! What only IP sockets have.

use crate::render::nested::{attribute, attributes, sockaddr_ip, u16_at, u32_at, u64_at};
use crate::render::ss::storage;
use crate::render::units::{push_hex_padded, push_ip};
use crate::socket::info::{Member, mptcp, sctp, tcp};
use crate::socket::{Detail, Proto, Socket, TimerKind};

use super::Object;

pub(super) fn timer(object: &mut Object<'_>, detail: &Detail) {
    let Some(timer) = detail.timer else { return };
    object.object("timer", |object| {
        object.word(
            "kind",
            match timer.kind {
                TimerKind::On => "on",
                TimerKind::Keepalive => "keepalive",
                TimerKind::TimeWait => "timewait",
                TimerKind::Persist => "persist",
                TimerKind::Other(5) => "delack",
                TimerKind::Other(_) => "unknown",
            },
        );
        object.number("expires_ms", timer.expires_ms);
        object.number("retrans", timer.retrans);
    });
}

/// `struct inet_diag_sockopt`: two bytes of bit fields, lowest bit first.
pub(super) fn options(object: &mut Object<'_>, detail: &Detail) {
    const WORDS: [&str; 11] = [
        "recverr",
        "is_icsk",
        "freebind",
        "hdrincl",
        "mc_loop",
        "transparent",
        "mc_all",
        "nodefrag",
        "bind_addr_no_port",
        "recverr_rfc4884",
        "defer_connect",
    ];
    let Some(options) = detail.sockopt else { return };
    let bits = u16::from_le_bytes(options);
    let set = WORDS.iter().enumerate().filter(|(bit, _)| bits & (1 << bit) != 0);
    object.words("inet_sockopt", set.map(|(_, word)| *word));
}

/// What BPF programs stored beside the socket: ids of maps, and values in hexadecimal.
pub(super) fn storages(object: &mut Object<'_>, detail: &Detail) {
    let Some(block) = &detail.bpf_storages else { return };
    object.objects("bpf_storages", storage::entries(block), |object, (id, value)| {
        object.number("map_id", id);
        object.ascii("value", |out| value.iter().for_each(|byte| push_hex_padded(out, (*byte).into(), 2)));
    });
}

/// Every member of the protocol's info struct that the kernel sent, and the blocks beside it.
pub(super) fn info(object: &mut Object<'_>, socket: &Socket, detail: &Detail) {
    if let Some(name) = &detail.congestion {
        object.text("congestion", name.as_bytes());
    }
    if let Some(info) = &detail.info {
        if socket.proto == Proto::Mptcp {
            members(object, "mptcp_info", mptcp::ALL, info);
        } else if socket.proto == Proto::Sctp {
            members(object, "sctp_info", sctp::ALL, info);
        } else {
            tcp_options(object, info);
            members(object, "tcp_info", tcp::ALL, info);
        }
    }
    congestion(object, detail);
    if let Some(keys) = &detail.md5 {
        md5_keys(object, keys);
    }
    if let Some(block) = &detail.ulp {
        ulp(object, block);
    }
    for (key, list) in [("local_addrs", &detail.locals), ("peer_addrs", &detail.peers)] {
        if let Some(list) = list {
            addresses(object, key, list);
        }
    }
}

fn members(object: &mut Object<'_>, key: &str, all: &[Member], info: &[u8]) {
    object.object(key, |object| {
        for member in all {
            match member.of(info) {
                // All bits set says that there is no limit; as a number it is beyond what JSON readers keep exactly.
                Some(u64::MAX) => object.null(member.name),
                value => object.maybe_number(member.name, value),
            }
        }
    });
}

/// The bits of `tcpi_options` by ss's words for them.
fn tcp_options(object: &mut Object<'_>, info: &[u8]) {
    const WORDS: [&str; 8] =
        ["ts", "sack", "wscale", "ecn", "ecnseen", "fastopen", "usec_ts", "fastopen_child"];
    let Some(bits) = tcp::OPTIONS.of(info) else { return };
    let set = WORDS.iter().enumerate().filter(|(bit, _)| bits & (1 << bit) != 0);
    object.words("tcp_options", set.map(|(_, word)| *word));
}

fn congestion(object: &mut Object<'_>, detail: &Detail) {
    const VEGAS: [&str; 4] = ["enabled", "rttcnt", "rtt", "minrtt"];
    if let Some(vegas) = &detail.vegas {
        object.object("vegas", |object| {
            for (index, name) in VEGAS.iter().enumerate() {
                object.number(name, u32_at(vegas, index));
            }
        });
    }
    if let Some(dctcp) = &detail.dctcp {
        object.object("dctcp", |object| {
            object.flag("enabled", u16_at(dctcp, 0) != 0);
            object.number("ce_state", u16_at(dctcp, 2));
            for (index, name) in ["alpha", "ab_ecn", "ab_tot"].iter().enumerate() {
                object.number(name, u32_at(dctcp, index + 1));
            }
        });
    }
    if let Some(bbr) = &detail.bbr {
        object.object("bbr", |object| {
            object.number("bw", u64::from(u32_at(bbr, 1)) << 32 | u64::from(u32_at(bbr, 0)));
            for (index, name) in ["min_rtt", "pacing_gain", "cwnd_gain"].iter().enumerate() {
                object.number(name, u32_at(bbr, index + 2));
            }
        });
    }
}

/// `struct tcp_diag_md5sig`, 100 bytes each. The kernel shows keys to the privileged only.
fn md5_keys(object: &mut Object<'_>, keys: &[u8]) {
    object.objects("md5_keys", keys.chunks_exact(100), |object, entry| {
        let addr = match entry {
            [10, _, _, _, rest @ ..] => rest.first_chunk::<16>().map(|&octets| octets.into()),
            [_, _, _, _, rest @ ..] => rest.first_chunk::<4>().map(|&octets| octets.into()),
            _ => None,
        };
        if let Some(addr) = addr {
            object.ascii("addr", |out| push_ip(out, addr));
        }
        object.number("prefixlen", entry.get(1).copied().unwrap_or(0));
        object.text("key", entry.get(20..20 + usize::from(u16_at(entry, 2))).unwrap_or_default());
    });
}

/// What runs on top (`INET_ULP_INFO_*`), numbers as the kernel has them.
fn ulp(object: &mut Object<'_>, block: &[u8]) {
    const TLS: [&str; 6] = ["version", "cipher", "txconf", "rxconf", "zc_ro_tx", "rx_no_pad"];
    const SUBFLOW: [&str; 10] = [
        "token_rem",
        "token_loc",
        "relwrite_seq",
        "map_seq",
        "map_sfseq",
        "ssn_offset",
        "map_datalen",
        "flags",
        "id_rem",
        "id_loc",
    ];
    object.object("ulp", |object| {
        if let Some(name) = attribute(block, 1) {
            object.text("name", name.split(|&b| b == 0).next().unwrap_or_default());
        }
        for (kind, key, names) in [(2, "tls", &TLS[..]), (3, "mptcp", &SUBFLOW[..])] {
            let Some(block) = attribute(block, kind) else { continue };
            object.object(key, |object| {
                for (kind, payload) in attributes(block) {
                    if let Some(name) = names.get(usize::from(kind).wrapping_sub(1)) {
                        object.number(name, integer(payload));
                    }
                }
            });
        }
    });
}

/// A number of any width; 1 for an attribute whose presence is what it says.
fn integer(payload: &[u8]) -> u64 {
    match payload {
        [] => 1,
        [byte] => (*byte).into(),
        [_, _] => u16_at(payload, 0).into(),
        [_, _, _, _] => u32_at(payload, 0).into(),
        _ => u64_at(payload, 0),
    }
}

/// An array of `struct sockaddr_storage`, 128 bytes each.
fn addresses(object: &mut Object<'_>, key: &str, list: &[u8]) {
    object.objects(key, list.chunks(128).filter_map(sockaddr_ip), |object, addr| {
        object.ascii("addr", |out| push_ip(out, addr));
    });
}

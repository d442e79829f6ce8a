//! What runs on top of a TCP socket: kernel TLS, or an MPTCP connection of which it is a subflow.

use crate::render::escape::push_text;
use crate::render::units::{push_hex_padded, push_u32, push_u64};

use super::push;
use crate::render::nested::{attribute, attributes, u16_at, u32_at, u64_at};

/// ` tcp-ulp-NAME` and its own words (`INET_ULP_INFO_*`).
pub(super) fn info(out: &mut Vec<u8>, block: &[u8]) {
    const NAME: u16 = 1;
    const TLS: u16 = 2;
    const MPTCP: u16 = 3;
    if let Some(name) = attribute(block, NAME) {
        push(out, " tcp-ulp-");
        push_text(out, name.split(|&b| b == 0).next().unwrap_or_default());
    }
    if let Some(block) = attribute(block, TLS) {
        tls(out, block);
    }
    if let Some(block) = attribute(block, MPTCP) {
        subflow(out, block);
    }
}

/// linux/tls.h, `TLS_INFO_*`.
fn tls(out: &mut Vec<u8>, block: &[u8]) {
    const VERSION: u16 = 1;
    const CIPHER: u16 = 2;
    const TXCONF: u16 = 3;
    const RXCONF: u16 = 4;
    const ZERO_COPY: u16 = 5;
    const NO_PADDING: u16 = 6;
    let number = |kind| attribute(block, kind).map(|payload| u16_at(payload, 0));
    match number(VERSION) {
        None => {}
        Some(0x0303) => push(out, " version: 1.2"),
        Some(0x0304) => push(out, " version: 1.3"),
        Some(other) => push_unknown(out, " version: ", other),
    }
    match number(CIPHER) {
        Some(51) => push(out, " cipher: aes-gcm-128"),
        Some(52) => push(out, " cipher: aes-gcm-256"),
        _ => {}
    }
    for (name, kind) in [(" rxconf: ", RXCONF), (" txconf: ", TXCONF)] {
        let Some(value) = number(kind) else { continue };
        match ["none", "sw", "hw", "hw-record"].get(usize::from(value).wrapping_sub(1)) {
            Some(word) => {
                push(out, name);
                push(out, word);
            }
            None => push_unknown(out, name, value),
        }
    }
    for (word, kind) in [(" zc_ro_tx", ZERO_COPY), (" no_pad_rx", NO_PADDING)] {
        if attribute(block, kind).is_some() {
            push(out, word);
        }
    }
}

fn push_unknown(out: &mut Vec<u8>, name: &str, value: u16) {
    push(out, name);
    push(out, "unknown(");
    push_u32(out, value.into());
    push(out, ")");
}

/// linux/mptcp.h, `MPTCP_SUBFLOW_ATTR_*`.
fn subflow(out: &mut Vec<u8>, block: &[u8]) {
    const FLAG_LETTERS: &[u8; 9] = b"MmJjBbecv";
    let [mut token_rem, mut token_loc, mut id_rem, mut id_loc, mut flags] = [None; 5];
    let [mut seq, mut subflow_seq, mut offset, mut length] = [None; 4];
    for (kind, payload) in attributes(block) {
        let payload = Some(payload);
        match kind {
            1 => token_rem = payload,
            2 => token_loc = payload,
            4 => seq = payload,
            5 => subflow_seq = payload,
            6 => offset = payload,
            7 => length = payload,
            8 => flags = payload,
            9 => id_rem = payload,
            10 => id_loc = payload,
            _ => {}
        }
    }
    let flags = flags.map_or(0, |payload| u32_at(payload, 0));
    if flags != 0 {
        push(out, " flags:");
        let set = FLAG_LETTERS.iter().enumerate().filter(|(bit, _)| flags & (1 << bit) != 0);
        out.extend(set.map(|(_, letter)| *letter));
    }
    if let (Some(token_rem), Some(token_loc), Some(id_rem), Some(id_loc)) =
        (token_rem, token_loc, id_rem, id_loc)
    {
        push_side(out, " token:", token_rem, id_rem);
        push_side(out, "/", token_loc, id_loc);
    }
    if let Some(seq) = seq {
        push(out, " seq:");
        push_u64(out, u64_at(seq, 0));
    }
    for (name, value) in [(" sfseq:", subflow_seq), (" ssnoff:", offset), (" maplen:", length)] {
        if let Some(value) = value {
            push(out, name);
            // The length of a mapping is 16 bits wide on newer kernels.
            push_u32(out, if value.len() == 2 { u16_at(value, 0).into() } else { u32_at(value, 0) });
        }
    }
}

fn push_side(out: &mut Vec<u8>, name: &str, token: &[u8], id: &[u8]) {
    push(out, name);
    push_hex_padded(out, u32_at(token, 0).into(), 4);
    push(out, "(id:");
    push_u32(out, id.first().copied().unwrap_or(0).into());
    push(out, ")");
}

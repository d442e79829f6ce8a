//! The attributes of an IP row (include/uapi/linux/inet_diag.h, `enum INET_DIAG_*`).

use super::super::netlink::{Attribute, Attributes, Malformed};
use super::Want;
use crate::socket::{Cookie, Detail, Family, Shutdown};

/// Decodes what is wanted. Attributes without a name here are kept as they are, in `raw`.
pub(super) fn inet(attributes: Attributes<'_>, want: Want) -> Result<Detail, Malformed> {
    let mut detail = Detail::default();
    for attribute in attributes {
        keep(&mut detail, &attribute?, want);
    }
    Ok(detail)
}

/// Files one attribute under its name. One that is shorter than its value counts as not sent.
fn keep(detail: &mut Detail, attribute: &Attribute<'_>, want: Want) {
    let bytes = || Some(attribute.payload.into());
    match (attribute.kind, want) {
        (2, Want { info: true, .. }) => detail.info = bytes(),
        (3, Want { info: true, .. }) => detail.vegas = bytes(),
        (4, Want { info: true, .. }) => detail.congestion = Some(text(attribute.payload)),
        (5, Want { tos: true, .. }) => detail.tos = attribute.u8(),
        (6, Want { tos: true, .. }) => detail.tclass = attribute.u8(),
        (7, Want { memory: true, .. }) => detail.skmem = Some(attribute.words().collect()),
        (8, Want { extended: true, .. }) => detail.shutdown = attribute.u8().map(shutdown),
        (9, Want { info: true, .. }) => detail.dctcp = bytes(),
        (12, Want { info: true, .. }) => detail.locals = bytes(),
        (13, Want { info: true, .. }) => detail.peers = bytes(),
        (15, Want { extended: true, .. }) => detail.mark = attribute.u32(),
        (16, Want { info: true, .. }) => detail.bbr = bytes(),
        (17, Want { tos: true, .. }) => detail.class_id = attribute.u32(),
        (18, Want { info: true, .. }) => detail.md5 = bytes(),
        (19, Want { info: true, .. }) => detail.ulp = bytes(),
        (20, _) => detail.bpf_storages = bytes(),
        (21, Want { extended: true, .. } | Want { cgroup: true, .. }) => detail.cgroup_id = attribute.u64(),
        (22, Want { extended: true, .. }) => detail.sockopt = attribute.payload.first_chunk().copied(),
        // Named, but not wanted; MEMINFO (1) is a part of SKMEMINFO, PROTOCOL (10) and SKV6ONLY (11) of the row, PAD (14) nothing.
        (0..=22, _) => {}
        (kind, _) => detail.raw.push((kind, attribute.payload.into())),
    }
}

/// A name that the kernel ends with NUL.
pub(super) fn text(bytes: &[u8]) -> Box<str> {
    let end = bytes.iter().position(|&b| b == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(bytes.get(..end).unwrap_or_default()).into()
}

/// `sk_shutdown`: `RCV_SHUTDOWN` is 1, `SEND_SHUTDOWN` is 2 (include/net/sock.h).
pub(super) const fn shutdown(bits: u8) -> Shutdown {
    Shutdown { receive: bits & 1 != 0, send: bits & 2 != 0 }
}

/// A cookie as requests carry it: two words, or both all ones for any (`INET_DIAG_NOCOOKIE`) where it is 0.
pub(super) const fn cookie_words(cookie: Cookie) -> [u32; 2] {
    if cookie == 0 { [u32::MAX; 2] } else { [cookie as u32, (cookie >> 32) as u32] }
}

/// The fixed part of the requests of all families but IP: family, protocol, padding, and then words.
pub(super) fn body<const N: usize>(family: Family, protocol: u8, words: [u32; N]) -> Vec<u8> {
    let mut body = Vec::with_capacity(4 + 4 * N);
    body.extend_from_slice(&[family.number() as u8, protocol, 0, 0]);
    for word in words {
        body.extend_from_slice(&word.to_ne_bytes());
    }
    body
}

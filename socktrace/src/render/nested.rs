//! Netlink attributes inside an attribute, and structs of 32-bit numbers, as the kernel sent them.

use std::net::IpAddr;

/// The attributes in a payload, flag bits of the type removed. Ends at the first that does not fit.
pub(in crate::render) fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let &[a, b, c, d, ..] = bytes else { return None };
        let length = usize::from(u16::from_ne_bytes([a, b]));
        let payload = bytes.get(4..length)?;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((u16::from_ne_bytes([c, d]) & 0x3fff, payload))
    })
}

/// The last attribute of that type, as in the kernel's own parser.
pub(in crate::render) fn attribute(bytes: &[u8], wanted: u16) -> Option<&[u8]> {
    attributes(bytes).filter(|(kind, _)| *kind == wanted).last().map(|(_, payload)| payload)
}

/// The `index`th 32-bit number of a struct, 0 beyond its end.
pub(in crate::render) fn u32_at(bytes: &[u8], index: usize) -> u32 {
    bytes.get(index * 4..).and_then(|rest| rest.first_chunk()).map_or(0, |b| u32::from_ne_bytes(*b))
}

/// The 64-bit number at a byte offset, 0 beyond the end.
pub(in crate::render) fn u64_at(bytes: &[u8], offset: usize) -> u64 {
    bytes.get(offset..).and_then(|rest| rest.first_chunk()).map_or(0, |b| u64::from_ne_bytes(*b))
}

/// The 16-bit number at a byte offset, 0 beyond the end.
pub(in crate::render) fn u16_at(bytes: &[u8], offset: usize) -> u16 {
    bytes.get(offset..).and_then(|rest| rest.first_chunk()).map_or(0, |b| u16::from_ne_bytes(*b))
}

/// The address of a `sockaddr_in` or `sockaddr_in6`.
pub(in crate::render) fn sockaddr_ip(bytes: &[u8]) -> Option<IpAddr> {
    match u16_at(bytes, 0) {
        2 => bytes.get(4..)?.first_chunk::<4>().map(|&octets| octets.into()),
        10 => bytes.get(8..)?.first_chunk::<16>().map(|&octets| octets.into()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_truncation_ends_quietly() {
        let bytes = [6u16, 1, 0x1111, 0, 8, 0x8002, 0x2222, 0x3333].map(u16::to_ne_bytes).concat();
        assert_eq!(
            attributes(&bytes).map(|(kind, payload)| (kind, payload.len())).collect::<Vec<_>>(),
            [(1, 2), (2, 4)]
        );
        for end in 0..bytes.len() {
            assert!(attributes(&bytes[..end]).count() <= 1);
        }
        assert_eq!(attributes(&[3, 0, 0, 0]).count(), 0);
        assert_eq!(u32_at(&bytes, 9), 0);
    }
}

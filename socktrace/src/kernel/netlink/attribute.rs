//! Netlink attributes (include/uapi/linux/netlink.h, `struct nlattr`).

use super::message::align;
use super::{Malformed, half};

/// Length of an attribute's header.
const HEADER: usize = 4;
/// The bits of `nla_type` that are the type (`NLA_TYPE_MASK`); the two above say how the payload is encoded.
const TYPE: u16 = 0x3fff;

/// One attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attribute<'a> {
    /// Its type, without the flag bits.
    pub kind: u16,
    /// What it holds, without padding.
    pub payload: &'a [u8],
}

impl<'a> Attribute<'a> {
    /// The first byte.
    #[must_use]
    pub fn u8(&self) -> Option<u8> {
        self.payload.first().copied()
    }

    /// The first four bytes, host byte order.
    #[must_use]
    pub fn u32(&self) -> Option<u32> {
        self.payload.first_chunk().map(|&bytes| u32::from_ne_bytes(bytes))
    }

    /// The first eight bytes, host byte order.
    #[must_use]
    pub fn u64(&self) -> Option<u64> {
        self.payload.first_chunk().map(|&bytes| u64::from_ne_bytes(bytes))
    }

    /// All words, host byte order; a rest of less than four bytes is left out.
    pub fn words(&self) -> impl Iterator<Item = u32> + use<'a> {
        self.payload.as_chunks::<4>().0.iter().map(|&bytes| u32::from_ne_bytes(bytes))
    }

    /// The attributes nested in this one.
    #[must_use]
    pub const fn nested(&self) -> Attributes<'a> {
        Attributes::new(self.payload)
    }
}

/// The attributes in a message. The first that does not fit is an error and the last item.
#[derive(Debug, Clone)]
pub struct Attributes<'a> {
    rest: &'a [u8],
}

impl<'a> Attributes<'a> {
    /// Of what follows the fixed header of a message.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = Result<Attribute<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let taken = take(self.rest);
        self.rest = match &taken {
            Ok(attribute) => self.rest.get(align(HEADER + attribute.payload.len())..).unwrap_or_default(),
            Err(_) => &[],
        };
        Some(taken)
    }
}

/// The first attribute of the bytes.
fn take(bytes: &[u8]) -> Result<Attribute<'_>, Malformed> {
    let malformed = |what, length| Malformed { what, length, have: bytes.len() };
    let head = bytes.first_chunk::<HEADER>().ok_or(malformed("attribute header", HEADER))?;
    let length = usize::from(half::<0, HEADER>(head));
    let payload = bytes.get(HEADER..length).ok_or(malformed("attribute", length))?;
    Ok(Attribute { kind: half::<2, HEADER>(head) & TYPE, payload })
}

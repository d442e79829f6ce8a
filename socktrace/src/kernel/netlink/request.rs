//! Building a request.

use super::Malformed;
use super::message::{HEADER, align};

/// `NLM_F_REQUEST`.
const REQUEST: u16 = 0x1;
/// `NLM_F_ACK`.
const ACK: u16 = 0x4;
/// `NLM_F_ROOT | NLM_F_MATCH`.
const DUMP: u16 = 0x300;

/// A request, complete but for its sequence number, which the socket gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    bytes: Vec<u8>,
}

impl Request {
    /// One that asks for everything that matches (`NLM_F_DUMP`).
    #[must_use]
    pub fn dump(kind: u16, body: &[u8]) -> Self {
        Self::new(kind, REQUEST | DUMP, body)
    }

    /// One that asks for a single thing; its end is told by an acknowledgement (`NLM_F_ACK`).
    #[must_use]
    pub fn single(kind: u16, body: &[u8]) -> Self {
        Self::new(kind, REQUEST | ACK, body)
    }

    fn new(kind: u16, flags: u16, body: &[u8]) -> Self {
        let mut bytes = Vec::with_capacity(HEADER + align(body.len()));
        bytes.extend_from_slice(&[0; 4]);
        bytes.extend_from_slice(&kind.to_ne_bytes());
        bytes.extend_from_slice(&flags.to_ne_bytes());
        bytes.extend_from_slice(&[0; 8]);
        bytes.extend_from_slice(body);
        Self { bytes }
    }

    /// With an attribute. Fails if the payload is longer than an attribute can be.
    pub fn attribute(mut self, kind: u16, payload: &[u8]) -> Result<Self, Malformed> {
        let length = u16::try_from(payload.len() + 4).map_err(|_| Malformed {
            what: "attribute",
            length: payload.len(),
            have: usize::from(u16::MAX) - 4,
        })?;
        self.bytes.resize(align(self.bytes.len()), 0);
        self.bytes.extend_from_slice(&length.to_ne_bytes());
        self.bytes.extend_from_slice(&kind.to_ne_bytes());
        self.bytes.extend_from_slice(payload);
        Ok(self)
    }

    /// The bytes to send.
    pub(in crate::kernel) fn into_bytes(mut self, sequence: u32) -> Vec<u8> {
        let length = u32::try_from(self.bytes.len()).unwrap_or(u32::MAX).to_ne_bytes();
        let sequence = sequence.to_ne_bytes();
        for (to, from) in self.bytes.iter_mut().zip(length) {
            *to = from;
        }
        for (to, from) in self.bytes.iter_mut().skip(8).zip(sequence) {
            *to = from;
        }
        self.bytes
    }
}

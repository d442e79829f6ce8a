//! Dumps of TCP as files: what ss writes with `-D` and reads where `TCPDIAG_FILE` names one.
//!
//! A file is the messages as the kernel sent them, each padded to four bytes: the rows of a dump and its end, then
//! perhaps another dump. I/O: none, the bytes come and go through the caller's hands.

use std::ops::ControlFlow;

use super::super::netlink::{Malformed, Message, Messages};
use super::{BY_FAMILY, DiagError, InetQuery, InetRow, InetTable, SockDiag};
use crate::socket::NetnsId;

/// Hands out the rows of a file. The end of a dump does not end the file: both IPs are read.
pub fn replay(
    file: &[u8],
    netns: NetnsId,
    mut each: impl FnMut(InetRow<'_>) -> ControlFlow<()>,
) -> Result<(), Malformed> {
    for message in Messages::new(file) {
        let message = message?;
        if message.kind == BY_FAMILY
            && each(InetRow::decode(message.payload, InetTable::Tcp, netns)?).is_break()
        {
            break;
        }
    }
    Ok(())
}

impl SockDiag {
    /// Appends a dump of one IP table to a file's bytes, as the kernel sends it ([`replay`] reads it).
    pub fn record(&mut self, query: &InetQuery<'_>, file: &mut Vec<u8>) -> Result<(), DiagError> {
        let mut sequence = 0;
        let _ = self.list(query.table.name(), query.request(), |message| {
            sequence = message.sequence;
            append(file, message);
            Ok(ControlFlow::Continue(()))
        })?;
        append_end(file, sequence);
        Ok(())
    }
}

/// Appends one message as a file holds it.
fn append(file: &mut Vec<u8>, message: &Message<'_>) {
    file.extend_from_slice(message.bytes);
    file.resize(file.len().next_multiple_of(4), 0);
}

/// Appends the end of a dump: `NLMSG_DONE` with `NLM_F_MULTI` and an error of 0.
fn append_end(file: &mut Vec<u8>, sequence: u32) {
    file.extend_from_slice(&20u32.to_ne_bytes());
    file.extend_from_slice(&3u16.to_ne_bytes());
    file.extend_from_slice(&2u16.to_ne_bytes());
    file.extend_from_slice(&sequence.to_ne_bytes());
    file.extend_from_slice(&[0; 8]);
}

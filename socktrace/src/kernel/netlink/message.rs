//! Netlink messages in a buffer (include/uapi/linux/netlink.h, `struct nlmsghdr`).

use nix::errno::Errno;

use super::{Malformed, half, word};

/// Length of a message's header.
pub(super) const HEADER: usize = 16;
/// `NLMSG_ERROR`: an error, or with errno 0 an acknowledgement.
const ERROR: u16 = 2;
/// `NLMSG_DONE`: the end of a dump.
const DONE: u16 = 3;
/// `NLMSG_NOOP`.
const NOOP: u16 = 1;
/// `NLM_F_DUMP_INTR`: what is dumped changed meanwhile.
const DUMP_INTR: u16 = 0x10;

/// Rounds up to the 4 bytes that netlink aligns everything to.
pub(super) const fn align(length: usize) -> usize {
    length.saturating_add(3) & !3
}

/// One message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Message<'a> {
    /// `nlmsg_type`.
    pub kind: u16,
    /// `nlmsg_flags`.
    pub flags: u16,
    /// `nlmsg_seq`.
    pub sequence: u32,
    /// What follows the header, without padding.
    pub payload: &'a [u8],
    /// The whole message with its header, without padding.
    pub bytes: &'a [u8],
}

/// What a message means to the one who waits for an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// A row of the answer.
    Data,
    /// Nothing.
    Noop,
    /// The answer ends here, well or with an error.
    End(Result<(), Errno>),
}

impl Message<'_> {
    /// Whether the kernel flagged the dump as inconsistent.
    #[must_use]
    pub const fn interrupted(&self) -> bool {
        self.flags & DUMP_INTR != 0
    }

    /// A dump that fails tells so with a negative errno in its last message's payload, where it looks like an
    /// empty answer to those who do not read it (net/netlink/af_netlink.c, `netlink_dump_done`).
    pub(super) fn meaning(&self) -> Result<Meaning, Malformed> {
        match self.kind {
            NOOP => Ok(Meaning::Noop),
            DONE if self.payload.is_empty() => Ok(Meaning::End(Ok(()))),
            DONE | ERROR => Ok(Meaning::End(self.errno()?)),
            _ => Ok(Meaning::Data),
        }
    }

    /// The errno that the payload of an error or of the end of a dump begins with; 0 and above is success.
    fn errno(&self) -> Result<Result<(), Errno>, Malformed> {
        let first = self.payload.first_chunk::<4>().ok_or(Malformed {
            what: "error code",
            length: 4,
            have: self.payload.len(),
        })?;
        let code = i32::from_ne_bytes(*first);
        Ok(if code < 0 { Err(Errno::from_raw(code.saturating_neg())) } else { Ok(()) })
    }
}

/// The messages in a buffer. The first that does not fit is an error and the last item.
#[derive(Debug, Clone)]
pub struct Messages<'a> {
    rest: &'a [u8],
}

impl<'a> Messages<'a> {
    /// Of what one read returned, or a file holds.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }
}

impl<'a> Iterator for Messages<'a> {
    type Item = Result<Message<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let taken = take(self.rest);
        self.rest = match &taken {
            Ok(message) => self.rest.get(align(message.bytes.len())..).unwrap_or_default(),
            Err(_) => &[],
        };
        Some(taken)
    }
}

/// The first message of the buffer.
fn take(bytes: &[u8]) -> Result<Message<'_>, Malformed> {
    let malformed = |what, length| Malformed { what, length, have: bytes.len() };
    let head = bytes.first_chunk::<HEADER>().ok_or(malformed("message header", HEADER))?;
    let length = word::<0, HEADER>(head) as usize;
    let whole = bytes.get(..length).ok_or(malformed("message", length))?;
    let payload = whole.get(HEADER..).ok_or(malformed("message", length))?;
    Ok(Message {
        kind: half::<4, HEADER>(head),
        flags: half::<6, HEADER>(head),
        sequence: word::<8, HEADER>(head),
        payload,
        bytes: whole,
    })
}

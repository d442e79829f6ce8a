//! Receiving: one read, and the messages of an answer handed out.
//!
//! I/O: netlink.

use std::io::IoSliceMut;
use std::ops::ControlFlow;
use std::os::fd::{AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, NetlinkAddr, recvmsg};

use super::message::Meaning;
use super::{Message, Messages, NetlinkError};

/// Room for one read. The kernel fills at most 32 KiB at once (net/netlink/af_netlink.c, `netlink_recvmsg`),
/// more makes a dump no faster; a single message may be as long as its longest attribute and some.
pub(super) const ROOM: usize = 128 * 1024;
/// How an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[must_use]
pub struct Answer {
    /// The kernel flagged that the dumped things changed meanwhile; rows may be missing or double.
    pub interrupted: bool,
    /// The reader wanted no more.
    pub stopped: bool,
}

/// Hands out the messages of an answer, read by read.
pub(super) struct Hand<'a, F> {
    sequence: u32,
    pub(super) answer: Answer,
    each: &'a mut F,
}

impl<'a, F: FnMut(&Message<'_>) -> ControlFlow<()>> Hand<'a, F> {
    /// Those of the answer to the request of that number.
    pub(super) fn new(sequence: u32, each: &'a mut F) -> Self {
        Self { sequence, answer: Answer::default(), each }
    }

    /// What one read gave. Returns how the answer ended, if it did in there.
    pub(super) fn out(&mut self, bytes: &[u8]) -> Result<Option<Result<(), Errno>>, NetlinkError> {
        for message in Messages::new(bytes) {
            let message = message?;
            if message.sequence != self.sequence {
                continue;
            }
            self.answer.interrupted |= message.interrupted();
            match message.meaning()? {
                Meaning::Noop => {}
                Meaning::Data => {
                    if !self.answer.stopped {
                        self.answer.stopped = (self.each)(&message).is_break();
                    }
                }
                Meaning::End(end) => return Ok(Some(end)),
            }
        }
        Ok(None)
    }

    /// The number of the request that is answered.
    pub(super) const fn sequence(&self) -> u32 {
        self.sequence
    }
}

/// What the kernel sent next. Anybody may send to a netlink socket: what is not from the kernel is as if it
/// had not come.
pub(super) fn read<'a>(fd: &OwnedFd, room: &'a mut [u8], flags: MsgFlags) -> Result<&'a [u8], NetlinkError> {
    let flags = flags | MsgFlags::MSG_TRUNC;
    loop {
        let mut into = [IoSliceMut::new(room)];
        // With MSG_TRUNC the length is that of the message, also where it did not fit.
        let got = recvmsg::<NetlinkAddr>(fd.as_raw_fd(), &mut into, None, flags).map_err(|errno| {
            if errno == Errno::ENOBUFS {
                NetlinkError::Overrun
            } else {
                NetlinkError::Call { call: "read", errno }
            }
        })?;
        let (length, from) = (got.bytes, got.address);
        if from.is_none_or(|from| from.pid() != 0) {
            continue;
        }
        return room.get(..length).ok_or(NetlinkError::TooLong(length));
    }
}

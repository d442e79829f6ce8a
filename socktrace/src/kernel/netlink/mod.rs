//! One netlink socket, and the bytes that go over it.
//!
//! `socket` and `ahead` have the fd; `message`, `attribute`, `bytes` and `request` are pure.

mod ahead;
mod attribute;
mod bytes;
mod message;
mod receive;
mod request;
mod socket;
#[cfg(test)]
mod tests;

use nix::errno::Errno;

use super::reason::reason;

pub use attribute::{Attribute, Attributes};
pub(crate) use bytes::{byte, cookie, half, half_be, part, word};
pub use message::{Message, Messages};
pub use receive::Answer;
pub use request::Request;
pub use socket::{Netlink, Protocol};

/// Bytes that are no netlink message, or one whose parts do not fit each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("malformed netlink message: {what} of {length} bytes where {have} are left")]
pub struct Malformed {
    /// Which part: `message`, `attribute`, or the name of a fixed header.
    pub what: &'static str,
    /// What it claims, or needs, to be long.
    pub length: usize,
    /// What there was.
    pub have: usize,
}

/// What can go wrong on a netlink socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NetlinkError {
    /// A system call on the socket failed.
    #[error("cannot {call} a netlink socket: {}", reason(*.errno))]
    Call {
        /// `open`, `bind`, `send to`, `read`.
        call: &'static str,
        /// Why.
        errno: Errno,
    },
    /// The kernel answered with an error, in an error message or at the end of a dump.
    #[error("the kernel refused the request: {}", reason(*.0))]
    Refused(Errno),
    /// The kernel had no room to queue messages for us (`ENOBUFS`); some are lost.
    #[error("the kernel dropped netlink messages")]
    Overrun,
    /// A message was longer than the receive buffer: this many bytes.
    #[error("a netlink message of {0} bytes does not fit the receive buffer")]
    TooLong(usize),
    /// The answer makes no sense.
    #[error(transparent)]
    Malformed(#[from] Malformed),
}

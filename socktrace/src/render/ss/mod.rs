//! The ss table: the columns, words and widths of iproute2 6.15.
//!
//! [`Table`] takes one [`Row`] after the other, keeps their cells as text, and writes them aligned. What it prints is
//! a promise (docs/ss-compat.md names the few deliberate differences); SS's own behaviour is the source of every
//! width and word here.

mod address;
mod chosen;
mod columns;
mod details;
mod ethertype;
mod inet;
mod layout;
mod netlink;
mod packet;
mod sctp;
mod shared;
pub(in crate::render) mod storage;
mod table;
mod tcp;
#[cfg(test)]
mod tests;
mod tipc;
mod ulp;
mod unix;
mod users;
mod xdp;

pub use table::Table;

use crate::api::sockets::show::Show;
use crate::socket::{Holder, Opener, Socket, State, UnixName};

use super::names::Names;

/// A socket and what is known of it beside: one row.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    /// The socket.
    pub socket: &'a Socket,
    /// Who holds it, in the order in which they are shown.
    pub users: &'a [Holder],
    /// Who opened it and when, where somebody keeps account of that.
    pub opener: Option<Opener>,
    /// How long ago that was, microseconds, if it was seen.
    pub age_us: Option<u64>,
    /// The other end of a connected UNIX socket, where it was looked for.
    pub peer: Option<UnixPeer<'a>>,
    /// What its network namespace is called, where there is more than one.
    pub netns: Option<NetnsLabel<'a>>,
    /// What has changed since the round before, in a listing that is repeated.
    pub delta: Option<Delta>,
    /// Which round that is.
    pub round: Option<Round<'a>>,
}

/// One of the rounds of a listing that is repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Round<'a> {
    /// Counted from 1.
    pub number: u64,
    /// When it began: RFC 3339, UTC.
    pub at: &'a str,
}

/// What a network namespace is called.
#[derive(Debug, Clone, Copy)]
pub struct NetnsLabel<'a> {
    /// What to show.
    pub text: &'a str,
    /// Its name or its container, if it has one.
    pub name: Option<&'a str>,
    /// A process in it, if there is one.
    pub pid: Option<u32>,
}

/// What has changed of a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delta {
    /// It was not there.
    New,
    /// It is not there any more.
    Gone,
    /// It was there and is another.
    Changed {
        /// Its state, if that has changed.
        was: Option<State>,
        /// By how much its queues grew, bytes.
        recv_q: i64,
        /// Likewise.
        send_q: i64,
        /// TCP with `-i`: bytes that were acknowledged meanwhile.
        sent: u64,
        /// TCP with `-i`: bytes that were received meanwhile.
        received: u64,
    },
}

impl<'a> Row<'a> {
    /// Of a socket of which nothing else is known.
    #[must_use]
    pub const fn of(socket: &'a Socket) -> Self {
        Self {
            socket,
            users: &[],
            opener: None,
            age_us: None,
            peer: None,
            netns: None,
            delta: None,
            round: None,
        }
    }
}

/// The other end of a connected UNIX socket.
#[derive(Debug, Clone, Copy)]
pub struct UnixPeer<'a> {
    /// What it is called.
    pub name: &'a UnixName,
    /// Who holds it.
    pub users: &'a [Holder],
}

/// What a cell is made from.
struct Cell<'a> {
    row: Row<'a>,
    show: &'a Show,
    names: &'a mut dyn Names,
    /// An SCTP association under the endpoint of the row before.
    association: bool,
}

impl<'a> Cell<'a> {
    fn socket(&self) -> &'a Socket {
        self.row.socket
    }
}

/// Appends a word.
fn push(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(text.as_bytes());
}

/// Appends a line break and an indent, or one blank if everything is to be on one line.
fn push_line(out: &mut Vec<u8>, show: &Show) {
    push(out, if show.oneline { " " } else { "\n\t" });
}

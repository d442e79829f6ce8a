//! One socket of the table, to look at from outside.

use super::entry::Entry;
use crate::socket::{BootNs, Cookie, Family, NetnsId, Owner, Proto, State, Subject};

/// One socket of the table, to look at.
#[derive(Debug, Clone, Copy)]
pub struct View<'a>(&'a Entry, Cookie);

impl<'a> View<'a> {
    pub(super) const fn new(entry: &'a Entry, cookie: Cookie) -> Self {
        Self(entry, cookie)
    }

    /// Identity.
    #[must_use]
    pub const fn cookie(&self) -> Cookie {
        self.1
    }

    /// What [`Table::get`](super::Table::get) finds it by: its cookie, unless that is another's too, as of an accepted MPTCP
    /// connection.
    #[must_use]
    pub const fn key(&self) -> Cookie {
        self.0.cookie
    }

    /// Namespace, 0 where it is not known.
    #[must_use]
    pub const fn netns(&self) -> NetnsId {
        self.0.netns
    }

    /// Kind of socket.
    #[must_use]
    pub const fn proto(&self) -> Proto {
        self.0.proto
    }

    /// Address family.
    #[must_use]
    pub const fn family(&self) -> Family {
        self.0.family
    }

    /// State.
    #[must_use]
    pub const fn state(&self) -> State {
        self.0.state
    }

    /// Local port; 0 for none, for other families, and while the kernel has not told which it chose.
    #[must_use]
    pub const fn local_port(&self) -> u16 {
        self.0.ends.local_port()
    }

    /// Peer port; 0 for none and for other families.
    #[must_use]
    pub const fn peer_port(&self) -> u16 {
        match self.0.ends.ports() {
            Some([_, port]) => port,
            None => 0,
        }
    }

    /// Inode, 0 where it is not known.
    #[must_use]
    pub const fn inode(&self) -> u32 {
        self.0.inode
    }

    /// Who opened it.
    #[must_use]
    pub const fn owner(&self) -> Owner {
        self.0.owner
    }

    /// When it opened, if that was seen.
    #[must_use]
    pub const fn opened(&self) -> Option<BootNs> {
        self.0.opened()
    }

    /// Whether a listing shows it.
    #[must_use]
    pub const fn is_listed(&self) -> bool {
        self.0.is_listed()
    }

    /// Everything that is known of it. Allocates for UNIX sockets only.
    #[must_use]
    pub fn subject(&self) -> Subject {
        Subject { cookie: self.1, ..self.0.subject() }
    }
}

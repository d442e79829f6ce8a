//! Sockets as they are destroyed: sock_diag's multicast groups, what ss shows with `-E`.

use std::os::fd::{AsFd, BorrowedFd};

use super::super::netlink::{Netlink, NetlinkError, Protocol};
use super::super::netns;
use super::{BY_FAMILY, DiagError, InetRow, InetTable};
use crate::socket::NetnsId;

/// Room for what comes while nobody reads, bytes.
const QUEUE: usize = 8 << 20;

/// Which of the destroy groups to listen to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Groups(u32);

impl Groups {
    /// `SKNLGRP_INET_TCP_DESTROY` and `SKNLGRP_INET6_TCP_DESTROY` (groups 1 and 3).
    pub const TCP: Self = Self(1 | 1 << 2);
    /// `SKNLGRP_INET_UDP_DESTROY` and `SKNLGRP_INET6_UDP_DESTROY` (groups 2 and 4).
    pub const UDP: Self = Self(1 << 1 | 1 << 3);
    /// Those of IPv4.
    pub const V4: Self = Self(1 | 1 << 1);
    /// Those of IPv6.
    pub const V6: Self = Self(1 << 2 | 1 << 3);
    /// All four.
    pub const ALL: Self = Self(0xf);

    /// What is in both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

/// What came next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Received {
    /// Nothing or some rows, which were handed out.
    Rows,
    /// The queue ran over: an unknown number of sockets was destroyed unseen.
    Lost,
}

/// A socket that listens to destroyed sockets.
///
/// TCP rows carry the final tcp_info; inode is 0 and the state CLOSE, since that is what they are by then.
#[derive(Debug)]
pub struct DestroyEvents {
    netlink: Netlink,
    netns: NetnsId,
}

impl DestroyEvents {
    /// Starts to listen, in the calling thread's namespace. It needs no privilege.
    pub fn open(groups: Groups) -> Result<Self, DiagError> {
        let netns = netns::current().unwrap_or(0);
        let netlink = Netlink::open_with_groups(Protocol::SockDiag, groups.0)
            .map_err(|source| DiagError::Netlink { action: "watch", table: "destroyed", source })?;
        netlink.grow_queue(QUEUE);
        Ok(Self { netlink, netns })
    }

    /// Waits until something comes and hands it out. A signal ends the wait.
    pub fn receive(&mut self, mut each: impl FnMut(InetRow<'_>)) -> Result<Received, DiagError> {
        let netns = self.netns;
        let mut malformed = None;
        let received = self.netlink.receive(|message| {
            if message.kind != BY_FAMILY {
                return;
            }
            // The table is told by an attribute.
            let row = InetRow::decode(message.payload, InetTable::Tcp, netns)
                .and_then(|row| Ok(row.with_table(row.told_table()?)));
            match row {
                Ok(row) => each(row),
                Err(error) => malformed = Some(error),
            }
        });
        let received = match (received, malformed) {
            (Ok(()), Some(error)) => Err(NetlinkError::Malformed(error)),
            (received, _) => received,
        };
        match received {
            Ok(()) => Ok(Received::Rows),
            Err(NetlinkError::Overrun) => Ok(Received::Lost),
            Err(source) => Err(DiagError::Netlink { action: "watch", table: "destroyed", source }),
        }
    }
}

impl AsFd for DestroyEvents {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.netlink.as_fd()
    }
}

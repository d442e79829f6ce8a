//! One socket, by its addresses or inode number and its cookie: looking it up, and closing it.

use std::net::IpAddr;
use std::ops::ControlFlow;

use nix::errno::Errno;

use super::super::netlink::{Malformed, Message, NetlinkError, Request};
use super::inet::{SOCKID, body, extensions, with_protocol};
use super::{BY_FAMILY, DiagError, InetQuery, InetRow, InetTable, IpVersion, SockDiag, Want, details, unix};
use crate::socket::{Cookie, Family, Socket, StateSet};

/// `SOCK_DESTROY` (include/uapi/linux/sock_diag.h).
const DESTROY: u16 = 21;

/// What names one IP socket to the kernel: it looks the addresses up and then compares the cookie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InetId {
    /// In which table.
    pub table: InetTable,
    /// Of which family the socket is; the addresses of an `AF_INET6` one may be v4-mapped.
    pub ip: IpVersion,
    /// This side; for a raw socket, its protocol in place of the port.
    pub local: (IpAddr, u16),
    /// The other side; unspecified and port 0 for none.
    pub peer: (IpAddr, u16),
    /// Interface the socket is bound to, 0 for none.
    pub ifindex: u32,
    /// Its cookie; 0 for whichever has these addresses.
    pub cookie: Cookie,
}

/// What became of a socket that was to be closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Destroyed {
    /// The kernel aborted it; its owner gets ECONNABORTED.
    Closed,
    /// There is none of that name and cookie any more.
    Gone,
}

impl SockDiag {
    /// Looks one IP socket up; none if there is no socket of that name and cookie any more, or none that the
    /// kernel finds by name (a TCP socket that is bound and nothing else), or no handler for its kind.
    pub fn find(&mut self, id: &InetId, want: Want) -> Result<Option<Socket>, DiagError> {
        match id.table {
            // The kernel finds these by token only (net/mptcp/mptcp_diag.c, `mptcp_diag_dump_one`).
            InetTable::Mptcp => return self.find_in_dump(id, want),
            // Of these it takes the first with the addresses, whatever its cookie.
            InetTable::Raw if id.cookie != 0 => return self.find_in_dump(id, want),
            InetTable::Raw
            | InetTable::Tcp
            | InetTable::Udp
            | InetTable::UdpLite
            | InetTable::Sctp
            | InetTable::Dccp => {}
        }
        let netns = self.netns;
        self.one("look up", id.table.name(), id.find(want), |message| {
            InetRow::decode(message.payload, id.table, netns)?.to_socket(want)
        })
    }

    /// Looks a UNIX socket up by its inode number, and its cookie where that is not 0.
    pub fn find_unix(&mut self, inode: u32, cookie: Cookie, want: Want) -> Result<Option<Socket>, DiagError> {
        let netns = self.netns;
        let request = unix::request_one(inode, cookie, want);
        self.one("look up", "unix", Ok(request), |message| unix::decode(message.payload, want, netns))
    }

    /// Closes one IP socket, whoever holds it (`SOCK_DESTROY`). It needs CAP_NET_ADMIN in its namespace.
    pub fn destroy(&mut self, id: &InetId) -> Result<Destroyed, DiagError> {
        let table = id.table.name();
        let failed = |source| {
            if matches!(source, NetlinkError::Refused(Errno::EOPNOTSUPP)) {
                DiagError::CannotClose(table)
            } else {
                DiagError::Netlink { action: "close", table, source }
            }
        };
        if id.table == InetTable::Raw && self.is_shadowed(id)? {
            return Err(DiagError::Shadowed);
        }
        let request = id.destroy().map_err(|error| failed(error.into()))?;
        match self.netlink.ask(request, |_| ControlFlow::Continue(())) {
            Ok(_) => Ok(Destroyed::Closed),
            Err(NetlinkError::Refused(Errno::ESTALE)) => Ok(Destroyed::Gone),
            Err(NetlinkError::Refused(Errno::ENOENT)) if self.lists(id)? => Ok(Destroyed::Gone),
            Err(NetlinkError::Refused(Errno::ENOENT)) => Err(DiagError::CannotClose(table)),
            Err(source) => Err(failed(source)),
        }
    }

    /// Whether a request for this raw socket would hit another one: the kernel takes the first with these addresses
    /// and does not compare cookies (net/ipv4/raw_diag.c, `raw_sock_get`).
    fn is_shadowed(&mut self, id: &InetId) -> Result<bool, DiagError> {
        let first = self.find(&InetId { cookie: 0, ..*id }, Want::NONE)?;
        Ok(id.cookie != 0 && first.is_some_and(|first| first.cookie != id.cookie))
    }

    /// Whether the kernel has a handler for this kind of socket: without one, everything is "not found".
    fn lists(&mut self, id: &InetId) -> Result<bool, DiagError> {
        let query = InetQuery::new(id.table, id.ip, StateSet::EMPTY);
        match self.inet(&query, |_| ControlFlow::Break(())) {
            Ok(_) => Ok(true),
            Err(DiagError::Unsupported(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn find_in_dump(&mut self, id: &InetId, want: Want) -> Result<Option<Socket>, DiagError> {
        let states = StateSet::from_bits(u32::MAX);
        let query = InetQuery { want, ..InetQuery::new(id.table, id.ip, states) };
        let netns = self.netns;
        let mut found = None;
        let _ = self.list(id.table.name(), query.request(), |message| {
            let row = InetRow::decode(message.payload, id.table, netns)?;
            if row.cookie() != id.cookie {
                return Ok(ControlFlow::Continue(()));
            }
            found = Some(row.to_socket(want)?);
            Ok(ControlFlow::Break(()))
        })?;
        Ok(found)
    }

    /// Sends a request for a single socket.
    fn one(
        &mut self,
        action: &'static str,
        table: &'static str,
        request: Result<Request, Malformed>,
        decode: impl Fn(&Message<'_>) -> Result<Socket, Malformed>,
    ) -> Result<Option<Socket>, DiagError> {
        let failed = |source| DiagError::Netlink { action, table, source };
        let request = request.map_err(|error| failed(error.into()))?;
        let mut found = None;
        let answer = self.netlink.ask(request, |message| {
            if message.kind == BY_FAMILY {
                found = Some(decode(message));
            }
            ControlFlow::Continue(())
        });
        match answer {
            Ok(_) => found.transpose().map_err(|error| failed(error.into())),
            Err(NetlinkError::Refused(Errno::ENOENT | Errno::ESTALE)) => Ok(None),
            Err(source) => Err(failed(source)),
        }
    }
}

impl InetId {
    /// Of a listed socket; none if it is no IP socket, or one that sock_diag has no table for.
    #[must_use]
    pub fn of(socket: &Socket) -> Option<Self> {
        let ip = match socket.family {
            Family::Inet => IpVersion::V4,
            Family::Inet6 => IpVersion::V6,
            Family::Unix
            | Family::Netlink
            | Family::Packet
            | Family::Tipc
            | Family::Vsock
            | Family::Xdp
            | Family::Other(_) => return None,
        };
        Some(Self {
            table: InetTable::of(socket.proto)?,
            ip,
            local: socket.local.inet()?,
            peer: socket.peer.inet()?,
            ifindex: socket.ifindex,
            cookie: socket.cookie,
        })
    }

    /// Asks for this one. For UDP the kernel has source and destination swapped, "for historical reasons"
    /// (net/ipv4/udp_diag.c, `udp_dump_one`).
    pub(super) fn find(&self, want: Want) -> Result<Request, Malformed> {
        let (local, peer) = match self.table {
            InetTable::Udp | InetTable::UdpLite => (self.peer, self.local),
            InetTable::Tcp | InetTable::Mptcp | InetTable::Raw | InetTable::Sctp | InetTable::Dccp => {
                (self.local, self.peer)
            }
        };
        self.request(BY_FAMILY, extensions(want), local, peer)
    }

    /// Asks to close this one. Here nothing is swapped (`__udp_diag_destroy`).
    pub(super) fn destroy(&self) -> Result<Request, Malformed> {
        self.request(DESTROY, 0, self.local, self.peer)
    }

    fn request(
        &self,
        kind: u16,
        extensions: u8,
        local: (IpAddr, u16),
        peer: (IpAddr, u16),
    ) -> Result<Request, Malformed> {
        let raw = match self.table {
            InetTable::Raw => self.local.1.to_be_bytes()[1],
            InetTable::Tcp
            | InetTable::Mptcp
            | InetTable::Udp
            | InetTable::UdpLite
            | InetTable::Sctp
            | InetTable::Dccp => 0,
        };
        let id = sockid(local, peer, self.ifindex, self.cookie);
        let body = body(self.table, self.ip, (extensions, raw), StateSet::from_bits(u32::MAX), &id);
        with_protocol(Request::single(kind, &body), self.table)
    }
}

/// `struct inet_diag_sockid`.
fn sockid(local: (IpAddr, u16), peer: (IpAddr, u16), ifindex: u32, cookie: Cookie) -> [u8; SOCKID] {
    let [low, high] = details::cookie_words(cookie);
    let ports = [local.1, peer.1].map(u16::to_be_bytes);
    let addresses = [local.0, peer.0].map(address);
    let words = [ifindex, low, high].map(u32::to_ne_bytes);
    let mut id = [0; SOCKID];
    let parts = ports.as_flattened().iter().chain(addresses.as_flattened()).chain(words.as_flattened());
    for (to, from) in id.iter_mut().zip(parts) {
        *to = *from;
    }
    id
}

/// IPv4 lies in the first four bytes.
fn address(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, c, d] = v4.octets();
            [a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
        }
        IpAddr::V6(v6) => v6.octets(),
    }
}

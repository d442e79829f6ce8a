//! sock_diag: what sockets there are, asked of the kernel family by family.
//!
//! One file for each family holds its request and its decoder; this one sends and hands out.
//! I/O: netlink, through [`super::netlink`].

mod details;
mod events;
mod file;
mod inet;
mod nl;
mod packet;
mod point;
mod row;
mod tipc;
mod unix;
mod vsock;
mod want;
mod xdp;

use std::ops::ControlFlow;

use nix::errno::Errno;

use super::netlink::{Answer, Malformed, Message, Netlink, NetlinkError, Protocol, Request};
use super::netns::{self, NetnsError};
use crate::socket::{Cookie, Family, NetnsId, Socket, StateSet};

pub use events::{DestroyEvents, Groups, Received};
pub use file::replay;
pub use inet::{InetQuery, InetTable, IpVersion};
pub(super) use packet::proto as packet_proto;
pub use point::{Destroyed, InetId};
pub use row::InetRow;
pub use unix::UnixQuery;
pub(super) use unix::proto as unix_proto;
pub use want::Want;

/// `SOCK_DIAG_BY_FAMILY` (include/uapi/linux/sock_diag.h).
const BY_FAMILY: u16 = 20;

/// Why sock_diag gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum DiagError {
    /// The kernel has no handler for this kind of socket (it is not compiled in, or its module is missing).
    #[error("this kernel cannot list {0} sockets")]
    Unsupported(&'static str),
    /// The kernel cannot close this kind of socket (`CONFIG_INET_DIAG_DESTROY` is off, or it never can).
    #[error("this kernel cannot close {0} sockets")]
    CannotClose(&'static str),
    /// It was asked and did not answer.
    #[error("cannot {action} {table} sockets: {source}")]
    Netlink {
        /// `list`, `look up`, `close`, `watch`.
        action: &'static str,
        /// Which kind of socket.
        table: &'static str,
        /// Why.
        source: NetlinkError,
    },
    /// The network namespace could not be entered or named.
    #[error(transparent)]
    Namespace(#[from] NetnsError),
}

impl DiagError {
    /// The errno with which the kernel refused, if that is what happened.
    #[must_use]
    pub const fn refused(&self) -> Option<Errno> {
        match self {
            Self::Netlink { source: NetlinkError::Refused(errno), .. } => Some(*errno),
            Self::Unsupported(_) | Self::CannotClose(_) | Self::Netlink { .. } | Self::Namespace(_) => None,
        }
    }
}

/// Decodes one row of a dump of that family, as a recording or a test has it; IP rows as of `table`. `None` for a
/// family that has no dump.
pub fn decode(
    family: Family,
    table: InetTable,
    payload: &[u8],
    want: Want,
    netns: NetnsId,
) -> Result<Option<Socket>, Malformed> {
    let row = match family {
        Family::Inet | Family::Inet6 => InetRow::decode(payload, table, netns)?.to_socket(want),
        Family::Unix => unix::decode(payload, want, netns),
        Family::Packet => packet::decode(payload, want, netns),
        Family::Netlink => nl::decode(payload, want, netns),
        Family::Vsock => vsock::decode(payload, want, netns),
        Family::Tipc => tipc::decode(payload, want, netns),
        Family::Xdp => xdp::decode(payload, want, netns),
        Family::Other(_) => return Ok(None),
    };
    row.map(Some)
}

/// A netlink socket that speaks sock_diag, in one network namespace.
#[derive(Debug)]
pub struct SockDiag {
    netlink: Netlink,
    netns: NetnsId,
}

impl SockDiag {
    /// Opens one in the calling thread's namespace.
    pub fn open() -> Result<Self, DiagError> {
        let netns = netns::current()?;
        let netlink = Netlink::open(Protocol::SockDiag).map_err(|source| DiagError::Netlink {
            action: "list",
            table: "any",
            source,
        })?;
        Ok(Self { netlink, netns })
    }

    /// Opens one inside another namespace; the calling thread stays where it is.
    pub fn open_in(netns: &netns::Netns) -> Result<Self, DiagError> {
        netns.run(Self::open)?
    }

    /// The namespace whose sockets it lists.
    #[must_use]
    pub const fn netns(&self) -> NetnsId {
        self.netns
    }

    /// Lists the sockets of one IP table. Nothing is allocated for a row.
    pub fn inet(
        &mut self,
        query: &InetQuery<'_>,
        mut each: impl FnMut(InetRow<'_>) -> ControlFlow<()>,
    ) -> Result<Answer, DiagError> {
        let netns = self.netns;
        self.list(query.table.name(), query.request(), |message| {
            Ok(each(InetRow::decode(message.payload, query.table, netns)?))
        })
    }

    /// Lists UNIX sockets.
    pub fn unix(
        &mut self,
        query: &UnixQuery,
        each: impl FnMut(Socket) -> ControlFlow<()>,
    ) -> Result<Answer, DiagError> {
        self.sockets("unix", query.request(), query.want, unix::decode, each)
    }

    /// Lists packet sockets.
    pub fn packet(
        &mut self,
        want: Want,
        each: impl FnMut(Socket) -> ControlFlow<()>,
    ) -> Result<Answer, DiagError> {
        self.sockets("packet", packet::request(want), want, packet::decode, each)
    }

    /// Lists netlink sockets.
    pub fn netlink(
        &mut self,
        want: Want,
        each: impl FnMut(Socket) -> ControlFlow<()>,
    ) -> Result<Answer, DiagError> {
        self.sockets("netlink", nl::request(want), want, nl::decode, each)
    }

    /// Lists vsock sockets.
    pub fn vsock(
        &mut self,
        states: StateSet,
        want: Want,
        each: impl FnMut(Socket) -> ControlFlow<()>,
    ) -> Result<Answer, DiagError> {
        self.sockets("vsock", vsock::request(states), want, vsock::decode, each)
    }

    /// Lists TIPC sockets.
    pub fn tipc(
        &mut self,
        states: StateSet,
        want: Want,
        each: impl FnMut(Socket) -> ControlFlow<()>,
    ) -> Result<Answer, DiagError> {
        self.sockets("tipc", tipc::request(states), want, tipc::decode, each)
    }

    /// Lists XDP sockets.
    pub fn xdp(
        &mut self,
        want: Want,
        each: impl FnMut(Socket) -> ControlFlow<()>,
    ) -> Result<Answer, DiagError> {
        self.sockets("xdp", xdp::request(want), want, xdp::decode, each)
    }

    /// Looks one IP socket up; none if there is no socket of that name and cookie any more, or none that the
    /// kernel finds by name (a TCP socket that is bound and nothing else), or no handler for its kind.
    pub fn find(&mut self, id: &InetId, want: Want) -> Result<Option<Socket>, DiagError> {
        if id.table == InetTable::Mptcp {
            // The kernel finds these by token only (net/mptcp/mptcp_diag.c, `mptcp_diag_dump_one`).
            return self.find_in_dump(id, want);
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
        let failed = |source| match source {
            NetlinkError::Refused(Errno::EOPNOTSUPP) => DiagError::CannotClose(table),
            source => DiagError::Netlink { action: "close", table, source },
        };
        let request = id.destroy().map_err(|error| failed(error.into()))?;
        match self.netlink.ask(request, |_| ControlFlow::Continue(())) {
            Ok(_) => Ok(Destroyed::Closed),
            Err(NetlinkError::Refused(Errno::ENOENT | Errno::ESTALE)) => Ok(Destroyed::Gone),
            Err(source) => Err(failed(source)),
        }
    }

    /// Appends a dump of one IP table to a file's bytes, as the kernel sends it ([`replay`] reads it).
    pub fn record(&mut self, query: &InetQuery<'_>, file: &mut Vec<u8>) -> Result<(), DiagError> {
        let mut sequence = 0;
        let _ = self.list(query.table.name(), query.request(), |message| {
            sequence = message.sequence;
            file::append(file, message);
            Ok(ControlFlow::Continue(()))
        })?;
        file::append_end(file, sequence);
        Ok(())
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

    /// A dump whose rows are decoded at once.
    fn sockets(
        &mut self,
        table: &'static str,
        request: Request,
        want: Want,
        decode: impl Fn(&[u8], Want, NetnsId) -> Result<Socket, Malformed>,
        mut each: impl FnMut(Socket) -> ControlFlow<()>,
    ) -> Result<Answer, DiagError> {
        let netns = self.netns;
        self.list(table, Ok(request), |message| Ok(each(decode(message.payload, want, netns)?)))
    }

    /// Sends a request and decodes each message of the answer; the first that cannot be decoded ends it.
    fn list(
        &mut self,
        table: &'static str,
        request: Result<Request, Malformed>,
        mut decode: impl FnMut(&Message<'_>) -> Result<ControlFlow<()>, Malformed>,
    ) -> Result<Answer, DiagError> {
        let failed = |source| match source {
            // The handler is missing, or a family that the kernel does not even know was asked for.
            NetlinkError::Refused(Errno::ENOENT | Errno::EAFNOSUPPORT | Errno::EPROTONOSUPPORT) => {
                DiagError::Unsupported(table)
            }
            source => DiagError::Netlink { action: "list", table, source },
        };
        let request = request.map_err(|error| failed(error.into()))?;
        let mut malformed = None;
        let answer = self.netlink.ask(request, |message| {
            if message.kind != BY_FAMILY {
                return ControlFlow::Continue(());
            }
            decode(message).unwrap_or_else(|error| {
                malformed = Some(error);
                ControlFlow::Break(())
            })
        });
        match malformed {
            Some(error) => Err(failed(error.into())),
            None => answer.map_err(failed),
        }
    }
}

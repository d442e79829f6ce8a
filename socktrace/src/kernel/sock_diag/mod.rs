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
#[cfg(test)]
mod tests;
mod tipc;
mod unix;
mod vsock;
mod want;
mod xdp;

use std::ops::ControlFlow;

use nix::errno::Errno;

use super::netlink::{Answer, Malformed, Message, Netlink, NetlinkError, Protocol, Request};
use super::netns::{self, NetnsError};
use crate::socket::{Family, NetnsId, Socket, StateSet};

pub use events::{DestroyEvents, Groups, Received};
pub use file::replay;
use inet::TCP_OF_BOTH;
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
    /// The kernel has no handler for this kind of socket (it is not compiled in, or its module is missing), or has no
    /// sock_diag at all for us.
    #[error("this kernel cannot list {0} sockets")]
    Unsupported(&'static str),
    /// The kernel cannot close this kind of socket (`CONFIG_INET_DIAG_DESTROY` is off, or it never can).
    #[error("this kernel cannot close {0} sockets")]
    CannotClose(&'static str),
    /// The kernel would close another socket in its place: it tells raw sockets apart by their addresses only.
    #[error("another raw socket with the same addresses is in the way")]
    Shadowed,
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
            Self::Unsupported(_)
            | Self::CannotClose(_)
            | Self::Shadowed
            | Self::Netlink { .. }
            | Self::Namespace(_) => None,
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
        // Where no procfs says it, it is not known.
        let netns = netns::current().unwrap_or(0);
        let netlink = Netlink::open(Protocol::SockDiag).map_err(|source| {
            use Errno::{EACCES, EAFNOSUPPORT, EPERM, EPROTONOSUPPORT};
            // Built without it, or a sandbox keeps us from it.
            if matches!(
                source,
                NetlinkError::Call { errno: EPROTONOSUPPORT | EAFNOSUPPORT | EACCES | EPERM, .. }
            ) {
                DiagError::Unsupported("any")
            } else {
                DiagError::Netlink { action: "list", table: "any", source }
            }
        })?;
        Ok(Self { netlink, netns })
    }

    /// Opens one inside another namespace; the calling thread stays where it is.
    pub fn open_in(netns: &netns::Netns) -> Result<Self, DiagError> {
        Ok(Self { netns: netns.id, ..netns.run(Self::open)?? })
    }

    /// The namespace whose sockets it lists; 0 if that is not known.
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

    /// Lists the TCP sockets of both IPs, mixed; `table` and `ip` of the query say nothing. The kernel walks its table
    /// once, where asking for each IP walks it twice, past all sockets of the other one (net/ipv4/inet_diag.c,
    /// `inet_diag_dump_compat`).
    pub fn tcp_of_both(
        &mut self,
        query: &InetQuery<'_>,
        mut each: impl FnMut(InetRow<'_>) -> ControlFlow<()>,
    ) -> Result<Answer, DiagError> {
        let netns = self.netns;
        self.list(InetTable::Tcp.name(), query.request_of_both(), |message| {
            Ok(each(InetRow::decode(message.payload, InetTable::Tcp, netns)?))
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
        let failed = |source| {
            // The handler is missing, or a family that the kernel does not even know was asked for.
            // The last is said of a question about both IPs where inet_diag is not there (net/core/sock_diag.c,
            // `sock_diag_rcv_msg`).
            use Errno::{EAFNOSUPPORT, ENOENT, EOPNOTSUPP, EPROTONOSUPPORT};
            if matches!(source, NetlinkError::Refused(ENOENT | EAFNOSUPPORT | EPROTONOSUPPORT | EOPNOTSUPP)) {
                DiagError::Unsupported(table)
            } else {
                DiagError::Netlink { action: "list", table, source }
            }
        };
        let request = request.map_err(|error| failed(error.into()))?;
        let mut malformed = None;
        let answer = self.netlink.ask(request, |message| {
            if !matches!(message.kind, BY_FAMILY | TCP_OF_BOTH) {
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

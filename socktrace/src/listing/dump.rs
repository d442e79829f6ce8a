//! Asking the kernel for everything that was selected, table by table in ss's order.
//!
//! I/O: through `kernel::sock_diag`.

use std::ops::ControlFlow;

use crate::kernel::sock_diag::{DiagError, InetQuery, InetTable, IpVersion, SockDiag, UnixQuery, Want};
use crate::socket::{Family, Socket, State};

use super::Places;
use super::selection::{Selection, Table};

/// What is asked of the kernel.
#[derive(Debug, Clone, Copy)]
pub(super) struct Request<'a> {
    pub(super) selection: Selection,
    pub(super) want: Want,
    /// A filter for IP sockets in the kernel's bytecode; it may only narrow.
    pub(super) bytecode: &'a [u8],
    pub(super) places: &'a Places,
}

/// The tables in the order in which ss lists them.
const ORDER: [Part; 12] = [
    Part::Netlink,
    Part::Packet,
    Part::Unix,
    Part::Inet(Table::Raw, InetTable::Raw),
    Part::Inet(Table::Udp, InetTable::Udp),
    Part::Inet(Table::Tcp, InetTable::Tcp),
    Part::Inet(Table::Dccp, InetTable::Dccp),
    Part::Inet(Table::Sctp, InetTable::Sctp),
    Part::Vsock,
    Part::Tipc,
    Part::Xdp,
    Part::Inet(Table::Mptcp, InetTable::Mptcp),
];

/// One place in the order: what one dump lists (an IP table takes one for each family).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Netlink,
    Packet,
    Unix,
    Inet(Table, InetTable),
    Vsock,
    Tipc,
    Xdp,
}

/// Hands every selected socket to `each`, until it breaks. What the kernel has no handler for goes to `missing`.
pub(super) fn dump(
    diag: &mut SockDiag,
    request: &Request<'_>,
    each: &mut impl FnMut(Socket) -> ControlFlow<()>,
    missing: &mut impl FnMut(&'static str),
) -> Result<(), DiagError> {
    for part in ORDER {
        match part.dump(diag, request, each) {
            Ok(ControlFlow::Continue(())) => {}
            Ok(ControlFlow::Break(())) => return Ok(()),
            Err(DiagError::Unsupported(table)) => missing(table),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

impl Part {
    fn dump(
        self,
        diag: &mut SockDiag,
        request: &Request<'_>,
        each: &mut impl FnMut(Socket) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, DiagError> {
        let &Request { selection, want, .. } = request;
        let covers = |table, family| selection.covers(table, family);
        // In some families every socket is closed, and the kernel does not look at states.
        let closed = selection.states.contains(State::Close);
        let mut listed = |socket: Socket| match Table::of(socket.proto) {
            Some(table) if covers(table, socket.family) => each(socket),
            _ => ControlFlow::Continue(()),
        };
        let any = |tables: &[Table], family| tables.iter().any(|&table| covers(table, family));
        let answer = match self {
            Self::Netlink if closed && any(&[Table::Netlink], Family::Netlink) => {
                diag.netlink(want, listed)?
            }
            Self::Packet if closed && any(&[Table::PacketRaw, Table::PacketDgram], Family::Packet) => {
                diag.packet(want, listed)?
            }
            Self::Unix if any(&[Table::UnixStream, Table::UnixDgram, Table::UnixSeqpacket], Family::Unix) => {
                diag.unix(&UnixQuery { states: selection.states, want }, listed)?
            }
            Self::Vsock if any(&[Table::VsockStream, Table::VsockDgram], Family::Vsock) => {
                diag.vsock(selection.states, want, listed)?
            }
            Self::Tipc if any(&[Table::Tipc], Family::Tipc) => diag.tipc(selection.states, want, listed)?,
            Self::Xdp if closed && any(&[Table::Xdp], Family::Xdp) => diag.xdp(want, listed)?,
            Self::Inet(table, inet) => {
                for ip in IpVersion::BOTH {
                    if covers(table, ip.family())
                        && inet_table(diag, request, inet, ip, &mut listed)?.is_break()
                    {
                        return Ok(ControlFlow::Break(()));
                    }
                }
                return Ok(ControlFlow::Continue(()));
            }
            Self::Netlink | Self::Packet | Self::Unix | Self::Vsock | Self::Tipc | Self::Xdp => {
                return Ok(ControlFlow::Continue(()));
            }
        };
        Ok(if answer.stopped { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    }
}

fn inet_table(
    diag: &mut SockDiag,
    request: &Request<'_>,
    table: InetTable,
    ip: IpVersion,
    each: &mut impl FnMut(Socket) -> ControlFlow<()>,
) -> Result<ControlFlow<()>, DiagError> {
    let query = InetQuery {
        want: request.want,
        bytecode: request.bytecode,
        ..InetQuery::new(table, ip, request.selection.states)
    };
    let family = ip.family();
    let mut malformed = None;
    let answer = diag.inet(&query, |row| {
        if row.family() != family {
            return ControlFlow::Continue(());
        }
        match row.to_socket(request.want) {
            Ok(socket) => each(socket),
            Err(error) => {
                malformed = Some(error);
                ControlFlow::Break(())
            }
        }
    })?;
    if let Some(error) = malformed {
        return Err(DiagError::Netlink { action: "list", table: table.name(), source: error.into() });
    }
    Ok(if answer.stopped { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
}

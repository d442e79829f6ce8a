//! The rows of one of the kernel's IP tables, in ss's order: IPv4, then IPv6.
//!
//! I/O: through `kernel`, and `net/sockstat6`.

use std::fs;
use std::ops::ControlFlow;

use crate::kernel::sock_diag::{DiagError, InetQuery, InetRow, InetTable, IpVersion, SockDiag};
use crate::socket::{Family, Socket, State, StateSet};

use super::Paths;
use super::summary::inuse;

/// So many TCP sockets of IPv6 may be held until those of IPv4 have been handed on: half a megabyte.
const MAX_HELD_V6_SOCKETS: i64 = 4096;

/// One request.
#[derive(Debug, Clone, Copy)]
enum Walk {
    One(IpVersion),
    /// Of TCP.
    Both,
}

/// Lists the sockets of these IPs, in this order; the query's own says nothing.
///
/// Asked for one IP, the kernel walks past every socket of the other: where there are 100,000, that takes a quarter of
/// the time. One walk for both mixes them, so it is the better way where few have to be held.
pub(super) fn dump(
    diag: &mut SockDiag,
    query: &InetQuery<'_>,
    ips: &[IpVersion],
    bytecode: &[Vec<u8>],
    each: &mut dyn FnMut(Socket) -> ControlFlow<()>,
) -> Result<ControlFlow<()>, DiagError> {
    if query.table == InetTable::Tcp && *ips == IpVersion::BOTH && walks(query.states) && few_are_v6() {
        let mut held = Vec::new();
        let mut sort = |socket: Socket| {
            if socket.family == Family::Inet6 {
                held.push(socket);
                return ControlFlow::Continue(());
            }
            each(socket)
        };
        if ask(diag, query, Walk::Both, bytecode, &mut sort)?.is_break() {
            return Ok(ControlFlow::Break(()));
        }
        return Ok(held.into_iter().try_for_each(each));
    }
    for &ip in ips {
        if ask(diag, query, Walk::One(ip), bytecode, each)?.is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
    Ok(ControlFlow::Continue(()))
}

/// Whether the kernel walks more than its listeners.
fn walks(states: StateSet) -> bool {
    !states.difference(StateSet::of(State::Listen)).is_empty()
}

/// Whether this thread's namespace has few TCP sockets of IPv6; not where nobody tells.
fn few_are_v6() -> bool {
    let text = fs::read_to_string(Paths::default().proc_net("SOCKSTAT6", "sockstat6"));
    text.is_ok_and(|text| inuse(&text, "TCP6:").is_some_and(|count| count <= MAX_HELD_V6_SOCKETS))
}

/// Asks with the first bytecode that the kernel takes, or without.
fn ask(
    diag: &mut SockDiag,
    query: &InetQuery<'_>,
    walk: Walk,
    bytecode: &[Vec<u8>],
    each: &mut dyn FnMut(Socket) -> ControlFlow<()>,
) -> Result<ControlFlow<()>, DiagError> {
    let table = query.table.name();
    let programs = bytecode.iter().map(Vec::as_slice).chain([&[][..]]);
    for program in programs {
        let mut malformed = None;
        let mut rows = 0usize;
        let query = InetQuery { bytecode: program, ..*query };
        let mut take = |row: InetRow<'_>| {
            rows += 1;
            if matches!(walk, Walk::One(ip) if row.family() != ip.family()) {
                return ControlFlow::Continue(());
            }
            match row.to_socket(query.want) {
                Ok(socket) => each(socket),
                Err(error) => {
                    malformed = Some(error);
                    ControlFlow::Break(())
                }
            }
        };
        let answer = match walk {
            Walk::One(ip) => diag.inet(&InetQuery { ip, ..query }, &mut take),
            Walk::Both => diag.tcp_of_both(&query, &mut take),
        };
        if let Some(error) = malformed {
            return Err(DiagError::Netlink { action: "list", table, source: error.into() });
        }
        match answer {
            // It does not know an instruction, or does not allow it; programs are checked before the first row.
            Err(error) if rows == 0 && !program.is_empty() && error.refused().is_some() => {}
            answer => {
                return Ok(if answer?.stopped { ControlFlow::Break(()) } else { ControlFlow::Continue(()) });
            }
        }
    }
    Ok(ControlFlow::Continue(()))
}

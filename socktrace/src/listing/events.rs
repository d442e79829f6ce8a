//! `-E`: sockets as they are destroyed.
//!
//! I/O: the destroy groups of sock_diag.

use std::io::Write;

use crate::kernel::sock_diag::{DestroyEvents, Groups, Received};
use crate::query::Processes;
use crate::render::ss::Row;
use crate::socket::Family;

use super::answer::Answer;
use super::dump::Request;
use super::error::Error;
use super::plan::Plan;
use crate::api::sockets::table::Table;

/// Prints them until the writer is closed. The states asked for do not count, as in ss: every socket is closed by
/// then. A queue that overflowed is reported on standard error, and the watch goes on.
pub(super) fn follow<W: Write>(
    plan: &Plan<'_>,
    request: &Request<'_>,
    answer: &mut Answer<'_, W>,
) -> Result<(), Error> {
    let mut events = DestroyEvents::open(groups(request)?)?;
    loop {
        let mut failed = None;
        let received = events.receive(|row| {
            let Ok(socket) = row.to_socket(request.want) else { return };
            let Some(table) = Table::of(socket.proto) else { return };
            let wanted = failed.is_none()
                && request.selection.covers(table, socket.family)
                && plan.passes(&socket, Processes::Unknown);
            if wanted && let Err(error) = answer.row(&Row::of(&socket)).and_then(|()| answer.write()) {
                failed = Some(error);
            }
        })?;
        if let Some(error) = failed {
            return Err(error);
        }
        if received == Received::Lost {
            log::warn!("the kernel dropped some events: more sockets were destroyed than could be shown");
        }
    }
}

fn groups(request: &Request<'_>) -> Result<Groups, Error> {
    const NONE: Groups = Groups::TCP.and(Groups::UDP);
    let selection = &request.selection;
    let tables = match (selection.tables.contains(Table::Tcp), selection.tables.contains(Table::Udp)) {
        (true, true) => Groups::ALL,
        (true, false) => Groups::TCP,
        (false, true) => Groups::UDP,
        (false, false) => NONE,
    };
    let families =
        match (selection.families.contains(Family::Inet), selection.families.contains(Family::Inet6)) {
            (true, true) => Groups::ALL,
            (true, false) => Groups::V4,
            (false, true) => Groups::V6,
            (false, false) => NONE,
        };
    match tables.and(families) {
        groups if groups == NONE => Err(Error::Nothing("only TCP and UDP sockets can be watched")),
        groups => Ok(groups),
    }
}

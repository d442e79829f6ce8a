//! Whether a question can have an answer: what of it is known here, in the words of `query::knowable`.
//!
//! I/O: the capabilities of this thread; kill(2) without a signal, which says whether there is a process.

use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::Pid;

use crate::api::sockets::pick::Takes;
use crate::kernel::capabilities::may_see_marks;
use crate::kernel::netns;
use crate::query::Filter;
use crate::query::knowable::{Ground, Listing, Sort, Thing};
use crate::socket::StateSet;

use super::Paths;
use super::action::Rows;
use super::context::AnswerContext;
use super::error::Error;
use crate::api::sockets::selection::Selection;
use crate::api::sockets::table::Table;
use crate::api::sockets::{NetnsChoice, Question};

/// What of the question matches nothing although the rest can, each to be said in one line. The selection is the one that
/// the filter leaves.
///
/// # Errors
/// Nothing can match, or the rows are ordered or counted by what is not known.
pub(super) fn judge(
    question: &Question,
    rows: Rows,
    filter: &Filter,
    selection: &Selection,
    context: &AnswerContext<'_>,
    paths: &Paths,
) -> Result<Vec<String>, Error> {
    let ground = |marks| {
        let listing = Listing {
            openers: context.opener.is_some(),
            holders: rows != Rows::Destroyed,
            marks,
            states: match rows {
                // A recorded dump was made with its own states.
                Rows::Dumped if selection.states_said && paths.tcpdiag.is_none() => selection.states,
                Rows::Dumped | Rows::Destroyed | Rows::Recorded => StateSet::ALL,
            },
            netns: match question.netns {
                NetnsChoice::Own | NetnsChoice::One(_) => netns::current().ok(),
                NetnsChoice::All => None,
            },
        };
        Ground::listing(Sort::ALL.into_iter().filter(|sort| covers(selection, *sort)).collect(), listing)
    };
    let all = ground(true);
    let error = |error| Error::Filter { error, words: question.filter.clone() };
    let mut idle = filter.judge(&all).map_err(error)?;
    let mut warnings = Vec::new();
    // An agent may have other numbers for processes than who asks, and a recorded /proc has others.
    if context.opener.is_none() && paths.are_usual() {
        warnings.extend(absent(filter.pids()));
    }
    if filter.needs().mark && !may_see_marks() {
        // Without a right there is less to see, and the rest works on.
        match filter.judge(&ground(false)) {
            Ok(more) => idle = more,
            Err(error) => warnings.push(error.to_string()),
        }
    }
    warnings.extend(idle.iter().map(|idle| format!("a part of the filter can never match: {idle}")));
    let sorted = question.order.iter().map(|by| ("--sort", by.key));
    for (option, key) in sorted.chain(question.count_by.iter().map(|&key| ("--count-by", key))) {
        let word = key.word();
        if let Some(why) = thing(key.takes()).and_then(|thing| all.lacks(thing, word)) {
            return Err(Error::Never(format!("{option} {word}: {why}")));
        }
    }
    for pick in &question.columns {
        if let Some(why) = thing(pick.takes()).and_then(|thing| all.lacks(thing, pick.word())) {
            warnings.push(format!("--columns {}: {why}", pick.word()));
        }
    }
    Ok(warnings)
}

/// Which of these processes there are not, a line each. One that may not be looked into is there.
#[must_use]
pub fn absent(pids: impl IntoIterator<Item = u32>) -> Vec<String> {
    let is_absent = |pid: &u32| {
        let pid = i32::try_from(*pid).ok().filter(|&pid| pid > 0);
        // Nothing is sent.
        pid.is_none_or(|pid| kill(Pid::from_raw(pid), None) == Err(Errno::ESRCH))
    };
    pids.into_iter().filter(is_absent).map(|pid| format!("there is no process {pid}")).collect()
}

/// What must be known for that.
const fn thing(takes: Takes) -> Option<Thing> {
    match takes {
        Takes::Opener => Some(Thing::Opener),
        Takes::Info => Some(Thing::TcpInfo),
        Takes::PeerProcesses => Some(Thing::PeerProcess),
        Takes::Cgroup => Some(Thing::Cgroup),
        Takes::Nothing | Takes::Processes | Takes::Address | Takes::Details | Takes::Delta => None,
    }
}

fn covers(selection: &Selection, sort: Sort) -> bool {
    let tables: &[Table] = match sort {
        Sort::Tcp4 | Sort::Tcp6 => &[Table::Tcp],
        Sort::Mptcp4 | Sort::Mptcp6 => &[Table::Mptcp],
        Sort::Datagram4 | Sort::Datagram6 => &[Table::Udp, Table::Raw],
        Sort::OtherIp4 | Sort::OtherIp6 => &[Table::Sctp, Table::Dccp],
        Sort::Unix => &[Table::UnixStream, Table::UnixDgram, Table::UnixSeqpacket],
        Sort::Packet => &[Table::PacketRaw, Table::PacketDgram],
        Sort::Netlink => &[Table::Netlink],
        Sort::Vsock => &[Table::VsockStream, Table::VsockDgram],
        Sort::Tipc => &[Table::Tipc],
        Sort::Xdp => &[Table::Xdp],
    };
    tables.iter().any(|table| selection.covers(*table, sort.family()))
}

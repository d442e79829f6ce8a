//! `socktrace who`: who holds a port or an address now, who held it before, and who could not have it.

mod json;
mod target;
#[cfg(test)]
mod tests;
mod text;

use std::collections::BTreeMap;

use super::past::{Past, What};
use super::row::{End, Proto, Row, TimerKind};
use crate::socket::{Process, State, UnixNs};

pub use json::json;
pub use target::{NoTarget, Target};
pub use text::{Look, lines};

/// How long a TIME-WAIT lasts (include/net/tcp.h, `TCP_TIMEWAIT_LEN`), nanoseconds.
const TIME_WAIT_NS: u64 = 60_000_000_000;
/// Peers that are named of each group.
const PEERS: usize = 3;

/// What is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Who holds it now: what listens or is bound first, then connections, then TIME-WAIT.
    pub now: Vec<Now>,
    /// Who held it before, the last first.
    pub before: Vec<Before>,
    /// Who could not bind it or listen, the last first.
    pub failed: Vec<Failed>,
}

/// Sockets that are there: one that has no peer, or all connections of one process in one state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Now {
    /// Kind of socket.
    pub proto: Proto,
    /// Their state.
    pub state: State,
    /// Network namespace, 0 where unknown.
    pub netns: u64,
    /// Who holds them.
    pub process: Option<Process>,
    /// Its unit.
    pub unit: Option<Box<str>>,
    /// Of one without a peer: its own side.
    pub local: Option<End>,
    /// How many.
    pub count: u64,
    /// Of a listener: connections that wait, and the backlog.
    pub queue: Option<(u64, u64)>,
    /// Since when the oldest of them is open, if that was seen of all.
    pub opened: Option<UnixNs>,
    /// Of TIME-WAIT: milliseconds until the last of them ends.
    pub free_in_ms: Option<u64>,
    /// The addresses of their peers, the most frequent first.
    pub peers: Vec<(std::net::IpAddr, u64)>,
}

/// Sockets that are not there any more: all of one process that listened at one end, or all connections of one process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Before {
    /// Kind of socket.
    pub proto: Proto,
    /// Network namespace, 0 where unknown.
    pub netns: u64,
    /// Who opened them.
    pub process: Option<Process>,
    /// Its unit.
    pub unit: Option<Box<str>>,
    /// Of those without a peer: where they were bound.
    pub local: Option<End>,
    /// How many.
    pub count: u64,
    /// When the first of them was opened, or closed where that is not known.
    pub first: UnixNs,
    /// When the last of them was closed.
    pub last: UnixNs,
    /// The addresses of their peers, the most frequent first.
    pub peers: Vec<(std::net::IpAddr, u64)>,
}

/// A call that failed, and whom it met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failed {
    /// When.
    pub at: UnixNs,
    /// `bind` or `listen`.
    pub call: &'static str,
    /// Kind of socket.
    pub proto: Proto,
    /// Network namespace, 0 where unknown.
    pub netns: u64,
    /// Where it was to be bound.
    pub local: Option<End>,
    /// Who tried.
    pub process: Option<Process>,
    /// Its unit.
    pub unit: Option<Box<str>>,
    /// Name of the error.
    pub error: Option<Box<str>>,
    /// Who held it at that moment, of `EADDRINUSE`.
    pub met: Option<Met>,
}

/// Who held a port when another one wanted it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Met {
    /// What it was: `LISTEN`, `UNCONN`, `ESTAB` …, `TIME-WAIT`.
    pub state: State,
    /// Where it was bound.
    pub local: End,
    /// Who held it.
    pub process: Option<Process>,
    /// Its unit.
    pub unit: Option<Box<str>>,
}

/// What the sockets that are there, and those that history knows, say.
#[must_use]
pub fn answer(rows: &[Row], past: &[Past]) -> Answer {
    let ended = past.iter().filter(|it| matches!(it.what, What::Closed { .. }));
    let failed = past.iter().filter_map(|it| {
        let call = match it.what {
            What::BindFailed => "bind",
            What::ListenFailed => "listen",
            What::Closed { .. } | What::ConnectFailed { .. } => return None,
        };
        let met = (it.error.as_deref() == Some("EADDRINUSE")).then(|| met(it, rows, past)).flatten();
        Some(Failed {
            at: it.at,
            call,
            proto: it.proto,
            netns: it.netns,
            local: it.local,
            process: it.process,
            unit: it.unit.clone(),
            error: it.error.clone(),
            met,
        })
    });
    let mut failed: Vec<_> = failed.collect();
    failed.sort_by_key(|it| std::cmp::Reverse(it.at));
    Answer { now: now(&named(rows, past)), before: before(ended), failed }
}

/// The kernel keeps no process of a TIME-WAIT: it is whoever closed that connection last.
fn named(rows: &[Row], past: &[Past]) -> Vec<Row> {
    let closed = past.iter().filter(|it| matches!(it.what, What::Closed { leaves_time_wait: true }));
    let closers: BTreeMap<_, _> = closed.map(|it| ((it.netns, it.local, it.peer), it)).collect();
    let name = |row: &Row| {
        let closer = (row.state == State::TimeWait && row.process.is_none())
            .then(|| closers.get(&(row.netns, row.local, row.peer)))
            .flatten();
        let Some(closer) = closer else { return row.clone() };
        Row { process: closer.process, unit: closer.unit.clone(), ..row.clone() }
    };
    rows.iter().map(name).collect()
}

/// Whose a group is: kind, namespace, process and unit, and state or own side.
type Whose<'a, K> = (Proto, u64, Option<(u32, &'a [u8])>, Option<&'a str>, K);

fn whose<'a, K>(
    proto: Proto,
    netns: u64,
    process: Option<&'a Process>,
    unit: Option<&'a str>,
    key: K,
) -> Whose<'a, K> {
    (proto, netns, process.map(|it| (it.pid, it.comm.as_bytes())), unit, key)
}

fn now(rows: &[Row]) -> Vec<Now> {
    let mut alone = Vec::new();
    let mut groups: BTreeMap<Whose<'_, State>, Vec<&Row>> = BTreeMap::new();
    for row in rows {
        if row.peer.is_some_and(|(_, port)| port != 0) {
            let key = whose(row.proto, row.netns, row.process.as_ref(), row.unit.as_deref(), row.state);
            groups.entry(key).or_default().push(row);
        } else {
            let mut it = of_rows(&[row]);
            it.local = row.local;
            it.queue =
                (row.state == State::Listen && row.proto == Proto::Tcp).then_some((row.recv_q, row.send_q));
            alone.push(it);
        }
    }
    alone.sort_by_key(|it| (it.state != State::Listen, it.proto, it.local, it.process.map(|it| it.pid)));
    let mut groups: Vec<_> = groups.into_values().map(|rows| of_rows(&rows)).collect();
    groups.sort_by_key(|it| (it.state == State::TimeWait, std::cmp::Reverse(it.count)));
    alone.extend(groups);
    alone
}

/// What is said of rows of one process and state.
fn of_rows(rows: &[&Row]) -> Now {
    let first = rows.first();
    let opened: Option<Vec<_>> = rows.iter().map(|row| row.opened).collect();
    let timers = rows.iter().filter_map(|row| row.timer.filter(|timer| timer.kind == TimerKind::TimeWait));
    Now {
        proto: first.map_or(Proto::Other, |row| row.proto),
        state: first.map_or(State::Close, |row| row.state),
        netns: first.map_or(0, |row| row.netns),
        process: first.and_then(|row| row.process),
        unit: first.and_then(|row| row.unit.clone()),
        local: None,
        count: rows.len() as u64,
        queue: None,
        opened: opened.and_then(|opened| opened.into_iter().min()),
        free_in_ms: timers.map(|timer| timer.expires_ms).max(),
        peers: peers(rows.iter().filter_map(|row| row.peer)),
    }
}

fn before<'a>(past: impl Iterator<Item = &'a Past>) -> Vec<Before> {
    let mut groups: BTreeMap<Whose<'_, Option<End>>, Vec<&Past>> = BTreeMap::new();
    for it in past {
        let local = it.local.filter(|_| it.peer.is_none());
        let key = whose(it.proto, it.netns, it.process.as_ref(), it.unit.as_deref(), local);
        groups.entry(key).or_default().push(it);
    }
    let of = |(local, all): (Option<End>, Vec<&Past>)| {
        let first = all.first()?;
        Some(Before {
            proto: first.proto,
            netns: first.netns,
            process: first.process,
            unit: first.unit.clone(),
            local,
            count: all.len() as u64,
            first: all.iter().map(|it| it.opened.unwrap_or(it.at)).min()?,
            last: all.iter().map(|it| it.at).max()?,
            peers: peers(all.iter().filter_map(|it| it.peer)),
        })
    };
    let mut all: Vec<_> = groups.into_iter().filter_map(|(key, all)| of((key.4, all))).collect();
    all.sort_by_key(|it| std::cmp::Reverse(it.last));
    all
}

fn peers(ends: impl Iterator<Item = End>) -> Vec<(std::net::IpAddr, u64)> {
    let mut counts = BTreeMap::new();
    ends.for_each(|(addr, _)| *counts.entry(addr).or_insert(0) += 1);
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|&(_, count)| std::cmp::Reverse(count));
    counts
}

/// Who held the port at that moment: of those that are or were there then, what listened, else what was bound, else what
/// was connected, else what was in TIME-WAIT.
fn met(failed: &Past, rows: &[Row], past: &[Past]) -> Option<Met> {
    let (at, asked) = (failed.at, failed.local.filter(|&(_, port)| port != 0)?);
    let stands_in_the_way = |proto, netns, local: Option<End>| {
        proto == failed.proto
            && (netns == failed.netns || netns == 0 || failed.netns == 0)
            && local.is_some_and(|local| overlap(local, asked))
    };
    let here = rows.iter().filter(|row| {
        stands_in_the_way(row.proto, row.netns, row.local)
            && row.opened.is_none_or(|opened| opened <= at)
            // When that began, only the history knows.
            && row.state != State::TimeWait
    });
    let here = here.filter_map(|row| {
        Some(Met { state: row.state, local: row.local?, process: row.process, unit: row.unit.clone() })
    });
    let gone = past.iter().filter(|it| stands_in_the_way(it.proto, it.netns, it.local) && it.at != at);
    let gone = gone.filter_map(|it| {
        let What::Closed { leaves_time_wait } = it.what else { return None };
        let was_open = it.at > at && it.opened.is_some_and(|opened| opened <= at);
        let waited = leaves_time_wait && it.at <= at && at - it.at < TIME_WAIT_NS;
        let state = match (was_open, waited, it.peer) {
            (true, _, None) if it.proto == Proto::Tcp => State::Listen,
            (true, _, None) => State::Close,
            (true, _, Some(_)) => State::Established,
            (false, true, _) => State::TimeWait,
            (false, false, _) => return None,
        };
        Some(Met { state, local: it.local?, process: it.process, unit: it.unit.clone() })
    });
    let order = [State::Listen, State::Close, State::BoundInactive, State::Established];
    let rank = |met: &Met| match met.state == State::TimeWait {
        true => usize::MAX,
        false => order.iter().position(|&state| state == met.state).unwrap_or(order.len()),
    };
    here.chain(gone).min_by_key(rank)
}

/// Whether one of both cannot be bound beside the other.
fn overlap((one, port): End, (other, other_port): End) -> bool {
    port == other_port && (one == other || one.is_unspecified() || other.is_unspecified())
}

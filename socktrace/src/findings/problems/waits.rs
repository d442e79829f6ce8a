//! TIME-WAIT and CLOSE-WAIT: ends that somebody still has to wait for.

use std::collections::BTreeMap;

use super::ports::{bracketed, listening};
use super::thresholds::Name;
use super::{Finding, Kind, Sample, Scene, Severity, evidence, percent, tenths};
use crate::findings::row::{End, Row};
use crate::findings::said;
use crate::render::amounts::Bytes;
use crate::socket::{Process, State};

/// Whom connections in TIME-WAIT were with: they were accepted at that end, or led to that one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Pile {
    At(End),
    To(End),
}

fn piles(sample: &Sample) -> BTreeMap<Pile, Vec<&Row>> {
    let listening = listening(&sample.rows);
    let mut piles: BTreeMap<Pile, Vec<&Row>> = BTreeMap::new();
    for row in sample.rows.iter().filter(|row| row.state == State::TimeWait) {
        let (Some(local), Some(peer)) = (row.local, row.peer) else { continue };
        let pile = if listening.contains(&local.1) { Pile::At(local) } else { Pile::To(peer) };
        piles.entry(pile).or_default().push(row);
    }
    piles
}

pub(super) fn time_wait(scene: &Scene<'_>, found: &mut Vec<Finding>) {
    let threshold = scene.thresholds.get(Name::TimeWait);
    let piles = piles(scene.now);
    let total: usize = piles.values().map(Vec::len).sum();
    let most = scene.host.max_time_wait.unwrap_or(0);
    let share = percent(total as u64, most);
    let overflows = |sample: &Sample| sample.counters.time_wait_overflows;
    let overflowed =
        scene.before.map_or(0, |(before, _)| overflows(scene.now).saturating_sub(overflows(before)));
    let is_full = overflowed > 0 || (most > 0 && share >= scene.thresholds.get(Name::TimeWaitCritical));
    for (pile, rows) in piles {
        let count = rows.len() as u64;
        if count < threshold.max(1) {
            continue;
        }
        let mut closers: BTreeMap<u32, (Process, u64)> = BTreeMap::new();
        for row in &rows {
            if let Some(process) = row.local.zip(row.peer).and_then(|ends| scene.tally.closers.get(&ends)) {
                closers.entry(process.pid).or_insert((*process, 0)).1 += 1;
            }
        }
        let closer = closers.into_values().max_by_key(|it| it.1).map(|it| it.0);
        let (subject, filter) = match pile {
            Pile::At(end) => (format!("at {}", said::end(end)), format!("src {}", said::end(end))),
            Pile::To(end) => (format!("to {}", said::end(end)), format!("dst {}", said::end(end))),
        };
        let rate = scene.rate(count, |sample| {
            let is_of = |row: &&Row| match pile {
                Pile::At(end) => row.local == Some(end),
                Pile::To(end) => row.peer == Some(end),
            };
            let waiting = sample.rows.iter().filter(|row| row.state == State::TimeWait);
            waiting.filter(is_of).count() as u64
        });
        let mut said = format!("{} connections in TIME-WAIT", said::count(count));
        if most > 0 {
            said.push_str(&format!(", with all others {share} % of what the kernel keeps"));
        }
        if let Some(closer) = &closer {
            said.push_str(&format!("; {} closed first", said::name(closer)));
        }
        found.push(Finding {
            kind: Kind::TimeWait,
            severity: Severity::critical_if(is_full),
            subject,
            process: closer,
            unit: None,
            evidence: evidence([
                ("count", count.into()),
                ("all", total.into()),
                ("most", scene.host.max_time_wait.into()),
                ("overflows", overflowed.into()),
                ("per_second", rate.map(tenths).into()),
            ]),
            said,
            show: format!("socktrace ss -tan 'state time-wait and {filter}'"),
        });
    }
}

/// Connections of each process in CLOSE-WAIT.
fn leaks(sample: &Sample, age_ms: u64) -> BTreeMap<Option<u32>, Vec<&Row>> {
    let mut leaks: BTreeMap<Option<u32>, Vec<&Row>> = BTreeMap::new();
    // What nobody has accepted yet has no inode.
    let held = sample.rows.iter().filter(|row| row.state == State::CloseWait && row.inode != 0);
    for row in held.filter(|row| since_fin(row).is_none_or(|ms| ms >= age_ms)) {
        leaks.entry(row.process.map(|process| process.pid)).or_default().push(row);
    }
    leaks
}

/// Since when it is in CLOSE-WAIT at least, milliseconds: the FIN came with an acknowledgement.
fn since_fin(row: &Row) -> Option<u64> {
    row.tcp.as_ref().map(|tcp| tcp.last_ack_recv)
}

pub(super) fn close_wait(scene: &Scene<'_>, found: &mut Vec<Finding>) {
    let thresholds = scene.thresholds;
    let age_ms = thresholds.get(Name::CloseWaitAge).saturating_mul(1000);
    for (pid, rows) in leaks(scene.now, age_ms) {
        let count = rows.len() as u64;
        if count < thresholds.get(Name::CloseWait).max(1) {
            continue;
        }
        let process = rows.first().and_then(|row| row.process);
        let unit = rows.first().and_then(|row| row.unit.clone());
        let oldest_s = rows.iter().filter_map(|row| since_fin(row)).max().unwrap_or(0) / 1000;
        // The FIN itself counts as one byte.
        let unread: u64 = rows.iter().map(|row| row.recv_q.saturating_sub(1)).sum();
        let mut peers: BTreeMap<_, u64> = BTreeMap::new();
        rows.iter().filter_map(|row| row.peer).for_each(|peer| *peers.entry(peer.0).or_default() += 1);
        let mut peers: Vec<_> = peers.into_iter().collect();
        peers.sort_by_key(|&(_, count)| std::cmp::Reverse(count));
        let rate =
            scene.rate(count, |sample| leaks(sample, age_ms).get(&pid).map_or(0, |rows| rows.len() as u64));
        let per_minute = rate.map(|rate| tenths(rate * 60.0));
        let mut said = format!(
            "{} connections in CLOSE-WAIT, the oldest for {oldest_s} s, {} unread, with {}",
            said::count(count),
            Bytes(unread),
            said::greatest(&peers, 3, ToString::to_string)
        );
        if let Some(rate) = per_minute.filter(|rate| *rate >= 1.0) {
            said.push_str(&format!(", {rate:+.0}/min"));
        }
        found.push(Finding {
            kind: Kind::CloseWait,
            severity: Severity::critical_if(count >= thresholds.get(Name::CloseWaitCritical)),
            subject: process.as_ref().map_or_else(|| "?".to_owned(), said::name),
            process,
            unit,
            evidence: evidence([
                ("count", count.into()),
                ("oldest_s", oldest_s.into()),
                ("unread_bytes", unread.into()),
                ("per_minute", per_minute.into()),
            ]),
            said,
            show: match (process, peers.first()) {
                (Some(process), _) => {
                    format!("socktrace ss -tanp 'state close-wait and pid = {}'", process.pid)
                }
                (None, Some((peer, _))) => {
                    format!("sudo socktrace ss -tanp 'state close-wait and dst {}'", bracketed(*peer))
                }
                (None, None) => "sudo socktrace ss -tanp state close-wait".to_owned(),
            },
        });
    }
}

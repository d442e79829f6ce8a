//! Send queues that do not move: the peer takes nothing, or does not answer.

use std::collections::BTreeMap;

use super::ports::bracketed;
use super::thresholds::Name;
use super::{Finding, Kind, Scene, Severity, evidence};
use crate::findings::row::{Row, TimerKind};
use crate::findings::said;
use crate::render::amounts::Bytes;
use crate::socket::State;

/// Retransmissions without an answer from which on a peer is silent.
const SILENT: u64 = 3;

/// How long nothing has been acknowledged, milliseconds, and whether because the peer takes nothing. None if it moves.
fn stuck(row: &Row) -> Option<(u64, bool)> {
    let (tcp, timer) = (row.tcp.as_ref()?, row.timer?);
    match timer.kind {
        // Probes are acknowledged, and carry no data.
        TimerKind::Persist => Some((tcp.last_data_sent, true)),
        TimerKind::Retransmit if tcp.retransmits >= SILENT => Some((tcp.last_ack_recv, false)),
        TimerKind::Retransmit | TimerKind::TimeWait | TimerKind::Other => None,
    }
}

pub(super) fn find(scene: &Scene<'_>, found: &mut Vec<Finding>) {
    let Some((before, _)) = scene.before else { return };
    let acked = |row: &Row| row.tcp.as_ref().map_or(0, |tcp| tcp.bytes_acked);
    let then: BTreeMap<u64, u64> =
        before.rows.iter().filter(|row| row.send_q > 0).map(|row| (row.cookie, acked(row))).collect();
    let age_ms = scene.thresholds.get(Name::SendQueueAge).saturating_mul(1000);
    let mut groups: BTreeMap<_, (Vec<&Row>, u64, bool)> = BTreeMap::new();
    for row in &scene.now.rows {
        let is_open = !matches!(row.state, State::SynSent | State::Listen | State::TimeWait);
        let (true, Some(peer), Some((ms, takes_nothing))) =
            (is_open && row.send_q > 0 && then.get(&row.cookie) == Some(&acked(row)), row.peer, stuck(row))
        else {
            continue;
        };
        if ms >= age_ms {
            let key = (row.process.map(|process| process.pid), peer.0, takes_nothing);
            let (rows, longest, _) = groups.entry(key).or_insert((Vec::new(), 0, takes_nothing));
            rows.push(row);
            *longest = ms.max(*longest);
        }
    }
    for ((_, addr, _), (rows, longest, takes_nothing)) in groups {
        let process = rows.first().and_then(|row| row.process);
        let bytes: u64 = rows.iter().map(|row| row.send_q).sum();
        let count = rows.len() as u64;
        let why = if takes_nothing { "the peer takes nothing" } else { "no acknowledgement comes" };
        let owner = process.as_ref().map_or_else(|| "?".to_owned(), said::name);
        found.push(Finding {
            kind: Kind::SendQueue,
            severity: Severity::Warning,
            subject: format!("{owner} to {addr}"),
            process,
            unit: rows.first().and_then(|row| row.unit.clone()),
            evidence: evidence([
                ("connections", count.into()),
                ("bytes", bytes.into()),
                ("longest_s", (longest / 1000).into()),
                ("zero_window", takes_nothing.into()),
            ]),
            said: format!(
                "{} of {} wait for {} s: {why}",
                Bytes(bytes),
                said::many(count, "connection"),
                longest / 1000
            ),
            show: format!("socktrace ss -tinpo 'sendq > 0 and dst {}'", bracketed(addr)),
        });
    }
}

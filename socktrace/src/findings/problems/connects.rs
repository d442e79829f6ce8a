//! Connects that fail: those that the history has, and those that wait without an answer now.

use std::collections::BTreeMap;

use super::tally::{Comm2, Failures, NO_ANSWER, Reason};
use super::thresholds::Name;
use super::{Finding, Kind, Scene, Severity, evidence};
use crate::findings::past::Side;
use crate::findings::row::{End, TimerKind};
use crate::findings::said;
use crate::render::escape;
use crate::socket::State;

pub(super) fn find(scene: &Scene<'_>, found: &mut Vec<Finding>) {
    let mut all: BTreeMap<(Reason, End, Option<Comm2>), (Failures, u64)> =
        scene.tally.failures.iter().map(|(key, failures)| (key.clone(), (failures.clone(), 0))).collect();
    for row in scene.now.rows.iter().filter(|row| row.state == State::SynSent) {
        let unanswered = row.timer.is_some_and(|it| it.kind == TimerKind::Retransmit && it.retrans > 0);
        let (true, Some(peer)) = (unanswered, row.peer) else { continue };
        let program = row.process.map(|process| Comm2(process.comm));
        let (failures, waiting) = all.entry((NO_ANSWER.into(), peer, program)).or_default();
        *waiting += 1;
        failures.by = Some(Side::Network);
        failures.process = failures.process.or(row.process);
        if failures.unit.is_none() {
            failures.unit.clone_from(&row.unit);
        }
    }
    for ((reason, peer, program), (failures, waiting)) in all {
        let count = failures.count + waiting;
        if count < scene.thresholds.get(Name::Connects).max(1) {
            continue;
        }
        let to = said::end(peer);
        let by = failures.by.map(Side::name);
        let who = program.map_or_else(|| "?".to_owned(), |it| escape::text(it.0.as_bytes()));
        let mut said = format!("{} failed: {reason}", said::many(failures.count, "connect"));
        if let Some(by) = by {
            said.push_str(&format!(" ({by})"));
        }
        if waiting > 0 {
            said.push_str(&format!(", {} waiting without an answer", said::count(waiting)));
        }
        let is_out_of_ports = &*reason == "EADDRNOTAVAIL";
        found.push(Finding {
            kind: Kind::Connects,
            severity: Severity::critical_if(
                is_out_of_ports || count >= scene.thresholds.get(Name::ConnectsCritical),
            ),
            subject: format!("{who} to {to}, {reason}"),
            process: failures.process,
            unit: failures.unit,
            evidence: evidence([
                ("failed", failures.count.into()),
                ("waiting", waiting.into()),
                ("reason", (*reason).into()),
                ("failed_by", by.into()),
            ]),
            said,
            show: match failures.count {
                0 => format!("socktrace ss -tanpo 'state syn-sent and dst {to}'"),
                _ => format!("socktrace history -tn --kinds connect_failed 'dst {to}'"),
            },
        });
    }
}

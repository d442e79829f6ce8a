//! Listeners: the queue of connections that wait to be accepted is full, or nobody takes them out of it.

use std::collections::BTreeMap;

use super::thresholds::Name;
use super::{Finding, Kind, Sample, Scene, Severity, evidence, tenths};
use crate::findings::row::{Proto, Row};
use crate::findings::said;
use crate::socket::State;

pub(super) fn find(scene: &Scene<'_>, found: &mut Vec<Finding>) {
    let listeners =
        || scene.now.rows.iter().filter(|row| row.state == State::Listen && row.proto == Proto::Tcp);
    let before: BTreeMap<u64, &Row> = scene
        .before
        .into_iter()
        .flat_map(|(sample, _)| &sample.rows)
        .filter(|row| row.state == State::Listen)
        .map(|row| (row.cookie, row))
        .collect();
    let age_ms = scene.thresholds.get(Name::NotAcceptedAge).saturating_mul(1000);
    let first = found.len();
    for row in listeners() {
        let Some(local) = row.local else { continue };
        let was = before.get(&row.cookie);
        let dropped = was.map_or(0, |was| row.drops.saturating_sub(was.drops));
        // A listener takes one connection more than its backlog (include/net/sock.h, `sk_acceptq_is_full`).
        let is_full = row.recv_q > 0 && row.recv_q >= row.send_q;
        let drops = dropped > 0 && dropped >= scene.thresholds.get(Name::ListenDrops);
        let oldest_ms = if row.recv_q > 0 { oldest(scene.now, row) } else { 0 };
        let kind = match (is_full || drops, oldest_ms >= age_ms && oldest_ms > 0) {
            (true, _) => Kind::ListenQueue,
            (false, true) => Kind::NotAccepted,
            (false, false) => continue,
        };
        let (waiting, backlog) = (row.recv_q, row.send_q);
        let rate =
            scene.rate(row.drops, |_| was.map_or(row.drops, |was| was.drops)).filter(|rate| *rate > 0.0);
        let mut said = format!("queue {} of {}", said::count(waiting), said::count(backlog));
        if waiting > 0 && waiting >= backlog {
            said.push_str(", full");
        }
        if row.drops > 0 {
            said.push_str(&format!(", dropped {}", said::count(row.drops)));
        }
        if let Some(rate) = rate {
            said.push_str(&format!(" ({rate:+.0}/s)"));
        }
        if oldest_ms >= 1000 {
            said.push_str(&format!(", one waits for {} s", oldest_ms / 1000));
        }
        let owner = said::owner(row.process.as_ref(), row.unit.as_deref());
        found.push(Finding {
            kind,
            severity: Severity::critical_if(drops || waiting > backlog),
            subject: format!("{} {owner}", said::end(local)),
            process: row.process,
            unit: row.unit.clone(),
            evidence: evidence([
                ("queue", waiting.into()),
                ("backlog", backlog.into()),
                ("dropped", row.drops.into()),
                ("dropped_per_second", rate.map(tenths).into()),
                ("oldest_s", (oldest_ms / 1000).into()),
            ]),
            said,
            show: format!("socktrace ss -tlnpm 'sport = :{}'", local.1),
        });
    }
    if found.len() == first {
        unnamed(scene, found);
    }
}

/// How long the oldest of a listener's connections has been waiting, milliseconds. It has sent nothing since it was there.
fn oldest(sample: &Sample, listener: &Row) -> u64 {
    let waits = |row: &&Row| {
        row.inode == 0
            && matches!(row.state, State::Established | State::CloseWait)
            && row.local.zip(listener.local).is_some_and(|((addr, port), (at, listened))| {
                port == listened && (at.is_unspecified() || at == addr)
            })
    };
    let waiting = sample.rows.iter().filter(waits);
    waiting.filter_map(|row| row.tcp.as_ref()).map(|tcp| tcp.last_data_sent).max().unwrap_or(0)
}

/// The namespace counts overflows of listeners that are gone or that nobody may see.
fn unnamed(scene: &Scene<'_>, found: &mut Vec<Finding>) {
    let overflows = |sample: &Sample| sample.counters.listen_overflows;
    let Some((before, _)) = scene.before else { return };
    let more = overflows(scene.now).saturating_sub(overflows(before));
    if more == 0 || more < scene.thresholds.get(Name::ListenDrops) {
        return;
    }
    let rate = scene.rate(overflows(scene.now), overflows).map(tenths);
    found.push(Finding {
        kind: Kind::ListenQueue,
        severity: Severity::Critical,
        subject: "a listener".to_owned(),
        process: None,
        unit: None,
        evidence: evidence([("overflows", more.into()), ("overflows_per_second", rate.into())]),
        said: format!("{} connections met a full queue (ListenOverflows)", said::count(more)),
        show: "socktrace ss -tlnpm".to_owned(),
    });
}

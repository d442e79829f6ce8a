//! Ephemeral ports: the kernel has one range of them for each local address, peer and port of the peer.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::thresholds::Name;
use super::{Finding, Kind, Sample, Scene, Severity, evidence, percent, tenths};
use crate::findings::row::{End, Proto, Row};
use crate::findings::said;
use crate::socket::{Process, State};

/// Whom ports lead to.
type To = (IpAddr, End);

#[derive(Default)]
struct Used<'a> {
    ports: BTreeSet<u16>,
    time_wait: u64,
    processes: BTreeMap<u32, (Process, Option<&'a str>, u64)>,
}

/// Connections that this side began, by whom they lead to.
fn used<'a>(sample: &'a Sample, scene: &Scene<'_>) -> BTreeMap<To, Used<'a>> {
    let mut all: BTreeMap<To, Used<'_>> = BTreeMap::new();
    let Some(range) = scene.host.ports else { return all };
    let listening = listening(&sample.rows);
    for row in &sample.rows {
        let (Some((local, port)), Some(peer @ (_, 1..))) = (row.local, row.peer) else { continue };
        if row.proto != Proto::Tcp || !range.contains(port) || listening.contains(&port) {
            continue;
        }
        let used = all.entry((local, peer)).or_default();
        used.ports.insert(port);
        used.time_wait += u64::from(row.state == State::TimeWait);
        if let Some(process) = row.process {
            used.processes.entry(process.pid).or_insert((process, row.unit.as_deref(), 0)).2 += 1;
        }
    }
    all
}

/// The ports of listeners: what has one of them was accepted.
pub(super) fn listening(rows: &[Row]) -> BTreeSet<u16> {
    let listeners = rows.iter().filter(|row| row.state == State::Listen);
    listeners.filter_map(|row| row.local).map(|(_, port)| port).collect()
}

pub(super) fn find(scene: &Scene<'_>, found: &mut Vec<Finding>) {
    let Some(range) = scene.host.ports else { return };
    let usable = range.usable();
    let (warning, critical) = (scene.thresholds.get(Name::Ports), scene.thresholds.get(Name::PortsCritical));
    let full = |count: u64| count > 0 && percent(count, usable) >= warning;
    let all = used(scene.now, scene);
    if all.values().all(|used| !full(used.ports.len() as u64)) {
        return;
    }
    let before = scene.before.map(|(sample, ms)| (used(sample, scene), ms));
    for ((local, peer), used) in all {
        let count = used.ports.len() as u64;
        if !full(count) {
            continue;
        }
        let rate = before.as_ref().and_then(|(before, ms)| {
            let then = before.get(&(local, peer)).map_or(0, |used| used.ports.len());
            (*ms > 0).then(|| (count as f64 - then as f64) * 1000.0 / *ms as f64)
        });
        let left = usable.saturating_sub(count);
        let full_in = rate.filter(|&rate| rate >= 1.0).map(|rate| (left as f64 / rate).ceil());
        let failed = scene.tally.without_port(peer);
        let share = percent(count, usable);
        let most = used.processes.values().max_by_key(|it| it.2).copied();
        let to = said::end(peer);
        let mut said = format!(
            "{} of {} ports used ({share} %), {} in TIME-WAIT",
            said::count(count),
            said::count(usable),
            said::count(used.time_wait)
        );
        if let Some(rate) = rate.filter(|rate| rate.abs() >= 1.0) {
            said.push_str(&format!(", {rate:+.0}/s"));
        }
        if let Some(seconds) = full_in {
            said.push_str(&format!(", full in {seconds} s"));
        }
        if failed > 0 {
            said.push_str(&format!(", EADDRNOTAVAIL {}", said::count(failed)));
        }
        if let Some((process, _, held)) = most {
            said.push_str(&format!("; {} has {}", said::name(&process), said::count(held)));
        }
        found.push(Finding {
            kind: Kind::Ports,
            severity: Severity::critical_if(share >= critical || failed > 0),
            subject: format!("{local} to {to}"),
            process: most.map(|it| it.0),
            unit: most.and_then(|it| it.1).map(Into::into),
            evidence: evidence([
                ("used", count.into()),
                ("usable", usable.into()),
                ("percent", share.into()),
                ("time_wait", used.time_wait.into()),
                ("per_second", rate.map(tenths).into()),
                ("full_in_s", full_in.into()),
                ("eaddrnotavail", failed.into()),
                ("reserved", range.reserved.into()),
            ]),
            said,
            show: format!("socktrace ss -tanp 'src {} and dst {to}'", bracketed(local)),
        });
    }
}

/// An address as filters take it.
pub(super) fn bracketed(addr: IpAddr) -> String {
    match addr {
        IpAddr::V4(addr) => addr.to_string(),
        IpAddr::V6(addr) => format!("[{addr}]"),
    }
}

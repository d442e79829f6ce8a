//! Peers on whose way segments are lost, or that answer slowly.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::ports::bracketed;
use super::thresholds::Name;
use super::{Finding, Kind, Scene, Severity, evidence};
use crate::findings::row::Proto;
use crate::findings::said;
use crate::render::amounts::Micros;
use crate::socket::{Process, State};

#[derive(Default)]
struct Peer {
    sent: u64,
    again: u64,
    rtts: Vec<u64>,
    process: Option<Process>,
    unit: Option<Box<str>>,
    /// Segments that the process of these sent again.
    most: u64,
}

pub(super) fn find(scene: &Scene<'_>, found: &mut Vec<Finding>) {
    let mut peers: BTreeMap<IpAddr, Peer> = BTreeMap::new();
    for (addr, (sent, again)) in &scene.tally.segments {
        peers.insert(*addr, Peer { sent: *sent, again: *again, ..Peer::default() });
    }
    for row in scene.now.rows.iter().filter(|row| row.proto == Proto::Tcp && row.state != State::SynSent) {
        let (Some((addr, 1..)), Some(tcp)) = (row.peer, &row.tcp) else { continue };
        let peer = peers.entry(addr).or_default();
        peer.sent += tcp.segs_out;
        peer.again += tcp.total_retrans;
        if tcp.rtt > 0 && row.state == State::Established {
            peer.rtts.push(tcp.rtt);
        }
        if peer.process.is_none() || tcp.total_retrans > peer.most {
            peer.most = tcp.total_retrans;
            peer.process = row.process;
            peer.unit.clone_from(&row.unit);
        }
    }
    let thresholds = scene.thresholds;
    for (addr, mut peer) in peers {
        peer.rtts.sort_unstable();
        let rtt_us = peer.rtts.get(peer.rtts.len() / 2).copied().unwrap_or(0);
        let per_mille = peer.again.saturating_mul(1000).checked_div(peer.sent).unwrap_or(0);
        let is_judged = peer.sent >= thresholds.get(Name::RetransSegments) && peer.again > 0;
        let is_lossy = is_judged && per_mille >= thresholds.get(Name::Retrans).saturating_mul(10);
        let is_slow = rtt_us >= thresholds.get(Name::Rtt).saturating_mul(1000) && rtt_us > 0;
        if !is_lossy && !is_slow {
            continue;
        }
        let share = per_mille as f64 / 10.0;
        let (again, sent) = (said::count(peer.again), said::count(peer.sent));
        let mut said = format!("{again} of {sent} segments sent again ({share} %)");
        if rtt_us > 0 {
            said.push_str(&format!(", round-trip time {}", Micros(rtt_us)));
        }
        let critical = thresholds.get(Name::RetransCritical).saturating_mul(10);
        found.push(Finding {
            kind: Kind::Peers,
            severity: Severity::critical_if(is_lossy && per_mille >= critical),
            subject: addr.to_string(),
            process: peer.process,
            unit: peer.unit,
            evidence: evidence([
                ("segs_out", peer.sent.into()),
                ("retrans", peer.again.into()),
                ("percent", share.into()),
                ("rtt_us", rtt_us.into()),
                ("connections", peer.rtts.len().into()),
            ]),
            said,
            show: format!("socktrace ss -tinp 'dst {}'", bracketed(addr)),
        });
    }
}

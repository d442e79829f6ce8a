//! The ports of connections that were closed while their peer had not closed yet.
//!
//! The kernel replaces such a socket by a mini-socket that no event tells of, and that a listing shows in the state
//! FIN-WAIT-2 (net/ipv4/tcp_minisocks.c, `tcp_time_wait`). The table does not have it, so whoever asks about one of
//! its ports must ask the kernel's own table. Pure: time is an argument.

use crate::query::IndexKeys;
use crate::socket::{BootNs, Change, ChangeKind, Endpoint, Proto, State};

/// How long a mini-socket can live: a minute, or the longest retransmission timeout if that is longer
/// (`inet_twsk_schedule`, TCP_RTO_MAX).
const LIFE_S: u32 = 120;

/// When a connection with that port was last closed so, by port; seconds since boot, and 0 for never.
#[derive(Debug)]
pub(super) struct Lingering {
    local: Box<[u32]>,
    peer: Box<[u32]>,
}

impl Lingering {
    pub(super) fn new() -> Self {
        // Zeroed memory that is not touched takes no room.
        let never = || vec![0; 1 << 16].into_boxed_slice();
        Self { local: never(), peer: never() }
    }

    /// Takes a change.
    pub(super) fn see(&mut self, change: &Change) {
        let ends_so = matches!(
            change.kind,
            ChangeKind::State { old: State::FinWait2, new: State::Close, .. } if change.proto == Proto::Tcp
        );
        if ends_so {
            self.note(change.at, &change.local, &change.peer);
        }
    }

    /// There is, or may be, such a mini-socket.
    pub(super) fn note(&mut self, now: BootNs, local: &Endpoint, peer: &Endpoint) {
        for (times, end) in [(&mut self.local, local), (&mut self.peer, peer)] {
            if let Some(time) = times.get_mut(usize::from(end.port())) {
                *time = seconds(now).max(1);
            }
        }
    }

    /// Whether there may be one that has what all matches of a filter have.
    pub(super) fn may_have(&self, keys: &IndexKeys, now: BootNs) -> bool {
        let recent = |times: &[u32], port: u16| {
            let time = times.get(usize::from(port)).copied().unwrap_or(0);
            time != 0 && seconds(now).saturating_sub(time) <= LIFE_S
        };
        let (local, peer) = (|port| recent(&self.local, port), |port| recent(&self.peer, port));
        keys.local_port.is_none_or(local)
            && keys.peer_port.is_none_or(peer)
            && keys.either_port.is_none_or(|port| local(port) || peer(port))
    }
}

fn seconds(at: BootNs) -> u32 {
    u32::try_from(at / 1_000_000_000).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: BootNs = 1_000_000_000;

    fn end(port: u16) -> Endpoint {
        Endpoint::Inet { addr: [192, 0, 2, 1].into(), port }
    }

    #[test]
    fn ports_are_remembered_for_as_long_as_a_mini_socket_lives() {
        let mut lingering = Lingering::new();
        lingering.note(10 * SECOND, &end(1000), &end(80));
        let keys = |local_port, peer_port, either_port| IndexKeys {
            local_port,
            peer_port,
            either_port,
            ..IndexKeys::default()
        };
        for (keys, after_s, expected) in [
            (keys(Some(1000), None, None), 0, true),
            (keys(Some(1000), None, None), 120, true),
            (keys(Some(1000), None, None), 121, false),
            (keys(Some(80), None, None), 0, false),
            (keys(None, Some(80), None), 1, true),
            (keys(Some(1000), Some(80), None), 1, true),
            (keys(Some(1000), Some(81), None), 1, false),
            (keys(None, None, Some(80)), 1, true),
            (keys(None, None, Some(1000)), 1, true),
            (keys(None, None, Some(1001)), 1, false),
            // A cookie says nothing about ports.
            (keys(None, None, None), 500, true),
        ] {
            assert_eq!(lingering.may_have(&keys, (10 + after_s) * SECOND), expected, "{keys:?} {after_s}");
        }
    }
}

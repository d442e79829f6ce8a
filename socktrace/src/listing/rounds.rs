//! Repeated listings: what has changed since the round before.
//!
//! I/O: the clock.

use rustc_hash::FxHashMap;

use jiff::{Timestamp, Zoned};

use crate::render::names::Named;
use crate::render::ss::{Delta, Round, Row};
use crate::socket::info::{Member, tcp};
use crate::socket::{Cookie, Holder, NetnsId, Proto, Socket, State};

use super::namespaces::Label;

/// What a socket was like in the round before.
#[derive(Debug, Clone)]
struct Before {
    /// In which round it was last seen.
    round: u64,
    state: State,
    recv_q: u32,
    send_q: u32,
    sent: Option<u64>,
    received: Option<u64>,
    /// To be shown once more when it has gone.
    gone: Gone,
}

/// A socket that has gone, as it was.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Gone {
    pub(super) socket: Socket,
    pub(super) users: Box<[Holder]>,
    pub(super) label: Option<Label>,
}

/// The sockets of the rounds so far.
#[derive(Debug, Default)]
pub struct Rounds {
    round: u64,
    /// When it began.
    at: String,
    seen: FxHashMap<(NetnsId, Cookie), Before>,
    /// What the interfaces of other namespaces were called in the round before.
    pub(super) interfaces: FxHashMap<Named, Option<Box<[u8]>>>,
}

impl Rounds {
    /// The next round begins.
    pub(super) fn begin(&mut self) {
        self.round += 1;
        self.at = Timestamp::now().to_string();
    }

    /// Which round it is.
    pub(super) fn now(&self) -> Round<'_> {
        Round { number: self.round, at: &self.at }
    }

    /// The line above its table: which it is, and when it began, in local time.
    pub(super) fn heading(&self) -> String {
        format!("Round {} at {}\n", self.round, Zoned::now().strftime("%Y-%m-%d %H:%M:%S%.3f"))
    }

    /// What has changed of a socket that is there. A socket without a cookie is never known again.
    pub(super) fn compare(&mut self, row: &Row<'_>) -> Option<Delta> {
        let socket = row.socket;
        if socket.cookie == 0 {
            return None;
        }
        let round = self.round;
        let now = Before {
            round,
            state: socket.state,
            recv_q: socket.recv_q,
            send_q: socket.send_q,
            sent: counter(socket, tcp::BYTES_ACKED),
            received: counter(socket, tcp::BYTES_RECEIVED),
            gone: Gone {
                socket: Socket { detail: None, ..socket.clone() },
                users: row.users.into(),
                label: row.netns.map(Label::from),
            },
        };
        let before = self.seen.insert((socket.netns, socket.cookie), now.clone());
        match before {
            None if round == 1 => None,
            None => Some(Delta::New),
            Some(before) => changed(&before, &now),
        }
    }

    /// Those that were there in the round before and are gone; they are forgotten.
    pub(super) fn gone(&mut self) -> Vec<Gone> {
        let round = self.round;
        let mut gone: Vec<Gone> =
            self.seen.extract_if(|_, before| before.round != round).map(|(_, before)| before.gone).collect();
        gone.sort_unstable_by_key(|gone| (gone.socket.netns, gone.socket.cookie));
        gone
    }
}

fn changed(before: &Before, now: &Before) -> Option<Delta> {
    // Signed, as the kernel counts.
    let difference = |a: u32, b: u32| i64::from(b.cast_signed()) - i64::from(a.cast_signed());
    let grown = |a: Option<u64>, b: Option<u64>| a.zip(b).map_or(0, |(a, b)| b.saturating_sub(a));
    let delta = Delta::Changed {
        was: (before.state != now.state).then_some(before.state),
        recv_q: difference(before.recv_q, now.recv_q),
        send_q: difference(before.send_q, now.send_q),
        sent: grown(before.sent, now.sent),
        received: grown(before.received, now.received),
    };
    let same = Delta::Changed { was: None, recv_q: 0, send_q: 0, sent: 0, received: 0 };
    (delta != same).then_some(delta)
}

fn counter(socket: &Socket, member: Member) -> Option<u64> {
    if socket.proto != Proto::Tcp {
        return None;
    }
    member.of(socket.detail.as_ref()?.info.as_deref()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::socket::{Endpoint, Family};

    fn socket(cookie: u64, state: State, recv_q: u32) -> Socket {
        let end = Endpoint::Inet { addr: [127, 0, 0, 1].into(), port: 1 };
        Socket {
            proto: Proto::Tcp,
            family: Family::Inet,
            state,
            recv_q,
            send_q: 0,
            local: end.clone(),
            peer: end,
            ifindex: 0,
            inode: 1,
            cookie,
            netns: 1,
            uid: None,
            v6only: None,
            detail: None,
        }
    }

    fn compare(rounds: &mut Rounds, socket: &Socket) -> Option<Delta> {
        rounds.compare(&Row::of(socket))
    }

    fn gone(rounds: &mut Rounds) -> Vec<Socket> {
        rounds.gone().into_iter().map(|gone| gone.socket).collect()
    }

    #[test]
    fn what_is_new_changed_and_gone() {
        let mut rounds = Rounds::default();
        rounds.begin();
        assert_eq!(
            compare(&mut rounds, &socket(1, State::SynSent, 0)),
            None,
            "nothing is new in the first round"
        );
        assert_eq!(compare(&mut rounds, &socket(2, State::Established, 5)), None);
        assert!(rounds.gone().is_empty());
        rounds.begin();
        let changed =
            Delta::Changed { was: Some(State::SynSent), recv_q: 7, send_q: 0, sent: 0, received: 0 };
        assert_eq!(compare(&mut rounds, &socket(1, State::Established, 7)), Some(changed));
        assert_eq!(compare(&mut rounds, &socket(3, State::Established, 0)), Some(Delta::New));
        assert_eq!(gone(&mut rounds), [socket(2, State::Established, 5)]);
        rounds.begin();
        assert_eq!(compare(&mut rounds, &socket(1, State::Established, 7)), None);
        assert_eq!(rounds.gone().len(), 1);
        assert!(rounds.gone().is_empty());
        assert_eq!(compare(&mut rounds, &socket(0, State::Established, 7)), None, "no cookie, no comparison");
    }
}

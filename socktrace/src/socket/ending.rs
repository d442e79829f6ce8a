//! How a TCP connection ended, from the state that it ended in: who closed first, and who reset it.

use nix::errno::Errno;

use super::State;

/// Who sent the first FIN, or reset the connection before there was one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ClosedFirst {
    /// This side.
    Local,
    /// The other side.
    Peer,
    /// Both, each before it knew of the other.
    Both,
}

/// Who reset the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reset {
    /// This side: it closed with data unread, or without lingering, or was told to abort.
    Local,
    /// The other side.
    Peer,
    /// One of both: the peer reset it, or sent data after this side had closed, which the kernel answers with a reset.
    Either,
}

impl ClosedFirst {
    /// The word of the JSON schema: `local`, `peer`, `both`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Peer => "peer",
            Self::Both => "both",
        }
    }

    /// Of a connection that left this state for CLOSE. The state tells which FIN came first (RFC 9293, figure 5); where
    /// there was none, a reset does. None if nobody closed: it timed out.
    #[must_use]
    pub const fn of(old: State, reset: Option<Reset>) -> Option<Self> {
        match (old, reset) {
            (State::FinWait1 | State::FinWait2 | State::TimeWait, _) => Some(Self::Local),
            (State::CloseWait | State::LastAck, _) => Some(Self::Peer),
            (State::Closing, _) => Some(Self::Both),
            (State::Established | State::SynRecv, Some(Reset::Local)) => Some(Self::Local),
            (State::Established | State::SynRecv, Some(Reset::Peer)) => Some(Self::Peer),
            (State::Established | State::SynRecv, Some(Reset::Either) | None) => None,
            (
                State::SynSent
                | State::Close
                | State::Listen
                | State::NewSynRecv
                | State::BoundInactive
                | State::Other(_),
                _,
            ) => None,
        }
    }
}

impl Reset {
    /// The word of the JSON schema: `local`, `peer`, `either`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Peer => "peer",
            Self::Either => "either",
        }
    }

    /// Of a connection that ended so. A reset that arrives sets the error first (net/ipv4/tcp_input.c, `tcp_reset`), an
    /// abort by `SOCK_DESTROY` another (net/ipv4/tcp.c, `tcp_abort`), and a close(2) that resets none (`__tcp_close`,
    /// `tcp_disconnect`). None if there was no reset, or, of a close(2) that drops something after both FINs, if the
    /// kernel does not report.
    #[must_use]
    pub fn of(ending: &Ending) -> Option<Self> {
        let errno = (ending.errno != 0).then(|| Errno::from_raw(ending.errno.into()));
        match ending.old {
            State::Established | State::SynRecv | State::CloseWait => match errno {
                Some(Errno::ECONNRESET | Errno::EPIPE) => Some(Self::Peer),
                None | Some(Errno::ECONNABORTED) => Some(Self::Local),
                Some(_) => None,
            },
            // `tcp_rcv_state_process` resets on data that comes when nothing is to be received, as if a reset had come.
            State::FinWait1 | State::FinWait2 => match errno {
                Some(Errno::ECONNRESET) if ending.receive_shut && ending.heard => Some(Self::Either),
                Some(Errno::ECONNRESET) => Some(Self::Peer),
                Some(Errno::ECONNABORTED) => Some(Self::Local),
                // close(2) in its very first steps drops what is there: otherwise it would wait for the peer's FIN.
                None if !ending.orphan && !ending.fin_received => Some(Self::Local),
                Some(_) | None => None,
            },
            State::Closing | State::LastAck => match errno {
                Some(Errno::ECONNRESET) => Some(Self::Peer),
                Some(Errno::ECONNABORTED) => Some(Self::Local),
                Some(_) | None => None,
            },
            State::SynSent
            | State::Close
            | State::Listen
            | State::NewSynRecv
            | State::TimeWait
            | State::BoundInactive
            | State::Other(_) => None,
        }
    }
}

/// What the kernel shows of a connection when it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ending {
    /// The state that it left for CLOSE.
    pub old: State,
    /// `sk_err`: 0, or the errno that ended it.
    pub errno: u16,
    /// The peer's FIN had arrived.
    pub fin_received: bool,
    /// Nothing more was to be received: by the peer's FIN, shutdown(2) or close(2).
    pub receive_shut: bool,
    /// Nothing more was to be sent: by shutdown(2) or close(2).
    pub send_shut: bool,
    /// close(2) had left it to the kernel.
    pub orphan: bool,
    /// A segment with data had arrived.
    pub heard: bool,
}

/// Who made a TCP connect(2) fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FailedBy {
    /// This side: there was no route, no port, or the socket was closed meanwhile.
    Local,
    /// The other side refused.
    Peer,
    /// Nobody answered, or somebody on the way said that it does not go on.
    Network,
}

impl FailedBy {
    /// The word of the JSON schema: `local`, `peer`, `network`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Peer => "peer",
            Self::Network => "network",
        }
    }

    /// Of a connect that ended with this error; `dialled`: whether a SYN was sent.
    #[must_use]
    pub fn of(errno: u16, dialled: bool) -> Self {
        let error = Errno::from_raw(errno.into());
        if !dialled || errno == 0 || error == Errno::ECONNABORTED {
            Self::Local
        } else if matches!(error, Errno::ECONNREFUSED | Errno::ECONNRESET) {
            Self::Peer
        } else {
            Self::Network
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is true of an ending, in words.
    fn ending(old: State, errno: i32, facts: &str) -> Ending {
        let is = |fact| facts.split(' ').any(|word| word == fact);
        Ending {
            old,
            errno: errno.try_into().unwrap(),
            fin_received: is("fin"),
            receive_shut: is("receive") || is("closing"),
            send_shut: is("send") || is("closing"),
            orphan: is("orphan"),
            heard: is("heard"),
        }
    }

    #[test]
    fn every_end() {
        use State::{CloseWait, Closing, Established, FinWait1, FinWait2, LastAck, Listen, SynRecv, SynSent};
        for (old, errno, facts, first, reset) in [
            (LastAck, 0, "fin closing orphan", "peer", "-"),
            (FinWait2, 0, "fin closing orphan", "local", "-"),
            // After shutdown(2), and the peer's FIN.
            (FinWait2, 0, "fin receive send", "local", "-"),
            // After close(2): the kernel waits for the peer's FIN with less.
            (FinWait2, 0, "closing orphan", "local", "-"),
            // close(2) after shutdown(2), with data unread or without lingering.
            (FinWait1, 0, "closing", "local", "local"),
            (FinWait2, 0, "closing heard", "local", "local"),
            (Closing, 0, "fin closing orphan", "both", "-"),
            (Established, libc::ECONNRESET, "", "peer", "peer"),
            (Established, 0, "closing", "local", "local"),
            (Established, libc::ECONNABORTED, "", "local", "local"),
            (Established, libc::ETIMEDOUT, "", "-", "-"),
            (Established, libc::EHOSTUNREACH, "", "-", "-"),
            (SynRecv, libc::ECONNRESET, "", "peer", "peer"),
            (CloseWait, libc::EPIPE, "fin receive", "peer", "peer"),
            (CloseWait, 0, "fin closing", "peer", "local"),
            (CloseWait, libc::ETIMEDOUT, "fin receive", "peer", "-"),
            (FinWait1, libc::ECONNRESET, "closing orphan heard", "local", "either"),
            (FinWait1, libc::ECONNRESET, "closing orphan", "local", "peer"),
            (FinWait2, libc::ECONNRESET, "closing heard", "local", "either"),
            (FinWait2, libc::ECONNRESET, "send heard", "local", "peer"),
            (Established, 4000, "", "-", "-"),
            (FinWait1, libc::ETIMEDOUT, "closing orphan", "local", "-"),
            (FinWait2, libc::ECONNABORTED, "send", "local", "local"),
            (LastAck, libc::ECONNRESET, "fin closing orphan", "peer", "peer"),
            (Closing, libc::ECONNABORTED, "fin receive send", "both", "local"),
            (Listen, 0, "closing", "-", "-"),
            (SynSent, libc::ECONNREFUSED, "", "-", "-"),
        ] {
            let told = Reset::of(&ending(old, errno, facts));
            let said = told.map_or("-", Reset::name);
            let closed = ClosedFirst::of(old, told).map_or("-", ClosedFirst::name);
            assert_eq!((closed, said), (first, reset), "{old} with errno {errno}, {facts}");
        }
    }

    #[test]
    fn every_failure() {
        for (errno, dialled, expected) in [
            (libc::ECONNREFUSED, true, FailedBy::Peer),
            (libc::ETIMEDOUT, true, FailedBy::Network),
            (libc::EHOSTUNREACH, true, FailedBy::Network),
            (0, true, FailedBy::Local),
            (libc::ECONNABORTED, true, FailedBy::Local),
            (libc::ENETUNREACH, false, FailedBy::Local),
            (libc::EADDRNOTAVAIL, false, FailedBy::Local),
        ] {
            assert_eq!(FailedBy::of(errno as u16, dialled), expected, "{errno} {dialled}");
        }
    }
}

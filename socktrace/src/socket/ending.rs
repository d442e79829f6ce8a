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

    /// Of a connection that left this state for CLOSE with this error. A reset that arrives sets the error first
    /// (net/ipv4/tcp_input.c, `tcp_reset`), an abort by `SOCK_DESTROY` another (net/ipv4/tcp.c, `tcp_abort`), and a
    /// close(2) that resets none (`__tcp_close`, `tcp_disconnect`). None if there was no reset, or, of a socket that
    /// had sent its FIN and closes without an error, if the kernel does not tell.
    #[must_use]
    pub fn of(old: State, errno: u16) -> Option<Self> {
        let errno = (errno != 0).then(|| Errno::from_raw(errno.into()));
        match old {
            State::Established | State::SynRecv | State::CloseWait => match errno {
                Some(Errno::ECONNRESET | Errno::EPIPE) => Some(Self::Peer),
                None | Some(Errno::ECONNABORTED) => Some(Self::Local),
                Some(_) => None,
            },
            // `tcp_rcv_state_process` resets on data that comes after close(2), as if a reset had come.
            State::FinWait1 | State::FinWait2 => match errno {
                Some(Errno::ECONNRESET) => Some(Self::Either),
                Some(Errno::ECONNABORTED) => Some(Self::Local),
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
        match Errno::from_raw(errno.into()) {
            _ if !dialled || errno == 0 => Self::Local,
            Errno::ECONNREFUSED | Errno::ECONNRESET => Self::Peer,
            Errno::ECONNABORTED => Self::Local,
            _ => Self::Network,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_end() {
        use State::{CloseWait, Closing, Established, FinWait1, FinWait2, LastAck, Listen, SynRecv, SynSent};
        for (old, errno, first, reset) in [
            (LastAck, 0, "peer", "-"),
            (FinWait2, 0, "local", "-"),
            (Closing, 0, "both", "-"),
            (Established, libc::ECONNRESET, "peer", "peer"),
            (Established, 0, "local", "local"),
            (Established, libc::ECONNABORTED, "local", "local"),
            (Established, libc::ETIMEDOUT, "-", "-"),
            (Established, libc::EHOSTUNREACH, "-", "-"),
            (SynRecv, libc::ECONNRESET, "peer", "peer"),
            (CloseWait, libc::EPIPE, "peer", "peer"),
            (CloseWait, 0, "peer", "local"),
            (CloseWait, libc::ETIMEDOUT, "peer", "-"),
            (FinWait1, libc::ECONNRESET, "local", "either"),
            (FinWait2, libc::ECONNRESET, "local", "either"),
            (Established, 4000, "-", "-"),
            (FinWait1, libc::ETIMEDOUT, "local", "-"),
            (FinWait2, libc::ECONNABORTED, "local", "local"),
            (LastAck, libc::ECONNRESET, "peer", "peer"),
            (Closing, libc::ECONNABORTED, "both", "local"),
            (Listen, 0, "-", "-"),
            (SynSent, libc::ECONNREFUSED, "-", "-"),
        ] {
            let told = Reset::of(old, errno as u16);
            let said = told.map_or("-", Reset::name);
            let closed = ClosedFirst::of(old, told).map_or("-", ClosedFirst::name);
            assert_eq!((closed, said), (first, reset), "{old} with errno {errno}");
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

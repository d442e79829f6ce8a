//! Socket states, as the kernel numbers them (include/net/tcp_states.h), and sets of them.

use std::fmt;

/// A socket's state. UDP, UNIX and others borrow TCP's numbers, as sock_diag does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum State {
    /// 1
    Established,
    /// 2
    SynSent,
    /// 3
    SynRecv,
    /// 4
    FinWait1,
    /// 5
    FinWait2,
    /// 6
    TimeWait,
    /// 7: closed; ss prints UNCONN.
    Close,
    /// 8
    CloseWait,
    /// 9
    LastAck,
    /// 10
    Listen,
    /// 11
    Closing,
    /// 12: a request socket inside the kernel; sock_diag reports it as SYN-RECV.
    NewSynRecv,
    /// 13: bound, neither listening nor connected; only sock_diag uses the number (Linux 6.8).
    BoundInactive,
    /// A number that this build has no name for.
    Other(u8),
}

impl State {
    /// From the kernel's number; every number is kept.
    #[must_use]
    pub const fn from_number(number: u8) -> Self {
        match number {
            1 => Self::Established,
            2 => Self::SynSent,
            3 => Self::SynRecv,
            4 => Self::FinWait1,
            5 => Self::FinWait2,
            6 => Self::TimeWait,
            7 => Self::Close,
            8 => Self::CloseWait,
            9 => Self::LastAck,
            10 => Self::Listen,
            11 => Self::Closing,
            12 => Self::NewSynRecv,
            13 => Self::BoundInactive,
            other => Self::Other(other),
        }
    }

    /// The kernel's number.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Established => 1,
            Self::SynSent => 2,
            Self::SynRecv => 3,
            Self::FinWait1 => 4,
            Self::FinWait2 => 5,
            Self::TimeWait => 6,
            Self::Close => 7,
            Self::CloseWait => 8,
            Self::LastAck => 9,
            Self::Listen => 10,
            Self::Closing => 11,
            Self::NewSynRecv => 12,
            Self::BoundInactive => 13,
            Self::Other(number) => number,
        }
    }

    /// The word that ss prints (misc/ss.c, `sstate_name`): `ESTAB`, `UNCONN`, `FIN-WAIT-1` …
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Established => "ESTAB",
            Self::SynSent => "SYN-SENT",
            Self::SynRecv | Self::NewSynRecv => "SYN-RECV",
            Self::FinWait1 => "FIN-WAIT-1",
            Self::FinWait2 => "FIN-WAIT-2",
            Self::TimeWait => "TIME-WAIT",
            Self::Close | Self::BoundInactive => "UNCONN",
            Self::CloseWait => "CLOSE-WAIT",
            Self::LastAck => "LAST-ACK",
            Self::Listen => "LISTEN",
            Self::Closing => "CLOSING",
            Self::Other(_) => "UNKNOWN",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// A set of states: bit n stands for state number n, as in sock_diag requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct StateSet(u32);

impl StateSet {
    /// No state.
    pub const EMPTY: Self = Self(0);
    /// Every state that has a number, 1 to 13.
    pub const ALL: Self = Self(0x3ffe);
    /// All but closed and listening (so with TIME-WAIT, SYN-RECV and bound-inactive).
    pub const CONNECTED: Self = Self(Self::ALL.0 & !(1 << 7) & !(1 << 10));
    /// Connected but for SYN-SENT.
    pub const SYNCHRONIZED: Self = Self(Self::CONNECTED.0 & !(1 << 2));
    /// The mini-sockets: SYN-RECV and TIME-WAIT.
    pub const BUCKET: Self = Self((1 << 3) | (1 << 6));
    /// All but the mini-sockets.
    pub const BIG: Self = Self(Self::ALL.0 & !Self::BUCKET.0);

    /// From a request's bit mask.
    #[must_use]
    pub const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    /// As a request's bit mask.
    #[must_use]
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// The set of one state.
    #[must_use]
    pub const fn of(state: State) -> Self {
        Self(1u32.unbounded_shl(state.number() as u32))
    }

    /// Whether the state is in the set.
    #[must_use]
    pub const fn contains(self, state: State) -> bool {
        self.0 & Self::of(state).0 != 0
    }

    /// Both together.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What is in both.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// What is in this one and not in the other.
    #[must_use]
    pub const fn difference(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// How many states are in it.
    #[must_use]
    pub const fn len(self) -> u32 {
        self.0.count_ones()
    }
}

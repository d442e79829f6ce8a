//! Sets of event kinds.

use super::EventKind;

/// A set of event kinds, as `--kinds` names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct KindSet(u16);

/// The words, in the order of the bits.
const WORDS: [&str; 10] =
    ["bind", "listen", "connect", "connect_failed", "accept", "open", "close", "state", "lost", "resync"];

impl KindSet {
    /// No kind.
    pub const EMPTY: Self = Self(0);
    /// Every kind.
    pub const ALL: Self = Self((1 << WORDS.len()) - 1);
    /// What is reported unless something else is asked for: all but `state`.
    pub const USUAL: Self = Self(Self::ALL.0 & !Self::STATE.0);
    /// `bind` alone.
    pub const BIND: Self = Self(1);
    /// `listen` alone.
    pub const LISTEN: Self = Self(1 << 1);
    /// `connect` alone.
    pub const CONNECT: Self = Self(1 << 2);
    /// `connect_failed` alone.
    pub const CONNECT_FAILED: Self = Self(1 << 3);
    /// `accept` alone.
    pub const ACCEPT: Self = Self(1 << 4);
    /// `open` alone.
    pub const OPEN: Self = Self(1 << 5);
    /// `close` alone.
    pub const CLOSE: Self = Self(1 << 6);
    /// `state` alone.
    pub const STATE: Self = Self(1 << 7);
    /// `lost` alone.
    pub const LOST: Self = Self(1 << 8);

    /// What is not about a socket: `lost` and `resync`.
    pub const WITHOUT_SUBJECT: Self = Self((1 << 8) | (1 << 9));

    /// How many kinds there are; [`index`](Self::index) stays below it.
    pub const KINDS: usize = WORDS.len();

    /// The set of this one kind.
    #[must_use]
    pub const fn of(kind: &EventKind) -> Self {
        Self(1 << Self::index(kind))
    }

    /// The number of a kind, for tables by kind.
    #[must_use]
    pub const fn index(kind: &EventKind) -> usize {
        match kind {
            EventKind::Bind { .. } => 0,
            EventKind::Listen { .. } => 1,
            EventKind::Connect { .. } => 2,
            EventKind::ConnectFailed { .. } => 3,
            EventKind::Accept => 4,
            EventKind::Open => 5,
            EventKind::Close { .. } => 6,
            EventKind::State { .. } => 7,
            EventKind::Lost { .. } => 8,
            EventKind::Resync { .. } => 9,
        }
    }

    /// The set of the one kind with that name (as in the JSON schema), if there is one.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        WORDS.iter().position(|&word| word == name).map(|bit| Self(1 << bit))
    }

    /// The names of all kinds.
    #[must_use]
    pub const fn names() -> &'static [&'static str] {
        &WORDS
    }

    /// The numbers of the kinds in the set.
    pub fn indexes(self) -> impl Iterator<Item = usize> {
        (0..Self::KINDS).filter(move |&index| self.has(index))
    }

    /// Whether the set has the kind of that number.
    #[must_use]
    pub const fn has(self, index: usize) -> bool {
        index < Self::KINDS && self.0 & (1 << index) != 0
    }

    /// Whether the set has this kind.
    #[must_use]
    pub const fn contains(self, kind: &EventKind) -> bool {
        self.0 & Self::of(kind).0 != 0
    }

    /// Whether both have a kind in common.
    #[must_use]
    pub const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Whether there is a kind in it that is about sockets.
    #[must_use]
    pub const fn has_subject(self) -> bool {
        self.0 & !Self::WITHOUT_SUBJECT.0 != 0
    }

    /// What both have.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Both together.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_events() {
        let kinds = [
            EventKind::Bind { errno: 0 },
            EventKind::Listen { errno: 0 },
            EventKind::Connect { latency_us: None },
            EventKind::ConnectFailed { errno: 0, latency_us: None, failed_by: None },
            EventKind::Accept,
            EventKind::Open,
            EventKind::Close { found: false, duration_us: None, closing: None },
            EventKind::State { old: crate::socket::State::Close },
            EventKind::Lost { records: 0 },
            EventKind::Resync { added: 0, removed: 0, changed: 0 },
        ];
        assert_eq!(kinds.len(), KindSet::KINDS);
        for kind in &kinds {
            assert_eq!(KindSet::from_name(kind.name()), Some(KindSet::of(kind)), "{}", kind.name());
            assert!(KindSet::ALL.contains(kind));
        }
        assert!(KindSet::CLOSE.contains(&kinds[6]) && KindSet::STATE.contains(&kinds[7]));
        for (index, alone) in [KindSet::BIND, KindSet::LISTEN, KindSet::CONNECT, KindSet::CONNECT_FAILED]
            .into_iter()
            .chain([KindSet::ACCEPT, KindSet::OPEN, KindSet::CLOSE, KindSet::STATE, KindSet::LOST])
            .enumerate()
        {
            assert_eq!(alone, KindSet::of(&kinds[index]));
        }
        assert!(KindSet::LOST.contains(&kinds[8]) && !KindSet::USUAL.contains(&kinds[7]));
        assert_eq!(KindSet::from_name("closed"), None);
    }
}

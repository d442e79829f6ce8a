//! What rows can be ordered and counted by: the keys as data.

use crate::api::sockets::pick::Takes;
use std::fmt;

/// What rows can be ordered or counted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Key {
    State,
    Local,
    LocalPort,
    Peer,
    PeerPort,
    RecvQ,
    SendQ,
    Process,
    Pid,
    User,
    Netid,
    Netns,
    Unit,
    Container,
    Pod,
    Opener,
    Rtt,
    Retrans,
    BytesSent,
    BytesReceived,
    Age,
}

/// A key in an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct By {
    /// By what.
    pub key: Key,
    /// The other way round. What is not known stays last.
    pub reversed: bool,
}

impl By {
    /// From its word: that of a key, with `-` before it for the other way round.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        let (reversed, name) = word.strip_prefix('-').map_or((false, word), |name| (true, name));
        Some(Self { key: Key::from_word(name)?, reversed })
    }
}

impl fmt::Display for By {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", if self.reversed { "-" } else { "" }, self.key.word())
    }
}

/// What is known of a key.
struct Facts {
    key: Key,
    word: &'static str,
    takes: Takes,
    /// Large values come first.
    largest: bool,
    /// Sockets of one value make a group.
    groups: bool,
}

/// A key that makes groups.
const fn group(key: Key, word: &'static str, takes: Takes) -> Facts {
    Facts { key, word, takes, largest: false, groups: true }
}

/// A key by which rows are only ordered, large values first.
const fn amount(key: Key, word: &'static str, takes: Takes) -> Facts {
    Facts { key, word, takes, largest: true, groups: false }
}

/// In the order of the enum.
static ALL: [Facts; 21] = [
    group(Key::State, "state", Takes::Nothing),
    group(Key::Local, "local", Takes::Nothing),
    group(Key::LocalPort, "sport", Takes::Nothing),
    group(Key::Peer, "peer", Takes::Nothing),
    group(Key::PeerPort, "dport", Takes::Nothing),
    amount(Key::RecvQ, "recvq", Takes::Nothing),
    amount(Key::SendQ, "sendq", Takes::Nothing),
    group(Key::Process, "process", Takes::Processes),
    group(Key::Pid, "pid", Takes::Processes),
    group(Key::User, "user", Takes::Nothing),
    group(Key::Netid, "netid", Takes::Nothing),
    group(Key::Netns, "netns", Takes::Nothing),
    group(Key::Unit, "unit", Takes::Cgroup),
    group(Key::Container, "container", Takes::Cgroup),
    group(Key::Pod, "pod", Takes::Cgroup),
    group(Key::Opener, "opener", Takes::Opener),
    amount(Key::Rtt, "rtt", Takes::Info),
    amount(Key::Retrans, "retrans", Takes::Info),
    amount(Key::BytesSent, "sent", Takes::Info),
    amount(Key::BytesReceived, "received", Takes::Info),
    // By the time at which it was opened.
    Facts { key: Key::Age, word: "age", takes: Takes::Opener, largest: false, groups: false },
];

impl Key {
    /// The key of that word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        ALL.iter().find(|facts| facts.word == word).map(|facts| facts.key)
    }

    /// The words of all of them, or of those that make groups.
    pub fn words(only_groups: bool) -> impl Iterator<Item = &'static str> {
        ALL.iter().filter(move |facts| facts.groups || !only_groups).map(|facts| facts.word)
    }

    /// Its word.
    #[must_use]
    pub fn word(self) -> &'static str {
        self.facts().word
    }

    /// What it takes to know it.
    #[must_use]
    pub fn takes(self) -> Takes {
        self.facts().takes
    }

    /// Whether large values come first.
    #[must_use]
    pub fn is_largest_first(self) -> bool {
        self.facts().largest
    }

    /// Whether sockets of one value make a group.
    #[must_use]
    pub fn groups(self) -> bool {
        self.facts().groups
    }

    fn facts(self) -> &'static Facts {
        // In the order of the enum, as a test sees to.
        &ALL[self as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_keys_belong_together() {
        for (index, facts) in ALL.iter().enumerate() {
            assert_eq!(facts.key as usize, index);
            assert_eq!(Key::from_word(facts.key.word()), Some(facts.key));
        }
        assert_eq!(Key::from_word("Local"), None);
    }
}

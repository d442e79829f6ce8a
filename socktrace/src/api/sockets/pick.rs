//! The columns of `--columns` as data: their words, and what they take to be shown.

/// A column that can be chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Pick {
    Netns,
    Netid,
    State,
    RecvQ,
    SendQ,
    Local,
    Peer,
    Process,
    PeerProcess,
    Opener,
    Uid,
    User,
    Inode,
    Cookie,
    Interface,
    Cgroup,
    Unit,
    Container,
    Pod,
    Rtt,
    Retrans,
    Sent,
    Received,
    Age,
    Delta,
    Details,
}

/// What a column takes to be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    /// Nothing beyond the row.
    Nothing,
    /// The processes that hold the socket.
    Processes,
    /// The processes that hold the other end of a UNIX socket.
    PeerProcesses,
    /// The cgroup.
    Cgroup,
    /// `tcp_info`.
    Info,
    /// Who opened the socket, and when, which only an agent knows.
    Opener,
    /// Nothing beyond the row; shows addresses.
    Address,
    /// Nothing beyond the row; shows what `-o -e -m -i` and their like ask for.
    Details,
    /// Nothing beyond the row; shows what has changed since the round before.
    Delta,
}

/// In the order of the enum.
static ALL: [(Pick, &str, Takes); 26] = [
    (Pick::Netns, "netns", Takes::Nothing),
    (Pick::Netid, "netid", Takes::Nothing),
    (Pick::State, "state", Takes::Nothing),
    (Pick::RecvQ, "recvq", Takes::Nothing),
    (Pick::SendQ, "sendq", Takes::Nothing),
    (Pick::Local, "local", Takes::Address),
    (Pick::Peer, "peer", Takes::Address),
    (Pick::Process, "process", Takes::Processes),
    (Pick::PeerProcess, "peerprocess", Takes::PeerProcesses),
    (Pick::Opener, "opener", Takes::Opener),
    (Pick::Uid, "uid", Takes::Nothing),
    (Pick::User, "user", Takes::Nothing),
    (Pick::Inode, "inode", Takes::Nothing),
    (Pick::Cookie, "cookie", Takes::Nothing),
    (Pick::Interface, "interface", Takes::Nothing),
    (Pick::Cgroup, "cgroup", Takes::Cgroup),
    (Pick::Unit, "unit", Takes::Cgroup),
    (Pick::Container, "container", Takes::Cgroup),
    (Pick::Pod, "pod", Takes::Cgroup),
    (Pick::Rtt, "rtt", Takes::Info),
    (Pick::Retrans, "retrans", Takes::Info),
    (Pick::Sent, "sent", Takes::Info),
    (Pick::Received, "received", Takes::Info),
    (Pick::Age, "age", Takes::Opener),
    (Pick::Delta, "delta", Takes::Delta),
    (Pick::Details, "details", Takes::Details),
];

impl Pick {
    /// The words of all of them, as `--columns` takes them.
    pub fn words() -> impl Iterator<Item = &'static str> + Clone {
        ALL.iter().map(|(_, word, _)| *word)
    }

    /// The column of that word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        ALL.iter().find(|(_, known, _)| *known == word).map(|(pick, ..)| *pick)
    }

    /// Its word.
    #[must_use]
    pub fn word(self) -> &'static str {
        self.facts().1
    }

    /// What it takes to be shown.
    #[must_use]
    pub fn takes(self) -> Takes {
        self.facts().2
    }

    fn facts(self) -> &'static (Self, &'static str, Takes) {
        // In the order of the enum, as a test sees to.
        &ALL[self as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_columns_belong_together() {
        for (index, &(pick, word, _)) in ALL.iter().enumerate() {
            assert_eq!(pick as usize, index);
            assert_eq!((Pick::from_word(word), pick.word()), (Some(pick), word));
        }
        assert_eq!(Pick::from_word("Local"), None);
    }
}

//! What is asked, as meaning: no words, no files, no environment.

use std::path::PathBuf;

use crate::render::ss::{Pick, Screen, Show, Takes};

use super::selection::Selection;

/// A question in the manner of ss.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Which sockets, by table, family and state.
    pub selection: Selection,
    /// The words of the filter expression; none for all sockets.
    pub filter: Vec<String>,
    /// What to show of each.
    pub show: Show,
    /// The columns to show; those of ss if there is none.
    pub columns: Vec<Pick>,
    /// Whether the columns are named.
    pub header: bool,
    /// How it is written.
    pub format: Format,
    /// Whether the summary comes first.
    pub summary: bool,
    /// What to do with the sockets.
    pub action: Action,
    /// In which network namespace.
    pub netns: NetnsChoice,
    /// In which order.
    pub order: Order,
    /// At most so many sockets (or groups).
    pub top: Option<usize>,
    /// Counted by this instead of listed.
    pub count_by: Option<Key>,
    /// BPF socket storages to show.
    pub bpf_maps: BpfMaps,
}

impl Options {
    /// What the rows are ordered or counted by.
    #[must_use]
    pub fn key(&self) -> Option<Key> {
        match self.order {
            Order::By(key) => Some(key),
            Order::Kernel => self.count_by,
        }
    }

    /// Whether a chosen column takes that.
    #[must_use]
    pub fn has_column_of(&self, takes: Takes) -> bool {
        self.columns.iter().any(|choice| choice.takes() == takes)
    }

    /// Whether a row that is shown again says what has changed of it.
    #[must_use]
    pub fn marks_changes(&self) -> bool {
        self.columns.is_empty() || self.has_column_of(Takes::Delta) || self.has_column_of(Takes::Details)
    }

    /// Whether a row tells who has the other end of a UNIX socket.
    #[must_use]
    pub fn tells_peers(&self) -> bool {
        self.format == Format::Json || self.has_column_of(Takes::PeerProcesses)
    }

    /// Whether it must be known who holds the sockets, to show it or to arrange by it.
    #[must_use]
    pub fn needs_users(&self) -> bool {
        let by_process = |key| key == Key::Process;
        self.show.users.is_some()
            || self.count_by.is_some_and(by_process)
            || self.order == Order::By(Key::Process)
    }
}

/// What to do with the sockets.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Action {
    /// List them.
    #[default]
    List,
    /// Nothing (only the summary was wanted).
    Nothing,
    /// Close them, and list those that were closed.
    Kill {
        /// Only say which.
        dry_run: bool,
        /// Also the connection that carries this very session.
        force: bool,
    },
    /// Print sockets as they are destroyed.
    Events,
    /// Write the kernel's answer for TCP to a file; `-` for stdout.
    Dump(PathBuf),
}

/// How the answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// The table of ss. With the width of the screen, if there is one.
    Text {
        /// The terminal; none for a pipe.
        screen: Option<Screen>,
    },
    /// One JSON object per line and socket.
    #[default]
    Json,
}

/// Which network namespaces.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum NetnsChoice {
    /// The caller's.
    #[default]
    Own,
    /// The one with that name, of that process, or at that path.
    One(String),
    /// Every one that can be entered.
    All,
}

/// The order of the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// ss's: tables in a fixed order, each as the kernel lists it.
    #[default]
    Kernel,
    /// By a key: queues, times and counters from large to small, everything else from A to Z and from small to large.
    By(Key),
}

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
    User,
    Netid,
    Netns,
    Rtt,
    Retrans,
    BytesSent,
    BytesReceived,
    Age,
}

impl Key {
    /// Whether `tcp_info` has it.
    #[must_use]
    pub const fn needs_info(self) -> bool {
        matches!(self, Self::Rtt | Self::Retrans | Self::BytesSent | Self::BytesReceived)
    }

    /// Whether sockets of one value make a group.
    #[must_use]
    pub const fn groups(self) -> bool {
        match self {
            Self::State
            | Self::Local
            | Self::LocalPort
            | Self::Peer
            | Self::PeerPort
            | Self::Process
            | Self::User
            | Self::Netid
            | Self::Netns => true,
            Self::RecvQ
            | Self::SendQ
            | Self::Rtt
            | Self::Retrans
            | Self::BytesSent
            | Self::BytesReceived
            | Self::Age => false,
        }
    }

    /// Its word.
    #[must_use]
    pub fn word(self) -> &'static str {
        Self::WORDS.iter().find(|(_, key)| *key == self).map_or("", |(word, _)| word)
    }

    /// All of them with their words.
    pub const WORDS: [(&'static str, Self); 16] = [
        ("state", Self::State),
        ("local", Self::Local),
        ("sport", Self::LocalPort),
        ("peer", Self::Peer),
        ("dport", Self::PeerPort),
        ("recvq", Self::RecvQ),
        ("sendq", Self::SendQ),
        ("process", Self::Process),
        ("user", Self::User),
        ("netid", Self::Netid),
        ("netns", Self::Netns),
        ("rtt", Self::Rtt),
        ("retrans", Self::Retrans),
        ("sent", Self::BytesSent),
        ("received", Self::BytesReceived),
        ("age", Self::Age),
    ];
}

/// Which BPF socket storages to show.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum BpfMaps {
    /// None.
    #[default]
    None,
    /// Those of every map.
    All,
    /// Those of the maps with these ids.
    Ids(Vec<u32>),
}

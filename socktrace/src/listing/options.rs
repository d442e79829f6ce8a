//! What is asked, as meaning: no words, no files, no environment.

use std::path::PathBuf;

use crate::render::ss::{Pick, Screen, Show, Takes};

use super::key::{By, Key};
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
    /// In which order: by these keys, the first one first; the kernel's own, table by table as ss has it, if there is none.
    pub order: Vec<By>,
    /// At most so many sockets (or groups).
    pub top: Option<usize>,
    /// Counted by these keys together instead of listed, if there are some.
    pub count_by: Vec<Key>,
    /// BPF socket storages to show.
    pub bpf_maps: BpfMaps,
}

impl Options {
    /// Whether a chosen column takes that.
    #[must_use]
    pub fn has_column_of(&self, takes: Takes) -> bool {
        self.columns.iter().any(|choice| choice.takes() == takes)
    }

    /// Whether the rows are ordered or counted by something that takes that.
    #[must_use]
    pub fn arranges_by(&self, takes: Takes) -> bool {
        let order = self.order.iter().map(|by| by.key);
        order.chain(self.count_by.iter().copied()).any(|key| key.takes() == takes)
    }

    /// Whether a column, or the order or the counting, takes that.
    #[must_use]
    pub fn takes(&self, takes: Takes) -> bool {
        self.has_column_of(takes) || self.arranges_by(takes)
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
        self.show.users.is_some() || self.takes(Takes::Processes)
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

//! `/v1/sockets`, and `socktrace ss`: which sockets are to be listed, and how, as data. How that is written in a URL is in
//! `url`. An agent does nothing else with sockets than to list them.

pub mod family;
pub mod key;
pub mod pick;
pub mod selection;
pub mod show;
pub mod table;
mod url;

pub use url::Request;

use crate::api::screen::Screen;
use crate::api::sockets::pick::{Pick, Takes};
use crate::api::sockets::show::Show;
use key::{By, Key};
use selection::Selection;

/// Columns that can be chosen, repeated ones included: each is written for every row.
pub const MAX_COLUMNS: usize = 64;
/// Keys of an order or of groups: each is kept for every row.
pub const MAX_KEYS: usize = 8;
/// BPF maps that can be named: each takes a descriptor.
pub const MAX_MAPS: usize = 64;

/// A question in the manner of ss.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
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

impl Question {
    /// Adds what follows from the rest: columns that need others, and those that would say the same on every row.
    pub(crate) fn settle(&mut self) {
        if self.columns.iter().any(|pick| matches!(pick.takes(), Takes::Processes | Takes::PeerProcesses)) {
            self.show.users.get_or_insert_default();
        }
        // Lines within a cell would tear the columns behind it.
        let details = self.columns.iter().position(|pick| pick.takes() == Takes::Details);
        self.show.oneline |= details.is_some_and(|place| place + 1 < self.columns.len());
        self.show.netid = self.selection.tables.len() != 1;
        self.show.state = self.selection.states.len() != 1;
    }

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

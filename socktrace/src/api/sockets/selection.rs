//! Which sockets are asked for: tables, families and states, with the defaults that ss has for what is not said.

use super::family::FamilySet;
use super::table::{CONNECTED, TIPC, Table, TableSet};
use crate::socket::{Family, State, StateSet};

/// The families that options can choose, their tables and default states.
const FAMILIES: [(Family, TableSet, StateSet); 8] = {
    const INET: TableSet =
        TableSet::of(&[Table::Tcp, Table::Mptcp, Table::Udp, Table::Dccp, Table::Sctp, Table::Raw]);
    const CLOSED: StateSet = StateSet::of(State::Close);
    [
        (Family::Inet, INET, CONNECTED),
        (Family::Inet6, INET, CONNECTED),
        (Family::Unix, TableSet::of(&[Table::UnixDgram, Table::UnixStream, Table::UnixSeqpacket]), CONNECTED),
        (Family::Packet, TableSet::of(&[Table::PacketDgram, Table::PacketRaw]), CLOSED),
        (Family::Netlink, TableSet::of(&[Table::Netlink]), CLOSED),
        (Family::Vsock, TableSet::of(&[Table::VsockStream, Table::VsockDgram]), CONNECTED),
        (Family::Tipc, TableSet::of(&[Table::Tipc]), TIPC),
        (Family::Xdp, TableSet::of(&[Table::Xdp]), CLOSED),
    ]
};

/// What is listed when nothing is said: everything but TIPC.
const EVERYTHING: TableSet = TableSet::of(&Table::ALL).difference(TableSet::of(&[Table::Tipc]));

/// What was chosen, step by step, as ss's options do it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Choice {
    tables: TableSet,
    families: FamilySet,
    /// The default states of what was chosen.
    implied: StateSet,
    /// What `-a`, `-l`, `-B` and state words said; the empty set counts as not said.
    said: StateSet,
    any: bool,
    query: bool,
    last_family: Option<Family>,
}

impl Choice {
    /// Adds a table (`-t`, `-u` …).
    pub fn table(&mut self, table: Table) {
        self.tables = self.tables.union(TableSet::of(&[table]));
        self.implied = self.implied.union(table.default_states());
        self.any = true;
    }

    /// Adds a family with its tables (`-4`, `-x`, `-f link` …).
    pub fn family(&mut self, family: Family) {
        let states = FAMILIES.iter().find(|(known, ..)| *known == family).map(|(.., states)| *states);
        self.implied = self.implied.union(states.unwrap_or_default());
        self.families = self.families.union(FamilySet::of(family));
        self.last_family = Some(family);
        self.any = true;
    }

    /// Adds or removes tables by name (`-A`). The first `-A` forgets the tables chosen before it.
    pub fn query(&mut self, tables: &[Table], add: bool) {
        self.begin_query();
        for &table in tables {
            if add {
                self.table(table);
            } else {
                self.tables = self.tables.difference(TableSet::of(&[table]));
                self.any = true;
            }
        }
    }

    fn begin_query(&mut self) {
        if !self.query {
            self.query = true;
            self.tables = TableSet::EMPTY;
            if self.said.is_empty() {
                self.said = CONNECTED;
            }
            self.any = true;
        }
    }

    /// Says which states (`-a`, `-l`, `-B`, state words): replaces what was said before.
    pub fn states(&mut self, states: StateSet) {
        self.said = states;
    }

    /// Whether a table or family was chosen.
    #[must_use]
    pub const fn any(&self) -> bool {
        self.any
    }

    /// With the defaults filled in.
    #[must_use]
    pub fn finish(mut self) -> Selection {
        if !self.any {
            self.implied = CONNECTED;
            self.tables = EVERYTHING;
        }
        let states_said = !self.said.is_empty();
        let states = if states_said { self.said } else { self.implied };
        // A table without one of its families, and a family without one of its tables, get them all.
        for table in self.tables.iter() {
            if !table.families().meets(self.families) {
                self.families = self.families.union(table.families());
            }
        }
        for (family, tables, _) in FAMILIES {
            if self.families.contains(family) && !tables.meets(self.tables) {
                self.tables = self.tables.union(tables);
            }
        }
        Selection {
            tables: self.tables,
            families: self.families,
            states,
            states_said,
            last_family: self.last_family,
        }
    }
}

/// Which sockets to list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Selection {
    /// From which tables.
    pub tables: TableSet,
    /// Of which families.
    pub families: FamilySet,
    /// In which states.
    pub states: StateSet,
    /// Whether the states were said, or are the defaults of what was.
    pub states_said: bool,
    /// The family chosen last: addresses in a filter are read as of it.
    pub last_family: Option<Family>,
}

impl Selection {
    /// Whether sockets of that kind and family are asked for, states aside.
    #[must_use]
    pub const fn covers(&self, table: Table, family: Family) -> bool {
        self.tables.contains(table) && self.families.contains(family)
    }
}

#[cfg(test)]
mod tests;

//! Which sockets are asked for: tables, families and states, with the defaults that ss has for what is not said.

use crate::socket::{Family, Proto, State, StateSet};

/// One of ss's tables of sockets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Table {
    Tcp,
    Mptcp,
    Dccp,
    Udp,
    Raw,
    UnixDgram,
    UnixStream,
    UnixSeqpacket,
    PacketDgram,
    PacketRaw,
    Netlink,
    Sctp,
    VsockStream,
    VsockDgram,
    Tipc,
    Xdp,
}

impl Table {
    /// All of them.
    pub const ALL: [Self; 16] = [
        Self::Tcp,
        Self::Mptcp,
        Self::Dccp,
        Self::Udp,
        Self::Raw,
        Self::UnixDgram,
        Self::UnixStream,
        Self::UnixSeqpacket,
        Self::PacketDgram,
        Self::PacketRaw,
        Self::Netlink,
        Self::Sctp,
        Self::VsockStream,
        Self::VsockDgram,
        Self::Tipc,
        Self::Xdp,
    ];

    /// The table in which ss lists that kind of socket.
    #[must_use]
    pub const fn of(proto: Proto) -> Option<Self> {
        Some(match proto {
            Proto::Tcp => Self::Tcp,
            Proto::Mptcp => Self::Mptcp,
            Proto::Dccp => Self::Dccp,
            Proto::Udp => Self::Udp,
            Proto::Raw(_) => Self::Raw,
            Proto::UnixDgram => Self::UnixDgram,
            Proto::UnixStream => Self::UnixStream,
            Proto::UnixSeqpacket => Self::UnixSeqpacket,
            Proto::PacketDgram => Self::PacketDgram,
            Proto::PacketRaw => Self::PacketRaw,
            Proto::Netlink => Self::Netlink,
            Proto::Sctp => Self::Sctp,
            // ss has no table of its own for seqpacket and lists it with either.
            Proto::VsockStream | Proto::VsockSeqpacket => Self::VsockStream,
            Proto::VsockDgram => Self::VsockDgram,
            Proto::TipcStream | Proto::TipcDgram | Proto::TipcRdm | Proto::TipcSeqpacket => Self::Tipc,
            Proto::Xdp => Self::Xdp,
            Proto::UdpLite | Proto::Ping(_) | Proto::Other(_) => return None,
        })
    }

    const fn bit(self) -> u32 {
        1 << self as u32
    }

    /// The families whose sockets it holds.
    const fn families(self) -> FamilySet {
        match self {
            Self::Tcp | Self::Mptcp | Self::Dccp | Self::Udp | Self::Raw | Self::Sctp => FamilySet::INET,
            Self::UnixDgram | Self::UnixStream | Self::UnixSeqpacket => FamilySet::of(Family::Unix),
            Self::PacketDgram | Self::PacketRaw => FamilySet::of(Family::Packet),
            Self::Netlink => FamilySet::of(Family::Netlink),
            Self::VsockStream | Self::VsockDgram => FamilySet::of(Family::Vsock),
            Self::Tipc => FamilySet::of(Family::Tipc),
            Self::Xdp => FamilySet::of(Family::Xdp),
        }
    }

    /// The states shown when the table was chosen and no state was.
    const fn default_states(self) -> StateSet {
        match self {
            Self::Tcp
            | Self::Mptcp
            | Self::Dccp
            | Self::Sctp
            | Self::UnixStream
            | Self::UnixSeqpacket
            | Self::VsockStream
            | Self::VsockDgram => CONNECTED,
            Self::Udp | Self::Raw => StateSet::of(State::Established),
            Self::UnixDgram | Self::PacketDgram | Self::PacketRaw | Self::Netlink | Self::Xdp => {
                StateSet::of(State::Close)
            }
            Self::Tipc => TIPC,
        }
    }
}

/// What is shown when nothing is said: neither listening nor closed, and none of the mini-sockets.
pub const CONNECTED: StateSet =
    StateSet::CONNECTED.difference(StateSet::of(State::TimeWait)).difference(StateSet::of(State::SynRecv));

/// What `-l` shows.
pub const LISTENING: StateSet = StateSet::of(State::Listen).union(StateSet::of(State::Close));

const TIPC: StateSet = LISTENING.union(StateSet::of(State::Established));

/// A set of tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TableSet(u32);

impl TableSet {
    /// None.
    pub const EMPTY: Self = Self(0);

    /// Of these.
    #[must_use]
    pub const fn of(tables: &[Table]) -> Self {
        let mut bits = 0;
        let mut rest = tables;
        while let [table, after @ ..] = rest {
            bits |= table.bit();
            rest = after;
        }
        Self(bits)
    }

    /// Whether the table is in the set.
    #[must_use]
    pub const fn contains(self, table: Table) -> bool {
        self.0 & table.bit() != 0
    }

    /// Whether there is one of those in the set.
    #[must_use]
    pub const fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Both together.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What is in this one and not in the other.
    #[must_use]
    pub const fn difference(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// How many.
    #[must_use]
    pub const fn len(self) -> u32 {
        self.0.count_ones()
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    fn iter(self) -> impl Iterator<Item = Table> {
        Table::ALL.into_iter().filter(move |table| self.contains(*table))
    }
}

/// A set of address families, of those that ss knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FamilySet(u64);

impl FamilySet {
    /// None.
    pub const EMPTY: Self = Self(0);
    /// IPv4 and IPv6.
    pub const INET: Self = Self::of(Family::Inet).union(Self::of(Family::Inet6));

    /// Of one.
    #[must_use]
    pub const fn of(family: Family) -> Self {
        Self(1u64.unbounded_shl(family.number() as u32))
    }

    /// Whether the family is in the set.
    #[must_use]
    pub const fn contains(self, family: Family) -> bool {
        self.0 & Self::of(family).0 != 0
    }

    /// Whether there is one of those in the set.
    #[must_use]
    pub const fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
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

//! The columns of event lines as data: their words, headers and widths, and which of them are shown.

use super::Layout;

/// A column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Column {
    Time,
    Event,
    Lifetime,
    Proto,
    Family,
    Local,
    Peer,
    LocalPort,
    PeerPort,
    State,
    Process,
    Pid,
    Command,
    Attribution,
    User,
    Netns,
    Cookie,
    Cgroup,
    Unit,
    Container,
    Pod,
    Sent,
    Received,
    Rtt,
    Retrans,
    Details,
}

/// How times are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stamp {
    /// The time of day: of what happens now.
    Time,
    /// With the date: of what has ended.
    Date,
}

/// What a column is good for beside being shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    /// Nothing.
    Shown,
    /// Rows are ordered by it, small values first.
    Order,
    /// Rows are ordered by it, large values first.
    Amount,
    /// Rows are ordered by it, and those of one value make a group.
    Group,
}

/// What is known of a column: its word, its header, and its width in narrow and wide lines.
struct Facts {
    used: Use,
    column: Column,
    word: &'static str,
    header: &'static str,
    widths: [usize; 2],
}

const fn facts(
    column: Column,
    word: &'static str,
    header: &'static str,
    widths: [usize; 2],
    used: Use,
) -> Facts {
    Facts { used, column, word, header, widths }
}

/// How many columns there are. The length of the array below, written down: a type whose length asks for the array
/// sends the optimising compiler round in a circle (E0391).
const COUNT: usize = 26;

const ALL: [Facts; COUNT] = [
    facts(Column::Time, "time", "Time", [8, 15], Use::Order),
    facts(Column::Event, "event", "Event", [7, 14], Use::Group),
    facts(Column::Lifetime, "lifetime", "Lifetime", [7, 8], Use::Amount),
    facts(Column::Proto, "proto", "Prot", [4, 4], Use::Group),
    facts(Column::Family, "family", "Family", [6, 6], Use::Group),
    facts(Column::Local, "local", "Local", [15, 21], Use::Group),
    facts(Column::Peer, "peer", "Peer", [16, 21], Use::Group),
    facts(Column::LocalPort, "sport", "SPort", [5, 5], Use::Group),
    facts(Column::PeerPort, "dport", "DPort", [5, 5], Use::Group),
    facts(Column::State, "state", "State", [11, 11], Use::Group),
    facts(Column::Process, "process", "Process", [16, 30], Use::Group),
    facts(Column::Pid, "pid", "PID", [6, 7], Use::Group),
    facts(Column::Command, "command", "Command", [15, 15], Use::Group),
    facts(Column::Attribution, "attribution", "Attribution", [11, 11], Use::Group),
    facts(Column::User, "uid", "UID", [5, 7], Use::Group),
    facts(Column::Netns, "netns", "Netns", [10, 10], Use::Group),
    facts(Column::Cookie, "cookie", "Cookie", [8, 8], Use::Order),
    facts(Column::Cgroup, "cgroup", "Cgroup", [24, 32], Use::Group),
    facts(Column::Unit, "unit", "Unit", [16, 24], Use::Group),
    facts(Column::Container, "container", "Container", [12, 12], Use::Group),
    facts(Column::Pod, "pod", "Pod", [36, 36], Use::Group),
    facts(Column::Sent, "sent", "Sent", [8, 10], Use::Amount),
    facts(Column::Received, "received", "Received", [8, 10], Use::Amount),
    facts(Column::Rtt, "rtt", "RTT", [7, 7], Use::Amount),
    facts(Column::Retrans, "retrans", "Retrans", [7, 7], Use::Amount),
    facts(Column::Details, "details", "Details", [0, 0], Use::Shown),
];

impl Column {
    /// The words of all of them.
    #[must_use]
    pub fn words() -> Vec<&'static str> {
        ALL.iter().map(|facts| facts.word).collect()
    }

    /// The column of that word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        ALL.iter().find(|facts| facts.word == word).map(|facts| facts.column)
    }

    /// The words of those that rows can be ordered by.
    #[must_use]
    pub fn orders() -> Vec<&'static str> {
        ALL.iter().filter(|facts| facts.used != Use::Shown).map(|facts| facts.word).collect()
    }

    /// The words of those that make groups.
    #[must_use]
    pub fn groups() -> Vec<&'static str> {
        ALL.iter().filter(|facts| facts.used == Use::Group).map(|facts| facts.word).collect()
    }

    /// Whether large values come first.
    #[must_use]
    pub fn is_largest_first(self) -> bool {
        self.facts().used == Use::Amount
    }

    /// Its word.
    #[must_use]
    pub fn word(self) -> &'static str {
        self.facts().word
    }

    pub(super) fn header(self, stamp: Stamp) -> &'static str {
        match (self, stamp) {
            (Self::Time, Stamp::Date) => "Closed",
            _ => self.facts().header,
        }
    }

    fn width(self, layout: Layout, stamp: Stamp) -> usize {
        match (self, stamp, layout) {
            (Self::Time, Stamp::Date, Layout::Narrow) => 14,
            (Self::Time, Stamp::Date, Layout::Wide) => 23,
            _ => self.facts().widths[layout as usize],
        }
    }

    fn facts(self) -> &'static Facts {
        // In the order of the enum, as a test sees to.
        &ALL[self as usize]
    }
}

/// The columns of a line, from left to right; at most as many as there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Columns([Option<Column>; COUNT]);

impl Default for Columns {
    /// Those that are shown unless others are chosen.
    fn default() -> Self {
        use Column::{Command, Details, Event, Local, Peer, Pid, Proto, Time};
        [Time, Event, Proto, Local, Peer, Pid, Command, Details].into_iter().collect()
    }
}

impl FromIterator<Column> for Columns {
    /// What does not fit, or comes twice, is left out.
    fn from_iter<T: IntoIterator<Item = Column>>(columns: T) -> Self {
        let mut chosen = Self([None; COUNT]);
        for column in columns {
            if !chosen.0.contains(&Some(column))
                && let Some(free) = chosen.0.iter_mut().find(|slot| slot.is_none())
            {
                *free = Some(column);
            }
        }
        chosen
    }
}

impl Columns {
    /// The columns, from left to right.
    pub fn iter(&self) -> impl Iterator<Item = Column> {
        self.0.iter().flatten().copied()
    }

    /// Those of history, unless others are chosen.
    #[must_use]
    pub fn of_ended() -> Self {
        use Column::{Details, Lifetime, Local, Peer, Process, Proto, Time};
        [Time, Lifetime, Proto, Local, Peer, Process, Details].into_iter().collect()
    }

    /// The columns, each with where it starts. Narrow details follow at once.
    pub(super) fn places(&self, layout: Layout, stamp: Stamp) -> impl Iterator<Item = (Column, usize)> {
        let mut next = 0;
        self.iter().map(move |column| {
            let start = next;
            next += 1 + column.width(layout, stamp);
            match (column, layout) {
                (Column::Details, Layout::Narrow) => (column, 0),
                _ => (column, start),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_columns_belong_together() {
        for (index, facts) in ALL.iter().enumerate() {
            assert_eq!(facts.column as usize, index);
            assert_eq!(Column::from_word(facts.column.word()), Some(facts.column));
        }
        assert_eq!(Column::from_word("Time"), None);
    }

    #[test]
    fn the_order_is_kept_and_nothing_comes_twice() {
        use Column::{Peer, Time, Unit};
        let columns: Columns = [Unit, Time, Unit, Peer].into_iter().collect();
        assert_eq!(columns.iter().collect::<Vec<_>>(), [Unit, Time, Peer]);
        assert_eq!(
            columns.places(Layout::Wide, Stamp::Time).collect::<Vec<_>>(),
            [(Unit, 0), (Time, 25), (Peer, 41)]
        );
    }
}

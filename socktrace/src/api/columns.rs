//! The columns of events and of closed sockets as data: their words, what rows can be arranged by, and which of them are
//! shown. How they look is for whoever writes lines.

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

/// What is known of a column.
struct Facts {
    column: Column,
    word: &'static str,
    used: Use,
}

const fn facts(column: Column, word: &'static str, used: Use) -> Facts {
    Facts { column, word, used }
}

/// How many columns there are. The length of the array below, written down: a type whose length asks for the array
/// sends the optimising compiler round in a circle (E0391).
const COUNT: usize = 26;

const ALL: [Facts; COUNT] = [
    facts(Column::Time, "time", Use::Order),
    facts(Column::Event, "event", Use::Group),
    facts(Column::Lifetime, "lifetime", Use::Amount),
    facts(Column::Proto, "proto", Use::Group),
    facts(Column::Family, "family", Use::Group),
    facts(Column::Local, "local", Use::Group),
    facts(Column::Peer, "peer", Use::Group),
    facts(Column::LocalPort, "sport", Use::Group),
    facts(Column::PeerPort, "dport", Use::Group),
    facts(Column::State, "state", Use::Group),
    facts(Column::Process, "process", Use::Group),
    facts(Column::Pid, "pid", Use::Group),
    facts(Column::Command, "command", Use::Group),
    facts(Column::Attribution, "attribution", Use::Group),
    facts(Column::User, "uid", Use::Group),
    facts(Column::Netns, "netns", Use::Group),
    facts(Column::Cookie, "cookie", Use::Order),
    facts(Column::Cgroup, "cgroup", Use::Group),
    facts(Column::Unit, "unit", Use::Group),
    facts(Column::Container, "container", Use::Group),
    facts(Column::Pod, "pod", Use::Group),
    facts(Column::Sent, "sent", Use::Amount),
    facts(Column::Received, "received", Use::Amount),
    facts(Column::Rtt, "rtt", Use::Amount),
    facts(Column::Retrans, "retrans", Use::Amount),
    facts(Column::Details, "details", Use::Shown),
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
    }
}

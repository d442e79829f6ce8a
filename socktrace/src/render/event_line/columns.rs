//! How the columns of event lines look: their headers, their widths, and where they start.

use super::Layout;
use crate::api::columns::{Column, Columns};

/// How times are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stamp {
    /// The time of day: of what happens now.
    Time,
    /// With the date: of what has ended.
    Date,
}

/// A column's header, and its width in narrow and wide lines.
const fn look(column: Column) -> (&'static str, [usize; 2]) {
    match column {
        Column::Time => ("Time", [8, 15]),
        Column::Event => ("Event", [7, 14]),
        Column::Lifetime => ("Lifetime", [7, 8]),
        Column::Proto => ("Prot", [4, 4]),
        Column::Family => ("Family", [6, 6]),
        Column::Local => ("Local", [15, 21]),
        Column::Peer => ("Peer", [16, 21]),
        Column::LocalPort => ("SPort", [5, 5]),
        Column::PeerPort => ("DPort", [5, 5]),
        Column::State => ("State", [11, 11]),
        Column::Process => ("Process", [16, 30]),
        Column::Pid => ("PID", [6, 7]),
        Column::Command => ("Command", [15, 15]),
        Column::Attribution => ("Attribution", [11, 11]),
        Column::User => ("UID", [5, 7]),
        Column::Netns => ("Netns", [10, 10]),
        Column::Cookie => ("Cookie", [8, 8]),
        Column::Cgroup => ("Cgroup", [24, 32]),
        Column::Unit => ("Unit", [16, 24]),
        Column::Container => ("Container", [12, 12]),
        Column::Pod => ("Pod", [36, 36]),
        Column::Sent => ("Sent", [8, 10]),
        Column::Received => ("Received", [8, 10]),
        Column::Rtt => ("RTT", [7, 7]),
        Column::Retrans => ("Retrans", [7, 7]),
        Column::Details => ("Details", [0, 0]),
    }
}

/// What stands above a column.
pub(super) const fn header(column: Column, stamp: Stamp) -> &'static str {
    match (column, stamp) {
        (Column::Time, Stamp::Date) => "Closed",
        _ => look(column).0,
    }
}

const fn width(column: Column, layout: Layout, stamp: Stamp) -> usize {
    match (column, stamp, layout) {
        (Column::Time, Stamp::Date, Layout::Narrow) => 14,
        (Column::Time, Stamp::Date, Layout::Wide) => 23,
        _ => look(column).1[layout as usize],
    }
}

/// The columns, each with where it starts. Narrow details follow at once.
pub(super) fn places(
    columns: &Columns,
    layout: Layout,
    stamp: Stamp,
) -> impl Iterator<Item = (Column, usize)> {
    let mut next = 0;
    columns.iter().map(move |column| {
        let start = next;
        next += 1 + width(column, layout, stamp);
        match (column, layout) {
            (Column::Details, Layout::Narrow) => (column, 0),
            _ => (column, start),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_starts_behind_the_one_before() {
        use Column::{Peer, Time, Unit};
        let columns: Columns = [Unit, Time, Peer].into_iter().collect();
        assert_eq!(
            places(&columns, Layout::Wide, Stamp::Time).collect::<Vec<_>>(),
            [(Unit, 0), (Time, 25), (Peer, 41)]
        );
    }
}

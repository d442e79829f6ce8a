//! One event as one line for people. Columns start at fixed places; a long value pushes the next ones along
//! and is never cut. Where a terminal has not room for all, the last column says less.

mod columns;
mod details;
mod line;
mod value;

pub use columns::Stamp;
pub use value::value;

use super::amounts::{Lifetime, Micros};
use super::clock::Clock;
use super::event_json::is_wildcard;
use super::names::{Named, Names};
use super::places::short_unit;
use crate::api::columns::Column;
use crate::api::selection::Style;
use crate::socket::{BootNs, Closing, Endpoint, Event, EventKind, Owner, Process, Proto, Subject};
use columns::places;
use details::details;
use line::Line;

/// How wide the columns are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Layout {
    /// From about 80 columns on: time to the second.
    Narrow,
    /// For 140 columns and more, and for files: time to the microsecond.
    Wide,
}

/// What fits the terminal.
const fn layout(style: Style) -> Layout {
    match style.width {
        Some(0..140) => Layout::Narrow,
        Some(_) | None => Layout::Wide,
    }
}

/// The line of column names.
pub fn header(style: Style, stamp: Stamp, out: &mut Vec<u8>) {
    let mut line = Line::new(out);
    for (column, start) in places(&style.columns, layout(style), stamp) {
        line.column(start);
        line.text(columns::header(column, stamp).as_bytes());
    }
    line.end();
}

/// Appends the event's line and a newline.
pub fn line(event: &Event, clock: &Clock, style: Style, names: &mut dyn Names, out: &mut Vec<u8>) {
    let mut line = Line::new(out);
    match &event.subject {
        Some(subject) => {
            What { event, subject, clock, style, stamp: Stamp::Time, missed: false }.cells(names, &mut line);
        }
        None => {
            begin(event.at, &event.kind, clock, style, &mut line);
            details(event, style, &mut line);
        }
    }
    line.end();
}

/// Appends the line of a `close` or `connect_failed` of the past, and a newline. `missed`: a dump found the end, so that the
/// lifetime is an upper bound.
pub fn ended(
    event: &Event,
    missed: bool,
    clock: &Clock,
    style: Style,
    names: &mut dyn Names,
    out: &mut Vec<u8>,
) {
    let Some(subject) = &event.subject else { return };
    let mut line = Line::new(out);
    What { event, subject, clock, style, stamp: Stamp::Date, missed }.cells(names, &mut line);
    line.end();
}

/// Appends the line that tells a reader how many events it lost itself, being too slow, and a newline.
pub fn gap(at: BootNs, lost: u64, clock: &Clock, style: Style, out: &mut Vec<u8>) {
    let kind = EventKind::Lost { records: lost };
    let mut line = Line::new(out);
    begin(at, &kind, clock, style, &mut line);
    line.field(format_args!("{lost} events, this reader was too slow"));
    line.end();
}

/// Time, if that is a column, and kind, which is always told of what has no socket; then there is room for more.
fn begin(at: BootNs, kind: &EventKind, clock: &Clock, style: Style, line: &mut Line<'_>) {
    if style.columns.iter().any(|column| column == Column::Time) {
        time(at, clock, layout(style), line);
    }
    let places = places(&style.columns, layout(style), Stamp::Time);
    let mut places = places.skip_while(|(column, _)| *column != Column::Event);
    line.column(places.next().map_or(0, |(_, start)| start));
    name(kind, style, line);
    line.column(places.next().map_or(0, |(_, start)| start));
}

fn time(at: BootNs, clock: &Clock, layout: Layout, line: &mut Line<'_>) {
    let time = clock.local_time(at);
    line.text(match layout {
        Layout::Narrow => time.get(..8).unwrap_or_default(),
        Layout::Wide => &time,
    });
}

fn date(at: BootNs, clock: &Clock, layout: Layout, line: &mut Line<'_>) {
    let date = clock.local_date_time(at);
    line.text(match layout {
        Layout::Narrow => date.get(5..19).unwrap_or_default(),
        Layout::Wide => &date,
    });
}

fn name(kind: &EventKind, style: Style, line: &mut Line<'_>) {
    if style.colour {
        line.invisible(colour(kind));
    }
    line.text(kind.name().as_bytes());
    if style.colour {
        line.invisible("\x1b[0m");
    }
}

const fn colour(kind: &EventKind) -> &'static str {
    match kind {
        EventKind::Bind { errno: 0 } | EventKind::Listen { errno: 0 } => "\x1b[36m",
        EventKind::Connect { .. } | EventKind::Accept | EventKind::Open => "\x1b[32m",
        EventKind::Close { .. } | EventKind::State { .. } => "\x1b[2m",
        EventKind::Bind { .. } | EventKind::Listen { .. } | EventKind::ConnectFailed { .. } => "\x1b[31m",
        EventKind::Lost { .. } | EventKind::Resync { .. } => "\x1b[33m",
    }
}

/// An event that has a socket, and how it is shown.
struct What<'a> {
    event: &'a Event,
    subject: &'a Subject,
    clock: &'a Clock,
    style: Style,
    stamp: Stamp,
    /// Its end was not seen.
    missed: bool,
}

impl What<'_> {
    fn cells(&self, names: &mut dyn Names, line: &mut Line<'_>) {
        for (column, start) in places(&self.style.columns, layout(self.style), self.stamp) {
            line.column(start);
            self.cell(column, names, line);
        }
    }

    /// What is not known is `-`.
    fn cell(&self, column: Column, names: &mut dyn Names, line: &mut Line<'_>) {
        let Self { event, subject, clock, style, stamp, .. } = *self;
        let process = subject.owner.process();
        let place = subject.place.as_deref();
        let known = |number: u64| Some(number).filter(|&number| number != 0);
        match column {
            Column::Time => match stamp {
                Stamp::Time => time(event.at, clock, layout(style), line),
                Stamp::Date => date(event.at, clock, layout(style), line),
            },
            Column::Event => name(&event.kind, style, line),
            Column::Lifetime => match self.lifetime() {
                Some(lifetime) => line.print(format_args!("{lifetime}")),
                None => line.text(b"-"),
            },
            Column::Proto => line.text(subject.proto.name().as_bytes()),
            Column::Family => line.text(subject.family.name().as_bytes()),
            Column::Local => end(&subject.local, subject.proto, style, names, line),
            Column::Peer if is_wildcard(&subject.peer) => line.text(b"*"),
            Column::Peer => end(&subject.peer, subject.proto, style, names, line),
            Column::LocalPort => line.number(subject.local.inet().map(|(_, port)| port.into())),
            Column::PeerPort => line.number(subject.peer.inet().map(|(_, port)| port.into())),
            Column::State => line.text(subject.state.word().as_bytes()),
            Column::Process => holder(&subject.owner, layout(style), line),
            Column::Pid => line.number(process.map(|process| process.pid.into())),
            Column::Command => line.maybe(process.map(|process| process.comm.as_bytes())),
            Column::Attribution => line.text(subject.owner.attribution().name().as_bytes()),
            Column::User => line.number(subject.uid.map(u64::from)),
            Column::Netns => line.number(known(subject.netns.into())),
            Column::Cookie => line.number(known(subject.cookie)),
            Column::Cgroup => line.maybe(place.map(|place| &*place.path)),
            Column::Unit => {
                let unit = place.and_then(|place| place.unit.as_deref());
                line.maybe(unit.map(short_unit).as_deref());
            }
            Column::Container => {
                // As the engines shorten it.
                let id = place.and_then(|place| place.container.as_ref()).map(|it| it.id.as_bytes());
                line.maybe(id.map(|id| id.get(..12).unwrap_or(id)));
            }
            Column::Pod => line.maybe(place.and_then(|place| place.pod.as_ref()).map(|uid| uid.as_bytes())),
            Column::Sent => line.number(event.kind.closing().map(|closing| closing.bytes_sent)),
            Column::Received => line.number(event.kind.closing().map(|closing| closing.bytes_received)),
            Column::Rtt => match event.kind.closing().map(|closing| closing.rtt_us).filter(|&us| us != 0) {
                Some(us) => line.print(format_args!("{}", Micros(us.into()))),
                None => line.text(b"-"),
            },
            Column::Retrans => {
                line.number(event.kind.closing().and_then(Closing::segments).map(|it| it.again.into()))
            }
            Column::Details => details(event, style, line),
        }
    }

    /// How long it was open, or how long it tried to connect.
    fn lifetime(&self) -> Option<Lifetime> {
        let found = matches!(self.event.kind, EventKind::Close { found: true, .. });
        Some(Lifetime { us: self.event.kind.lifetime_us()?, is_bound: found || self.missed })
    }
}

/// In the manner of `ss -p` where there is room.
fn holder(owner: &Owner, layout: Layout, line: &mut Line<'_>) {
    match (owner, layout) {
        (Owner::Exact(Process { pid, comm }) | Owner::Holder(Process { pid, comm }), Layout::Wide) => {
            line.text(b"users:((");
            line.quoted(comm.as_bytes());
            line.print(format_args!(",pid={pid}))"));
        }
        (Owner::Exact(Process { pid, comm }) | Owner::Holder(Process { pid, comm }), Layout::Narrow) => {
            line.escaped(comm.as_bytes());
            line.print(format_args!("[{pid}]"));
        }
        (Owner::Unknown, _) => line.text(b"-"),
    }
}

/// An endpoint, its port by the name of its service if it has one.
fn end(end: &Endpoint, proto: Proto, style: Style, names: &mut dyn Names, line: &mut Line<'_>) {
    match end {
        Endpoint::Inet { addr, port } => {
            line.ip(*addr);
            let named = Some(*port).filter(|&port| port != 0 && !style.numeric);
            match named.and_then(|port| names.name(Named::Service { proto, port })) {
                Some(name) => {
                    line.text(b":");
                    line.escaped(name);
                }
                None if *port == 0 => line.text(b":*"),
                None => line.print(format_args!(":{port}")),
            }
        }
        // As ss shows what has no name.
        Endpoint::Unix { name, .. } if name.is_unnamed() => line.text(b"*"),
        Endpoint::None if proto.is_unix() => line.text(b"*"),
        Endpoint::Unix { name, .. } => line.escaped(&name.shown()),
        // Not known, or of a family that no hook reports.
        Endpoint::None
        | Endpoint::Packet { .. }
        | Endpoint::Netlink { .. }
        | Endpoint::NetlinkPeer { .. }
        | Endpoint::Vsock { .. }
        | Endpoint::Tipc { .. }
        | Endpoint::Xdp { .. } => line.text(b"-"),
    }
}

#[cfg(test)]
mod tests;

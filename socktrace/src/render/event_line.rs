//! One event as one line for people. Columns start at fixed places; a long value pushes the next ones along
//! and is never cut.

mod columns;

pub use columns::{Column, Columns};

use super::clock::Clock;
use super::errno::errno_name;
use super::escape::{push_quoted, push_text};
use super::event_json::is_wildcard;
use super::units::push_ip;
use crate::socket::{BootNs, Closing, Endpoint, Event, EventKind, Subject};
use std::io::Write as _;
use std::net::IpAddr;

/// How lines are to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// How much room there is.
    pub layout: Layout,
    /// Whether to colour by kind.
    pub colour: bool,
    /// What is shown.
    pub columns: Columns,
}

/// How much room there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// For about 80 columns: time to the second, fewer details.
    Narrow,
    /// For 120 columns and more, and for files: time to the microsecond, every detail.
    Wide,
}

impl Layout {
    /// What fits a terminal of that width; no width is a file or a pipe.
    #[must_use]
    pub const fn for_width(columns: Option<u16>) -> Self {
        match columns {
            Some(0..120) => Self::Narrow,
            Some(_) | None => Self::Wide,
        }
    }
}

/// The line of column names.
pub fn header(style: Style, out: &mut Vec<u8>) {
    let mut line = Line::new(out);
    for (column, start) in style.columns.places(style.layout) {
        line.column(start);
        line.text(column.header().as_bytes());
    }
    line.end();
}

/// Appends the event's line and a newline.
pub fn line(event: &Event, clock: &Clock, style: Style, out: &mut Vec<u8>) {
    let mut line = Line::new(out);
    match &event.subject {
        Some(subject) => {
            for (column, start) in style.columns.places(style.layout) {
                line.column(start);
                cell(column, event, subject, clock, style, &mut line);
            }
        }
        None => {
            begin(event.at, &event.kind, clock, style, &mut line);
            details(event, style.layout, &mut line);
        }
    }
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
        time(at, clock, style.layout, line);
    }
    let mut places = style.columns.places(style.layout).skip_while(|(column, _)| *column != Column::Event);
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

/// One column of an event that has a socket. What is not known is `-`.
fn cell(column: Column, event: &Event, subject: &Subject, clock: &Clock, style: Style, line: &mut Line<'_>) {
    let process = subject.owner.process();
    let place = subject.place.as_deref();
    let known = |number: u64| Some(number).filter(|&number| number != 0);
    match column {
        Column::Time => time(event.at, clock, style.layout, line),
        Column::Event => name(&event.kind, style, line),
        Column::Proto => line.text(subject.proto.name().as_bytes()),
        Column::Local => endpoint(&subject.local, line),
        Column::Peer if is_wildcard(&subject.peer) => line.text(b"*"),
        Column::Peer => endpoint(&subject.peer, line),
        Column::State => line.text(subject.state.word().as_bytes()),
        Column::Pid => line.number(process.map(|process| process.pid.into())),
        Column::Command => line.maybe(process.map(|process| process.comm.as_bytes())),
        Column::Attribution => line.text(subject.owner.attribution().name().as_bytes()),
        Column::User => line.number(subject.uid.map(u64::from)),
        Column::Netns => line.number(known(subject.netns.into())),
        Column::Cookie => line.number(known(subject.cookie)),
        Column::Cgroup => line.maybe(place.map(|place| &*place.path)),
        Column::Unit => line.maybe(place.and_then(|place| place.unit.as_deref())),
        Column::Container => {
            // As the engines shorten it.
            let id = place.and_then(|place| place.container.as_ref()).map(|it| it.id.as_bytes());
            line.maybe(id.map(|id| id.get(..12).unwrap_or(id)));
        }
        Column::Pod => line.maybe(place.and_then(|place| place.pod.as_ref()).map(|uid| uid.as_bytes())),
        Column::Details => details(event, style.layout, line),
    }
}

pub(super) fn endpoint(endpoint: &Endpoint, line: &mut Line<'_>) {
    match endpoint {
        Endpoint::Inet { addr, port } => {
            line.ip(*addr);
            if *port == 0 { line.text(b":*") } else { line.print(format_args!(":{port}")) }
        }
        Endpoint::Unix { name, .. } if name.is_unnamed() => line.text(b"*"),
        Endpoint::Unix { name, .. } if name.is_abstract() => {
            let shown: Vec<u8> = name.as_bytes().iter().map(|&b| if b == 0 { b'@' } else { b }).collect();
            line.escaped(&shown);
        }
        Endpoint::Unix { name, .. } => line.escaped(name.as_bytes()),
        // Not known, or of a family that no hook tells of.
        Endpoint::None
        | Endpoint::Packet { .. }
        | Endpoint::Netlink { .. }
        | Endpoint::NetlinkPeer { .. }
        | Endpoint::Vsock { .. }
        | Endpoint::Tipc { .. }
        | Endpoint::Xdp { .. } => line.text(b"-"),
    }
}

fn details(event: &Event, layout: Layout, line: &mut Line<'_>) {
    match &event.kind {
        EventKind::Bind { errno } | EventKind::Listen { errno } => error(*errno, line),
        EventKind::Connect { latency_us } => {
            if let Some(us) = latency_us {
                line.field(format_args!("after {}", Micros(*us)));
            }
        }
        EventKind::ConnectFailed { errno, latency_us, failed_by: _ } => {
            error(*errno, line);
            if let Some(us) = latency_us {
                line.field(format_args!("after {}", Micros(*us)));
            }
        }
        EventKind::Close { duration_us, closing, found } => {
            if let Some(us) = duration_us {
                line.field(format_args!("{}", Lifetime { us: *us, is_bound: *found }));
            }
            if let Some(closing) = closing {
                totals(closing, layout, line);
            }
        }
        EventKind::State { old } => {
            if let Some(subject) = &event.subject {
                line.field(format_args!("{old} -> {}", subject.state));
            }
        }
        EventKind::Lost { records } => {
            line.field(format_args!("{records} events, the kernel's buffer was full"))
        }
        EventKind::Resync { added, removed, changed } => {
            line.field(format_args!("{added} added, {removed} removed, {changed} changed"));
        }
        EventKind::Accept | EventKind::Open => {}
    }
}

pub(super) fn totals(closing: &Closing, layout: Layout, line: &mut Line<'_>) {
    let (sent, received) = (Bytes(closing.bytes_sent), Bytes(closing.bytes_received));
    match layout {
        Layout::Narrow => line.field(format_args!("{sent}/{received}")),
        Layout::Wide => {
            let (out, into) = (closing.segs_out, closing.segs_in);
            line.field(format_args!("sent {sent}/{out} received {received}/{into}"));
            if closing.rtt_us != 0 {
                line.field(format_args!("rtt {}", Micros(closing.rtt_us.into())));
            }
            if closing.min_rtt_us != 0 {
                line.field(format_args!("min {}", Micros(closing.min_rtt_us.into())));
            }
            if closing.retrans != 0 {
                line.field(format_args!("retrans {}", closing.retrans));
            }
            if let Some(side) = closing.closed_first {
                line.field(format_args!("{} first", side.name()));
            }
            if let Some(side) = closing.reset {
                line.field(format_args!("reset by {}", side.name()));
            }
        }
    }
    error(closing.errno, line);
}

pub(super) fn error(errno: u16, line: &mut Line<'_>) {
    if errno != 0 {
        line.field(format_args!("{}", errno_name(errno)));
    }
}

/// A line being written: knows its width so far.
pub(super) struct Line<'a> {
    out: &'a mut Vec<u8>,
    /// Where it begins.
    start: usize,
    width: usize,
}

impl<'a> Line<'a> {
    pub(super) const fn new(out: &'a mut Vec<u8>) -> Self {
        Self { start: out.len(), out, width: 0 }
    }

    /// At least one blank, unless it is the first, and on to the column's place.
    pub(super) fn column(&mut self, start: usize) {
        let blanks = start.saturating_sub(self.width).max(usize::from(self.width > 0));
        self.out.resize(self.out.len() + blanks, b' ');
        self.width += blanks;
    }

    pub(super) fn text(&mut self, text: &[u8]) {
        self.out.extend_from_slice(text);
        self.count(text.len());
    }

    pub(super) fn escaped(&mut self, text: &[u8]) {
        let before = self.out.len();
        push_text(self.out, text);
        self.count(self.out.len() - before);
    }

    /// As [`escaped`](Self::escaped), between quotes.
    pub(super) fn quoted(&mut self, text: &[u8]) {
        self.text(b"\"");
        let before = self.out.len();
        push_quoted(self.out, text);
        self.count(self.out.len() - before);
        self.text(b"\"");
    }

    /// A text of somebody else's, if it is known.
    fn maybe(&mut self, text: Option<&[u8]>) {
        match text {
            Some(text) => self.escaped(text),
            None => self.text(b"-"),
        }
    }

    /// A number, if it is known.
    fn number(&mut self, number: Option<u64>) {
        match number {
            Some(number) => self.print(format_args!("{number}")),
            None => self.text(b"-"),
        }
    }

    /// An address, in brackets if it has colons of its own.
    pub(super) fn ip(&mut self, addr: IpAddr) {
        let before = self.out.len();
        if addr.is_ipv6() {
            self.out.push(b'[');
        }
        push_ip(self.out, addr);
        if addr.is_ipv6() {
            self.out.push(b']');
        }
        self.count(self.out.len() - before);
    }

    pub(super) fn print(&mut self, text: std::fmt::Arguments<'_>) {
        let before = self.out.len();
        // Writing to a Vec cannot fail.
        let _ = self.out.write_fmt(text);
        self.count(self.out.len() - before);
    }

    /// One of the details, which are set apart by a blank.
    pub(super) fn field(&mut self, text: std::fmt::Arguments<'_>) {
        if self.width > 0 && self.out.last() != Some(&b' ') {
            self.column(0);
        }
        self.print(text);
    }

    /// Bytes that take no room.
    fn invisible(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    /// The width of the `bytes` bytes just written, one column for each character.
    fn count(&mut self, bytes: usize) {
        let written = self.out.get(self.out.len() - bytes..).unwrap_or_default();
        self.width += written.iter().filter(|&&b| b & 0xc0 != 0x80).count();
    }

    pub(super) fn end(self) {
        let written = self.out.get(self.start..).unwrap_or_default().trim_ascii_end().len();
        self.out.truncate(self.start + written);
        self.out.push(b'\n');
    }
}

/// Microseconds as people say them: three digits or so, and a unit.
pub(super) struct Micros(pub(super) u64);

impl std::fmt::Display for Micros {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let us = self.0;
        let seconds = us / 1_000_000;
        match us {
            0..1_000 => write!(f, "{us}us"),
            1_000..1_000_000 => write!(f, "{}.{}ms", us / 1000, us / 100 % 10),
            1_000_000..60_000_000 => write!(f, "{seconds}.{}s", us / 100_000 % 10),
            60_000_000..3_600_000_000 => write!(f, "{}m{:02}s", seconds / 60, seconds % 60),
            3_600_000_000.. => write!(f, "{}h{:02}m", seconds / 3600, seconds / 60 % 60),
        }
    }
}

/// How long a socket was open. Where its end was found by a pass over the kernel's tables, the time of the pass is an upper
/// bound.
pub(super) struct Lifetime {
    pub(super) us: u64,
    pub(super) is_bound: bool,
}

impl std::fmt::Display for Lifetime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}{}", if self.is_bound { "≤" } else { "" }, Micros(self.us))
    }
}

/// Bytes as people say them, in powers of 1000.
struct Bytes(u64);

impl std::fmt::Display for Bytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let bytes = self.0;
        let (unit, divisor) = match bytes {
            0..1_000 => return write!(f, "{bytes}B"),
            1_000..1_000_000 => ("kB", 1_000),
            1_000_000..1_000_000_000 => ("MB", 1_000_000),
            1_000_000_000.. => ("GB", 1_000_000_000),
        };
        write!(f, "{}.{}{unit}", bytes / divisor, bytes / (divisor / 10) % 10)
    }
}

#[cfg(test)]
mod tests;

//! One event as one line for people. Columns start at fixed places; a long value pushes the next ones along
//! and is never cut.

use super::clock::Clock;
use super::errno::errno_name;
use super::escape::push_text;
use super::event_json::is_wildcard;
use super::units::push_ip;
use crate::socket::{BootNs, Closing, Endpoint, Event, EventKind, Owner, Subject};
use std::io::Write as _;
use std::net::IpAddr;

/// How lines are to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// How much room there is.
    pub layout: Layout,
    /// Whether to colour by kind.
    pub colour: bool,
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

    const fn columns(self) -> &'static Columns {
        match self {
            Self::Narrow => &NARROW,
            Self::Wide => &WIDE,
        }
    }
}

/// Where each column starts.
struct Columns {
    kind: usize,
    proto: usize,
    local: usize,
    peer: usize,
    pid: usize,
    command: usize,
    details: usize,
}

const NARROW: Columns = Columns { kind: 9, proto: 17, local: 22, peer: 38, pid: 55, command: 62, details: 0 };
const WIDE: Columns =
    Columns { kind: 16, proto: 31, local: 36, peer: 58, pid: 80, command: 88, details: 104 };

/// The line of column names.
pub fn header(style: Style, out: &mut Vec<u8>) {
    let columns = style.layout.columns();
    let mut line = Line::new(out);
    line.text(b"Time");
    for (start, name) in [
        (columns.kind, "Event"),
        (columns.proto, "Prot"),
        (columns.local, "Local"),
        (columns.peer, "Peer"),
        (columns.pid, "PID"),
        (columns.command, "Command"),
        (columns.details, "Details"),
    ] {
        line.column(start);
        line.text(name.as_bytes());
    }
    line.end();
}

/// Appends the event's line and a newline.
pub fn line(event: &Event, clock: &Clock, style: Style, out: &mut Vec<u8>) {
    let columns = style.layout.columns();
    let mut line = Line::new(out);
    begin(event.at, &event.kind, clock, style, &mut line);
    line.column(columns.proto);
    if let Some(subject) = &event.subject {
        socket(subject, columns, &mut line);
        line.column(columns.details);
    }
    details(event, style.layout, &mut line);
    line.end();
}

/// Appends the line that tells a reader how many events it lost itself, being too slow, and a newline.
pub fn gap(at: BootNs, lost: u64, clock: &Clock, style: Style, out: &mut Vec<u8>) {
    let kind = EventKind::Lost { records: lost };
    let columns = style.layout.columns();
    let mut line = Line::new(out);
    begin(at, &kind, clock, style, &mut line);
    line.column(columns.proto);
    line.field(format_args!("{lost} events, this reader was too slow"));
    line.end();
}

/// Time and kind.
fn begin(at: BootNs, kind: &EventKind, clock: &Clock, style: Style, line: &mut Line<'_>) {
    let time = clock.local_time(at);
    line.text(match style.layout {
        Layout::Narrow => time.get(..8).unwrap_or_default(),
        Layout::Wide => &time,
    });
    line.column(style.layout.columns().kind);
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

fn socket(subject: &Subject, columns: &Columns, line: &mut Line<'_>) {
    line.text(subject.proto.name().as_bytes());
    line.column(columns.local);
    endpoint(&subject.local, line);
    line.column(columns.peer);
    if is_wildcard(&subject.peer) {
        line.text(b"*");
    } else {
        endpoint(&subject.peer, line);
    }
    line.column(columns.pid);
    match &subject.owner {
        Owner::Exact(process) | Owner::Holder(process) => {
            line.print(format_args!("{}", process.pid));
            line.column(columns.command);
            line.escaped(process.comm.as_bytes());
        }
        Owner::Unknown => {
            line.text(b"-");
            line.column(columns.command);
            line.text(b"-");
        }
    }
}

fn endpoint(endpoint: &Endpoint, line: &mut Line<'_>) {
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
        EventKind::ConnectFailed { errno, latency_us } => {
            error(*errno, line);
            if let Some(us) = latency_us {
                line.field(format_args!("after {}", Micros(*us)));
            }
        }
        EventKind::Close { duration_us, closing } => {
            if let Some(us) = duration_us {
                line.field(format_args!("{}", Micros(*us)));
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

fn totals(closing: &Closing, layout: Layout, line: &mut Line<'_>) {
    let (sent, received) = (Bytes(closing.bytes_sent), Bytes(closing.bytes_received));
    match layout {
        Layout::Narrow => line.field(format_args!("{sent}/{received}")),
        Layout::Wide => {
            line.field(format_args!("sent {sent} received {received}"));
            if closing.rtt_us != 0 {
                line.field(format_args!("rtt {}", Micros(closing.rtt_us.into())));
            }
            if closing.retrans != 0 {
                line.field(format_args!("retrans {}", closing.retrans));
            }
        }
    }
    error(closing.errno, line);
}

fn error(errno: u16, line: &mut Line<'_>) {
    if errno != 0 {
        line.field(format_args!("{}", errno_name(errno)));
    }
}

/// A line being written: knows its width so far.
struct Line<'a> {
    out: &'a mut Vec<u8>,
    width: usize,
}

impl<'a> Line<'a> {
    const fn new(out: &'a mut Vec<u8>) -> Self {
        Self { out, width: 0 }
    }

    /// At least one blank, and on to the column's place.
    fn column(&mut self, start: usize) {
        let blanks = start.saturating_sub(self.width).max(1);
        self.out.resize(self.out.len() + blanks, b' ');
        self.width += blanks;
    }

    fn text(&mut self, text: &[u8]) {
        self.out.extend_from_slice(text);
        self.count(text.len());
    }

    fn escaped(&mut self, text: &[u8]) {
        let before = self.out.len();
        push_text(self.out, text);
        self.count(self.out.len() - before);
    }

    /// An address, in brackets if it has colons of its own.
    fn ip(&mut self, addr: IpAddr) {
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

    fn print(&mut self, text: std::fmt::Arguments<'_>) {
        let before = self.out.len();
        // Writing to a Vec cannot fail.
        let _ = self.out.write_fmt(text);
        self.count(self.out.len() - before);
    }

    /// One of the details, which are set apart by a blank.
    fn field(&mut self, text: std::fmt::Arguments<'_>) {
        if self.out.last() != Some(&b' ') {
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

    fn end(self) {
        let kept = self.out.trim_ascii_end().len();
        self.out.truncate(kept);
        self.out.push(b'\n');
    }
}

/// Microseconds as people say them: three digits or so, and a unit.
struct Micros(u64);

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

//! One closed socket as one line for people: when, how long it lived, its ends, whose it was in the manner of `ss -p`,
//! and what went over it.

use super::clock::Clock;
use super::event_json::is_wildcard;
use super::event_line::{Layout, Lifetime, Line, Style, endpoint, error, totals};
use super::names::{Named, Names};
use crate::socket::{Closing, Endpoint, Event, EventKind, Owner, Proto, Subject};

/// Where each column starts.
struct Columns {
    lifetime: usize,
    proto: usize,
    local: usize,
    peer: usize,
    process: usize,
    details: usize,
}

const NARROW: Columns = Columns { lifetime: 15, proto: 23, local: 28, peer: 44, process: 60, details: 0 };
const WIDE: Columns = Columns { lifetime: 24, proto: 33, local: 38, peer: 60, process: 82, details: 113 };

const fn columns(layout: Layout) -> &'static Columns {
    match layout {
        Layout::Narrow => &NARROW,
        Layout::Wide => &WIDE,
    }
}

/// The line of column names.
pub fn header(style: Style, out: &mut Vec<u8>) {
    let columns = columns(style.layout);
    let mut line = Line::new(out);
    line.text(b"Closed");
    for (start, name) in [
        (columns.lifetime, "Lifetime"),
        (columns.proto, "Prot"),
        (columns.local, "Local"),
        (columns.peer, "Peer"),
        (columns.process, "Process"),
        (columns.details, "Details"),
    ] {
        line.column(start);
        line.text(name.as_bytes());
    }
    line.end();
}

/// Appends the line of a `close` or `connect_failed`, and a newline. `missed`: a dump found the end, so that the lifetime is
/// an upper bound.
pub fn line(
    event: &Event,
    missed: bool,
    clock: &Clock,
    style: Style,
    names: &mut dyn Names,
    out: &mut Vec<u8>,
) {
    let columns = columns(style.layout);
    let mut line = Line::new(out);
    let (lifetime, totals, errno) = end(&event.kind);
    let time = clock.local_date_time(event.at);
    line.text(match style.layout {
        Layout::Narrow => time.get(5..19).unwrap_or_default(),
        Layout::Wide => &time,
    });
    line.column(columns.lifetime);
    match lifetime {
        Some(us) => {
            let is_bound = missed || matches!(event.kind, EventKind::Close { found: true, .. });
            line.print(format_args!("{}", Lifetime { us, is_bound }));
        }
        None => line.text(b"-"),
    }
    line.column(columns.proto);
    if let Some(subject) = event.subject.as_deref() {
        socket(subject, columns, names, &mut line);
    }
    line.column(columns.details);
    details(totals, errno, style.layout, &mut line);
    line.end();
}

/// How long it lived, the totals, and why it did not come about.
fn end(kind: &EventKind) -> (Option<u64>, Option<&Closing>, Option<u16>) {
    match kind {
        EventKind::Close { duration_us, closing, .. } => (*duration_us, closing.as_deref(), None),
        EventKind::ConnectFailed { errno, latency_us, failed_by: _ } => (*latency_us, None, Some(*errno)),
        // These end nothing.
        EventKind::Bind { .. }
        | EventKind::Listen { .. }
        | EventKind::Connect { .. }
        | EventKind::Accept
        | EventKind::Open
        | EventKind::State { .. }
        | EventKind::Lost { .. }
        | EventKind::Resync { .. } => (None, None, None),
    }
}

fn details(closing: Option<&Closing>, errno: Option<u16>, layout: Layout, line: &mut Line<'_>) {
    if let Some(closing) = closing {
        totals(closing, layout, line);
    }
    if let Some(errno) = errno {
        line.field(format_args!("connect failed"));
        error(errno, line);
    }
}

fn socket(subject: &Subject, columns: &Columns, names: &mut dyn Names, line: &mut Line<'_>) {
    line.text(subject.proto.name().as_bytes());
    line.column(columns.local);
    end_of(&subject.local, subject.proto, names, line);
    line.column(columns.peer);
    if is_wildcard(&subject.peer) {
        line.text(b"*");
    } else {
        end_of(&subject.peer, subject.proto, names, line);
    }
    line.column(columns.process);
    match &subject.owner {
        Owner::Exact(process) | Owner::Holder(process) => {
            line.text(b"users:((");
            line.quoted(process.comm.as_bytes());
            line.print(format_args!(",pid={}))", process.pid));
        }
        Owner::Unknown => line.text(b"-"),
    }
}

/// An endpoint, its port by the name of its service.
fn end_of(end: &Endpoint, proto: Proto, names: &mut dyn Names, line: &mut Line<'_>) {
    let service = match end {
        Endpoint::Inet { addr, port } if *port != 0 => {
            names.name(Named::Service { proto, port: *port }).map(|name| (addr, name))
        }
        Endpoint::Inet { .. }
        | Endpoint::None
        | Endpoint::Unix { .. }
        | Endpoint::Packet { .. }
        | Endpoint::Netlink { .. }
        | Endpoint::NetlinkPeer { .. }
        | Endpoint::Vsock { .. }
        | Endpoint::Tipc { .. }
        | Endpoint::Xdp { .. } => None,
    };
    match service {
        Some((addr, name)) => {
            line.ip(*addr);
            line.text(b":");
            line.escaped(name);
        }
        None => endpoint(end, line),
    }
}

#[cfg(test)]
mod tests {
    use super::super::event_line::Columns;
    use super::super::names::NoNames;
    use super::*;
    use crate::socket::{Comm, Family, Process, State, UnixName};

    const CLOCK: Clock = Clock { unix_minus_boot_ns: 0, local_offset_s: 3600 };
    /// 2026-11-22T14:05:01.123456789Z
    const AT: u64 = 1_795_356_301_123_456_789;

    fn style(layout: Layout) -> Style {
        Style { layout, colour: false, columns: Columns::default() }
    }

    /// Knows one service.
    struct Https;

    impl Names for Https {
        fn name(&mut self, of: Named) -> Option<&[u8]> {
            (of == Named::Service { proto: Proto::Tcp, port: 443 }).then_some(b"https")
        }
    }

    fn inet(port: u16) -> Endpoint {
        Endpoint::Inet { addr: [192, 0, 2, 1].into(), port }
    }

    fn event(kind: EventKind, proto: Proto, local: Endpoint, peer: Endpoint, comm: Option<&[u8]>) -> Event {
        let process = comm.map(|comm| Process { pid: 812, comm: Comm::from_bytes(comm) });
        let subject = Subject {
            cookie: 1,
            netns: 0,
            proto,
            family: Family::Inet,
            local,
            peer,
            state: State::Close,
            ifindex: 0,
            uid: None,
            mark: 0,
            inode: 0,
            cgroup: 0,
            place: None,
            owner: process.map_or(Owner::Unknown, Owner::Exact),
            opened: None,
        };
        Event { at: AT, kind, subject: Some(Box::new(subject)) }
    }

    #[track_caller]
    fn check(layout: Layout, names: &mut dyn Names, event: &Event, expected: &str) {
        let mut out = Vec::new();
        line(event, false, &CLOCK, style(layout), names, &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), format!("{expected}\n"));
    }

    fn closed() -> Event {
        let closing = Closing { bytes_sent: 2048, bytes_received: 18, rtt_us: 28, ..Closing::default() };
        let kind =
            EventKind::Close { found: false, duration_us: Some(19_100), closing: Some(Box::new(closing)) };
        event(kind, Proto::Tcp, inet(40_000), inet(443), Some(b"curl"))
    }

    #[test]
    fn lines() {
        let mut names = Vec::new();
        header(style(Layout::Wide), &mut names);
        assert_eq!(
            String::from_utf8(names).unwrap(),
            "Closed                  Lifetime Prot Local                 Peer                  Process                        Details\n"
        );
        check(
            Layout::Wide,
            &mut Https,
            &closed(),
            "2026-11-22 15:05:01.123 19.1ms   tcp  192.0.2.1:40000       192.0.2.1:https       users:((\"curl\",pid=812))       sent 2.0kB/0 received 18B/0 rtt 28us",
        );
        check(
            Layout::Narrow,
            &mut NoNames,
            &closed(),
            "11-22 15:05:01 19.1ms  tcp  192.0.2.1:40000 192.0.2.1:443   users:((\"curl\",pid=812)) 2.0kB/18B",
        );
        let refused = EventKind::ConnectFailed { errno: 111, latency_us: Some(16), failed_by: None };
        check(
            Layout::Wide,
            &mut NoNames,
            &event(refused, Proto::Tcp, inet(40_000), inet(1), None),
            "2026-11-22 15:05:01.123 16us     tcp  192.0.2.1:40000       192.0.2.1:1           -                              connect failed ECONNREFUSED",
        );
        let listener = EventKind::Close { found: false, duration_us: None, closing: None };
        let any = Endpoint::Inet { addr: [0, 0, 0, 0].into(), port: 0 };
        check(
            Layout::Wide,
            &mut NoNames,
            &event(listener.clone(), Proto::Tcp, inet(22), any, Some(b"\x1b[2J\"")),
            "2026-11-22 15:05:01.123 -        tcp  192.0.2.1:22          *                     users:((\"\\033[2J\\\"\",pid=812))",
        );
        let unix = Endpoint::Unix { name: UnixName::from_bytes(b"/run/x.sock"), inode: 5 };
        check(
            Layout::Wide,
            &mut NoNames,
            &event(listener, Proto::UnixStream, unix.clone(), Endpoint::None, None),
            "2026-11-22 15:05:01.123 -        unix /run/x.sock           -                     -",
        );
        let found = EventKind::Close { found: true, duration_us: Some(128_900), closing: None };
        check(
            Layout::Wide,
            &mut NoNames,
            &event(found, Proto::UnixStream, unix, Endpoint::None, None),
            "2026-11-22 15:05:01.123 ≤128.9ms unix /run/x.sock           -                     -",
        );
    }

    #[test]
    fn an_end_whose_event_was_lost_has_a_bound() {
        let mut out = Vec::new();
        line(&closed(), true, &CLOCK, style(Layout::Narrow), &mut NoNames, &mut out);
        assert!(String::from_utf8(out).unwrap().starts_with("11-22 15:05:01 ≤19.1ms tcp  192.0.2.1:40000"));
    }
}

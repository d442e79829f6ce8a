//! Closed sockets as lines for people.

use super::*;
use crate::render::names::{Named, Names, NoNames};
use crate::socket::{Closing, Comm, Family, Process, Proto, State, UnixName};

const CLOCK: Clock = Clock { unix_minus_boot_ns: 0, local_offset_s: 3600 };
/// 2026-11-22T14:05:01.123456789Z
const AT: u64 = 1_795_356_301_123_456_789;

fn style(layout: Layout) -> Style {
    let width = match layout {
        Layout::Narrow => Some(80),
        Layout::Wide => None,
    };
    Style { width, colour: false, numeric: false, columns: Columns::of_ended() }
}

/// Knows one service.
pub(super) struct Https;

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
    ended(event, false, &CLOCK, style(layout), names, &mut out);
    assert_eq!(String::from_utf8(out).unwrap(), format!("{expected}\n"));
}

fn closed() -> Event {
    let closing = Closing { bytes_sent: 2048, bytes_received: 18, rtt_us: 28, ..Closing::default() };
    let kind = EventKind::Close { found: false, duration_us: Some(19_100), closing: Some(Box::new(closing)) };
    event(kind, Proto::Tcp, inet(40_000), inet(443), Some(b"curl"))
}

#[test]
fn lines() {
    let mut names = Vec::new();
    header(style(Layout::Wide), Stamp::Date, &mut names);
    assert_eq!(
        String::from_utf8(names).unwrap(),
        "Closed                  Lifetime Prot Local                 Peer                  Process                        Details\n"
    );
    check(
        Layout::Wide,
        &mut Https,
        &closed(),
        "2026-11-22 15:05:01.123 19.1ms   tcp  192.0.2.1:40000       192.0.2.1:https       users:((\"curl\",pid=812))       sent 2.0kB received 18B rtt 28us",
    );
    check(
        Layout::Narrow,
        &mut NoNames,
        &closed(),
        "11-22 15:05:01 19.1ms  tcp  192.0.2.1:40000 192.0.2.1:443    curl[812] 2.0kB/18B",
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
        "2026-11-22 15:05:01.123 -        unix /run/x.sock           *                     -",
    );
    let found = EventKind::Close { found: true, duration_us: Some(128_900), closing: None };
    check(
        Layout::Wide,
        &mut NoNames,
        &event(found, Proto::UnixStream, unix, Endpoint::None, None),
        "2026-11-22 15:05:01.123 ≤128.9ms unix /run/x.sock           *                     -",
    );
}

#[test]
fn an_end_whose_event_was_lost_has_a_bound() {
    let mut out = Vec::new();
    ended(&closed(), true, &CLOCK, style(Layout::Narrow), &mut NoNames, &mut out);
    assert!(String::from_utf8(out).unwrap().starts_with("11-22 15:05:01 ≤19.1ms tcp  192.0.2.1:40000"));
}

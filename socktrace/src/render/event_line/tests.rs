//! One of each kind of event as a line for people.

mod ended;

use super::*;
use crate::api::columns::Columns;
use crate::render::amounts::{Bytes, Micros};
use crate::render::event_fixtures::{closed, closing, event, inet, one_of_each, subject, unix};
use crate::render::names::NoNames;
use crate::render::width::width;
use crate::socket::{Closing, Comm, FailedBy, Owner, Process, State};

fn wide() -> Style {
    Style { width: None, colour: false, numeric: false, columns: Columns::default() }
}

fn narrow() -> Style {
    Style { width: Some(80), ..wide() }
}

fn lines(events: &[Event], style: Style) -> String {
    let mut out = Vec::new();
    header(style, Stamp::Time, &mut out);
    for event in events {
        line(event, &Clock::default(), style, &mut NoNames, &mut out);
    }
    String::from_utf8(out).unwrap()
}

fn shown(event: &Event, style: Style) -> String {
    lines(std::slice::from_ref(event), style).lines().nth(1).unwrap().to_owned()
}

#[test]
fn wide_lines() {
    let expected = "\
Time            Event          Prot Local                 Peer                  PID     Command         Details
00:00:00.123456 bind           tcp  127.0.0.1:43210       127.0.0.1:443         1234    curl            EADDRINUSE
00:00:00.123456 listen         tcp  127.0.0.1:43210       127.0.0.1:443         1234    curl            EADDRINUSE
00:00:00.123456 connect        tcp  127.0.0.1:43210       127.0.0.1:443         1234    curl            after 117us
00:00:00.123456 connect_failed tcp  127.0.0.1:43210       127.0.0.1:443         1234    curl            ECONNREFUSED after 45us
00:00:00.123456 accept         tcp  127.0.0.1:43210       127.0.0.1:443         1234    curl
00:00:00.123456 open           tcp  127.0.0.1:43210       127.0.0.1:443         1234    curl
00:00:00.123456 close          tcp  127.0.0.1:43210       127.0.0.1:443         1234    curl            1.2s sent 512B/5 received 12.3kB/6 rtt 87us min 12us retrans 2 local first reset by either ECONNRESET
00:00:00.123456 state          tcp  127.0.0.1:43210       127.0.0.1:443         1234    curl            SYN-SENT -> ESTAB
00:00:00.000000 lost           17 events, the kernel's buffer was full
00:00:00.000000 resync         1 added, 2 removed, 3 changed
";
    assert_eq!(lines(&one_of_each(), wide()), expected);
}

#[test]
fn narrow_lines() {
    let expected = "\
Time     Event   Prot Local           Peer             PID    Command Details
00:00:00 bind    tcp  127.0.0.1:43210 127.0.0.1:443    1234   curl EADDRINUSE
00:00:00 listen  tcp  127.0.0.1:43210 127.0.0.1:443    1234   curl EADDRINUSE
00:00:00 connect tcp  127.0.0.1:43210 127.0.0.1:443    1234   curl after 117us
00:00:00 connect_failed tcp 127.0.0.1:43210 127.0.0.1:443 1234 curl ECONNREFUSED after 45us
00:00:00 accept  tcp  127.0.0.1:43210 127.0.0.1:443    1234   curl
00:00:00 open    tcp  127.0.0.1:43210 127.0.0.1:443    1234   curl
00:00:00 close   tcp  127.0.0.1:43210 127.0.0.1:443    1234   curl 1.2s 512B/12.3kB ECONNRESET
00:00:00 state   tcp  127.0.0.1:43210 127.0.0.1:443    1234   curl SYN-SENT -> ESTAB
00:00:00 lost    17 events, the kernel's buffer was full
00:00:00 resync  1 added, 2 removed, 3 changed
";
    assert_eq!(lines(&one_of_each(), narrow()), expected);
}

#[test]
fn ends_and_owners() {
    let owned = |owner| Subject { owner, ..subject() };
    let rude = Process { pid: 7, comm: Comm::from_bytes(b"a\x1b[2Jb") };
    for (subject, expected) in [
        (subject(), "tcp  127.0.0.1:43210 127.0.0.1:443    1234   curl"),
        (
            Subject { local: inet("::", 80), peer: inet("::", 0), ..subject() },
            "tcp  [::]:80         *                1234   curl",
        ),
        (
            Subject { local: inet("0.0.0.0", 0), peer: inet("10.0.0.1", 80), ..subject() },
            "tcp  0.0.0.0:*       10.0.0.1:80      1234   curl",
        ),
        (
            Subject { local: inet("::1", 0), peer: inet("::ffff:10.0.0.1", 80), ..subject() },
            "tcp  [::1]:*         [::ffff:10.0.0.1]:80 1234 curl",
        ),
        (
            Subject { local: unix(b"\0a\0b"), peer: unix(b""), ..subject() },
            "tcp  @a@b            *                1234   curl",
        ),
        (
            Subject { local: unix(b"/a\nb"), peer: Endpoint::None, ..subject() },
            "tcp  /a\\012b         -                1234   curl",
        ),
        (
            Subject { local: unix("/größe".as_bytes()), peer: Endpoint::None, ..subject() },
            "tcp  /größe          -                1234   curl",
        ),
        (owned(Owner::Unknown), "tcp  127.0.0.1:43210 127.0.0.1:443    -      -"),
        (owned(Owner::Holder(rude)), "tcp  127.0.0.1:43210 127.0.0.1:443    7      a\\033[2Jb"),
    ] {
        let line = shown(&event(EventKind::Accept, subject), narrow());
        assert_eq!(line.strip_prefix("00:00:00 accept  "), Some(expected));
    }
}

#[test]
fn an_unfinished_close_says_what_it_knows() {
    let close =
        |duration_us, closing| event(EventKind::Close { found: false, duration_us, closing }, closed());
    let quiet = Closing {
        errno: 0,
        rtt_us: 0,
        min_rtt_us: 0,
        retrans: 0,
        closed_first: None,
        reset: None,
        ..closing()
    };
    let found = EventKind::Close { found: true, duration_us: Some(128_900), closing: None };
    for (event, expected) in [
        (event(found, closed()), "curl            ≤128.9ms"),
        (close(None, None), "curl"),
        (close(Some(999), None), "curl            999us"),
        (close(None, Some(Box::new(quiet))), "curl            sent 512B/5 received 12.3kB/6"),
    ] {
        assert_eq!(shown(&event, wide()).get(88..), Some(expected));
    }
}

#[test]
fn colour_takes_no_room_and_only_comes_when_asked_for() {
    for event in one_of_each() {
        let plain = shown(&event, wide());
        let coloured = shown(&event, Style { colour: true, ..wide() });
        assert!(!plain.contains('\x1b'));
        let mut stripped = String::new();
        for (i, part) in coloured.split('\x1b').enumerate() {
            stripped.push_str(if i == 0 { part } else { part.split_once('m').unwrap().1 });
        }
        assert_eq!((stripped, coloured.matches('\x1b').count()), (plain, 2));
    }
}

#[test]
fn chosen_columns() {
    let of = |words: &str| words.split(' ').map(|word| Column::from_word(word).unwrap()).collect();
    let unplaced = event(EventKind::Accept, Subject { place: None, owner: Owner::Unknown, ..subject() });
    let lost = Event { at: 5, kind: EventKind::Lost { records: 17 }, subject: None };
    for (words, expected) in [
        (
            "event container pod",
            [
                "Event          Container    Pod",
                "accept         4f2a8e5b0d1c 3c1b9a7e-5d42-4f6a-9e0b-1a2b3c4d5e6f",
                "accept         -            -",
                "lost           17 events, the kernel's buffer was full",
            ],
        ),
        (
            "pid attribution uid state cookie netns",
            [
                "PID     Attribution UID     State       Cookie   Netns",
                "1234    exact       1000    ESTAB       4711     4026531840",
                "-       unknown     1000    ESTAB       4711     4026531840",
                "lost 17 events, the kernel's buffer was full",
            ],
        ),
        ("details", ["Details", "", "", "lost 17 events, the kernel's buffer was full"]),
    ] {
        let style = Style { columns: of(words), ..wide() };
        let events = [event(EventKind::Accept, subject()), unplaced.clone(), lost.clone()];
        assert_eq!(lines(&events, style).lines().collect::<Vec<_>>(), expected, "{words}");
    }
    for column in Column::words() {
        // None of them is longer than what it says: no column swallows the line's end.
        let style = Style { columns: of(column), ..wide() };
        assert_eq!(lines(&one_of_each(), style).lines().count(), 11, "{column}");
    }
}

#[test]
fn what_a_reader_lost_itself() {
    let mut out = Vec::new();
    gap(0, 12, &Clock::default(), narrow(), &mut out);
    assert_eq!(std::str::from_utf8(&out), Ok("00:00:00 lost    12 events, this reader was too slow\n"));
}

#[test]
fn layouts() {
    for (columns, expected) in [
        (Some(80), Layout::Narrow),
        (Some(139), Layout::Narrow),
        (Some(140), Layout::Wide),
        (None, Layout::Wide),
    ] {
        assert_eq!(layout(Style { width: columns, ..wide() }), expected);
    }
    let typical = event(
        EventKind::Close {
            found: false,
            duration_us: Some(5_000),
            closing: Some(Box::new(Closing::default())),
        },
        Subject { state: State::Close, ..subject() },
    );
    assert!(shown(&typical, narrow()).len() <= 80);
    assert!(shown(&typical, wide()).len() <= 160);
}

#[test]
fn a_close_says_as_much_as_fits_the_terminal() {
    let close =
        EventKind::Close { found: false, duration_us: Some(1_200_000), closing: Some(Box::new(closing())) };
    let close = event(close, closed());
    let versions = [
        "1.2s sent 512B/5 received 12.3kB/6 rtt 87us min 12us retrans 2 local first reset by either ECONNRESET",
        "1.2s sent 512B/5 received 12.3kB/6 rtt 87us retrans 2 local first reset by either ECONNRESET",
        "1.2s 512B/12.3kB rtt 87us retrans 2 local first reset by either ECONNRESET",
        "1.2s 512B/12.3kB retrans 2 local first reset by either ECONNRESET",
        "1.2s 512B/12.3kB local first reset by either ECONNRESET",
        "1.2s 512B/12.3kB reset by either ECONNRESET",
        "1.2s 512B/12.3kB ECONNRESET",
    ];
    let shown = |width| shown(&close, Style { width, ..wide() });
    assert_eq!(shown(None).get(104..), Some(versions[0]));
    for (index, version) in versions.iter().enumerate() {
        let fits = u16::try_from(104 + version.len()).unwrap();
        let beyond = versions.get(index + 1).unwrap_or(version);
        // Narrower columns leave more room.
        for (width, expected) in
            [(fits, version), (fits - 1, beyond)].into_iter().filter(|(width, _)| *width >= 140)
        {
            assert_eq!(shown(Some(width)).get(104..), Some(*expected), "{width}");
        }
    }
    for terminal in 95..300_u16 {
        assert!(width(shown(Some(terminal)).as_bytes()) <= terminal.into(), "{terminal}");
    }
}

#[test]
fn wide_characters_take_two_columns() {
    let comm = Comm::from_bytes("日本語".as_bytes());
    let owner = Owner::Exact(Process { pid: 7, comm });
    let columns = ["command", "pid"].iter().map(|word| Column::from_word(word).unwrap()).collect();
    let style = Style { columns, ..wide() };
    assert_eq!(shown(&event(EventKind::Accept, Subject { owner, ..subject() }), style), "日本語          7");
}

#[test]
fn a_connect_that_was_given_up_without_an_answer_says_so() {
    let failed_by = Some(FailedBy::Local);
    let given_up = EventKind::ConnectFailed { errno: 0, latency_us: Some(1_000_000), failed_by };
    let shown = shown(&event(given_up, closed()), wide());
    assert!(shown.ends_with("curl            no answer, given up after 1.0s"), "{shown}");
}

#[test]
fn ports_have_the_names_of_services_unless_numbers_are_wanted() {
    let accept = event(EventKind::Accept, subject());
    for (numeric, expected) in [(false, "127.0.0.1:https"), (true, "127.0.0.1:443")] {
        let mut out = Vec::new();
        line(&accept, &Clock::default(), Style { numeric, ..wide() }, &mut ended::Https, &mut out);
        assert_eq!(String::from_utf8(out).unwrap().split_whitespace().nth(4), Some(expected));
    }
}

#[test]
fn durations_and_sizes() {
    for (us, expected) in [
        (0, "0us"),
        (999, "999us"),
        (1_000, "1.0ms"),
        (999_999, "999.9ms"),
        (1_000_000, "1.0s"),
        (59_999_999, "59.9s"),
        (60_000_000, "1m00s"),
        (3_599_999_999, "59m59s"),
        (3_600_000_000, "1h00m"),
        (u64::MAX, "5124095576h01m"),
    ] {
        assert_eq!(Micros(us).to_string(), expected);
    }
    for (bytes, expected) in
        [(999, "999B"), (1_000, "1.0kB"), (1_234_567, "1.2MB"), (u64::MAX, "18446744073.7GB")]
    {
        assert_eq!(Bytes(bytes).to_string(), expected);
    }
}

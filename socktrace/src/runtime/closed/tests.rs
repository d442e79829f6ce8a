//! Files and answers, with real files and given ends.

mod on_disk;

use super::Resolved;
use super::answer;
use crate::api::arrangement::{Arrangement, By};
use crate::api::columns::{Column, Columns};
use crate::api::history::{Question, Survey};
use crate::api::selection::{Format, Selection, Style};
use crate::archive::disk::Disk;
use crate::archive::dropped::Dropped;
use crate::archive::log::Log;
use crate::archive::{FileOptions, Options, Recorder, files};
use crate::history::{Bounds, Cut, Loser, Record, Ring, segment};
use crate::render::clock::Clock;
use crate::runtime::interest::names;
use crate::runtime::stop::Stop;
use crate::runtime::time;
use crate::socket::{
    Comm, Ended, Endpoint, EventKind, Family, Owner, Process, Proto, State, Subject, UnixNs, Viewer,
};
use proptest::prelude::*;
use serde_json::Value;
use std::path::Path;

const SECOND: u64 = 1_000_000_000;
/// 2026-11-22 14:05:00 UTC.
const NOON: UnixNs = 1_795_356_300 * SECOND;
const CLOCK: Clock = Clock { unix_minus_boot_ns: NOON as i64, local_offset_s: 0 };
const ROOMY: Bounds = Bounds { records: 100_000, bytes: 1 << 24 };

/// A close `at` nanoseconds after noon, of that user's socket on that port.
fn ended(at: u64, port: u16, uid: u32) -> Ended {
    let process = Process { pid: 100 + uid, comm: Comm::from_bytes(b"server") };
    Ended {
        at,
        kind: EventKind::Close { found: false, duration_us: Some(5), closing: None },
        subject: Subject {
            cookie: at + 1,
            netns: 1,
            proto: Proto::Tcp,
            family: Family::Inet,
            local: Endpoint::Inet { addr: [192, 0, 2, 1].into(), port },
            peer: Endpoint::None,
            state: State::Close,
            ifindex: 0,
            uid: Some(uid),
            mark: 9,
            inode: 0,
            cgroup: 77,
            place: None,
            owner: Owner::Exact(process),
            opened: at.checked_sub(5000),
        },
        missed: false,
    }
}

fn question(filter: &str, viewer: Viewer) -> Resolved {
    let selection = Selection { filter: vec![filter.to_owned()], ..Selection::default() };
    let (format, arrangement) = (Format::Json, Arrangement::default());
    let question = Question { selection, since: None, until: None, after: None, format, arrangement };
    Resolved::new(question, viewer, &names(viewer, &Stop::default())).unwrap()
}

fn all() -> Resolved {
    question("", Viewer::Own)
}

fn answers(log: &Log, question: &Resolved) -> (Survey, Vec<Value>) {
    let overview = answer::survey(log, question, &Stop::default()).unwrap();
    let mut text = Vec::new();
    let found = answer::find(log, question, &overview, &Stop::default(), &|_| true).unwrap();
    found.write(log, &Stop::default(), &mut text).unwrap();
    let lines = std::str::from_utf8(&text).unwrap().lines();
    (overview.survey, lines.map(|line| serde_json::from_str(line).unwrap()).collect())
}

fn ports(log: &Log) -> Vec<u64> {
    answers(log, &all()).1.iter().map(|line| line["local_port"].as_u64().unwrap()).collect()
}

fn on_disk(dir: &Path) -> Log {
    Log { dir: Some(dir.to_owned()), ..Log::default() }
}

fn options(dir: &Path, most: u64) -> FileOptions {
    FileOptions { dir: dir.to_owned(), most }
}

/// Cuts of one close each, on these ports.
fn cuts(ports: std::ops::Range<u16>) -> Vec<Cut> {
    let mut ring = Ring::new(ROOMY, u64::from(ports.start));
    ring.write_too();
    ports
        .flat_map(|port| {
            ring.push(&ended(u64::from(port) * SECOND, port, 0), NOON as i64);
            ring.cut().collect::<Vec<_>>()
        })
        .collect()
}

#[test]
fn what_is_kept_is_told_oldest_first() {
    let mut recorder = Recorder::start(&Options { bounds: ROOMY, files: None }, 0, &CLOCK);
    (1..=3).for_each(|port| recorder.push(&ended(u64::from(port) * SECOND, port, 0), &CLOCK));
    let (survey, told) = answers(&recorder.log(), &all());
    assert_eq!(survey, Survey { from: Some(NOON), next: survey.next, ..Survey::default() });
    assert_eq!(told.len(), 3);
    assert_eq!(
        (&told[0]["ts"], &told[0]["event"]),
        (&"2026-11-22T14:05:01.000000000Z".into(), &"close".into())
    );
    assert_eq!(told[0]["opened"], "2026-11-22T14:05:00.999995000Z");
    assert_eq!(ports(&recorder.log()), [1, 2, 3]);
}

#[test]
fn an_end_that_only_a_dump_showed_is_told_as_such() {
    let mut recorder = Recorder::start(&Options { bounds: ROOMY, files: None }, 0, &CLOCK);
    recorder.push(&ended(SECOND, 1, 0), &CLOCK);
    recorder.push(&Ended { missed: true, ..ended(2 * SECOND, 2, 0) }, &CLOCK);
    let (_, told) = answers(&recorder.log(), &all());
    assert_eq!((&told[0]["seen_by"], &told[1]["seen_by"]), (&Value::Null, &"dump".into()));
}

#[test]
fn times_bound_what_is_told_and_what_was_lost() {
    let mut recorder = Recorder::start(&Options { bounds: ROOMY, files: None }, 0, &CLOCK);
    for port in 1..=5u16 {
        let at = u64::from(port) * SECOND;
        recorder.push(&ended(at, port, 0), &CLOCK);
        recorder.count_lost(u64::from(port) * 10, at, &CLOCK);
        // Said again, it is no loss.
        recorder.count_lost(u64::from(port) * 10, at, &CLOCK);
    }
    for (since, until, expected, lost) in [
        (None, None, &[1, 2, 3, 4, 5][..], 50),
        (Some(2), None, &[2, 3, 4, 5], 40),
        (None, Some(2), &[1, 2], 20),
        (Some(2), Some(3), &[2, 3], 20),
        (Some(9), None, &[], 0),
    ] {
        let time = |seconds: Option<u64>| seconds.map(|seconds| NOON + seconds * SECOND);
        let question = Resolved { since: time(since), until: time(until), ..all() };
        let (survey, told) = answers(&recorder.log(), &question);
        let told: Vec<_> = told.iter().map(|line| line["local_port"].as_u64().unwrap()).collect();
        assert_eq!((&told[..], survey.lost), (expected, lost), "{since:?} to {until:?}");
    }
}

#[test]
fn what_was_written_before_the_wall_clock_was_set_back_is_found() {
    const HOUR: u64 = 3600 * SECOND;
    let dir = tempfile::tempdir().unwrap();
    let now = u64::try_from(jiff::Timestamp::now().as_nanosecond()).unwrap();
    let mut ring = Ring::new(ROOMY, 1);
    ring.write_too();
    // In each file these sockets, whose ends had such a time.
    for file in [
        &[(1, now - HOUR), (2, now - HOUR)][..],
        &[(3, now + 2 * HOUR), (4, now + 2 * HOUR + SECOND), (5, now)],
        &[(6, now + SECOND / 2)],
    ] {
        let mut disk = Disk::new(&options(dir.path(), 1 << 20));
        disk.open();
        for &(port, at) in file {
            ring.push(&ended(SECOND, port, 0), (at - SECOND).cast_signed());
            ring.cut().for_each(|cut| disk.write(&cut, Dropped::default()));
        }
    }
    for (since, until, expected) in [
        (now + HOUR, u64::MAX, &[3, 4][..]),
        (now - 2 * HOUR, now - SECOND, &[1, 2]),
        (now - SECOND, now + SECOND, &[5, 6]),
        (now - SECOND, u64::MAX, &[3, 4, 5, 6]),
        (0, u64::MAX, &[1, 2, 3, 4, 5, 6]),
        (now + 3 * HOUR, u64::MAX, &[]),
    ] {
        let question = Resolved { since: Some(since), until: Some(until), ..all() };
        let (survey, told) = answers(&on_disk(dir.path()), &question);
        let told: Vec<_> = told.iter().map(|line| line["local_port"].as_u64().unwrap()).collect();
        assert_eq!((&told[..], survey.troubles), (expected, Vec::new()), "{since} to {until}");
    }
}

#[test]
fn filters_are_those_of_events() {
    let mut recorder = Recorder::start(&Options { bounds: ROOMY, files: None }, 0, &CLOCK);
    (1..=4).for_each(|port| recorder.push(&ended(u64::from(port) * SECOND, port, u32::from(port)), &CLOCK));
    for (filter, expected) in [
        ("sport = :2", 1),
        ("sport >= :2", 3),
        ("pid = 103", 1),
        ("comm = serv* and not pid = 103", 3),
        ("comm = client", 0),
        ("age < 6us", 4),
        ("age > 1s", 0),
        ("uid = 4", 1),
        ("cookie = 1000000001", 1),
    ] {
        let (_, told) = answers(&recorder.log(), &question(filter, Viewer::Own));
        assert_eq!(told.len(), expected, "{filter}: {told:?}");
    }
}

#[test]
fn others_processes_are_hidden_and_cannot_be_asked_for() {
    let mut recorder = Recorder::start(&Options { bounds: ROOMY, files: None }, 0, &CLOCK);
    recorder.push(&ended(SECOND, 1, 1000), &CLOCK);
    recorder.push(&ended(2 * SECOND, 2, 0), &CLOCK);
    let pids = |viewer, filter| {
        let (_, told) = answers(&recorder.log(), &question(filter, viewer));
        told.iter().map(|line| (line["pid"].as_u64(), line["comm"].is_string())).collect::<Vec<_>>()
    };
    let user = |uid| Viewer::user(uid, 1);
    let (theirs, roots, hidden) = ((Some(1100), true), (Some(100), true), (None, false));
    assert_eq!(pids(Viewer::Own, ""), [theirs, roots]);
    assert_eq!(pids(user(1000), ""), [theirs, hidden]);
    assert_eq!(pids(user(1000), "comm = server"), [theirs]);
    assert_eq!(pids(user(1000), "pid = 100"), []);
    assert_eq!(pids(user(1001), ""), [hidden, hidden]);
    assert_eq!(pids(Viewer::user(1000, 2), ""), [], "they are elsewhere");
}

#[test]
fn a_connection_accepted_after_its_end_is_told_with_its_owner() {
    let mut recorder = Recorder::start(&Options { bounds: ROOMY, files: None }, 0, &CLOCK);
    let mut closed = ended(SECOND, 1, 0);
    let accepted = Ended { at: 2 * SECOND, kind: EventKind::Accept, ..closed.clone() };
    closed.subject.owner = Owner::Unknown;
    recorder.push(&closed, &CLOCK);
    recorder.push(&accepted, &CLOCK);
    let (_, told) = answers(&recorder.log(), &all());
    assert_eq!(told.len(), 1);
    assert_eq!((&told[0]["pid"], &told[0]["attribution"]), (&100.into(), &"exact".into()));
}

#[test]
fn memory_and_files_together_tell_everything_once() {
    let directory = tempfile::tempdir().unwrap();
    let dir = directory.path().join("history");
    // Memory for a tenth of it.
    let bounds = Bounds { records: 100, bytes: 1 << 20 };
    let options = Options { bounds, files: Some(options(&dir, 1 << 20)) };
    let mut recorder = Recorder::start(&options, 0, &CLOCK);
    for port in 1..=1000u16 {
        recorder.push(&ended(u64::from(port) * SECOND, port, 0), &CLOCK);
        if port.is_multiple_of(7) {
            recorder.tick();
        }
    }
    let log = recorder.log();
    assert!(log.snapshot.chunks.iter().map(|chunk| chunk.records().count()).sum::<usize>() <= 100);
    recorder.stop(2000 * SECOND, &CLOCK);
    let expected: Vec<u64> = (1..=1000).collect();
    assert_eq!(ports(&log), expected);
    assert_eq!(ports(&on_disk(&dir)), expected);
}

#[test]
fn ends_are_ordered_counted_and_only_the_first_are_shown() {
    let mut recorder = Recorder::start(&Options { bounds: ROOMY, files: None }, 0, &CLOCK);
    // Three users on ports 1 to 4000, most of which are the third one's.
    let uid = |port: u16| match port {
        0..=3 => 1,
        4..=5 => 2,
        6.. => 3,
    };
    (1..=4000).for_each(|port| recorder.push(&ended(u64::from(port) * SECOND, port, uid(port)), &CLOCK));
    let log = recorder.log();
    let order = |words: &str, top| Arrangement {
        sort: Arrangement::order(words.split(',')).unwrap(),
        top,
        ..Arrangement::default()
    };
    let ports = |arrangement| {
        let (_, told) = answers(&log, &Resolved { arrangement, ..all() });
        told.iter().map(|line| line["local_port"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(ports(Arrangement { top: Some(2), ..Arrangement::default() }), [1, 2]);
    assert_eq!(ports(order("-sport", Some(3))), [4000, 3999, 3998]);
    assert_eq!(ports(order("uid,-sport", Some(6))), [3, 2, 1, 5, 4, 4000]);
    // Nothing is known of it: in the order of their ends.
    assert_eq!(ports(order("-rtt", Some(2))), [1, 2]);
    let all_of_them = ports(order("-time", None));
    assert!(all_of_them.len() == 4000 && all_of_them.is_sorted_by(|a, b| a > b));
    let count_by = |words: &str| Arrangement {
        count_by: Arrangement::groups(words.split(',')).unwrap(),
        ..Arrangement::default()
    };
    let counted = |arrangement| answers(&log, &Resolved { arrangement, ..all() }).1;
    assert_eq!(
        counted(count_by("uid")),
        [
            serde_json::json!({"count": 3995, "key": "3"}),
            serde_json::json!({"count": 3, "key": "1"}),
            serde_json::json!({"count": 2, "key": "2"}),
        ]
    );
    let most = Arrangement { top: Some(1), ..count_by("event,uid") };
    assert_eq!(counted(most), [serde_json::json!({"count": 3995, "keys": ["close", "3"]})]);
    // Who may take no more is told so before the answer begins.
    let question = Resolved { arrangement: order("-sport", None), ..all() };
    let overview = answer::survey(&log, &question, &Stop::default()).unwrap();
    let refused = answer::find(&log, &question, &overview, &Stop::default(), &|_| false);
    assert_eq!(refused.err().map(|error| error.kind()), Some(std::io::ErrorKind::OutOfMemory));
}

#[test]
fn what_cannot_be_asked() {
    for (query, expected) in [
        ("since=10x", "since=10x: expected a time like 10m, 14:05 or 2026-11-22T14:05:00Z"),
        ("until=25:00", "until=25:00: there is no such time"),
        ("pid=me", "pid=me: expected a process id"),
        (
            "port=5",
            "port=5: expected since, until, after, sort, top, count_by, kinds, proto, family, pid, comm, filter",
        ),
        ("top=0", "top=0: expected a number, 1 to 18446744073709551615"),
        ("sort=peer,-size", "sort=peer,-size: unknown column \"-size\"; choose from time, event, lifetime, "),
        ("sort=details", "sort=details: unknown column \"details\"; choose from time, event, lifetime, "),
        ("count_by=rtt", "count_by=rtt: unknown column \"rtt\"; choose from event, proto, family, "),
        (
            "sort=pid,uid,unit,pod,local,peer,rtt,sent,time",
            "sort=pid,uid,unit,pod,local,peer,rtt,sent,time: at most 8 columns",
        ),
        (
            "count_by=pid,uid,unit,pod,local,peer,sport,dport,proto",
            "count_by=pid,uid,unit,pod,local,peer,sport,dport,proto: at most 8",
        ),
    ] {
        let said = Question::from_request("", query, time::parse).unwrap_err().to_string();
        assert!(said.starts_with(expected), "{said}");
    }
}

proptest! {
    #[test]
    fn a_question_survives_its_request(
        since: Option<u32>, until: Option<u32>, after: Option<u64>, numeric: bool, lines: bool, arranged: bool, filter in "\\PC{0,20}", pid: u32,
    ) {
        let time = |seconds: Option<u32>| seconds.map(|seconds| u64::from(seconds) * SECOND + 7);
        let style = Style { width: None, colour: false, numeric, columns: Columns::of_ended() };
        let format = if lines { Format::Lines { style, utc_offset_s: 3600 } } else { Format::Json };
        let selection = Selection { filter: vec![filter], pids: vec![pid], ..Selection::default() };
        let by = |(column, reversed)| By { column, reversed };
        let arrangement = match arranged {
            true => Arrangement {
                sort: [(Column::Peer, true), (Column::Rtt, false)].map(by).into(),
                top: Some(3),
                count_by: vec![Column::Unit, Column::PeerPort],
            },
            false => Arrangement::default(),
        };
        let question = Question { selection, since: time(since), until: time(until), after, format, arrangement };
        let (query, accept) = question.to_query();
        prop_assert_eq!(Question::from_request(accept, &query, time::parse), Ok(question));
    }

    /// Any bytes in any file: an answer, and no panic.
    #[test]
    fn garbage_in_files_is_survived(garbage in proptest::collection::vec(any::<u8>(), 0..200), ours: bool, at: usize) {
        let directory = tempfile::tempdir().unwrap();
        let mut file = segment::head().to_vec();
        cuts(1..4).iter().for_each(|cut| file.extend_from_slice(&segment::frame(cut)));
        if ours {
            let at = at % file.len();
            file.splice(at..at, garbage);
        } else {
            file = garbage;
        }
        std::fs::write(files::path(directory.path(), 1), file).unwrap();
        let told = ports(&on_disk(directory.path()));
        prop_assert!(told == [1u64, 2, 3][..told.len()]);
    }
}

/// Each answer goes on where the one before it ended, also with what is recorded late, and says what made room meanwhile.
#[test]
fn an_answer_is_gone_on_with_from_the_number_that_it_ends_with() {
    let bounds = Bounds { records: 64, bytes: 1 << 20 };
    let mut recorder = Recorder::start(&Options { bounds, files: None }, 0, &CLOCK);
    let asked = |log: &Log, after: Option<u64>| {
        let (survey, told) = answers(log, &Resolved { after, ..all() });
        (survey, told.iter().map(|line| line["local_port"].as_u64().unwrap()).collect::<Vec<_>>())
    };
    recorder.push(&ended(5 * SECOND, 1, 0), &CLOCK);
    let (first, told) = asked(&recorder.log(), None);
    assert_eq!((told, first.evicted), (vec![1], 0));
    assert_eq!(asked(&recorder.log(), Some(first.next)).1, [0u64; 0]);
    // Recorded later, although it ended before.
    recorder.push(&ended(4 * SECOND, 2, 0), &CLOCK);
    recorder.push(&ended(6 * SECOND, 3, 0), &CLOCK);
    let (second, told) = asked(&recorder.log(), Some(first.next));
    assert_eq!((told, second.evicted, second.next), (vec![2, 3], 0, first.next + 2));
    (10..1010).for_each(|port| recorder.push(&ended(u64::from(port) * SECOND, port, 0), &CLOCK));
    let (third, told) = asked(&recorder.log(), Some(second.next));
    assert_eq!(third.evicted + told.len() as u64, 1000, "{told:?}");
    assert!(third.evicted > 900 && told.last() == Some(&1009) && third.next == second.next + 1000);
    // Another agent began meanwhile: nobody knows what was between.
    let mut recorder = Recorder::start(&Options { bounds, files: None }, 2000 * SECOND, &CLOCK);
    recorder.push(&ended(2001 * SECOND, 4, 0), &CLOCK);
    let (fourth, told) = asked(&recorder.log(), Some(third.next));
    assert_eq!((told, fourth.evicted), (vec![4], 0));
}

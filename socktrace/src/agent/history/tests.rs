//! Files and answers, with real files and given ends.

use super::answer::{self, Survey};
use super::disk::Disk;
use super::log::Log;
use super::question::{Asking, Question};
use super::writer::Dropped;
use super::{FileOptions, Options, Recorder, files};
use crate::agent::selection::{Format, Selection};
use crate::history::{Bounds, Cut, Loser, Record, Ring, UnixNs, segment};
use crate::render::clock::Clock;
use crate::render::event_line::{Columns, Layout, Style};
use crate::socket::{
    Comm, Ended, Endpoint, EventKind, Family, Owner, Process, Proto, State, Subject, Viewer,
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

fn question(filter: &str, viewer: Viewer) -> Question {
    let selection = Selection { filter: vec![filter.to_owned()], ..Selection::default() };
    let asking = Asking { selection, since: None, until: None, format: Format::Json, numeric: true };
    asking.meaning(viewer).unwrap()
}

fn all() -> Question {
    question("", Viewer::Own)
}

fn answers(log: &Log, question: &Question) -> (Survey, Vec<Value>) {
    let survey = answer::survey(log, question);
    let mut text = Vec::new();
    answer::write(log, question, &survey, &mut text).unwrap();
    let lines = std::str::from_utf8(&text).unwrap().lines();
    (survey, lines.map(|line| serde_json::from_str(line).unwrap()).collect())
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
    assert_eq!(survey, Survey { from: Some(NOON), ..Survey::default() });
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
        let question = Question { since: time(since), until: time(until), ..all() };
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
        let question = Question { since: Some(since), until: Some(until), ..all() };
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
    let user = |uid| Viewer::User { uid, netns: 1 };
    let (theirs, roots, hidden) = ((Some(1100), true), (Some(100), true), (None, false));
    assert_eq!(pids(Viewer::Own, ""), [theirs, roots]);
    assert_eq!(pids(user(1000), ""), [theirs, hidden]);
    assert_eq!(pids(user(1000), "comm = server"), [theirs]);
    assert_eq!(pids(user(1000), "pid = 100"), []);
    assert_eq!(pids(user(1001), ""), [hidden, hidden]);
    assert_eq!(pids(Viewer::User { uid: 1000, netns: 2 }, ""), [], "they are elsewhere");
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
fn a_restart_goes_on_and_tells_of_the_gap() {
    let directory = tempfile::tempdir().unwrap();
    let options = Options { bounds: ROOMY, files: Some(options(directory.path(), 1 << 20)) };
    for (run, clean) in [(1u16, true), (2, false), (3, true)] {
        let start = u64::from(run) * 10 * SECOND;
        let mut recorder = Recorder::start(&options, start, &CLOCK);
        recorder.push(&ended(start + SECOND, run, 0), &CLOCK);
        if clean {
            recorder.stop(start + 2 * SECOND, &CLOCK);
        } else {
            // Killed: what was written stays.
            recorder.tick();
            let done = || ports(&on_disk(directory.path())).len() == usize::from(run);
            wait_until(done);
            drop(recorder);
            let lock = std::fs::File::open(directory.path().join("lock")).unwrap();
            wait_until(|| lock.try_lock().is_ok());
        }
        let (survey, _) = answers(&on_disk(directory.path()), &all());
        let time = |seconds| NOON + seconds * SECOND;
        let gaps = [(time(12), time(20)), (time(21), time(30))];
        assert_eq!(survey.gaps, gaps[..usize::from(run) - 1], "run {run}");
    }
    assert_eq!(ports(&on_disk(directory.path())), [1, 2, 3]);
}

fn wait_until(mut done: impl FnMut() -> bool) {
    let start = std::time::Instant::now();
    while !done() {
        assert!(start.elapsed().as_secs() < 30, "it did not happen");
        std::thread::yield_now();
    }
}

#[test]
fn files_stay_within_their_bytes_and_the_newest_are_kept() {
    let directory = tempfile::tempdir().unwrap();
    for most in [2000, 10_000] {
        let mut disk = Disk::new(&options(directory.path(), most));
        disk.open();
        for cut in cuts(1..1000) {
            disk.write(&cut, Dropped::default());
            let taken: u64 = files::list(directory.path()).unwrap().iter().map(|listed| listed.size).sum();
            assert!(taken <= most, "{taken} bytes");
        }
        let kept = ports(&on_disk(directory.path()));
        assert!(kept.len() as u64 > most / 200, "{} kept of {most} bytes", kept.len());
        assert_eq!(kept, (1000 - kept.len() as u64..1000).collect::<Vec<_>>());
        let survey = answers(&on_disk(directory.path()), &all()).0;
        assert_eq!(survey.from, Some(NOON + kept[0] * SECOND));
    }
}

#[test]
fn files_from_before_are_left_out_and_how_far_it_goes_back_is_known_all_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let mut disk = Disk::new(&options(directory.path(), 10_000));
    disk.open();
    cuts(1..100).iter().for_each(|cut| disk.write(cut, Dropped::default()));
    let listed = files::list(directory.path()).unwrap();
    assert!(listed.len() > 4, "{listed:?}");
    // Written when they were made.
    for (file, next) in listed.iter().zip(&listed[1..]) {
        let written =
            std::time::UNIX_EPOCH + std::time::Duration::from_nanos(NOON + (next.first - 1) * SECOND);
        let file =
            std::fs::File::options().write(true).open(files::path(directory.path(), file.first)).unwrap();
        file.set_modified(written).unwrap();
    }
    let log = on_disk(directory.path());
    for since in [0, 1, 50, 98, 99, 100] {
        let question = Question { since: Some(NOON + since * SECOND), ..all() };
        let (survey, told) = answers(&log, &question);
        assert_eq!(survey.from, Some(NOON + SECOND), "since {since}");
        assert_eq!(told.len() as u64, 100 - since.clamp(1, 100), "since {since}");
    }
    let mut shown = 0;
    log.read::<()>(Some(NOON + 90 * SECOND), &mut |_| (), &mut |_, _| {
        shown += 1;
        Ok(())
    })
    .unwrap();
    assert!((10..60).contains(&shown), "{shown} of 99");
}

#[test]
fn one_agent_at_a_time_writes_and_the_next_takes_over() {
    let directory = tempfile::tempdir().unwrap();
    let options = options(directory.path(), 1 << 20);
    let mut cuts = cuts(1..1_000).into_iter();
    let mut first = Disk::new(&options);
    first.open();
    first.write(&cuts.next().unwrap(), Dropped::default());
    let mut second = Disk::new(&options);
    second.open();
    second.write(&cuts.next().unwrap(), Dropped::default());
    assert_eq!(ports(&on_disk(directory.path())), [1]);
    drop(first);
    // It tries again after a while, and says what is missing.
    let cut = cuts.next().unwrap();
    let missing = || answers(&on_disk(directory.path()), &all()).0.unwritten;
    wait_until(|| {
        second.write(&cut, Dropped::default());
        missing() > 0
    });
    assert_eq!(ports(&on_disk(directory.path())).last(), Some(&3));
}

#[test]
fn what_was_dropped_before_is_said_where_it_is_missing() {
    let directory = tempfile::tempdir().unwrap();
    let mut disk = Disk::new(&options(directory.path(), 1 << 20));
    disk.open();
    let cuts = cuts(1..4);
    disk.write(&cuts[0], Dropped::default());
    let mut before = Dropped::default();
    before.add(cuts[1].first, cuts[1].records);
    disk.write(&cuts[2], before);
    let mut records = Vec::new();
    let log = on_disk(directory.path());
    log.read::<()>(None, &mut |trouble| panic!("{trouble}"), &mut |_, of_frame| {
        records.extend(of_frame.map(|dated| dated.unwrap().record));
        Ok(())
    })
    .unwrap();
    assert_eq!(records.len(), 3);
    assert_eq!(records[1], Record::Lost { records: 1, by: Loser::Files });
}

#[test]
fn files_that_are_not_whole_are_passed_by_and_named() {
    let directory = tempfile::tempdir().unwrap();
    let write =
        |first: u64, bytes: &[u8]| std::fs::write(files::path(directory.path(), first), bytes).unwrap();
    let frames: Vec<Vec<u8>> = cuts(1..4).iter().map(segment::frame).collect();
    let torn = [segment::head(), &frames[0], &frames[1][..10]].concat();
    write(1, &torn);
    write(2, b"something else of some length");
    write(3, b"socktrace hist\n\x09");
    write(4, &[segment::head(), &frames[2]].concat());
    std::fs::write(directory.path().join("notes.txt"), "not ours").unwrap();
    std::fs::create_dir(files::path(directory.path(), 5)).unwrap();
    let log = on_disk(directory.path());
    assert_eq!(ports(&log), [1, 3]);
    let troubles = answers(&log, &all()).0.troubles;
    let name = |first| files::path(directory.path(), first).display().to_string();
    assert_eq!(
        troubles,
        [
            format!("the last 10 bytes of {} are torn or damaged", name(1)),
            format!("cannot read {}: it is no file of socktrace's history", name(2)),
            format!("cannot read {}: its format is version 9, and this socktrace reads version 1", name(3)),
        ]
    );
}

#[test]
fn what_cannot_be_asked() {
    for (query, expected) in [
        ("since=10x", "since=10x: expected a time like 10m, 14:05 or 2026-11-22T14:05:00Z"),
        ("until=25:00", "until=25:00: there is no such time"),
        ("pid=me", "pid=me: expected a process id"),
        ("port=5", "port=5: expected since, until, numeric, kinds, proto, family, pid, comm, filter"),
    ] {
        assert_eq!(Asking::from_request("", query).unwrap_err().to_string(), expected);
    }
}

proptest! {
    #[test]
    fn a_question_survives_its_request(
        since: Option<u32>, until: Option<u32>, numeric: bool, lines: bool, filter in "\\PC{0,20}", pid: u32,
    ) {
        let time = |seconds: Option<u32>| seconds.map(|seconds| u64::from(seconds) * SECOND + 7);
        let style = Style { layout: Layout::Wide, colour: false, columns: Columns::default() };
        let format = if lines { Format::Lines { style, utc_offset_s: 3600 } } else { Format::Json };
        let selection = Selection { filter: vec![filter], pids: vec![pid], ..Selection::default() };
        let asking = Asking { selection, since: time(since), until: time(until), format, numeric };
        let (query, accept) = asking.to_query();
        prop_assert_eq!(Asking::from_request(accept, &query), Ok(asking));
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

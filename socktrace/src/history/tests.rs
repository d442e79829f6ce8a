//! Laws of the whole: what is packed is unpacked, what is bounded stays within its bounds, and garbage is survived.

mod ends;

use super::segment::{self, Foreign};
use super::{Bounds, Cut, Dated, Loser, Record, Records, Ring};
use crate::socket::{
    Cgroup, Closing, Comm, Ended, Endpoint, Event, EventKind, Family, Owner, Process, Proto, State, Subject,
};
use ends::ended;
use proptest::prelude::*;
use std::net::Ipv4Addr;
use std::sync::Arc;

const ROOMY: Bounds = Bounds { records: 1 << 20, bytes: 1 << 24 };
/// The wall clock is ahead of the kernel's by this much.
const OFFSET: i64 = 1_700_000_000_000_000_000;

/// The record that is to come out again.
fn record(ended: &Ended) -> Dated {
    let wall = |at: u64| at + OFFSET as u64;
    let mut subject = ended.subject.clone();
    subject.opened = subject.opened.map(wall);
    let at = wall(ended.at);
    let event = Event { at, kind: ended.kind.clone(), subject: Some(Box::new(subject)) };
    Dated { at, record: Record::Ended { event, missed: ended.missed } }
}

fn all(ring: &Ring) -> Vec<Dated> {
    ring.snapshot().chunks.iter().flat_map(|chunk| chunk.records().map(Result::unwrap)).collect()
}

/// A connection of a busy server.
fn usual(number: u64) -> Ended {
    let ends = [(8080, 30_000 + (number % 20_000) as u16), (30_000 + (number % 20_000) as u16, 8080)];
    let (local, peer) = ends[(number % 2) as usize];
    let end = |port| Endpoint::Inet { addr: Ipv4Addr::new(10, 0, 0, 1).into(), port };
    let name: &[u8] = if number.is_multiple_of(2) { b"server" } else { b"client" };
    let process = Process { pid: 4000 + (number % 2) as u32, comm: Comm::from_bytes(name) };
    let at = 1_000_000_000 + number * 20_000;
    Ended {
        at,
        kind: EventKind::Close {
            found: false,
            duration_us: Some(1500),
            closing: Some(Box::new(Closing {
                bytes_sent: 300,
                bytes_acked: 301,
                bytes_received: 20_000,
                segs_out: 14,
                segs_in: 16,
                rtt_us: 300,
                min_rtt_us: 120,
                fin_received: true,
                bound: false,
                ..Closing::default()
            })),
        },
        subject: Subject {
            cookie: 100 + number,
            netns: 4_026_531_840,
            proto: Proto::Tcp,
            family: Family::Inet,
            local: end(local),
            peer: end(peer),
            state: State::Close,
            ifindex: 0,
            uid: Some(1000),
            mark: 0,
            inode: 0,
            cgroup: 7000,
            place: Some(Arc::new(Cgroup::new(b"/system.slice/nginx.service"))),
            owner: Owner::Exact(process),
            opened: Some(at - 1_500_000),
        },
        missed: false,
    }
}

#[test]
fn a_usual_connection_takes_less_than_fifty_bytes() {
    let mut ring = Ring::new(ROOMY, 0);
    (0..10_000).for_each(|number| ring.push(&usual(number), OFFSET));
    assert_eq!(ring.records(), 10_000);
    assert!(ring.bytes() < 10_000 * 50, "{} bytes", ring.bytes());
}

#[test]
fn the_oldest_make_room() {
    for bounds in [
        Bounds { records: 1000, bytes: 1 << 20 },
        Bounds { records: 1 << 20, bytes: 40_000 },
        Bounds { records: 1, bytes: 1000 },
    ] {
        let mut ring = Ring::new(bounds, 7);
        (0..5000).for_each(|number| ring.push(&usual(number), OFFSET));
        let records = all(&ring);
        assert!(!records.is_empty(), "{bounds:?}");
        assert_eq!(records.last().unwrap(), &record(&usual(4999)), "{bounds:?}");
        assert_eq!(ring.snapshot().first(), Some(7 + 5000 - records.len() as u64), "{bounds:?}");
    }
}

#[test]
fn a_connection_accepted_after_its_end_has_an_owner() {
    let mut ring = Ring::new(ROOMY, 0);
    let mut accepted = usual(1);
    accepted.kind = EventKind::Accept;
    ring.push(&accepted, OFFSET);
    let process = *accepted.subject.owner.process().unwrap();
    let expected = Record::Accepted { cookie: accepted.subject.cookie, process };
    assert_eq!(all(&ring)[0].record, expected);
}

#[test]
fn notes_come_out_as_they_went_in() {
    let mut ring = Ring::new(ROOMY, 0);
    ring.began(5);
    ring.lost(3, Loser::Kernel, 6);
    ring.lost(u64::MAX, Loser::Files, 4);
    ring.stopped(7);
    let found: Vec<_> = all(&ring).into_iter().map(|dated| (dated.at, dated.record)).collect();
    let lost = |records, by| Record::Lost { records, by };
    assert_eq!(
        found,
        [
            (5, Record::Began),
            (6, lost(3, Loser::Kernel)),
            (4, lost(u64::MAX, Loser::Files)),
            (7, Record::Stopped),
        ]
    );
}

#[test]
fn what_is_no_file_of_ours_is_told_from_a_newer_one_and_a_torn_one() {
    let head = segment::head();
    let left = |file: &[u8]| segment::frames(file).map(|frames| frames.left());
    for (file, expected) in [
        (&b""[..], Ok(0)),
        (&head[..7], Ok(0)),
        (head, Ok(0)),
        (b"socktrace hist\n\x02", Err(Foreign::Version(2))),
        (b"something else that is long", Err(Foreign::NotOurs)),
        (b"short", Err(Foreign::NotOurs)),
    ] {
        assert_eq!(left(file), expected, "{file:?}");
    }
}

/// Some records as a file, the ends of its frames, and their records.
fn file_of(frames: u64) -> (Vec<u8>, Vec<usize>) {
    let mut ring = Ring::new(ROOMY, 0);
    ring.write_too();
    let mut file = segment::head().to_vec();
    let mut ends = vec![file.len()];
    for frame in 0..frames {
        (0..3).for_each(|number| ring.push(&usual(frame * 3 + number), OFFSET));
        for cut in ring.cut() {
            file.extend_from_slice(&segment::frame(&cut));
            ends.push(file.len());
        }
    }
    (file, ends)
}

#[test]
fn a_torn_file_keeps_every_whole_frame() {
    let (file, ends) = file_of(4);
    assert_eq!(ends.len(), 5);
    for length in segment::head().len()..=file.len() {
        let frames = segment::frames(&file[..length]).unwrap();
        let whole = ends.iter().filter(|&&end| end <= length).count() - 1;
        let records: Vec<_> = frames.flat_map(|frame| frame.records().map(Result::unwrap)).collect();
        let expected: Vec<_> = (0..whole as u64 * 3).map(|number| record(&usual(number))).collect();
        assert_eq!(records, expected, "cut at {length}");
    }
}

#[test]
fn a_changed_bit_is_noticed() {
    let (file, ends) = file_of(1);
    for bit in 0..(ends[1] - ends[0]) * 8 {
        let mut file = file.clone();
        file[ends[0] + bit / 8] ^= 1 << (bit % 8);
        assert_eq!(segment::frames(&file).unwrap().count(), 0, "bit {bit}");
    }
}

proptest! {
    #[test]
    fn what_is_packed_is_unpacked(ends in proptest::collection::vec(ended(), 0..60)) {
        let mut ring = Ring::new(ROOMY, 0);
        ends.iter().for_each(|ended| ring.push(ended, OFFSET));
        prop_assert_eq!(all(&ring), ends.iter().map(record).collect::<Vec<_>>());
    }

    #[test]
    fn a_ring_stays_within_its_bounds(
        ends in proptest::collection::vec(ended(), 1..80), records in 0usize..60, bytes in 0usize..8000,
    ) {
        let mut ring = Ring::new(Bounds { records, bytes }, 0);
        let mut pushed = Vec::new();
        for ended in &ends {
            ring.push(ended, OFFSET);
            pushed.push(record(ended));
            prop_assert!(ring.records() <= records as u64, "{} records", ring.records());
            prop_assert!(ring.bytes() <= bytes, "{} bytes", ring.bytes());
        }
        let kept = all(&ring);
        prop_assert_eq!(kept.len() as u64, ring.records());
        prop_assert_eq!(&kept[..], &pushed[pushed.len() - kept.len()..]);
    }

    /// Whenever it is cut, the cuts together are what went in, each of them readable by itself.
    #[test]
    fn cuts_are_everything_once(
        ends in proptest::collection::vec((ended(), any::<bool>()), 1..50), records in 1usize..50,
    ) {
        let mut ring = Ring::new(Bounds { records, bytes: 1 << 20 }, 10);
        ring.write_too();
        let mut cuts: Vec<Cut> = Vec::new();
        for (ended, cut) in &ends {
            ring.push(ended, OFFSET);
            if *cut {
                cuts.extend(ring.cut());
            } else {
                cuts.extend(ring.full_cuts());
            }
        }
        cuts.extend(ring.cut());
        let mut next = 10;
        let mut found = Vec::new();
        for cut in &cuts {
            prop_assert_eq!(cut.first, next);
            next += cut.records;
            let frame = segment::frame(cut);
            let file = [segment::head(), &frame].concat();
            for frame in segment::frames(&file).unwrap() {
                prop_assert_eq!(frame.first, cut.first);
                found.extend(frame.records().map(Result::unwrap));
            }
        }
        prop_assert_eq!(found, ends.iter().map(|(ended, _)| record(ended)).collect::<Vec<_>>());
    }

    #[test]
    fn garbage_is_survived(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = Records::new(&bytes).count();
        let mut records = Records::new(&bytes);
        while let Some(Ok(_)) = records.skim() {}
        let _ = segment::frames(&bytes).map(Iterator::count);
        let file = [segment::head(), &bytes].concat();
        for frame in segment::frames(&file).into_iter().flatten() {
            let _ = frame.records().count();
        }
    }

    /// Nearer to the truth than noise: a record with some bytes changed.
    #[test]
    fn damage_is_survived(
        ends in proptest::collection::vec(ended(), 1..10),
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..5),
    ) {
        let mut ring = Ring::new(ROOMY, 0);
        ring.write_too();
        ends.iter().for_each(|ended| ring.push(ended, OFFSET));
        let mut bytes = ring.cut().next().unwrap().bytes;
        for (place, byte) in damage {
            *place.get_mut(&mut bytes) = byte;
        }
        let read = Records::new(&bytes).take_while(Result::is_ok).count();
        let mut records = Records::new(&bytes);
        let skimmed = std::iter::from_fn(|| records.skim()).take_while(Result::is_ok).count();
        prop_assert!(read <= skimmed, "what can be read can be skimmed: {read} of {skimmed}");
    }
}

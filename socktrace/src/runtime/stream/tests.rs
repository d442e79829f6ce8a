//! Lines that fit and lines that do not, in every rhythm.

use super::*;
use crate::runtime::budget::{Budget, Limits, Resource};
use crate::socket::Viewer;
use proptest::prelude::*;

/// Room for more than is sent here.
fn room() -> Room {
    Budget::new(Limits::for_descriptors(64)).account(Viewer::Own).room()
}

fn gap(lost: u64) -> Bytes {
    format!("lost {lost}\n").into()
}

fn line(n: usize) -> Bytes {
    format!("{n}\n").into()
}

impl Feed {
    /// A line that is a piece of its own.
    pub(crate) fn send(&mut self, line: &Bytes, gap: impl FnOnce(u64) -> Bytes) -> Fed {
        let fed = self.offer(0..line.len(), gap);
        self.flush(line);
        fed
    }
}

fn taken(stream: &mut EventStream) -> Option<Bytes> {
    let piece = stream.pieces.try_recv().ok()?;
    stream.waiting.fetch_sub(piece.lines, Ordering::Relaxed);
    stream.room.give(piece.taken);
    Some(piece.text)
}

/// What a reader gets who reads when the sender has nothing left to send.
fn rest(mut stream: EventStream) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut text = String::new();
    while let Some(piece) = runtime.block_on(stream.next()) {
        text.push_str(std::str::from_utf8(&piece).unwrap());
    }
    text
}

#[test]
fn in_order() {
    let (mut feed, stream) = stream(3, room());
    for n in 0..3 {
        assert_eq!(feed.send(&line(n), gap), Fed::Sent);
    }
    drop(feed);
    assert_eq!(rest(stream), "0\n1\n2\n");
}

#[test]
fn what_does_not_fit_is_counted_where_it_is_missing() {
    let (mut feed, mut stream) = stream(2, room());
    let fed: Vec<_> = (0..5).map(|n| feed.send(&line(n), gap)).collect();
    assert_eq!(fed, [Fed::Sent, Fed::Sent, Fed::Lost, Fed::Lost, Fed::Lost]);
    assert_eq!(feed.tell_gap(gap), Fed::Lost);
    assert_eq!(taken(&mut stream), Some(line(0)));
    assert_eq!(feed.tell_gap(gap), Fed::Sent);
    feed.flush(&Bytes::new());
    assert_eq!(feed.send(&line(5), gap), Fed::Lost);
    assert_eq!(taken(&mut stream), Some(line(1)));
    assert_eq!(feed.tell_gap(gap), Fed::Sent);
    feed.flush(&Bytes::new());
    drop(feed);
    assert_eq!(rest(stream), "lost 3\nlost 1\n");
}

#[test]
fn a_reader_that_left_is_noticed() {
    let (mut feed, stream) = stream(1, room());
    assert_eq!(feed.send(&line(0), gap), Fed::Sent);
    assert_eq!(feed.send(&line(1), gap), Fed::Lost);
    drop(stream);
    assert_eq!(feed.tell_gap(gap), Fed::Gone);
    assert_eq!(feed.send(&line(2), gap), Fed::Gone);
}

#[test]
fn many_lines_side_by_side_are_not_copied() {
    let text = Bytes::from(vec![b'x'; PIECE]);
    let quarter = |n: usize| n * PIECE / 4..(n + 1) * PIECE / 4;
    for (places, shared) in [
        (&[quarter(0), quarter(1)][..], true),
        (&[quarter(1), quarter(2), quarter(3)], true),
        // Little of it would keep all of it.
        (&[quarter(1)], false),
        (&[quarter(0), quarter(1), quarter(3)], false),
    ] {
        let (mut feed, mut stream) = stream(10, room());
        for place in places {
            assert_eq!(feed.offer(place.clone(), gap), Fed::Sent);
        }
        feed.flush(&text);
        let piece = taken(&mut stream).unwrap();
        assert_eq!(piece.len(), places.iter().map(Range::len).sum::<usize>());
        assert_eq!(text.as_ptr_range().contains(&piece.as_ptr()), shared, "{places:?}");
        assert_eq!(taken(&mut stream), None);
    }
}

proptest! {
    /// Lines and told losses add up, in every rhythm of reading and of sending.
    #[test]
    fn nothing_is_lost_in_silence(
        reads in proptest::collection::vec((0usize..4, any::<bool>()), 1..60),
        backlog in 1usize..6,
    ) {
        let (mut feed, mut stream) = stream(backlog, room());
        let mut text = String::new();
        let mut shared = BytesMut::new();
        for (n, (reads, flushes)) in reads.iter().enumerate() {
            let start = shared.len();
            shared.extend_from_slice(&line(n));
            feed.offer(start..shared.len(), gap);
            if *flushes {
                feed.flush(&shared.split().freeze());
            }
            for _ in 0..*reads {
                if let Some(piece) = taken(&mut stream) {
                    text.push_str(std::str::from_utf8(&piece).unwrap());
                }
            }
        }
        feed.flush(&shared.freeze());
        let untold = feed.lost;
        drop(feed);
        text.push_str(&rest(stream));
        let mut expected = 0;
        for line in text.lines() {
            match line.strip_prefix("lost ") {
                Some(lost) => expected += lost.parse::<usize>().unwrap(),
                None => {
                    prop_assert_eq!(line, expected.to_string());
                    expected += 1;
                }
            }
        }
        prop_assert_eq!(expected + usize::try_from(untold).unwrap(), reads.len());
    }
}

#[test]
fn bytes_that_are_not_read_are_limited_and_one_who_reads_gets_everything() {
    let budget = Budget::new(Limits::for_descriptors(64));
    let account = budget.account(Viewer::user(1000, 1));
    let most = account.most().bytes;
    let (mut slow, slow_stream) = stream(BACKLOG, account.room());
    let (mut quick, mut quick_stream) = stream(BACKLOG, account.room());
    let line = Bytes::from(vec![b'x'; 1000]);
    let (mut sent, mut read) = (0, 0);
    for _ in 0..2 * most / line.len() {
        sent += usize::from(slow.send(&line, gap) == Fed::Sent);
        assert_eq!(quick.send(&line, gap), Fed::Sent);
        while let Some(text) = taken(&mut quick_stream) {
            read += text.len();
        }
        assert!(account.taken(Resource::Bytes) <= most + 4 * Room::FREE);
    }
    assert_eq!(read, 2 * most / line.len() * line.len());
    assert!(sent > most * 3 / 4 / line.len() && sent < most / line.len(), "{sent}");
    // What it has been handed counts until it has been written.
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut slow_stream = slow_stream;
    let before = account.taken(Resource::Bytes);
    let piece = runtime.block_on(slow_stream.next()).unwrap();
    assert_eq!(account.taken(Resource::Bytes), before);
    drop(piece);
    assert!(account.taken(Resource::Bytes) <= before - PIECE);
    drop((slow, slow_stream, quick, quick_stream));
    assert_eq!(account.taken(Resource::Bytes), 0);
}

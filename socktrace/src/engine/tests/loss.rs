//! What becomes of a loss: a dump repairs it, and one during which records were lost is no proof.

use super::unix::unix_row;
use super::*;

#[test]
fn a_loss_is_told_and_repaired() {
    let mut bench = Bench::seeded(&[row(1, 10, 20), row(2, 11, 20), row(3, 12, 20)]);
    bench.subscribe(1, KindSet::USUAL, "sport = :10");
    bench.subscribe(2, KindSet::from_name("accept").unwrap(), "");
    assert_eq!(bench.lost(5), ["dump", "lost 5 to [1]"]);
    assert_eq!(bench.lost(5), [""; 0]);
    let moved = Socket { state: State::CloseWait, ..row(3, 12, 20) };
    assert_eq!(
        bench.dump(&[row(2, 11, 20), moved, row(4, 1, 2)], Outcome::Complete),
        ["resync +1 -1 ~1 to [1]"]
    );
    let stats = bench.engine.stats();
    assert_eq!((stats.lost, stats.resyncs, stats.sockets, stats.drift), (5, 1, 3, 0));
}

#[test]
fn a_loss_during_a_dump_asks_for_another_after_a_pause() {
    let mut bench = Bench::seeded(&[]);
    bench.subscribe(1, KindSet::WITHOUT_SUBJECT, "");
    assert_eq!(bench.lost(1), ["dump", "lost 1 to [1]"]);
    assert_eq!(bench.lost(3), ["lost 2 to [1]"]);
    assert_eq!(bench.dump(&[], Outcome::Complete), ["resync +0 -0 ~0 to [1]"]);
    bench.now += 100 * MS;
    assert_eq!(bench.lost(3), [""; 0], "too soon");
    bench.now += 100 * MS;
    assert_eq!(bench.lost(3), ["dump"]);
    assert_eq!(bench.dump(&[], Outcome::Complete), ["resync +0 -0 ~0 to [1]"]);
    bench.now += 900 * MS;
    assert_eq!(bench.lost(3), [""; 0]);
}

#[test]
fn the_table_is_behind_until_a_dump_has_made_good_what_is_missing() {
    let mut bench = Bench::new();
    bench.begin();
    assert!(bench.engine.is_behind(), "nothing is known");
    bench.dump(&[], Outcome::Complete);
    assert!(!bench.engine.is_behind());
    bench.lost(1);
    assert!(bench.engine.is_behind(), "a dump has begun");
    bench.lost(2);
    bench.dump(&[], Outcome::Complete);
    assert!(bench.engine.is_behind(), "that dump does not make the second loss good");
    bench.now += 200 * MS;
    assert_eq!(bench.lost(2), ["dump"]);
    bench.dump(&[], Outcome::Complete);
    assert!(!bench.engine.is_behind());
}

#[test]
fn a_dump_that_is_never_complete_is_repeated_a_few_times() {
    let mut bench = Bench::new();
    bench.subscribe(1, KindSet::WITHOUT_SUBJECT, "");
    bench.begin();
    assert_eq!(bench.dump(&[], Outcome::Partial), ["ready 0"]);
    for _ in 0..3 {
        bench.now += 900 * MS;
        assert_eq!(bench.lost(0), [""; 0]);
        bench.now += 100 * MS;
        assert_eq!(bench.lost(0), ["dump"]);
        assert_eq!(bench.dump(&[], Outcome::Partial), [""; 0]);
    }
    bench.now += 5000 * MS;
    assert_eq!(bench.lost(0), [""; 0]);
}

#[test]
fn a_dump_waits_to_know_what_was_lost_while_it_was_read() {
    let mut bench = Bench::seeded(&[row(1, 10, 20)]);
    assert_eq!(bench.lost(1), ["dump"]);
    bench.now += SETTLE;
    bench.input(Input::DumpRead);
    let late = change(bench.now + 2 * SETTLE, 7, State::Established, State::CloseWait, 1, 2);
    assert!(!bench.engine.lacks_counters(bench.now), "it waits for changes");
    bench.lost(1);
    bench.now += SETTLE;
    bench.input(Input::Change(late));
    bench.input(Input::Drained);
    assert_eq!(bench.engine.stats().resyncs, 0);
    assert!(bench.engine.lacks_counters(bench.now));
    bench.lost(1);
    assert!(!bench.engine.lacks_counters(bench.now));
    bench.input(Input::Drained);
    assert_eq!(bench.engine.stats().resyncs, 1);
}

#[test]
fn a_socket_that_moved_unseen_while_a_dump_was_read_does_not_end() {
    let mut bench = Bench::with(Config { audit_every: 0, ..Config::default() });
    bench.subscribe(1, KindSet::CLOSE, "");
    bench.begin();
    let rows = [unix_row(1, 1), row(2, 10, 20)];
    bench.dump(&rows, Outcome::Complete);
    bench.now += 500 * MS;
    // bind(2) takes it to where the dump has been already, and the record of that is lost: which is known while the
    // dump is read ...
    assert_eq!(bench.lost(1), ["dump"]);
    bench.lost(2);
    assert_eq!(bench.dump(&[unix_row(3, 1)], Outcome::Complete), [""; 0]);
    assert_eq!(bench.engine.stats().sockets, 3, "what it shows is taken");
    bench.now += 200 * MS;
    assert_eq!(bench.lost(2), ["dump"]);
    assert_eq!(bench.dump(&rows, Outcome::Complete), ["close to [1]"]);
    // ... or only after that.
    bench.now += 500 * MS;
    assert_eq!(bench.lost(2), ["dump unix"]);
    bench.lost = 3;
    assert_eq!(bench.dump(&[], Outcome::Complete), [""; 0]);
    assert_eq!(bench.engine.stats().sockets, 2);
    bench.now += 200 * MS;
    assert_eq!(bench.lost(3), ["dump"]);
    assert_eq!(bench.dump(&[], Outcome::Complete), ["close to [1]"]);
    assert_eq!(bench.engine.stats().sockets, 0);
}

#[test]
fn the_table_does_not_grow_while_records_are_lost_under_every_dump() {
    let mut bench = Bench::with(Config { audit_every: 0, ..Config::default() });
    bench.engine.keep_ends();
    bench.subscribe(1, KindSet::CLOSE, "");
    bench.begin();
    bench.dump(&[unix_row(1, 1)], Outcome::Complete);
    bench.now += 500 * MS;
    bench.lost(1);
    let mut sockets = Vec::new();
    for loss in 2..8 {
        // Each has two sockets that no other shows, and all miss the first one.
        bench.lost = loss;
        let rows = [unix_row(10 * loss, 1), row(10 * loss + 1, 10, 20)];
        assert_eq!(bench.dump(&rows, Outcome::Complete), [""; 0]);
        sockets.push(bench.engine.stats().sockets);
        bench.now += 200 * MS;
        assert_eq!(bench.lost(loss), ["dump"]);
    }
    assert_eq!(sockets, [3, 4, 4, 4, 4, 4]);
    assert_eq!(bench.engine.ends().filter(|end| end.missed).count(), 9);
}

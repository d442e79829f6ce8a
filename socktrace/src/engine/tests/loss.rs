//! What a dump says during which records were lost.

use super::unix::unix_row;
use super::*;

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

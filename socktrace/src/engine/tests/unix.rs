//! When UNIX sockets are looked through, and what becomes of those whose namespace has vanished.

use super::*;

fn unix_bind(cookie: Cookie) -> Input {
    let unix = Change {
        proto: Proto::UnixStream,
        family: Family::Unix,
        ..change(0, cookie, State::Close, State::Close, 0, 0)
    };
    Input::Change(Change {
        kind: ChangeKind::Bind { errno: 0 },
        local: Endpoint::None,
        peer: Endpoint::None,
        ..unix
    })
}

impl Bench {
    /// After how many tenths of a second each UNIX dump is asked for, if each takes no time.
    fn unix_dumps(&mut self, tenths: u32) -> Vec<u32> {
        let mut at = Vec::new();
        for tenth in 1..=tenths {
            self.now += 100 * MS;
            let now = self.now;
            match self.lost(0).as_slice() {
                [] => {}
                [dump] if dump == "dump unix" => {
                    at.push(tenth);
                    self.dump(&[], Outcome::Complete);
                    self.now = now;
                }
                other => panic!("{other:?}"),
            }
        }
        at
    }
}

#[test]
fn unix_sockets_are_looked_through_more_often_the_more_is_heard_of_them() {
    let mut bench = Bench::with(Config { audit_every: 0, ..Config::default() });
    bench.begin();
    bench.dump(&[], Outcome::Complete);
    assert_eq!(bench.unix_dumps(300), [5, 16, 37, 78, 159, 240]);
    // One that is heard of, and then found gone.
    bench.input(unix_bind(7));
    assert_eq!(bench.unix_dumps(20), [1, 7, 18]);
    // Somebody waits for the ends of such.
    bench.subscribe(1, KindSet::CLOSE, "");
    assert_eq!(bench.unix_dumps(20), [4, 10, 16]);
    bench.unsubscribe(1);
    let tcp = Interest { kinds: KindSet::USUAL, protos: vec!["tcp".into()], ..Interest::default() };
    bench.subscribe_to(2, tcp);
    assert_eq!(bench.unix_dumps(100).len(), 1);
}

pub(super) fn unix_row(cookie: Cookie, netns: u32) -> Socket {
    Socket {
        proto: Proto::UnixStream,
        family: Family::Unix,
        local: Endpoint::None,
        peer: Endpoint::None,
        netns,
        ..row(cookie, 0, 0)
    }
}

fn open(held: &[u32]) -> Sought {
    Sought::Open(held.iter().copied().collect())
}

impl Bench {
    /// With UNIX sockets 1 to 3 in a namespace that no dump finds from now on, and another in one that is found.
    fn with_a_namespace_that_vanishes() -> Self {
        let mut bench = Self::with(Config { audit_every: 20_000 * MS, ..Config::default() });
        bench.subscribe(1, KindSet::CLOSE, "");
        bench.begin();
        for cookie in 1..=3 {
            bench.input(Input::Row(unix_row(cookie, 2)));
        }
        bench.dump(&[unix_row(4, 1)], Outcome::Complete);
        bench
    }

    /// Half a second later: a dump of what can be found, and what is asked for after it.
    fn look(&mut self, dump: &str) -> Vec<String> {
        self.now += 500 * MS;
        assert_eq!(self.lost(0), [dump]);
        self.dump(&[unix_row(4, 1)], Outcome::Complete)
    }

    fn sought(&mut self, sought: Sought) -> Vec<String> {
        let told = self.input(Input::Sought(sought));
        assert!(self.input(Input::DumpRead).is_empty());
        told
    }
}

#[test]
fn unix_sockets_of_a_vanished_namespace_end_at_once_unless_somebody_holds_them() {
    let mut bench = Bench::with_a_namespace_that_vanishes();
    assert_eq!(bench.look("dump unix"), ["seek {501, 502, 503}"]);
    // Nothing else is begun meanwhile, not even after a loss, which is made good afterwards.
    bench.now += 30_000 * MS;
    assert_eq!(bench.lost(0), [""; 0]);
    assert_eq!(bench.sought(open(&[502])), ["close to [1]", "close to [1]"]);
    assert_eq!(bench.engine.stats().sockets, 2);
    assert_eq!(bench.engine.stats().drift, 0);
    // An audit looks for what is left again, looks in between do not.
    assert_eq!(bench.look("dump"), ["seek {502}"]);
    assert_eq!(bench.sought(open(&[502])), [""; 0]);
    bench.now += 4000 * MS;
    assert_eq!(bench.look("dump unix"), [""; 0]);
    bench.now += 20_000 * MS;
    assert_eq!(bench.look("dump"), ["seek {502}"]);
    assert_eq!(bench.sought(open(&[])), ["close to [1]"]);
    assert_eq!(bench.engine.stats().sockets, 1);
}

#[test]
fn where_holders_cannot_be_seen_a_vanished_namespace_is_believed_until_a_loss() {
    let mut bench = Bench::with_a_namespace_that_vanishes();
    assert_eq!(bench.look("dump unix"), ["seek {501, 502, 503}"]);
    assert_eq!(bench.sought(Sought::Unknown), [""; 0]);
    bench.now += 500 * MS;
    assert_eq!(bench.look("dump unix"), [""; 0], "nobody can tell, so nobody is asked each time");
    bench.now += 500 * MS;
    assert_eq!(bench.lost(1), ["dump"]);
    assert_eq!(bench.dump(&[unix_row(4, 1)], Outcome::Complete), ["seek {501, 502, 503}"]);
    assert_eq!(bench.sought(Sought::Unknown), ["close to [1]"; 3]);
}

#[test]
fn what_may_be_under_way_to_a_process_is_closed_by_no_audit_within_a_minute() {
    let mut bench = Bench::with_a_namespace_that_vanishes();
    assert_eq!(bench.look("dump unix"), ["seek {501, 502, 503}"]);
    let under_way = || Sought::AtLeast([501].into_iter().collect());
    assert_eq!(bench.sought(under_way()), [""; 0]);
    assert_eq!(bench.look("dump unix"), ["seek {502, 503}"], "501 lives elsewhere");
    // Received meanwhile.
    assert_eq!(bench.sought(open(&[502])), ["close to [1]"]);
    for _ in 0..3 {
        bench.now += 20_000 * MS;
        assert_eq!(bench.look("dump"), ["seek {501, 502}"]);
        assert_eq!(bench.sought(under_way()), [""; 0], "502 may have been sent on");
    }
    // Nobody has received it for a minute.
    bench.now += 20_000 * MS;
    assert_eq!(bench.look("dump"), ["seek {501, 502}"]);
    assert_eq!(bench.sought(under_way()), ["close to [1]"]);
    assert_eq!(bench.engine.stats().sockets, 2);
}

#[test]
fn what_is_heard_of_a_hidden_socket_during_the_search_is_newer() {
    let mut bench = Bench::with_a_namespace_that_vanishes();
    assert_eq!(bench.look("dump unix"), ["seek {501, 502, 503}"]);
    let Input::Change(bind) = unix_bind(2) else { panic!("a change") };
    bench.input(Input::Change(Change { at: bench.now, ..bind }));
    assert_eq!(bench.sought(open(&[])), ["close to [1]"; 2]);
    assert_eq!(bench.engine.stats().sockets, 2);
}

#[test]
fn nobody_is_sought_after_a_dump_during_which_records_were_lost() {
    let mut bench = Bench::with_a_namespace_that_vanishes();
    bench.now += 500 * MS;
    assert_eq!(bench.lost(0), ["dump unix"]);
    bench.lost = 1;
    assert_eq!(bench.dump(&[unix_row(4, 1)], Outcome::Complete), [""; 0]);
    bench.now += 200 * MS;
    assert_eq!(bench.lost(1), ["dump"]);
    assert_eq!(bench.dump(&[unix_row(4, 1)], Outcome::Complete), ["seek {501, 502, 503}"]);
}

#[test]
fn a_look_through_unix_sockets_that_took_long_does_not_put_off_the_next_for_ever() {
    let mut bench = Bench::with(Config { audit_every: 0, ..Config::default() });
    bench.subscribe(1, KindSet::CLOSE, "");
    bench.begin();
    bench.dump(&[], Outcome::Complete);
    bench.now += 500 * MS;
    assert_eq!(bench.lost(0), ["dump unix"]);
    // Stopped for ten seconds: one part in twenty would be more than three minutes.
    bench.now += 10_000 * MS;
    bench.dump(&[], Outcome::Complete);
    assert_eq!(bench.unix_dumps(60), [40, 46, 52, 58]);
}

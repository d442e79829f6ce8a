//! The ends that are kept for history.

use super::{run, told_line};
use crate::socket::{Ended, Event, KindSet};
use crate::table::Table;

/// Whatever readers want, the ends are kept; only those that end something.
#[track_caller]
fn check_ends(script: &str, expected: &[&str]) {
    for wanted in [KindSet::EMPTY, KindSet::CLOSE, KindSet::ALL] {
        let mut it = Table::new(true);
        it.keep_ends();
        run(&mut it, wanted, script);
        let line = |Ended { at, kind, subject, missed }| {
            let line = told_line(&Event { at, kind, subject: Some(Box::new(subject)) });
            if missed { format!("missed: {line}") } else { line }
        };
        let ends: Vec<_> = it.ends().map(line).collect();
        assert_eq!(ends, expected, "{wanted:?}");
        assert_eq!(it.ends().count(), 0, "they are taken once");
    }
}

#[test]
fn ends_are_kept_whoever_listens() {
    check_ends(
        "100 7 tcp close>syn-sent 10.0.0.1:0 10.0.0.2:80 5
        150 7 tcp syn-sent>close:111 10.0.0.1:4000 10.0.0.2:80
        200 8 tcp syn-recv>estab 10.0.0.2:80 10.0.0.1:4000
        220 8 tcp estab>close:104 10.0.0.2:80 10.0.0.1:4000
        230 8 tcp accept - - 12
        300 9 udp connect:101 10.0.0.1:5000 10.0.0.2:53 5",
        &[
            "connect_failed 7 10.0.0.1:4000 10.0.0.2:80 5 errno=111 after=Some(50)",
            "close 8 10.0.0.2:80 10.0.0.1:4000 ? after=Some(20)",
            "accept 8 10.0.0.2:80 10.0.0.1:4000 12",
            "connect_failed 9 10.0.0.1:5000 10.0.0.2:53 5 errno=101 after=None",
        ],
    );
}

#[test]
fn an_end_that_was_lost_is_kept_where_a_dump_shows_it() {
    check_ends(
        "100 7 tcp close>syn-sent 10.0.0.1:0 10.0.0.2:80 5
        130 7 tcp syn-sent>estab 10.0.0.1:4000 10.0.0.2:80
        applied 40000
        begin 40000
        done 50000",
        &["missed: close 7 10.0.0.1:4000 10.0.0.2:80 5 after=Some(49900)"],
    );
    let mut it = Table::new(true);
    run(&mut it, KindSet::ALL, "100 7 tcp close>syn-sent 10.0.0.1:0 10.0.0.2:80 5");
    assert_eq!(it.ends().count(), 0, "nobody keeps them");
}

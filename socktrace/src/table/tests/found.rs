//! What a look finds that no call told: holders, and UNIX sockets that come and go.

use super::*;
use crate::socket::Family;

#[test]
fn holders_are_named_where_nobody_was_seen() {
    let script = "
        10 1 tcp close>listen 10.0.0.1:1 0.0.0.0:0 5
        begin 100
        row 1 tcp listen 10.0.0.1:1 0.0.0.0:0 71
        row 2 tcp estab 10.0.0.1:2 10.0.0.2:2 72
        row 3 tcp estab 10.0.0.1:3 10.0.0.2:2 73
        done 90000
        hold 90000 71:8 72:9";
    check(
        script,
        &[],
        &[
            "1 LISTEN 10.0.0.1:1 0.0.0.0:0 5",
            "2 ESTAB 10.0.0.1:2 10.0.0.2:2 held:9",
            "3 ESTAB 10.0.0.1:3 10.0.0.2:2 ?",
        ],
    );
}

#[test]
fn a_connection_that_is_held_has_been_accepted_though_no_accept_was_seen() {
    let mut table = Table::new(true);
    let born = "
        10 2 tcp syn-recv>estab 10.0.0.1:2 10.0.0.2:2
        20 3 tcp syn-recv>estab 10.0.0.1:3 10.0.0.2:2";
    let unknown = ["2 ESTAB 10.0.0.1:2 10.0.0.2:2 ?", "3 ESTAB 10.0.0.1:3 10.0.0.2:2 ?"];
    check_with(&mut table, KindSet::USUAL, born, &[], &unknown);
    assert!(!table.lacks_owners(ns("100")), "accept(2) may still come");
    assert!(table.lacks_owners(ns("300000")));
    let held = "
        begin 300000
        row 2 tcp estab 10.0.0.1:2 10.0.0.2:2 72
        row 3 tcp estab 10.0.0.1:3 10.0.0.2:2 73
        done 390000
        hold 390000 72:9";
    check_with(
        &mut table,
        KindSet::USUAL,
        held,
        &["accept 2 10.0.0.1:2 10.0.0.2:2 held:9"],
        &["2 ESTAB 10.0.0.1:2 10.0.0.2:2 held:9", unknown[1]],
    );
    assert!(table.lacks_owners(ns("400000")), "the other one is still in the queue");
    check_with(
        &mut table,
        KindSet::USUAL,
        "400000 3 tcp accept 10.0.0.1:3 10.0.0.2:2 7\nhold 410000 72:9 73:7",
        &["accept 3 10.0.0.1:3 10.0.0.2:2 7"],
        &["2 ESTAB 10.0.0.1:2 10.0.0.2:2 held:9", "3 ESTAB 10.0.0.1:3 10.0.0.2:2 7"],
    );
    assert!(!table.lacks_owners(ns("900000")));
}

#[test]
fn unix_sockets_that_a_look_met_first_open_with_their_first_call() {
    let script = "
        begin 100
        row 4 unix close - -
        row 5 unix estab /run/a -
        row 6 unix estab - -
        row 7 unix listen /run/b -
        done 200
        90 6 unix connect:0 - /run/a 8
        1000 4 unix bind:0 /run/a - 5
        1010 5 unix accept /run/a - 5
        1020 7 unix listen:0 /run/b - 5
        begin 200000
        done 300000";
    let told = [
        "connect 6 - /run/a 8 after=None",
        "bind 4 /run/a - 5 errno=0",
        "accept 5 /run/a - 5",
        "listen 7 /run/b - 5 errno=0",
    ];
    let mut out: Vec<&str> = told.to_vec();
    // That one listened before we came.
    out.extend([
        "close 4 /run/a - 5 after=Some(299000)",
        "close 5 /run/a - 5 after=Some(298990)",
        "close 6 - /run/a 8 after=Some(299910)",
        "close 7 /run/b - 5 after=None",
    ]);
    let events = run(&mut Table::new(true), KindSet::USUAL, script);
    let mut closes: Vec<String> = events.iter().map(told_line).collect();
    closes.get_mut(4..).unwrap().sort();
    assert_eq!(closes, out);
}

#[test]
fn unix_sockets_end_where_a_dump_does_not_show_them() {
    let script = "
        100 4 unix bind:0 /run/a - 5
        110 4 unix listen:0 /run/a - 5
        120 5 unix accept /run/a - 5
        130 6 unix connect:0 - /run/a 8
        begin 200000
        row 4 unix listen /run/a -
        row 9 unix estab - -
        done 300000";
    let told = [
        "bind 4 /run/a - 5 errno=0",
        "listen 4 /run/a - 5 errno=0",
        "accept 5 /run/a - 5",
        "connect 6 - /run/a 8 after=None",
        "close 5 /run/a - 5 after=Some(299880)",
        "close 6 - /run/a 8 after=Some(299870)",
    ];
    let mut out: Vec<&str> = told.to_vec();
    out.sort_by_key(|line| line.starts_with("close"));
    check(script, &out, &["4 LISTEN /run/a - 5", "9 ESTAB - - ?"]);
}

#[test]
fn the_end_of_a_socket_of_the_kernels_own_is_found_and_is_no_drift() {
    let mut table = Table::new(true);
    let bound = "10 5 udp post-bind 0.0.0.0:4789 0.0.0.0:0
        20 6 udp post-bind 0.0.0.0:53 0.0.0.0:0 7";
    let there = ["5 UNCONN 0.0.0.0:4789 0.0.0.0:0 ?", "6 UNCONN 0.0.0.0:53 0.0.0.0:0 7"];
    let told = ["bind 5 0.0.0.0:4789 0.0.0.0:0 ? errno=0", "bind 6 0.0.0.0:53 0.0.0.0:0 7 errno=0"];
    check_with(&mut table, KindSet::USUAL, bound, &told, &there);
    let gone = "
        begin 300000
        done 390000";
    check_with(
        &mut table,
        KindSet::USUAL,
        gone,
        &["close 5 0.0.0.0:4789 0.0.0.0:0 ? after=Some(389990)"],
        &[],
    );
}

#[test]
fn the_end_of_what_nobody_was_seen_to_open_or_to_hold_is_found_and_is_no_drift() {
    let mut table = Table::new(true);
    let there = "
        begin 100
        row 5 udp unconn 0.0.0.0:4789 0.0.0.0:0 71
        row 6 udp unconn 0.0.0.0:53 0.0.0.0:0 72
        row 7 tcp listen 0.0.0.0:80 0.0.0.0:0 73
        done 90000
        hold 90000 72:9";
    let rows = [
        "5 UNCONN 0.0.0.0:4789 0.0.0.0:0 ?",
        "6 UNCONN 0.0.0.0:53 0.0.0.0:0 held:9",
        "7 LISTEN 0.0.0.0:80 0.0.0.0:0 ?",
    ];
    check_with(&mut table, KindSet::USUAL, there, &[], &rows);
    let mut out = Vec::new();
    table.begin(ns("300000"), false);
    for proto in [Proto::Udp, Proto::Tcp] {
        table.scope(Scope { netns: 1, family: Family::Inet, proto }, Outcome::Complete);
    }
    table.end(ns("380000"));
    let merged = table.finish(KindSet::USUAL, &mut out);
    // Hooks tell the end of a TCP socket, whoever made it, and of what a process has.
    assert_eq!(merged, Merged { removed: 2, ..Merged::default() });
    let told: Vec<_> = out.iter().map(|event| event.subject.as_ref().map(|subject| subject.cookie)).collect();
    assert_eq!(told, [Some(5)]);
}

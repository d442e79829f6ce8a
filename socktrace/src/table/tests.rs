//! What each hook amounts to: a script of changes and dump rows in, events and the table out.

mod calls;
mod datagrams;
mod dumps;
mod ends;
mod found;
mod script;

use super::*;
use crate::socket::{Event, Proto, Socket};
use script::*;

const CLIENT: &str = "
    100 7 tcp close>syn-sent 10.0.0.1:0 10.0.0.2:80 5
    130 7 tcp syn-sent>estab 10.0.0.1:4000 10.0.0.2:80
";

#[test]
fn a_client_connects_and_closes() {
    check(
        CLIENT,
        &["connect 7 10.0.0.1:4000 10.0.0.2:80 5 after=Some(30)"],
        &["7 ESTAB 10.0.0.1:4000 10.0.0.2:80 5"],
    );
    let script = format!(
        "{CLIENT}
        200 7 tcp estab>fin-wait-1 10.0.0.1:4000 10.0.0.2:80
        210 7 tcp fin-wait-1>fin-wait-2 10.0.0.1:4000 10.0.0.2:80
        300 7 tcp fin-wait-2>close 10.0.0.1:4000 10.0.0.2:80"
    );
    let told = [
        "connect 7 10.0.0.1:4000 10.0.0.2:80 5 after=Some(30)",
        "close 7 10.0.0.1:4000 10.0.0.2:80 5 after=Some(200)",
    ];
    check(&script, &told, &[]);
}

#[test]
fn a_connect_fails_with_its_errno() {
    let script = "
        100 7 tcp close>syn-sent 10.0.0.1:0 10.0.0.2:80 5
        150 7 tcp syn-sent>close:111 10.0.0.1:4000 10.0.0.2:80";
    check(script, &["connect_failed 7 10.0.0.1:4000 10.0.0.2:80 5 errno=111 after=Some(50)"], &[]);
}

#[test]
fn a_socket_lives_again_with_the_same_cookie() {
    let script = "
        100 7 tcp close>syn-sent 10.0.0.1:0 10.0.0.2:80 5
        150 7 tcp syn-sent>close:111 10.0.0.1:4000 10.0.0.2:80
        200 7 tcp close>syn-sent 10.0.0.1:0 10.0.0.2:81 6
        220 7 tcp syn-sent>estab 10.0.0.1:4001 10.0.0.2:81";
    let told = [
        "connect_failed 7 10.0.0.1:4000 10.0.0.2:80 5 errno=111 after=Some(50)",
        "connect 7 10.0.0.1:4001 10.0.0.2:81 6 after=Some(20)",
    ];
    check(script, &told, &["7 ESTAB 10.0.0.1:4001 10.0.0.2:81 6"]);
}

#[test]
fn a_child_belongs_to_who_accepts_it() {
    let born = "
        50 3 tcp close>listen 0.0.0.0:80 0.0.0.0:0 9
        51 3 tcp listen:0 0.0.0.0:80 - 9
        100 3 tcp listen>syn-recv 10.0.0.2:80 10.0.0.1:4000
        101 8 tcp syn-recv>estab 10.0.0.2:80 10.0.0.1:4000";
    let listen = "listen 3 0.0.0.0:80 0.0.0.0:0 9 errno=0";
    let listener = "3 LISTEN 0.0.0.0:80 0.0.0.0:0 9";
    // The newborn carries the listener's cookie on old kernels: the listener stays what it is.
    check(born, &[listen], &[listener, "8 ESTAB 10.0.0.2:80 10.0.0.1:4000 ?"]);
    let accepted = format!("{born}\n120 8 tcp accept 10.0.0.2:80 10.0.0.1:4000 12");
    let accept = "accept 8 10.0.0.2:80 10.0.0.1:4000 12";
    check(&accepted, &[listen, accept], &[listener, "8 ESTAB 10.0.0.2:80 10.0.0.1:4000 12"]);
    let twice = format!("{accepted}\n121 8 tcp accept 10.0.0.2:80 10.0.0.1:4000 13");
    check(&twice, &[listen, accept], &[listener, "8 ESTAB 10.0.0.2:80 10.0.0.1:4000 12"]);
}

#[test]
fn a_connection_may_end_before_accept_returns_it() {
    let script = "
        101 8 tcp syn-recv>estab 10.0.0.2:80 10.0.0.1:4000
        120 8 tcp estab>close:104 10.0.0.2:80 10.0.0.1:4000
        130 8 tcp accept - - 12";
    let told =
        ["close 8 10.0.0.2:80 10.0.0.1:4000 ? after=Some(19)", "accept 8 10.0.0.2:80 10.0.0.1:4000 12"];
    check(script, &told, &[]);
}

#[test]
fn an_accept_may_come_before_the_table_knows_the_connection() {
    let script = "
        90 8 tcp accept 10.0.0.2:80 10.0.0.1:4000 12
        100 8 tcp estab>close-wait 10.0.0.2:80 10.0.0.1:4000";
    let told = ["accept 8 10.0.0.2:80 10.0.0.1:4000 12"];
    check(script, &told, &["8 CLOSE-WAIT 10.0.0.2:80 10.0.0.1:4000 12"]);
    // The same when a dump shows it.
    let script = "
        begin 50
        90 8 tcp accept 10.0.0.2:80 10.0.0.1:4000 12
        row 8 tcp estab 10.0.0.2:80 10.0.0.1:4000 99
        done 100000";
    check(script, &told, &["8 ESTAB 10.0.0.2:80 10.0.0.1:4000 12"]);
    // But not when the socket is used anew by another process.
    let script = "
        90 8 tcp accept 10.0.0.2:80 10.0.0.1:4000 12
        100 8 tcp close>syn-sent 10.0.0.2:0 10.0.0.9:1 13";
    check(script, &told, &["8 SYN-SENT 10.0.0.2:0 10.0.0.9:1 13"]);
}

#[test]
fn both_ends_may_dial_at_once() {
    let script = "
        100 7 tcp close>syn-sent 10.0.0.1:0 10.0.0.2:80 5
        110 7 tcp syn-sent>syn-recv 10.0.0.1:4000 10.0.0.2:80
        130 7 tcp syn-recv>estab 10.0.0.1:4000 10.0.0.2:80";
    check(
        script,
        &["connect 7 10.0.0.1:4000 10.0.0.2:80 5 after=Some(30)"],
        &["7 ESTAB 10.0.0.1:4000 10.0.0.2:80 5"],
    );
}

#[test]
fn a_listener_comes_and_goes() {
    let script = "
        40 3 tcp post-bind 0.0.0.0:80 - 9
        41 3 tcp bind:0 0.0.0.0:80 - 9
        50 3 tcp close>listen 0.0.0.0:80 0.0.0.0:0 9
        51 3 tcp listen:0 0.0.0.0:80 - 9
        90 3 tcp listen>close 0.0.0.0:80 0.0.0.0:0";
    let told = [
        "bind 3 0.0.0.0:80 0.0.0.0:0 9 errno=0",
        "listen 3 0.0.0.0:80 0.0.0.0:0 9 errno=0",
        "close 3 0.0.0.0:80 0.0.0.0:0 9 after=Some(40)",
    ];
    check(script, &told, &[]);
    // A listen that fails was no listener, so nothing closes.
    let script = "
        50 3 tcp close>listen 0.0.0.0:80 0.0.0.0:0 9
        51 3 tcp listen>close 0.0.0.0:80 0.0.0.0:0
        52 3 tcp listen:98 0.0.0.0:80 0.0.0.0:0 9";
    check(script, &["listen 3 0.0.0.0:80 0.0.0.0:0 9 errno=98"], &[]);
}

#[test]
fn a_bind_is_told_once() {
    let told = ["bind 3 10.0.0.1:80 0.0.0.0:0 9 errno=0"];
    let table = ["3 UNCONN 10.0.0.1:80 0.0.0.0:0 9"];
    let (post, exit) = ("40 3 tcp post-bind 10.0.0.1:80 - 9", "41 3 tcp bind:0 10.0.0.1:80 - 9");
    check(&format!("{post}\n{exit}"), &told, &table);
    check(post, &told, &table);
    check(exit, &told, &table);
    let script = format!("{post}\n{exit}\n60 3 tcp release 0.0.0.0:0 - 9");
    check(&script, &[told[0], "close 3 10.0.0.1:80 0.0.0.0:0 9 after=Some(20)"], &[]);
    check("41 3 tcp bind:98 10.0.0.1:80 - 9", &["bind 3 10.0.0.1:80 - 9 errno=98"], &[]);
    // It is bound already.
    let again = format!("{post}\n{exit}\n60 3 tcp bind:22 10.0.0.1:81 - 9");
    check(&again, &[told[0], "bind 3 10.0.0.1:81 0.0.0.0:0 9 errno=22"], &table);
    // Another program of the cgroup hook refused it: there is no release of what has no port.
    let refused = format!("{post}\n41 3 tcp bind:1 10.0.0.1:80 - 9");
    check(&refused, &[told[0], "bind 3 10.0.0.1:80 - 9 errno=1"], &[]);
}

#[test]
fn a_released_tcp_socket_that_was_told_closed_is_not_told_again() {
    let script = format!(
        "{CLIENT}
        200 7 tcp estab>close:104 10.0.0.1:4000 10.0.0.2:80
        300 7 tcp release 0.0.0.0:0 - 5"
    );
    let told = [
        "connect 7 10.0.0.1:4000 10.0.0.2:80 5 after=Some(30)",
        "close 7 10.0.0.1:4000 10.0.0.2:80 5 after=Some(100)",
    ];
    check(&script, &told, &[]);
}

#[test]
fn a_tcp_socket_with_an_address_and_no_port_is_not_listed() {
    let bound = "41 3 tcp bind:0 10.0.0.1:0 - 9";
    let bind = "bind 3 10.0.0.1:0 - 9 errno=0";
    check(bound, &[bind], &[]);
    let script = format!("{bound}\n50 3 tcp close>syn-sent 10.0.0.1:4000 10.0.0.2:80 9");
    check(&script, &[bind], &["3 SYN-SENT 10.0.0.1:4000 10.0.0.2:80 9"]);
}

#[test]
fn an_orphan_is_not_of_whoever_has_its_inode_later() {
    for (last, expected) in [
        ("estab>fin-wait-1", "7 FIN-WAIT-1 10.0.0.1:4000 10.0.0.2:80 held:9"),
        ("estab>fin-wait-1:!", "7 FIN-WAIT-1 10.0.0.1:4000 10.0.0.2:80 ?"),
        ("orphan", "7 ESTAB 10.0.0.1:4000 10.0.0.2:80 ?"),
    ] {
        let script = format!(
            "
            begin 100
            row 7 tcp estab 10.0.0.1:4000 10.0.0.2:80 55
            done 200
            90000 7 tcp {last} 10.0.0.1:4000 10.0.0.2:80
            hold 95000 55:9"
        );
        check(&script, &[], &[expected]);
    }
}

#[test]
fn a_bound_socket_outlives_its_connection() {
    let dialled = "
        40 7 tcp post-bind 10.0.0.1:4000 - 5
        100 7 tcp close>syn-sent 10.0.0.1:4000 10.0.0.2:80 5";
    let bind = "bind 7 10.0.0.1:4000 0.0.0.0:0 5 errno=0";
    let failed = "connect_failed 7 10.0.0.1:4000 10.0.0.2:80 5 errno=111 after=Some(50)";
    let close = "close 7 10.0.0.1:4000 10.0.0.2:80 5 after=Some(200)";
    let bound = ["7 UNCONN 10.0.0.1:4000 10.0.0.2:80 5"];
    let refused = format!("{dialled}\n150 7 tcp syn-sent>close:111+ 10.0.0.1:4000 10.0.0.2:80");
    check(&refused, &[bind, failed], &bound);
    // The return of connect(2) says what that has taken from it.
    let returned = format!("{refused}\n160 7 tcp connect:111 10.0.0.1:4000 10.0.0.2:80 5");
    check(&returned, &[bind, failed], &["7 UNCONN 10.0.0.1:4000 0.0.0.0:0 5"]);
    check(&format!("{refused}\n300 7 tcp release 0.0.0.0:0 - 5"), &[bind, failed, close], &[]);
    // Where nothing says that, a look shows it, and it is no drift.
    let mut table = Table::new(true);
    check_with(&mut table, KindSet::EMPTY, &refused, &[], &bound);
    let dump = "begin 200\napplied 200\nrow 7 tcp bound 0.0.0.0:4000 10.0.0.2:0\ndone 90000";
    check_with(&mut table, KindSet::EMPTY, dump, &[], &["7 UNCONN 0.0.0.0:4000 0.0.0.0:0 5"]);

    let open = format!("{dialled}\n130 7 tcp syn-sent>estab 10.0.0.1:4000 10.0.0.2:80");
    let connect = "connect 7 10.0.0.1:4000 10.0.0.2:80 5 after=Some(30)";
    let reset = format!("{open}\n300 7 tcp estab>close:104+ 10.0.0.1:4000 10.0.0.2:80");
    check(&reset, &[bind, connect, close], &bound);
    check(&format!("{reset}\n400 7 tcp release 0.0.0.0:0 - 5"), &[bind, connect, close], &[]);
    // Its process closed it.
    let closed = format!("{open}\n300 7 tcp fin-wait-2>close:0 10.0.0.1:4000 10.0.0.2:80");
    check(&closed, &[bind, connect, close], &[]);
}

#[test]
fn a_dump_may_show_another_life_of_a_socket() {
    // That 7 ended and was bound, and that 8 connected again, was lost.
    let script = "
        10 7 tcp close>syn-sent 10.0.0.1:0 10.0.0.2:80 5
        20 7 tcp syn-sent>estab 10.0.0.1:4000 10.0.0.2:80
        30 8 tcp close>syn-sent 10.0.0.1:0 10.0.0.2:80 5
        40 8 tcp syn-sent>estab 10.0.0.1:4001 10.0.0.2:80
        begin 200
        row 7 tcp bound 10.0.0.1:4002 0.0.0.0:0
        row 8 tcp estab 10.0.0.1:4003 10.0.0.2:80
        done 90000";
    let mut table = Table::new(true);
    // Who began it was not seen.
    check_with(
        &mut table,
        KindSet::EMPTY,
        script,
        &[],
        &["7 UNCONN 10.0.0.1:4002 0.0.0.0:0 ?", "8 ESTAB 10.0.0.1:4003 10.0.0.2:80 ?"],
    );
    let script = "
        100000 7 tcp close>syn-sent 10.0.0.1:4002 10.0.0.2:81 6
        100010 7 tcp syn-sent>close:111+ 10.0.0.1:4002 10.0.0.2:81
        100020 8 tcp estab>close:104 10.0.0.1:4003 10.0.0.2:80";
    check_with(&mut table, KindSet::EMPTY, script, &[], &["7 UNCONN 10.0.0.1:4002 10.0.0.2:81 6"]);
}

#[test]
fn without_identity_an_event_is_told_and_nothing_kept() {
    check("100 0 unix bind:0 /run/a - 5", &["bind 0 /run/a - 5 errno=0"], &[]);
    check("100 4 mptcp accept 10.0.0.1:1 10.0.0.2:2 5", &["accept 4 10.0.0.1:1 10.0.0.2:2 5"], &[]);
}

#[test]
fn states_are_told_when_asked_for() {
    let script = format!(
        "{CLIENT}
        140 3 tcp listen>syn-recv 10.0.0.1:80 10.0.0.2:9"
    );
    let told = [
        "state 7 10.0.0.1:0 10.0.0.2:80 5 UNCONN>SYN-SENT",
        "state 7 10.0.0.1:4000 10.0.0.2:80 5 SYN-SENT>ESTAB",
        "state 3 10.0.0.1:80 10.0.0.2:9 ? LISTEN>SYN-RECV",
    ];
    let table = ["7 ESTAB 10.0.0.1:4000 10.0.0.2:80 5"];
    check_with(&mut Table::new(true), KindSet::STATE, &script, &told, &table);
}

#[test]
fn a_port_that_is_not_known_yet_may_be_any() {
    let mut table = Table::new(true);
    let script = "
        10 1 tcp close>syn-sent 10.0.0.1:0 10.0.0.2:80 5
        20 2 tcp syn-sent>estab 10.0.0.1:4000 10.0.0.2:80
        30 3 tcp syn-sent>estab 10.0.0.1:4001 10.0.0.2:81
        40 4 udp create 0.0.0.0:0 - 5";
    let all = [
        "1 SYN-SENT 10.0.0.1:0 10.0.0.2:80 5",
        "2 ESTAB 10.0.0.1:4000 10.0.0.2:80 ?",
        "3 ESTAB 10.0.0.1:4001 10.0.0.2:81 ?",
    ];
    check_with(&mut table, KindSet::EMPTY, script, &[], &all);
    let find = |local, peer| {
        let mut found: Vec<_> = table.with_ports(local, peer).map(|view| view.cookie()).collect();
        found.sort_unstable();
        found
    };
    assert_eq!(find(Some(4000), None), [1, 2]);
    assert_eq!(find(None, Some(80)), [1, 2]);
    assert_eq!(find(Some(4001), Some(80)), [1]);
    assert_eq!(find(None, Some(81)), [3]);
    assert_eq!(find(None, None), [1, 2, 3]);
    assert_eq!(find(Some(9), Some(9)), [0; 0]);
}

#[test]
fn a_table_gives_memory_back() {
    let mut table = Table::new(true);
    let many = |verb: &str| -> String {
        (1..=20_000).map(|n| format!("{n} {n} tcp {verb} 10.0.0.1:{} 10.0.0.2:80\n", n % 60_000)).collect()
    };
    check_with(&mut table, KindSet::EMPTY, &many("estab>close-wait"), &[], &table_of(20_000));
    let full = table.bytes();
    check_with(&mut table, KindSet::EMPTY, &many("close-wait>close"), &[], &[]);
    check_with(&mut table, KindSet::EMPTY, "begin 1\ndone 2", &[], &[]);
    assert!(table.bytes() < full / 2, "{} of {full}", table.bytes());
}

fn table_of(n: usize) -> Vec<&'static str> {
    let mut rows: Vec<String> =
        (1..=n).map(|n| format!("{n} CLOSE-WAIT 10.0.0.1:{n} 10.0.0.2:80 ?")).collect();
    rows.sort();
    rows.into_iter().map(|row| &*row.leak()).collect()
}

//! Datagram, RAW and UNIX sockets: what is reported of them, and what comes of their connects.

use super::*;

#[test]
fn udp_from_creation_to_release() {
    let made = "100 4 udp create 0.0.0.0:0 - 5";
    check(made, &[], &[]);
    check(&format!("{made}\n200 4 udp release 0.0.0.0:0 - 5"), &[], &[]);
    let sent = format!("{made}\n150 4 udp send 0.0.0.0:5000 10.0.0.9:53 5");
    let open = "open 4 0.0.0.0:5000 10.0.0.9:53 5";
    check(&sent, &[open], &["4 UNCONN 0.0.0.0:5000 0.0.0.0:0 5"]);
    let released = format!("{sent}\n200 4 udp release 0.0.0.0:0 - 6");
    check(&released, &[open, "close 4 0.0.0.0:5000 0.0.0.0:0 5 after=Some(50)"], &[]);
    let connected = format!("{made}\n150 4 udp connect:0 10.0.0.1:5000 10.0.0.9:53 5");
    let connect = "connect 4 10.0.0.1:5000 10.0.0.9:53 5 after=None";
    check(&connected, &[connect], &["4 ESTAB 10.0.0.1:5000 10.0.0.9:53 5"]);
    let dissolved = format!("{connected}\n160 4 udp disconnect 0.0.0.0:0 0.0.0.0:0 5");
    check(&dissolved, &[connect], &[]);
    let released = format!("{dissolved}\n170 4 udp release 0.0.0.0:0 - 5");
    check(&released, &[connect, "close 4 0.0.0.0:0 0.0.0.0:0 5 after=Some(20)"], &[]);
    let refused = format!("{made}\n150 4 udp connect:101 0.0.0.0:0 10.0.0.9:53 5");
    check(&refused, &["connect_failed 4 0.0.0.0:0 10.0.0.9:53 5 errno=101 after=None"], &[]);
}

#[test]
fn a_raw_socket_is_listed_from_its_creation() {
    let made = "100 4 raw create 0.0.0.0:0 - 5";
    check(made, &[], &["4 UNCONN 0.0.0.0:89 0.0.0.0:0 5"]);
    let told = ["close 4 0.0.0.0:89 0.0.0.0:0 5 after=Some(10)"];
    check(&format!("{made}\n110 4 raw release 0.0.0.0:0 - 5"), &told, &[]);
}

#[test]
fn a_raw_socket_that_was_disconnected_is_never_listed_again() {
    let connected = "100 4 raw create 0.0.0.0:0 - 5\n110 4 raw connect 10.0.0.1:89 10.0.0.2:7 5";
    let connect = "connect 4 10.0.0.1:89 10.0.0.2:7 5 after=None";
    check(connected, &[connect], &["4 ESTAB 10.0.0.1:89 10.0.0.2:7 5"]);
    let dissolved = format!("{connected}\n120 4 raw disconnect 0.0.0.0:89 - 5");
    check(&dissolved, &[connect], &[]);
    let again = format!("{dissolved}\n130 4 raw connect 10.0.0.1:89 10.0.0.3:7 5");
    let another = "connect 4 10.0.0.1:89 10.0.0.3:7 5 after=None";
    check(&again, &[connect, another], &[]);
    let close = "close 4 10.0.0.1:0 10.0.0.3:7 5 after=Some(40)";
    check(&format!("{again}\n140 4 raw release 0.0.0.0:0 - 5"), &[connect, another, close], &[]);
}

#[test]
fn a_first_send_does_not_say_that_a_socket_is_not_connected() {
    let script = "
        begin 100
        row 4 udp estab 10.0.0.1:5000 10.0.0.2:1
        150 4 udp send 10.0.0.1:5000 10.0.0.9:53 5
        done 90000";
    // It was there before us, so that it was not opened just now, by whoever that was.
    check(script, &[], &["4 ESTAB 10.0.0.1:5000 10.0.0.2:1 ?"]);
    // Where the dump was too early for its port it is no ghost.
    let script = "
        begin 100
        120 4 udp create 0.0.0.0:0 - 6
        150 4 udp send 10.0.0.1:5000 10.0.0.9:53 5
        done 90000";
    check(script, &["open 4 10.0.0.1:5000 10.0.0.9:53 5"], &["4 UNCONN 10.0.0.1:5000 0.0.0.0:0 5"]);
}

#[test]
fn a_send_opens_nothing_that_has_a_port() {
    let bind = "bind 4 10.0.0.1:5000 0.0.0.0:0 5 errno=0";
    let bound = "100 4 udp post-bind 10.0.0.1:5000 - 5";
    let send = "150 4 udp send 10.0.0.1:5000 10.0.0.9:53 6";
    let row = "4 UNCONN 10.0.0.1:5000 0.0.0.0:0 5";
    check(&format!("{bound}\n{send}\n{send}"), &[bind], &[row]);
    let gone = format!("{bound}\n{send}\n200 4 udp release 0.0.0.0:0 - 6");
    check(&gone, &[bind, "close 4 10.0.0.1:5000 0.0.0.0:0 5 after=Some(100)"], &[]);
}

#[test]
fn a_connect_that_fails_opens_a_datagram_socket_all_the_same() {
    let failed = "100 4 udp connect:101 0.0.0.0:5000 10.0.0.9:53 5";
    let told = [
        "open 4 0.0.0.0:5000 10.0.0.9:53 5",
        "connect_failed 4 0.0.0.0:5000 10.0.0.9:53 5 errno=101 after=None",
        "close 4 0.0.0.0:5000 0.0.0.0:0 5 after=Some(50)",
    ];
    check(failed, &told[..2], &["4 UNCONN 0.0.0.0:5000 0.0.0.0:0 5"]);
    check(&format!("{failed}\n150 4 udp release 0.0.0.0:0 - 5"), &told, &[]);
    // What it was connected to before it still is.
    let connected = "50 4 udp connect:0 10.0.0.1:5000 10.0.0.2:1 5";
    let again = "100 4 udp connect:101 10.0.0.1:5000 10.0.0.9:53 6";
    let told = [
        "connect 4 10.0.0.1:5000 10.0.0.2:1 5 after=None",
        "connect_failed 4 10.0.0.1:5000 10.0.0.9:53 6 errno=101 after=None",
    ];
    check(&format!("{connected}\n{again}"), &told, &["4 ESTAB 10.0.0.1:5000 10.0.0.2:1 5"]);
}

#[test]
fn what_came_of_a_connect_that_only_began_a_dump_says() {
    let dialled = "
        50 4 udp dial 0.0.0.0:0 10.0.0.9:53 5
        begin 100
        row 4 udp estab 10.0.0.1:5000 10.0.0.9:53
        done 90000";
    check(
        dialled,
        &["connect 4 10.0.0.1:5000 10.0.0.9:53 5 after=None"],
        &["4 ESTAB 10.0.0.1:5000 10.0.0.9:53 5"],
    );
    let failed = "
        50 4 udp dial 0.0.0.0:0 10.0.0.9:53 5
        begin 100
        row 4 udp close 0.0.0.0:5000 0.0.0.0:0
        done 90000";
    check(failed, &[], &["4 UNCONN 0.0.0.0:5000 0.0.0.0:0 5"]);
    let mut table = Table::new(true);
    run(&mut table, KindSet::USUAL, dialled);
    assert!(!table.has_dials());
}

#[test]
fn a_unix_socket_keeps_its_name_when_it_connects_and_loses_its_peer_when_it_dissolves() {
    let bound = "100 4 unix-dgram bind:0 /run/a - 5";
    let bind = "bind 4 /run/a - 5 errno=0";
    let connected = format!("{bound}\n110 4 unix-dgram connect:0 - /run/b 5");
    let connect = "connect 4 /run/a /run/b 5 after=None";
    check(&connected, &[bind, connect], &["4 ESTAB /run/a /run/b 5"]);
    let dissolved = format!("{connected}\n120 4 unix-dgram disconnect - - 5");
    check(&dissolved, &[bind, connect], &["4 UNCONN /run/a - 5"]);
}

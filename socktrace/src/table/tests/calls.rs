//! What the return of a TCP call says beside the state changes, and what becomes of calls whose return nobody sees.

use super::*;

const BOUND: &str = "40 7 tcp post-bind 10.0.0.1:4000 - 5";
const BIND: &str = "bind 7 10.0.0.1:4000 0.0.0.0:0 5 errno=0";

#[test]
fn a_connect_that_ends_within_its_call_has_the_errno_of_the_return() {
    let script = "
        100 7 tcp close>syn-sent 10.0.0.1:0 10.0.0.2:80 5
        101 7 tcp taken-back 10.0.0.1:0 10.0.0.2:80
        103 7 tcp connect:99 0.0.0.0:0 10.0.0.2:80 5
        applied 1090000";
    check(script, &["connect_failed 7 10.0.0.1:0 10.0.0.2:80 5 errno=99 after=Some(3)"], &[]);
    let bound = format!(
        "{BOUND}
        100 7 tcp close>syn-sent 10.0.0.1:4000 10.0.0.2:80 5
        101 7 tcp taken-back-bound 10.0.0.1:4000 10.0.0.2:80
        103 7 tcp connect:99 10.0.0.1:4000 10.0.0.2:80 5"
    );
    let failed = "connect_failed 7 10.0.0.1:4000 10.0.0.2:80 5 errno=99 after=Some(3)";
    check(&bound, &[BIND, failed], &["7 UNCONN 10.0.0.1:4000 0.0.0.0:0 5"]);
    // Where the return is not seen, it is reported without, once.
    let unheard = "
        100 7 tcp close>syn-sent 10.0.0.1:0 10.0.0.2:80 5
        101 7 tcp taken-back 10.0.0.1:0 10.0.0.2:80
        applied 10000
        applied 1090000
        applied 2090000";
    check(unheard, &["connect_failed 7 10.0.0.1:0 10.0.0.2:80 5 errno=0 after=Some(1)"], &[]);
}

#[test]
fn a_connect_within_which_its_process_is_killed_fails_once() {
    let script = format!(
        "{BOUND}
        100 7 tcp close>syn-sent 10.0.0.1:4000 10.0.0.2:80 5
        150 7 tcp taken-back-bound 10.0.0.1:4000 10.0.0.2:80
        151 7 tcp release 10.0.0.1:4000 0.0.0.0:0 5
        applied 1090000"
    );
    let failed = "connect_failed 7 10.0.0.1:4000 10.0.0.2:80 5 errno=0 after=Some(50)";
    check(&script, &[BIND, failed, "close 7 10.0.0.1:4000 10.0.0.2:80 5 after=Some(51)"], &[]);
    // Another call that takes it back is no connect that fails.
    let given_up = script.replace("release", "disconnect");
    check(&given_up, &[BIND, failed], &["7 UNCONN 10.0.0.1:4000 0.0.0.0:0 5"]);
}

#[test]
fn a_connect_without_a_wait_fails_once_whoever_asks_for_the_error() {
    let failed = "connect_failed 7 10.0.0.1:4000 10.0.0.2:80 5 errno=111 after=Some(50)";
    for again in [111, 103] {
        let script = format!(
            "
            100 7 tcp close>syn-sent 10.0.0.1:0 10.0.0.2:80 5
            150 7 tcp syn-sent>close:111 10.0.0.1:4000 10.0.0.2:80
            250 7 tcp connect:{again} 0.0.0.0:0 10.0.0.2:80 5"
        );
        check(&script, &[failed], &[]);
        let anew = format!("{script}\n350 7 tcp connect:113 0.0.0.0:0 10.0.0.3:80 5");
        check(&anew, &[failed, "connect_failed 7 0.0.0.0:0 10.0.0.3:80 5 errno=113 after=None"], &[]);
    }
}

#[test]
fn what_bind_gave_outlives_a_disconnect() {
    let open = format!(
        "{BOUND}
        100 7 tcp close>syn-sent 10.0.0.1:4000 10.0.0.2:80 5
        130 7 tcp syn-sent>estab 10.0.0.1:4000 10.0.0.2:80
        150 7 tcp estab>close:0+ 10.0.0.1:4000 10.0.0.2:80
        151 7 tcp disconnect 0.0.0.0:4000 0.0.0.0:0 5"
    );
    let told = [
        BIND,
        "connect 7 10.0.0.1:4000 10.0.0.2:80 5 after=Some(30)",
        "close 7 10.0.0.1:4000 10.0.0.2:80 5 after=Some(50)",
    ];
    check(&open, &told, &["7 UNCONN 0.0.0.0:4000 0.0.0.0:0 5"]);
}

#[test]
fn the_port_that_listen_chose_is_known_with_its_owner() {
    let script = "
        100 7 tcp close>listen 10.0.0.1:0 0.0.0.0:0 5
        101 7 tcp listen:0 10.0.0.1:4000 0.0.0.0:0 5";
    let listen = "listen 7 10.0.0.1:4000 0.0.0.0:0 5 errno=0";
    check(script, &[listen], &["7 LISTEN 10.0.0.1:4000 0.0.0.0:0 5"]);
    // Where its return is not seen, a look shows it, and forgets nothing.
    let mut table = Table::new(true);
    let unheard = "100 7 tcp close>listen 10.0.0.1:0 0.0.0.0:0 5\napplied 1090000";
    let listen = "listen 7 10.0.0.1:0 0.0.0.0:0 5 errno=0";
    let usual = KindSet::USUAL;
    check_with(&mut table, usual, unheard, &[listen], &["7 LISTEN 10.0.0.1:0 0.0.0.0:0 5"]);
    assert!(!table.lacks_facts(ns("100000")) && table.lacks_facts(ns("300000")));
    let look = "begin 300000\nrow 7 tcp listen 10.0.0.1:4000 0.0.0.0:0\ndone 390000";
    check_with(&mut table, usual, look, &[], &["7 LISTEN 10.0.0.1:4000 0.0.0.0:0 5"]);
    assert!(!table.lacks_facts(ns("900000")));
    assert_eq!(table.get(7).and_then(|view| view.opened()), Some(ns("100")));
}

#[test]
fn a_listener_is_reported_whatever_call_made_it() {
    let listens = "100 7 tcp close>listen 10.0.0.1:80 0.0.0.0:0 5";
    let listen = "listen 7 10.0.0.1:80 0.0.0.0:0 5 errno=0";
    let row = ["7 LISTEN 10.0.0.1:80 0.0.0.0:0 5"];
    check(listens, &[], &row);
    check(&format!("{listens}\napplied 1090000"), &[listen], &row);
    // Its return comes late.
    let late = format!("{listens}\napplied 1090000\n90100 7 tcp listen:0 10.0.0.1:80 0.0.0.0:0 5");
    check(&late, &[listen], &row);
    check(&format!("{late}\n90200 7 tcp listen:0 10.0.0.1:80 0.0.0.0:0 5"), &[listen, listen], &row);
    // It is closed before.
    let close = "close 7 10.0.0.1:80 0.0.0.0:0 5 after=Some(100)";
    let short = format!("{listens}\n200 7 tcp listen>close:! 10.0.0.1:80 0.0.0.0:0\napplied 1090000");
    check(&short, &[listen, close], &[]);
    // listen(2) itself fails.
    let fails = format!(
        "{listens}\n101 7 tcp listen>close 10.0.0.1:80 0.0.0.0:0\n102 7 tcp listen:98 - - 5\napplied 1090000"
    );
    check(&fails, &["listen 7 - - 5 errno=98"], &[]);
    // Nothing else came meanwhile by which one would know that time has passed.
    let later = format!("{listens}\n90000 7 tcp listen>close:0+ 10.0.0.1:80 0.0.0.0:0");
    let close = "close 7 10.0.0.1:80 0.0.0.0:0 5 after=Some(89900)";
    check(&later, &[listen, close], &["7 UNCONN 10.0.0.1:80 0.0.0.0:0 5"]);
}

#[test]
fn a_listener_that_is_destroyed_closes_once() {
    let script = "
        40 7 tcp post-bind 10.0.0.1:80 - 5
        100 7 tcp close>listen 10.0.0.1:80 0.0.0.0:0 5
        101 7 tcp listen:0 10.0.0.1:80 0.0.0.0:0 5
        200 7 tcp listen>close:0+ 10.0.0.1:80 0.0.0.0:0
        201 7 tcp close>close:103+ 10.0.0.1:80 0.0.0.0:0";
    let told = [
        "bind 7 10.0.0.1:80 0.0.0.0:0 5 errno=0",
        "listen 7 10.0.0.1:80 0.0.0.0:0 5 errno=0",
        "close 7 10.0.0.1:80 0.0.0.0:0 5 after=Some(100)",
    ];
    check(script, &told, &["7 UNCONN 10.0.0.1:80 0.0.0.0:0 5"]);
    check(&format!("{script}\n300 7 tcp release - - 5"), &told, &[]);
}

#[test]
fn a_socket_that_waits_gets_its_port() {
    let script = "
        100 7 tcp close>syn-sent 10.0.0.1:0 10.0.0.2:80 5
        1000100 7 tcp waits 10.0.0.1:4000 10.0.0.2:80";
    check(script, &[], &["7 SYN-SENT 10.0.0.1:4000 10.0.0.2:80 5"]);
    let mut table = Table::new(true);
    let told = run(&mut table, KindSet::ALL, script);
    assert_eq!(told.len(), 1, "a change of state, and not another one: {told:?}");
}

#[test]
fn a_connection_is_accepted_with_the_data_of_its_syn() {
    let script = "100 8 tcp accept-early 10.0.0.2:80 10.0.0.1:4000 12";
    let accept = "accept 8 10.0.0.2:80 10.0.0.1:4000 12";
    check(script, &[accept], &["8 SYN-RECV 10.0.0.2:80 10.0.0.1:4000 12"]);
    let done = format!("{script}\n200 8 tcp syn-recv>estab 10.0.0.2:80 10.0.0.1:4000");
    check(&done, &[accept], &["8 ESTAB 10.0.0.2:80 10.0.0.1:4000 12"]);
    let reset = format!("{script}\n200 8 tcp syn-recv>close:104 10.0.0.2:80 10.0.0.1:4000");
    check(&reset, &[accept, "close 8 10.0.0.2:80 10.0.0.1:4000 12 after=Some(100)"], &[]);
}

/// The return of a connect(2) that slept is looked into, and says once more what a state change has told.
#[test]
fn a_connect_that_fails_after_a_while_is_told_once() {
    let began = "
        100 7 tcp close>syn-sent 10.0.0.1:0 10.0.0.2:80 5
        150 7 tcp syn-sent>close:101 10.0.0.1:4000 10.0.0.2:80
        151 7 tcp connect:101 0.0.0.0:0 10.0.0.2:80 5";
    let first = "connect_failed 7 10.0.0.1:4000 10.0.0.2:80 5 errno=101 after=Some(50)";
    check(began, &[first], &[]);
    let again = format!("{began}\n200 7 tcp connect:101 0.0.0.0:0 10.0.0.2:81 5");
    check(&again, &[first, "connect_failed 7 0.0.0.0:0 10.0.0.2:81 5 errno=101 after=None"], &[]);
}

/// No dump comes in time: its last state says what came of the connect.
#[test]
fn a_socket_whose_connect_only_began_ends() {
    let short = "50 4 udp dial 0.0.0.0:0 10.0.0.9:53 5";
    let told =
        ["connect 4 0.0.0.0:0 10.0.0.9:53 5 after=None", "close 4 0.0.0.0:0 10.0.0.9:53 5 after=Some(20)"];
    check(&format!("{short}\n70 4 udp release-connected 0.0.0.0:0 - 6"), &told, &[]);
    check(&format!("{short}\n70 4 udp release 0.0.0.0:0 - 6"), &[], &[]);
    let bind = "bind 4 10.0.0.1:5000 0.0.0.0:0 5 errno=0";
    let bound =
        format!("40 4 udp post-bind 10.0.0.1:5000 - 5\n{short}\n70 4 udp release-connected 0.0.0.0:0 - 6");
    let told = [
        bind,
        "connect 4 10.0.0.1:5000 10.0.0.9:53 5 after=None",
        "close 4 10.0.0.1:5000 10.0.0.9:53 5 after=Some(30)",
    ];
    check(&bound, &told, &[]);
}

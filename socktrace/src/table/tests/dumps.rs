//! Dumps and the events that race them.

use super::*;

#[test]
fn a_late_event_does_not_undo_what_a_dump_showed() {
    // The disconnect was lost; the connect before it comes late, when the dump has already seen both.
    let script = "
        10 4 udp create 0.0.0.0:0 - 5
        20 4 udp post-bind 10.0.0.1:5000 - 5
        begin 100
        row 4 udp close 10.0.0.1:5000 0.0.0.0:0
        50 4 udp connect:0 10.0.0.1:5000 10.0.0.9:53 5
        done 90000";
    let told =
        ["bind 4 10.0.0.1:5000 0.0.0.0:0 5 errno=0", "connect 4 10.0.0.1:5000 10.0.0.9:53 5 after=None"];
    check(script, &told, &["4 UNCONN 10.0.0.1:5000 0.0.0.0:0 5"]);
}

#[test]
fn a_row_of_a_socket_that_has_ended_is_no_socket() {
    let script = "
        begin 100
        150 7 tcp estab>close 10.0.0.1:4000 10.0.0.2:80
        row 7 tcp estab 10.0.0.1:4000 10.0.0.2:80 55
        row 6 tcp time-wait 10.0.0.1:4001 10.0.0.2:80
        row 5 tcp syn-recv 10.0.0.1:4001 10.0.0.2:80
        row 8 tcp syn-recv 10.0.0.1:4001 10.0.0.2:80 56
        row 0 tcp estab 10.0.0.1:4001 10.0.0.2:80 57
        done 90000";
    let told = ["close 7 10.0.0.1:4000 10.0.0.2:80 ? after=None"];
    check(script, &told, &["8 SYN-RECV 10.0.0.1:4001 10.0.0.2:80 ?"]);
}

#[test]
fn only_what_was_covered_is_swept() {
    let ghosts = "
        10 1 tcp estab>close-wait 10.0.0.1:1 10.0.0.2:80
        11 2 udp post-bind 10.0.0.1:2 - 5
        12 3 raw create 0.0.0.0:0 - 5
        13 4 udp create 0.0.0.0:0 - 5
        begin 100";
    let bind = ["bind 2 10.0.0.1:2 0.0.0.0:0 5 errno=0"];
    let (tcp, udp, raw) = (
        "1 CLOSE-WAIT 10.0.0.1:1 10.0.0.2:80 ?",
        "2 UNCONN 10.0.0.1:2 0.0.0.0:0 5",
        "3 UNCONN 0.0.0.0:89 0.0.0.0:0 5",
    );
    check(&format!("{ghosts}\nfinish 90000"), &bind, &[tcp, udp, raw]);
    check(&format!("{ghosts}\nscope tcp 0\nfinish 90000"), &bind, &[udp, raw]);
    check(&format!("{ghosts}\nscope tcp 1\nscope udp 0\nfinish 90000"), &bind, &[tcp, raw]);
    // What this kernel cannot dump does not outlive a loss.
    check(&format!("{ghosts}\nscope raw 2\nfinish 90000"), &bind, &[tcp, udp]);
    // A namespace that cannot be found any more, while others can.
    check(&format!("{ghosts}\nelsewhere tcp\nfinish 90000"), &bind, &[udp, raw]);
    let mut table = Table::new(true);
    check_with(&mut table, KindSet::USUAL, &format!("{ghosts}\ndone 90000"), &bind, &[raw]);
    assert!(table.get(4).is_none(), "a socket that no dump can show does not outlive a loss");
}

//! Rows, closed sockets and limits in, lines out.

use super::*;
use crate::findings::past::Past;

const HOST: Host =
    Host { ports: Some(PortRange { low: 40_000, high: 40_009, reserved: 0 }), max_time_wait: Some(20) };

/// TCP sockets of these lines of JSON, each so many times with other ports of its own and cookies.
fn sample(lines: &[(u16, &str)]) -> Sample {
    let mut cookie = 0;
    let mut rows = Vec::new();
    for (times, line) in lines {
        for time in 0..*times {
            cookie += 1;
            let line = line.replace("PORT", &(40_000 + time).to_string());
            let line = format!("{{\"proto\":\"tcp\",\"inode\":9,\"cookie\":{cookie},{line}}}");
            rows.push(Row::from_json(line.as_bytes()).expect(&line));
        }
    }
    Sample { rows, counters: Counters::default() }
}

fn found(now: &Sample, before: Option<&Sample>, past: &[&str], thresholds: &[&str]) -> Vec<Finding> {
    let mut set = Thresholds::default();
    thresholds.iter().for_each(|word| set.set(word).unwrap());
    let mut tally = Tally::new(1_795_356_300_000_000_000);
    for line in past {
        let line = format!("{{\"ts\":\"2026-11-22T14:04:50Z\",\"proto\":\"tcp\",{line}}}");
        tally.add(&Past::from_json(line.as_bytes()).expect(&line));
    }
    let before = before.map(|sample| (sample, 2000));
    find(&Scene { now, before, tally: &tally, host: &HOST, thresholds: &set }, &Kind::ALL)
}

#[track_caller]
fn check(now: &Sample, before: Option<&Sample>, past: &[&str], thresholds: &[&str], expected: &str) {
    let text: String = found(now, before, past, thresholds).iter().map(|it| lines(it, None)).collect();
    assert_eq!(text, expected);
}

const CLIENT: &str = r#""state":"ESTAB","local_addr":"10.0.3.4","local_port":PORT,"peer_addr":"10.0.9.7","peer_port":443,"pid":8,"comm":"envoy","unit":"envoy.service""#;
const WAITING: &str =
    r#""state":"TIME-WAIT","local_addr":"10.0.3.4","local_port":PORT,"peer_addr":"10.0.9.7","peer_port":443"#;

#[test]
fn ports() {
    let (now, before) = (sample(&[(8, CLIENT)]), sample(&[(6, CLIENT)]));
    check(
        &now,
        Some(&before),
        &[],
        &[],
        "\
warning  ports        10.0.3.4 to 10.0.9.7:443 envoy.service
         8 of 10 ports used (80 %), 0 in TIME-WAIT, +1/s, full in 2 s; envoy[8] has 8
         advice: keep connections open and use them again; else more destination addresses, or a wider ip_local_port_range
         see:    socktrace ss -tanp 'src 10.0.3.4 and dst 10.0.9.7:443'
",
    );
    let full = found(&sample(&[(10, CLIENT)]), None, &[], &[]);
    assert_eq!(
        (full[0].severity, full[0].id()),
        (Severity::Critical, "ports:10.0.3.4 to 10.0.9.7:443".to_owned())
    );
    let none = r#""event":"connect_failed","error":"EADDRNOTAVAIL","failed_by":"local","peer_addr":"10.0.9.7","peer_port":443"#;
    assert_eq!(found(&now, None, &[none], &[])[0].severity, Severity::Critical);
    check(&sample(&[(7, CLIENT)]), None, &[], &[], "");
    // A server on such a port has not begun its connections.
    let server = [
        (1, r#""state":"LISTEN","recv_q":0,"send_q":9,"local_addr":"0.0.0.0","local_port":40000"#),
        (
            9,
            r#""state":"ESTAB","local_addr":"10.0.3.4","local_port":40000,"peer_addr":"10.0.9.7","peer_port":PORT"#,
        ),
    ];
    check(&sample(&server), None, &[], &[], "");
}

#[test]
fn time_wait() {
    let closed = r#""event":"close","closed_first":"local","local_addr":"10.0.3.4","local_port":40001,"peer_addr":"10.0.9.7","peer_port":443,"pid":8,"comm":"envoy""#;
    check(
        &sample(&[(5, WAITING)]),
        None,
        &[closed],
        &["time-wait=5"],
        "\
warning  time-wait    to 10.0.9.7:443
         5 connections in TIME-WAIT, with all others 25 % of what the kernel keeps; envoy[8] closed first
         advice: harmless while there are ports left; let the other side close first, or keep connections open
         see:    socktrace ss -tan 'state time-wait and dst 10.0.9.7:443'
",
    );
    check(&sample(&[(5, WAITING)]), None, &[], &[], "");
    let mut now = sample(&[(5, WAITING)]);
    now.counters.time_wait_overflows = 1;
    let full = found(&now, Some(&sample(&[])), &[], &["time-wait=5"]);
    assert_eq!(full[0].severity, Severity::Critical);
}

#[test]
fn close_wait() {
    let leak = r#""state":"CLOSE-WAIT","recv_q":21,"local_addr":"10.0.3.4","local_port":80,"peer_addr":"10.0.9.7","peer_port":PORT,"pid":7,"comm":"le\u001bak","tcp_info":{"last_ack_recv":61000}"#;
    let young = leak.replace("61000", "1000");
    check(
        &sample(&[(10, leak), (5, &young)]),
        Some(&sample(&[(9, leak)])),
        &[],
        &[],
        "\
warning  close-wait   le\\033ak[7]
         10 connections in CLOSE-WAIT, the oldest for 61 s, 200B unread, with 10.0.9.7, +30/min
         advice: the process must close(2) a connection when a read returns 0
         see:    socktrace ss -tanp 'state close-wait and pid = 7'
",
    );
    check(&sample(&[(9, leak), (5, &young)]), None, &[], &[], "");
}

#[test]
fn listeners() {
    let listener = |queue: u64, drops: u64| {
        format!(
            r#""state":"LISTEN","recv_q":{queue},"send_q":2,"local_addr":"0.0.0.0","local_port":80,"pid":7,"comm":"java","skmem":{{"drops":{drops}}}"#
        )
    };
    let waits = r#""state":"ESTAB","inode":0,"local_addr":"10.0.3.4","local_port":80,"peer_addr":"10.0.9.7","peer_port":PORT,"tcp_info":{"last_data_sent":31000}"#;
    let (full, was) = (listener(3, 9), listener(3, 5));
    let with_child = |queue, drops| {
        let mut sample = sample(&[(1, &listener(queue, drops))]);
        let child = format!("{{\"proto\":\"tcp\",{}}}", waits.replace("PORT", "5"));
        sample.rows.push(Row::from_json(child.as_bytes()).unwrap());
        sample
    };
    check(
        &with_child(3, 9),
        Some(&sample(&[(1, &was)])),
        &[],
        &[],
        "\
critical listen-queue 0.0.0.0:80 java[7]
         queue 3 of 2, full, dropped 9 (+2/s), one waits for 31 s
         advice: accept more quickly, or raise both the backlog of listen(2) and net.core.somaxconn
         see:    socktrace ss -tlnpm 'sport = :80'
",
    );
    let not_accepted = found(&with_child(1, 0), None, &[], &[]);
    assert_eq!(not_accepted[0].kind, Kind::NotAccepted);
    // What was dropped long ago is no problem now.
    check(&sample(&[(1, &listener(0, 9))]), Some(&sample(&[(1, &listener(0, 9))])), &[], &[], "");
    assert_eq!(found(&sample(&[(1, &full)]), None, &[], &[])[0].severity, Severity::Critical);
    assert_eq!(found(&sample(&[(1, &listener(2, 0))]), None, &[], &[])[0].severity, Severity::Warning);
    let mut now = sample(&[]);
    now.counters.listen_overflows = 4;
    assert_eq!(found(&now, Some(&sample(&[])), &[], &[])[0].id(), "listen-queue:a listener");
}

#[test]
fn connects() {
    let refused = r#""event":"connect_failed","error":"ECONNREFUSED","failed_by":"peer","peer_addr":"10.0.9.7","peer_port":443,"pid":7,"comm":"curl""#;
    let no_ipv6 = r#""event":"connect_failed","error":"ENETUNREACH","failed_by":"local","peer_addr":"2001:db8::1","peer_port":443,"pid":7,"comm":"curl""#;
    let syn = r#""state":"SYN-SENT","send_q":1,"local_addr":"10.0.3.4","local_port":PORT,"peer_addr":"10.0.9.8","peer_port":443,"pid":7,"comm":"curl","timer":{"kind":"on","expires_ms":500,"retrans":1}"#;
    check(
        &sample(&[(5, syn)]),
        None,
        &[refused, refused, refused, refused, refused, no_ipv6, no_ipv6, no_ipv6, no_ipv6, no_ipv6],
        &[],
        "\
warning  connects     curl to 10.0.9.7:443, ECONNREFUSED
         5 connects failed: ECONNREFUSED (peer)
         advice: ECONNREFUSED: nobody listens there; no answer: a firewall or a host that is down
         see:    socktrace history -tn --kinds connect_failed 'dst 10.0.9.7:443'
warning  connects     curl to 10.0.9.8:443, no answer
         0 connects failed: no answer (network), 5 waiting without an answer
         advice: ECONNREFUSED: nobody listens there; no answer: a firewall or a host that is down
         see:    socktrace ss -tanpo 'state syn-sent and dst 10.0.9.8:443'
",
    );
    check(&sample(&[(4, syn)]), None, &[refused; 4], &[], "");
}

#[test]
fn peers_and_send_queues() {
    let open = |info: &str| {
        format!(
            r#""state":"ESTAB","send_q":5000,"local_addr":"10.0.3.4","local_port":PORT,"peer_addr":"10.0.9.7","peer_port":5,"pid":7,"comm":"web",{info}"#
        )
    };
    let lossy = open(r#""tcp_info":{"segs_out":500,"total_retrans":20,"rtt":30000}"#);
    check(
        &sample(&[(1, &lossy)]),
        None,
        &[],
        &[],
        "\
warning  peers        10.0.9.7
         20 of 500 segments sent again (4 %), round-trip time 30.0ms
         advice: look for loss or a full link on the way to that address
         see:    socktrace ss -tinp 'dst 10.0.9.7'
",
    );
    let slow = open(r#""tcp_info":{"segs_out":5,"rtt":1500000}"#);
    assert_eq!(found(&sample(&[(1, &slow)]), None, &[], &[])[0].kind, Kind::Peers);
    let zero = open(
        r#""timer":{"kind":"persist","expires_ms":1,"retrans":4},"tcp_info":{"last_data_sent":12000,"bytes_acked":7}"#,
    );
    check(
        &sample(&[(1, &zero)]),
        Some(&sample(&[(1, &zero)])),
        &[],
        &[],
        "\
warning  send-queue   web[7] to 10.0.9.7
         5.0kB of 1 connection wait for 12 s: the peer takes nothing
         advice: the peer reads nothing, or is gone: set a time-out (TCP_USER_TIMEOUT)
         see:    socktrace ss -tinpo 'sendq > 0 and dst 10.0.9.7'
",
    );
    let moves = zero.replace("\"bytes_acked\":7", "\"bytes_acked\":8");
    check(&sample(&[(1, &moves)]), Some(&sample(&[(1, &zero)])), &[], &[], "");
    check(&sample(&[(1, &zero)]), None, &[], &[], "");
}

#[test]
fn the_worst_comes_first_and_only_what_is_asked_for() {
    let now = sample(&[(10, CLIENT), (5, WAITING)]);
    let thresholds = ["time-wait=5"];
    let kinds = |found: &[Finding]| found.iter().map(|it| it.kind).collect::<Vec<_>>();
    assert_eq!(kinds(&found(&now, None, &[], &thresholds)), [Kind::Ports, Kind::TimeWait]);
    let tally = Tally::default();
    let mut set = Thresholds::default();
    set.set("time-wait=5").unwrap();
    let scene = Scene { now: &now, before: None, tally: &tally, host: &HOST, thresholds: &set };
    assert_eq!(kinds(&find(&scene, &[Kind::TimeWait])), [Kind::TimeWait]);
}

#[test]
fn as_json_and_what_has_changed() {
    let found = found(&sample(&[(8, CLIENT)]), None, &[], &[]);
    let object: Value = serde_json::from_str(&json(&found[0], None)).unwrap();
    assert_eq!(
        (&object["id"], &object["severity"], &object["pid"], &object["unit"]),
        (&"ports:10.0.3.4 to 10.0.9.7:443".into(), &"warning".into(), &8.into(), &"envoy.service".into())
    );
    assert_eq!(object["evidence"]["used"], 8);
    let mut watch = Watch::default();
    let words = |changes: Vec<(Change, Finding)>| changes.iter().map(|it| it.0.word()).collect::<Vec<_>>();
    assert_eq!(words(watch.next(&found)), ["new"]);
    assert_eq!(words(watch.next(&found)), [""; 0]);
    let worse = [Finding { severity: Severity::Critical, ..found[0].clone() }];
    assert_eq!(words(watch.next(&worse)), ["changed"]);
    assert_eq!(words(watch.next(&[])), ["gone"]);
}

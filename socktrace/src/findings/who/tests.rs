//! Rows and closed sockets in, lines out.

use super::*;

const SECOND: u64 = 1_000_000_000;
/// 2026-11-22 14:05:00 UTC.
const NOW: UnixNs = 1_795_356_300 * SECOND;
const LOOK: Look = Look { now: NOW, local_offset_s: 0, past: 3, has_past: true };

fn rows(lines: &[&str]) -> Vec<Row> {
    let row = |line: &&str| Row::from_json(format!("{{\"proto\":\"tcp\",\"netns\":1,{line}}}").as_bytes());
    lines.iter().map(|line| row(line).unwrap()).collect()
}

fn past(lines: &[(&str, &str)]) -> Vec<Past> {
    let past = |(time, line): &(&str, &str)| {
        let line = format!("{{\"ts\":\"2026-11-22T{time}Z\",\"proto\":\"tcp\",\"netns\":1,{line}}}");
        Past::from_json(line.as_bytes())
    };
    lines.iter().map(|line| past(line).unwrap()).collect()
}

fn check(rows: &[Row], past: &[Past], expected: &str) {
    let target = Target::parse("8080", |_| None).unwrap();
    assert_eq!(lines(&target, &answer(rows, past), LOOK), expected);
}

const LISTENER: &str = r#""state":"LISTEN","recv_q":2,"send_q":128,"local_addr":"0.0.0.0","local_port":8080,"pid":4,"comm":"api","unit":"api.service","opened":"2026-11-22T14:00:00Z""#;

#[test]
fn who_holds_a_port() {
    let here = rows(&[
        LISTENER,
        r#""state":"ESTAB","local_addr":"10.0.0.1","local_port":8080,"peer_addr":"10.0.0.9","peer_port":1,"pid":4,"comm":"api""#,
        r#""state":"ESTAB","local_addr":"10.0.0.1","local_port":8080,"peer_addr":"10.0.0.9","peer_port":2,"pid":4,"comm":"api""#,
        r#""state":"ESTAB","local_addr":"10.0.0.1","local_port":8080,"peer_addr":"10.0.0.8","peer_port":2,"pid":4,"comm":"api""#,
        r#""state":"TIME-WAIT","local_addr":"10.0.0.1","local_port":8080,"peer_addr":"10.0.0.7","peer_port":2,"timer":{"kind":"timewait","expires_ms":40100,"retrans":0}"#,
    ]);
    check(
        &here,
        &[],
        "\
now     tcp LISTEN 0.0.0.0:8080  api[4] api.service  queue 2 of 128  for 5m00s
        tcp 3 ESTAB  api[4]  with 10.0.0.9 (2), 10.0.0.8 (1)
        tcp 1 TIME-WAIT  free in 41 s, at once with SO_REUSEADDR  with 10.0.0.7
before  nothing is known
",
    );
    check(
        &[],
        &[],
        "\
now     nobody holds port 8080 here; connections to that port: socktrace ss -tun 'dport = :8080'
before  nothing is known
",
    );
}

#[test]
fn who_held_it_and_who_could_not_have_it() {
    let closed = |port: u16, at: &'static str| {
        let line = format!(
            r#""event":"close","local_addr":"10.0.0.1","local_port":8080,"peer_addr":"10.0.0.9","peer_port":{port},"pid":3,"comm":"old","closed_first":"local","opened":"2026-11-22T14:01:00Z""#
        );
        (at, line)
    };
    let closes = [closed(1, "14:02:00"), closed(2, "14:02:01")];
    let mut then: Vec<(&str, &str)> = closes.iter().map(|(at, line)| (*at, line.as_str())).collect();
    then.push((
        "14:02:11",
        r#""event":"close","local_addr":"0.0.0.0","local_port":8080,"pid":3,"comm":"old","opened":"2026-11-22T12:02:11Z""#,
    ));
    let bind = r#""event":"bind","local_addr":"0.0.0.0","local_port":8080,"pid":9,"comm":"new","error":"EADDRINUSE""#;
    then.extend([("14:02:10", bind), ("14:02:30", bind), ("14:04:00", bind)]);
    let waits = rows(&[
        r#""state":"TIME-WAIT","local_addr":"10.0.0.1","local_port":8080,"peer_addr":"10.0.0.9","peer_port":2,"timer":{"kind":"timewait","expires_ms":900,"retrans":0}"#,
    ]);
    check(
        &waits,
        &past(&then),
        "\
now     tcp 1 TIME-WAIT  old[3]  free in 1 s, at once with SO_REUSEADDR  with 10.0.0.9
before  until 2026-11-22 14:02:11  tcp old[3]  listened on 0.0.0.0:8080 for 2h00m
        until 2026-11-22 14:02:01  tcp old[3]  2 connections with 10.0.0.9 within 1m01s
failed  2026-11-22 14:04:00  tcp new[9]  bind 0.0.0.0:8080 EADDRINUSE
        2026-11-22 14:02:30  tcp new[9]  bind 0.0.0.0:8080 EADDRINUSE: held by old[3] (TIME-WAIT 10.0.0.1:8080)
        2026-11-22 14:02:10  tcp new[9]  bind 0.0.0.0:8080 EADDRINUSE: held by old[3] (LISTEN 0.0.0.0:8080)
",
    );
}

#[test]
fn whom_a_bind_met_is_one_who_was_there_at_that_moment() {
    let failed = |at, local: &str, proto: &str| {
        let line = format!(
            r#"{{"ts":"2026-11-22T{at}Z","proto":"{proto}","netns":1,"event":"bind","local_addr":"{local}","local_port":8080,"pid":9,"comm":"new","error":"EADDRINUSE"}}"#
        );
        Past::from_json(line.as_bytes()).unwrap()
    };
    let here = rows(&[LISTENER]);
    for (at, local, proto, met) in [
        ("14:04:00", "10.0.0.1", "tcp", true),
        ("14:04:00", "0.0.0.0", "tcp", true),
        ("14:04:00", "::", "tcp", true),
        ("14:04:00", "10.0.0.1", "udp", false),
        ("13:59:59", "10.0.0.1", "tcp", false),
    ] {
        let answer = answer(&here, &[failed(at, local, proto)]);
        assert_eq!(answer.failed[0].met.is_some(), met, "{at} {local} {proto}");
    }
    let elsewhere = rows(&[LISTENER.replace("0.0.0.0", "127.0.0.1").as_str()]);
    assert_eq!(answer(&elsewhere, &[failed("14:04:00", "10.0.0.1", "tcp")]).failed[0].met, None);
}

#[test]
fn as_json() {
    let line = json(&answer(&rows(&[LISTENER]), &[]));
    let object: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(
        object,
        serde_json::json!({
            "when": "now", "proto": "tcp", "state": "LISTEN", "local_addr": "0.0.0.0", "local_port": 8080, "netns": 1,
            "pid": 4, "comm": "api", "unit": "api.service", "sockets": 1, "queue": 2, "backlog": 128,
            "opened": "2026-11-22T14:00:00.000000000Z",
        })
    );
}

#[test]
fn the_past_is_cut_for_people() {
    let lines_of: Vec<(String, String)> = (0..5)
        .map(|pid| {
            let line = format!(
                r#""event":"close","local_addr":"0.0.0.0","local_port":8080,"pid":{pid},"comm":"x","opened":"2026-11-22T14:00:00Z""#
            );
            (format!("14:02:0{pid}"), line)
        })
        .collect();
    let then: Vec<_> = lines_of.iter().map(|(at, line)| (at.as_str(), line.as_str())).collect();
    let target = Target::parse("8080", |_| None).unwrap();
    let text = lines(&target, &answer(&[], &past(&then)), LOOK);
    assert_eq!(text.lines().last(), Some("        and 2 lines (--all)"), "{text}");
    assert_eq!(text.lines().count(), 5, "{text}");
}

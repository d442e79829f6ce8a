//! History in another order, counted, and by columns.

use super::*;

#[test]
fn ends_are_ordered_counted_and_shown_by_the_columns_that_are_asked_for() {
    if !may_trace("ends_are_ordered_counted_and_shown_by_the_columns_that_are_asked_for") {
        return;
    }
    let agent = Agent::start(&[]);
    let (actor, port) = connection("arranged");
    let filter = format!("netns = {} and port = {port} and not state listening", actor.netns());
    let rows = |words: &[&str]| {
        let said = ask(&[&["--agent", agent.path(), "-tn", &filter], words].concat());
        let row = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        said.stdout.lines().map(row).collect::<Vec<_>>()
    };
    let sent = rows(&["--columns", "sent,received,process", "--sort", "sent"]);
    assert_eq!(sent[0], ["Sent", "Received", "Process"]);
    let numbers: Vec<u64> = sent[1..].iter().filter_map(|row| row[0].parse().ok()).collect();
    assert!(numbers.len() == 2 && numbers.is_sorted_by(|a, b| a >= b), "{sent:?}");
    assert_eq!(sent.last().unwrap()[..2], ["-", "-"], "a listener sends nothing: {sent:?}");
    let back = rows(&["--columns", "sent", "--sort", "-sent"]);
    assert_eq!(back[1][0], numbers[1].to_string());
    assert_eq!(rows(&["--sort", "-time", "--top", "1"]).len(), 2);
    let pid = actor.pid().to_string();
    assert_eq!(rows(&["--count-by", "proto,pid"]), [vec!["Count", "proto", "pid"], vec!["3", "tcp", &pid]]);
    let array = ask(&["--agent", agent.path(), "-tn", &filter, "--json=array"]).stdout;
    assert_eq!(serde_json::from_str::<Vec<Value>>(&array).unwrap().len(), 3, "{array}");
    for (words, expected) in [
        (&["--sort", "size"][..], "unknown column \"size\"; choose from time, event, lifetime, proto"),
        (&["--count-by", "time"], "unknown column \"time\"; choose from event, proto, family, local"),
        (&["--count-by", "pid", "--sort", "pid"], "cannot be used with"),
    ] {
        let said = run(&[&["history"], words].concat());
        assert!(said.code == Some(2) && said.stderr.contains(expected), "{words:?}: {}", said.stderr);
    }
}

#[test]
fn following_goes_on_with_what_closes_and_misses_nothing() {
    if !may_trace("following_goes_on_with_what_closes_and_misses_nothing") {
        return;
    }
    let agent = Agent::start(&[]);
    let mut actor = Actor::alone("followed");
    let port = actor.does("listen 127.0.0.1");
    let connect = |actor: &mut Actor, count: u32| {
        let mut server = actor.beside("server");
        let server_port = server.does("listen 127.0.0.1");
        server.begins(&format!("accept-many {count}"));
        actor.does(&format!("connect-many 127.0.0.1 {server_port} {count}"));
        server.answer();
    };
    let filter = format!("netns = {} and comm = followed", actor.netns());
    connect(&mut actor, 3);
    let follow = |words: &[&str]| {
        let all = [&["history", "--agent", agent.path(), "--follow", "--json", &filter], words].concat();
        Running::start(&all)
    };
    // What was before comes first if it is asked for, and then what closes, each once.
    let (old, new) = (follow(&["--since", "1h"]), follow(&[]));
    for _ in 0..3 {
        assert!(old.line().unwrap().contains("\"close\""));
    }
    connect(&mut actor, 200);
    let cookies = |running: &Running| {
        let cookie = |_| {
            let line: Value = serde_json::from_str(&running.line().unwrap()).unwrap();
            line["cookie"].as_u64().unwrap()
        };
        (0..200).map(cookie).collect::<std::collections::BTreeSet<_>>()
    };
    let after = cookies(&old);
    assert_eq!(after.len(), 200);
    // The second may have begun before the first three were recorded as closed.
    let (rest, status) = new.finish();
    let seen: std::collections::BTreeSet<_> = rest
        .iter()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["cookie"].as_u64().unwrap())
        .collect();
    assert_eq!(rest.len(), seen.len(), "nothing twice");
    assert!(status.success(), "{status:?}");
    assert!(!port.is_empty());
    let (rest, status) = old.finish();
    assert!(rest.is_empty() && status.success(), "{rest:?} {status:?}");
    for words in
        [["--follow", "--until", "1h"], ["--follow", "--sort", "time"], ["--follow", "--json=array", "-t"]]
    {
        let said = run(&[&["history"][..], &words].concat());
        assert_eq!(said.code, Some(2), "{words:?}: {}", said.stderr);
    }
}

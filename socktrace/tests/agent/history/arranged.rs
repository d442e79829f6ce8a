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

//! Events come in the order of their times.

use super::Agent;
use crate::support::actor::Actor;
use crate::support::{may_trace, wait_for};
use serde_json::Value;

/// How often a program looks for a name service that is not there, and connects then.
const ROUNDS: usize = 200;
const CHURN: u32 = 3000;

#[test]
fn a_unix_connect_that_must_be_looked_up_does_not_come_after_what_followed_it() {
    if !may_trace("a_unix_connect_that_must_be_looked_up_does_not_come_after_what_followed_it") {
        return;
    }
    let agent = Agent::start(&[]);
    let events = agent.events(&["--states"]);
    let mut server = Actor::alone("o-server");
    let port = server.does("listen 127.0.0.1");
    let mut churning = server.beside("o-churn");
    let mut client = server.beside("o-client");
    server.begins(&format!("accept-many {}", CHURN as usize + ROUNDS));
    churning.begins(&format!("connect-many 127.0.0.1 {port} {CHURN}"));
    for _ in 0..ROUNDS {
        client.does("make unix-stream");
        assert!(client.does("connect-name @nobody").starts_with("error"));
        client.does(&format!("connect-many 127.0.0.1 {port} 1"));
        client.does("pair unix-dgram");
        client.does("drop-made");
    }
    assert_eq!(churning.answer(), "done");
    let status = agent.status();
    assert_eq!(status["events_lost"], 0, "{status}");
    // UNIX sockets whose ends are found by a look at the kernel's tables are among them.
    wait_for("a look through UNIX sockets", || {
        let mut rows = agent.rows();
        rows.all(|row| row["pid"] != client.pid() || row["family"] != "unix").then_some(())
    });
    let pid = client.pid();
    let (mut latest, mut failed, mut connected) = (String::new(), 0, 0);
    while failed < ROUNDS || connected < ROUNDS {
        let event = events.event(|_| true);
        assert_eq!(event["lost"], Value::Null, "{event}");
        let ts = event["ts"].as_str().unwrap();
        assert!(latest.as_str() <= ts, "after {latest}: {event}");
        latest = ts.to_owned();
        let is = |kind: &str, proto: &str| {
            event["pid"] == pid && event["event"] == kind && event["proto"] == proto
        };
        failed += usize::from(is("connect_failed", "unix"));
        connected += usize::from(is("connect", "tcp"));
        // What one process does one after the other is in its order.
        assert!((failed == connected) || (failed == connected + 1), "{failed}, {connected}: {event}");
    }
}

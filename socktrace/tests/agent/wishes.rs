//! What nobody wants to be told is not recorded either.

use super::{Agent, Churn};
use crate::support::actor::Actor;
use crate::support::{may_trace, wait_for};
use serde_json::json;

const COUNT: u64 = 1000;

/// Records that so many connections made, and whatever else happened on this machine meanwhile.
fn records(agent: &Agent) -> u64 {
    let seen = || agent.status()["events_seen"].as_u64().unwrap();
    let before = seen();
    Churn::begin(COUNT as u32).end();
    seen() - before
}

#[test]
fn the_birth_of_a_child_is_recorded_while_somebody_wants_states() {
    if !may_trace("the_birth_of_a_child_is_recorded_while_somebody_wants_states") {
        return;
    }
    let agent = Agent::start(&[]);
    for _ in 0..2 {
        let mut server = Actor::alone("a-server");
        let port = server.does("listen 127.0.0.1");
        // What others do on this machine may be more than a reader can take.
        let events = agent.events(&["--states", &format!("sport = :{port}")]);
        server.beside("a-client").does(&format!("connect 127.0.0.1 {port}"));
        let born = events.event(|event| event["netns"] == server.netns() && event["old_state"] == "LISTEN");
        assert_eq!((&born["event"], &born["state"]), (&json!("state"), &json!("SYN-RECV")), "{born}");
        let wanted = (0..3).map(|_| records(&agent)).min().unwrap();
        drop(events);
        // The agent learns that its reader has left when it next tells it something. Others on this machine only make
        // records more.
        wait_for("a round without births", || (records(&agent) + COUNT * 9 / 10 < wanted).then_some(()));
    }
    // A reader of something else changes nothing.
    let _events = agent.events(&["--kinds", "close"]);
    let wanted = {
        let _states = agent.events(&["--states"]);
        records(&agent)
    };
    wait_for("a round without births", || (records(&agent) + COUNT * 9 / 10 < wanted).then_some(()));
}

//! Churn: everything is told, and the table is right afterwards.

use super::{Agent, Churn};
use crate::support::{may_trace, wait_for};

#[test]
fn churn_is_told_completely_and_the_table_is_right_afterwards() {
    if !may_trace("churn_is_told_completely_and_the_table_is_right_afterwards") {
        return;
    }
    // Where the machine has other things to do, agent or reader may be too slow. That is told and counted: once more.
    assert!((0..3).any(|_| churn_is_told_completely()), "something was lost each time");
}

/// Whether nothing was lost; what was lost has been told, and the table is right in any case.
fn churn_is_told_completely() -> bool {
    const COUNT: usize = 20_000;
    // An unoptimised build reads slower than the churn writes; it gets room for all of it.
    let ring_size = if cfg!(debug_assertions) { 1 << 27 } else { 1 << 24 };
    let agent = Agent::start(&["--ring-size", &u32::to_string(&ring_size)]);
    let events = agent.events(&["--kinds", "accept,close", "-t"]);
    let mut churn = Churn::begin(COUNT as u32);
    let netns = churn.server.netns();
    churn.end();
    let (mut accepts, mut closes, mut told) = (0, 0, None);
    while accepts < COUNT || closes < 2 * COUNT {
        let event = events.event(|event| event["netns"] == netns || event["event"] == "lost");
        match event["event"].as_str() {
            Some("accept") => {
                accepts += 1;
                assert_eq!(event["pid"], churn.server.pid(), "{event}");
            }
            Some("close") => closes += 1,
            Some("lost") => {
                told = event["by"].as_str().map(str::to_owned);
                break;
            }
            _ => panic!("{event} of {}", agent.status()),
        }
    }
    agent.is_right(&churn.server);
    let counted = agent.status()["events_lost"].as_u64().unwrap();
    match told.as_deref() {
        Some("kernel") => assert!(counted > 0, "told, but not counted"),
        Some(_) => {}
        None => assert_eq!((accepts, closes), (COUNT, 2 * COUNT)),
    }
    told.is_none() && counted == 0
}

#[test]
fn an_agent_that_starts_in_the_middle_of_churn_is_right_afterwards() {
    if !may_trace("an_agent_that_starts_in_the_middle_of_churn_is_right_afterwards") {
        return;
    }
    let mut churn = Churn::begin(20_000);
    let agent = Agent::start(&[]);
    churn.end();
    agent.is_right(&churn.server);
    // And it knows whose the listener is, which was there before it.
    let rows = agent.rows();
    let netns = churn.server.netns();
    let listener = rows.filter(|row| row["netns"] == netns).find(|row| row["state"] == "LISTEN").unwrap();
    assert_eq!(listener["pid"], churn.server.pid(), "{listener}");
    assert_eq!(listener["attribution"], "holder", "{listener}");
}

#[test]
fn loss_is_told_and_repaired() {
    if !may_trace("loss_is_told_and_repaired") {
        return;
    }
    let agent = Agent::start(&["--ring-size", "4096"]);
    let events = agent.events(&["--kinds", "resync"]);
    let mut churn = Churn::begin(20_000);
    let lost = events.event(|event| event["event"] == "lost");
    assert!(lost["lost"].as_u64().unwrap() > 0, "{lost}");
    // How soon is a matter of the machine's load, and so of a benchmark.
    events.event(|event| event["event"] == "resync");
    churn.end();
    agent.is_right(&churn.server);
    let status = agent.status();
    assert!(
        status["events_lost"].as_u64().unwrap() > 0 && status["resyncs"].as_u64().unwrap() > 0,
        "{status}"
    );
    assert_eq!(status["drift"], 0, "{status}");
    // Every record is accounted for, family by family; somebody else on this machine may just have made one.
    wait_for("the balance", || {
        let families = agent.status()["families"].clone();
        let number = |family: &str, key: &str| families[family][key].as_u64().unwrap();
        let balance =
            |family: &&str| number(family, "seen") == number(family, "delivered") + number(family, "lost");
        let all = ["state", "call", "inet"];
        assert!(all.iter().all(|family| number(family, "seen") > 0), "{families}");
        assert!(number("state", "lost") > 0, "{families}");
        all.iter().all(balance).then_some(())
    });
}

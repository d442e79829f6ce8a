//! How the agent's cost grows with its subscribers: with the events that match, not with subscribers times events.

use anyhow::Result;

use super::Bench;
use super::agent::Agent;
use super::load::{Churn, Traffic};
use super::measure::cpu_ns;
use super::row::Row;

const CONNECTIONS: u32 = 100_000;

/// 0, 1, 10 and 100 subscribers, each with a filter of its own that no event passes; then as many that get everything.
pub(super) fn run(bench: &Bench) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for count in [0, 1, 10, 100] {
        let query = |n: u32| format!("filter=dport+%3D+:{}", 1 + n);
        rows.push(Row::new(
            format!("{count} subscribers, nothing matches"),
            "ns/event",
            cost(bench, count, &query)?,
        ));
    }
    for count in [1, 10] {
        let row = Row::new(
            format!("{count} subscribers, all matches"),
            "ns/event",
            cost(bench, count, &|_| String::new())?,
        );
        rows.push(row);
    }
    Ok(rows)
}

fn cost(bench: &Bench, count: u32, query: &dyn Fn(u32) -> String) -> Result<f64> {
    let agent = Agent::start(bench, None)?;
    let mut subscribers = Vec::new();
    for n in 0..count {
        subscribers.push(agent.subscribe(&query(n), None)?);
    }
    let churn = Churn { traffic: Traffic::Tcp, count: bench.scaled(CONNECTIONS), threads: 1, core: None };
    let (seen, cpu) = (agent.settled()?, cpu_ns(agent.pid())?);
    churn.run()?;
    let now = agent.settled()?;
    let cost = (cpu_ns(agent.pid())? - cpu) / (now - seen);
    for subscriber in subscribers {
        subscriber.stop()?;
    }
    Ok(cost)
}

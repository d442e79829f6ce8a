//! Connections at full speed, untraced and traced in turn; what the agent spends on each event; whether any was lost.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::Bench;
use super::agent::{Agent, Told};
use super::load::{Background, Churn, Traffic, note};
use super::measure::{cpu_ns, median};
use super::row::Row;

const CONNECTIONS: u32 = 50_000;
/// Rounds for each pair of runs that was asked for: many short ones, because how fast an untraced load is changes by a third
/// within seconds where other machines share the processors.
const ROUNDS: usize = 4;
/// How long nothing may be lost.
const LONG: Duration = Duration::from_secs(60);
/// How long the idle agent is watched.
const IDLE: Duration = Duration::from_secs(10);

/// Rates, costs and losses.
pub(super) fn run(bench: &Bench) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    // The agent and the reader have the other processor; without one, load, agent and reader share what there is.
    let (apart, shared) = (Some(0), None);
    for (name, traffic, threads, core) in [
        ("TCP, 1 thread", Traffic::Tcp, 1, apart),
        ("TCP, 2 threads", Traffic::Tcp, 2, apart),
        ("TCP, 2 threads on all processors", Traffic::Tcp, 2, shared),
        ("UDP, 1 thread", Traffic::Udp, 1, apart),
        ("UDP, 2 threads", Traffic::Udp, 2, apart),
    ] {
        let count = bench.scaled(CONNECTIONS) / threads as u32;
        rows.extend(traced(bench, name, Churn { traffic, count, threads, core })?);
    }
    let agent = Agent::start(bench, None)?;
    agent.settled()?;
    let (cpu, begun) = (cpu_ns(agent.pid())?, Instant::now());
    std::thread::sleep(IDLE);
    let share = (cpu_ns(agent.pid())? - cpu) / begun.elapsed().as_nanos() as f64 * 100.0;
    rows.push(Row::new("idle agent", "% of a core", share).at_most(0.1));
    drop(agent);
    rows.push(long(bench, Traffic::Tcp)?);
    rows.push(long(bench, Traffic::Udp)?);
    Ok(rows)
}

/// One kind of traffic.
fn traced(bench: &Bench, name: &str, churn: Churn) -> Result<Vec<Row>> {
    let (mut untraced, mut alone, mut subscribed) = (Vec::new(), Vec::new(), Vec::new());
    let (mut cost_alone, mut cost_subscribed, mut kept) = (Vec::new(), Vec::new(), Vec::new());
    let mut lost = 0.0;
    let reader = churn.core.map(|core| core + 1);
    for _ in 0..bench.runs * ROUNDS {
        let before = churn.run()?;
        let agent = Agent::start(bench, reader)?;
        let (rate, cost) = cost_of(&agent, churn)?;
        alone.push(rate);
        cost_alone.push(cost);
        let subscriber = agent.subscribe("", reader)?;
        let (rate, cost) = cost_of(&agent, churn)?;
        subscribed.push(rate);
        kept.push(rate / before);
        untraced.push(before);
        cost_subscribed.push(cost);
        lost += agent.status("events_lost")? + subscriber.stop()?.lost as f64;
    }
    let untraced = median(untraced);
    let row = |what: &str, unit, value| Row::new(format!("{name}: {what}"), unit, value);
    let both = row("rate with agent and subscriber", "/s", median(subscribed)).peer("untraced", untraced);
    Ok(vec![
        row("rate with agent", "/s", median(alone)).peer("untraced", untraced),
        if reader.is_some() { both.keeps(median(kept), 0.9) } else { both },
        row("agent, processor time for each event", "ns", median(cost_alone)).at_most(1500.0),
        row("the same with a subscriber", "ns", median(cost_subscribed)).at_most(3000.0),
        row("lost", "events", lost).at_most(0.0),
    ])
}

/// Rate of the load, and the agent's nanoseconds for each event that it saw of it.
fn cost_of(agent: &Agent, churn: Churn) -> Result<(f64, f64)> {
    let (seen, cpu) = (agent.settled()?, cpu_ns(agent.pid())?);
    let rate = churn.run()?;
    let now = agent.settled()?;
    Ok((rate, (cpu_ns(agent.pid())? - cpu) / (now - seen)))
}

/// A minute of it: every record arrives, and the subscriber gets a line for every event.
fn long(bench: &Bench, traffic: Traffic) -> Result<Row> {
    let (name, query, lines_each) = match traffic {
        // connect, accept, and a close on each side.
        Traffic::Tcp => ("TCP connections", "proto=tcp&kinds=connect,accept,close", 4.0),
        Traffic::Udp => ("UDP sockets", "proto=udp&kinds=open,close", 2.0),
        Traffic::Bind => ("bound UDP sockets", "proto=udp&kinds=bind,close", 2.0),
    };
    let agent = Agent::start(bench, Some(1))?;
    let subscriber = agent.subscribe(query, Some(1))?;
    let most = LONG / bench.divide.max(1);
    let load = Background::of(traffic, most);
    std::thread::sleep(most);
    let count = load.stop()?;
    agent.settled()?;
    let lost = agent.status("events_lost")?;
    let Told { lines, lost: untold } = subscriber.stop()?;
    note(&format!("{count} {name} in {} s, {lines} lines", most.as_secs()));
    // The subscriber may receive others' as well.
    let missing = (lines_each * count as f64 - lines as f64).max(0.0);
    let what = format!("{} s at full speed, {count} {name}: lost or untold", most.as_secs());
    Ok(Row::new(what, "events", lost.max(untold as f64).max(missing)).at_most(0.0))
}

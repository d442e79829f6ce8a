//! Questions while everything happens at once: none may be slow, and none may cost an event.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::agent::Agent;
use super::load::{Background, Held, Traffic, note};
use super::measure::{median, quantile};
use super::row::Row;
use super::{Bench, Peers};

const SOCKETS: u32 = 100_000;
/// Some five seconds of them, within which an audit falls.
const QUESTIONS: u32 = 20_000;

/// One socket many times, everything a few times.
pub(super) fn run(bench: &Bench, peers: &Peers) -> Result<Vec<Row>> {
    let sockets = bench.scaled(SOCKETS);
    note(&format!("opening {sockets} sockets"));
    let held = Held::sockets(sockets)?;
    let port = super::ss::lonely_port(peers)?;

    let agent = Agent::start(bench, None)?;
    let load = Background::of(Traffic::Tcp, Duration::from_secs(120));
    let mut one = Vec::new();
    for _ in 0..bench.scaled(QUESTIONS) {
        one.push(asked(&agent, &format!("/v1/sockets?tables=tcp&show=numeric&filter=sport+%3D+:{port}"))?);
    }
    let mut all = Vec::new();
    for _ in 0..bench.runs {
        all.push(asked(&agent, "/v1/sockets?tables=tcp&states=all&show=numeric")?);
    }
    let connections = load.stop()?;
    agent.settled()?;
    let lost = agent.status("events_lost")?;
    drop(held);
    note(&format!("{connections} connections meanwhile"));
    Ok(vec![
        Row::new("one socket under churn, median", "ms", median(one.clone())),
        Row::new("one socket under churn, 99 of 100", "ms", quantile(one, 0.99)).at_most(10.0),
        Row::new(format!("{sockets} sockets as JSON under churn"), "ms", median(all)).at_most(250.0),
        Row::new("lost meanwhile", "events", lost).at_most(0.0),
    ])
}

fn asked(agent: &Agent, path: &str) -> Result<f64> {
    let begun = Instant::now();
    let body = agent.get(path)?;
    if body.is_empty() {
        anyhow::bail!("{path}: an empty answer");
    }
    Ok(begun.elapsed().as_secs_f64() * 1e3)
}

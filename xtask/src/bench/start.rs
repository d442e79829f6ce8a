//! From exec to a seeded table.

use std::process::Command;

use anyhow::Result;

use super::Bench;
use super::agent::Agent;
use super::load::{Held, note};
use super::measure::{median, paired};
use super::row::Row;

const SOCKETS: u32 = 100_000;
const DESCRIPTORS: u32 = 515_000;

/// The program alone, the agent with nothing to seed, the agent with much.
pub(super) fn run(bench: &Bench) -> Result<Vec<Row>> {
    let mut version = Command::new(&bench.socktrace);
    version.arg("--version");
    let version = paired(&[version, Command::new("true")], bench.runs)?;
    let [ours, nothing] = <[_; 2]>::try_from(version).map_err(|_| anyhow::anyhow!("a run is missing"))?;
    let mut rows =
        vec![Row::new("socktrace --version", "ms", ours.wall_ms).limit("true", nothing.wall_ms).at_most(3.0)];

    rows.push(Row::new("agent ready, nothing else there", "ms", ready(bench)?));
    let (sockets, descriptors) = (bench.scaled(SOCKETS), bench.scaled(DESCRIPTORS));
    note(&format!("opening {sockets} sockets and {descriptors} descriptors"));
    let held = (Held::sockets(sockets)?, Held::descriptors(descriptors)?);
    let what = format!("agent ready, {sockets} sockets, {descriptors} descriptors");
    rows.push(Row::new(what, "ms", ready(bench)?).at_most(500.0));
    drop(held);
    Ok(rows)
}

fn ready(bench: &Bench) -> Result<f64> {
    let mut taken = Vec::new();
    for _ in 0..bench.runs {
        taken.push(Agent::start(bench, None)?.ready_ms);
    }
    Ok(median(taken))
}

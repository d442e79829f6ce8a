//! Memory for each socket in the agent's table.

use anyhow::Result;

use super::Bench;
use super::agent::Agent;
use super::load::{Held, note};
use super::measure::rss_kib;
use super::row::Row;

const SOCKETS: u32 = 200_000;

/// The agent without sockets, and another that was started with many.
pub(super) fn run(bench: &Bench) -> Result<Vec<Row>> {
    let few = Agent::start(bench, None)?;
    few.settled()?;
    let (none, before) = (rss_kib(few.pid())?, few.status("sockets")?);
    drop(few);

    let sockets = bench.scaled(SOCKETS);
    note(&format!("opening {sockets} sockets"));
    let held = Held::sockets(sockets)?;
    let many = Agent::start(bench, None)?;
    many.settled()?;
    let (seeded, after) = (rss_kib(many.pid())?, many.status("sockets")?);
    drop(many);
    drop(held);

    // The same number, but opened, and reported, while the agent looks on.
    let many = Agent::start(bench, None)?;
    let held = Held::sockets(sockets)?;
    many.settled()?;
    let (watched, seen) = (rss_kib(many.pid())?, many.status("sockets")?);
    drop((many, held));

    let each = |kib: f64, count: f64| (kib - none) * 1024.0 / (count - before);
    Ok(vec![
        Row::new("agent without sockets", "MiB", none / 1024.0),
        Row::new(format!("agent started with {sockets}"), "MiB", seeded / 1024.0).at_most(100.0),
        Row::new("for each of them", "bytes", each(seeded, after)).at_most(300.0),
        Row::new(format!("agent that saw {sockets} open"), "MiB", watched / 1024.0).at_most(100.0),
        Row::new("for each of them", "bytes", each(watched, seen)).at_most(300.0),
    ])
}

//! `cargo xtask soak`: millions of connections past one agent, and whether anything of it grows.
//!
//! The load, the agent and the tables are those of the benchmarks. What is sampled is judged by [`judge`], which reads
//! nothing.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use super::agent::Agent;
use super::load::{self, Background, note};
use super::measure::{number_after, rss_kib};
use super::row::{self, Row};
use super::{Bench, machine};
use crate::{setup, sh};

/// How far the memory of the last quarter may be from that of the first.
const FLAT: f64 = 0.05;
/// The first tenth is not judged: the history fills, and memory that is used for the first time is not growth.
const WARMING: u64 = 10;
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(250);
/// How long the table, the descriptors and a loss have to come right after the load.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(30);

/// How long, and where the figures go.
#[derive(Debug, clap::Args)]
pub(crate) struct Soak {
    /// Connections that come and go
    #[arg(long, value_name = "N", default_value_t = 5_000_000)]
    connections: u64,
    /// Write the figures to this file too, as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// One look at the agent.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
struct Look {
    /// Connections until now.
    connections: u64,
    rss_kib: f64,
    descriptors: u64,
    /// Sockets of our namespace in the agent's table.
    sockets: u64,
    maps: u64,
    maps_kib: u64,
}

/// What was lost, and what was reported and done about it.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
struct Losses {
    lost: u64,
    reported: u64,
    resyncs: u64,
}

impl Soak {
    /// Run, print, and fail if a goal is missed.
    pub(crate) fn run(&self) -> Result<()> {
        setup::tests()?;
        let bench = Bench::built(1, 1)?;
        sh::many_files();
        load::own_namespace()?;
        let machine = machine()?;
        println!("{machine}");
        let rows = self.soak(&bench)?;
        print!("{}", row::table(&rows));
        if let Some(file) = &self.json {
            std::fs::write(file, row::json(&machine, &rows)?)
                .with_context(|| format!("cannot write {}", file.display()))?;
        }
        let missed = rows.iter().flat_map(|row| &row.goals).filter(|goal| !goal.met).count();
        if missed > 0 {
            bail!("{missed} goals missed");
        }
        Ok(())
    }

    fn soak(&self, bench: &Bench) -> Result<Vec<Row>> {
        let agent = Agent::start(bench, None)?;
        agent.settled()?;
        // Few events are of this kind, and a subscriber receives every loss.
        let subscriber = agent.subscribe("proto=tcp&kinds=connect_failed", None)?;
        let begun = Instant::now();
        let before = look(&agent, 0)?;
        let load = Background::connections(self.connections);
        let (mut looks, mut told) = (Vec::new(), 0);
        while load.runs() {
            std::thread::sleep(PAUSE);
            let now = look(&agent, load.done())?;
            if now.connections * 10 / self.connections > told {
                told = now.connections * 10 / self.connections;
                note(&format!("{} connections, {:.0} KiB", now.connections, now.rss_kib));
            }
            looks.push(now);
        }
        let connections = load.stop()?;
        let seconds = begun.elapsed().as_secs_f64();
        agent.settled()?;
        let mut after = look(&agent, connections)?;
        let mut losses = Losses::default();
        let ended = Instant::now();
        loop {
            losses.lost = agent.status("events_lost")? as u64;
            losses.resyncs = agent.status("resyncs")? as u64;
            if (is_back(&before, &after) && (losses.lost == 0 || losses.resyncs > 0))
                || ended.elapsed() > SETTLE_TIMEOUT
            {
                break;
            }
            std::thread::sleep(PAUSE);
            after = look(&agent, connections)?;
        }
        losses.reported = subscriber.stop()?.lost;
        let mut rows =
            vec![Row::new(format!("{connections} connections"), "/s", connections as f64 / seconds)];
        rows.extend(judge(before, &looks, after, losses)?);
        Ok(rows)
    }
}

fn look(agent: &Agent, connections: u64) -> Result<Look> {
    let ours = std::fs::metadata("/proc/thread-self/ns/net")?.ino();
    let of_ours = format!("\"netns\":{ours}");
    let table = String::from_utf8(agent.get("/v1/table")?)?;
    let maps = maps(agent.pid())?;
    Ok(Look {
        connections,
        rss_kib: rss_kib(agent.pid())?,
        descriptors: std::fs::read_dir(format!("/proc/{}/fd", agent.pid()))?.count() as u64,
        sockets: table.lines().filter(|line| line.contains(&of_ours)).count() as u64,
        maps: maps.len() as u64,
        maps_kib: maps.values().sum::<u64>() / 1024,
    })
}

/// The BPF maps that a process holds, by number: what each takes, bytes.
fn maps(pid: u32) -> Result<BTreeMap<u64, u64>> {
    let mut maps = BTreeMap::new();
    for descriptor in std::fs::read_dir(format!("/proc/{pid}/fdinfo"))? {
        // A descriptor that has just been closed holds nothing.
        let Ok(text) = std::fs::read_to_string(descriptor?.path()) else { continue };
        if let Some(map) = number_after(&text, "map_id:") {
            maps.insert(map, number_after(&text, "memlock:").unwrap_or(0));
        }
    }
    Ok(maps)
}

/// Whether what the load took has been given back.
fn is_back(before: &Look, after: &Look) -> bool {
    after.sockets == before.sockets && after.descriptors <= before.descriptors
}

/// The looks of each quarter of what comes after the first tenth.
fn quarters(looks: &[Look], connections: u64) -> Result<[Vec<Look>; 4]> {
    let begin = connections / WARMING;
    let each = ((connections - begin) / 4).max(1);
    let mut quarters: [Vec<Look>; 4] = Default::default();
    for look in looks.iter().filter(|look| look.connections >= begin) {
        let quarter = usize::try_from((look.connections - begin) / each)?.min(3);
        quarters.get_mut(quarter).context("there are four")?.push(*look);
    }
    if let Some(few) = quarters.iter().map(Vec::len).min().filter(|few| *few < 3) {
        bail!("a quarter with {few} looks at the agent says nothing: more connections, please");
    }
    Ok(quarters)
}

fn judge(before: Look, looks: &[Look], after: Look, losses: Losses) -> Result<Vec<Row>> {
    let quarters = quarters(looks, after.connections)?;
    let mean =
        |looks: &Vec<Look>| looks.iter().map(|look| look.rss_kib).sum::<f64>() / looks.len() as f64 / 1024.0;
    let [first, second, third, last] = quarters.each_ref().map(mean);
    let most = |of: fn(&Look) -> u64| looks.iter().map(of).max().unwrap_or(0) as f64;
    let row = |what: &str, unit, value| Row::new(what, unit, value);
    let told = row("records lost and reported", "", losses.reported as f64)
        .peer("lost", losses.lost as f64)
        .keeps_to_peer(0.0);
    let repairs = row("comparisons with the kernel's table after losses", "", losses.resyncs as f64);
    Ok(vec![
        row("memory, before", "MiB", before.rss_kib / 1024.0),
        row("memory, 1st quarter", "MiB", first),
        row("memory, 2nd quarter", "MiB", second),
        row("memory, 3rd quarter", "MiB", third),
        row("memory, 4th quarter", "MiB", last).peer("1st quarter", first).keeps_to_peer(FLAT),
        row("descriptors, at most", "", most(|look| look.descriptors)),
        row("descriptors, after", "", after.descriptors as f64)
            .peer("before", before.descriptors as f64)
            .at_most(before.descriptors as f64),
        row("sockets of the load in the table, at most", "", most(|look| look.sockets)),
        row("sockets of the load in the table, after", "", after.sockets as f64)
            .peer("before", before.sockets as f64)
            .keeps_to_peer(0.0),
        row("BPF maps, after", "", after.maps as f64).peer("before", before.maps as f64).keeps_to_peer(0.0),
        row("memory of the maps, after", "KiB", after.maps_kib as f64)
            .peer("before", before.maps_kib as f64)
            .keeps_to_peer(0.0),
        told,
        if losses.lost > 0 { repairs.at_least(1.0) } else { repairs },
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Forty looks at a thousand connections; memory as given, by the number of the look.
    fn looks(rss_kib: impl Fn(u64) -> f64) -> Vec<Look> {
        (1..=40).map(|n| Look { connections: n * 25, rss_kib: rss_kib(n), ..STILL }).collect()
    }

    const STILL: Look =
        Look { connections: 1000, rss_kib: 0.0, descriptors: 40, sockets: 2, maps: 7, maps_kib: 99 };

    #[test]
    fn what_grows_is_found() {
        let check = |looks: &[Look], after: Look, losses: Losses, missed: &[&str]| {
            let rows = judge(STILL, looks, after, losses).unwrap();
            let of = |row: &&Row| row.goals.iter().any(|goal| !goal.met);
            assert_eq!(rows.iter().filter(of).map(|row| row.what.as_str()).collect::<Vec<_>>(), missed);
        };
        let none = Losses::default();
        let flat = looks(|_| 30_000.0);
        check(&flat, STILL, none, &[]);
        check(&looks(|n| if n < 4 { 9_000.0 } else { 30_000.0 }), STILL, none, &[]); // the first tenth
        check(&looks(|n| 30_000.0 + 20.0 * n as f64), STILL, none, &[]);
        check(&looks(|n| 30_000.0 + 100.0 * n as f64), STILL, none, &["memory, 4th quarter"]);
        check(&looks(|n| 30_000.0 - 100.0 * n as f64), STILL, none, &["memory, 4th quarter"]);
        check(&flat, Look { descriptors: 41, ..STILL }, none, &["descriptors, after"]);
        check(&flat, Look { descriptors: 39, ..STILL }, none, &[]);
        check(&flat, Look { sockets: 3, ..STILL }, none, &["sockets of the load in the table, after"]);
        check(&flat, Look { maps: 8, ..STILL }, none, &["BPF maps, after"]);
        check(&flat, Look { maps_kib: 100, ..STILL }, none, &["memory of the maps, after"]);
        check(&flat, STILL, Losses { lost: 5, reported: 5, resyncs: 1 }, &[]);
        check(&flat, STILL, Losses { lost: 5, reported: 4, resyncs: 1 }, &["records lost and reported"]);
        let unrepaired = Losses { lost: 5, reported: 5, resyncs: 0 };
        check(&flat, STILL, unrepaired, &["comparisons with the kernel's table after losses"]);
    }

    #[test]
    fn too_few_looks_are_no_proof() {
        let few: Vec<Look> = looks(|_| 1.0).into_iter().step_by(5).collect();
        assert!(judge(STILL, &few, STILL, Losses::default()).is_err());
    }
}

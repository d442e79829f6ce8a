//! Listings: the same command lines to the real ss, to ours, and a bare dump that only counts.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};

use super::agent::Agent;
use super::load::{Held, note};
use super::measure::{Run, paired};
use super::row::Row;
use super::{Bench, Peers};
use crate::sh;

const SOCKETS: u32 = 100_000;
const DESCRIPTORS: u32 = 515_000;

/// All listings of the table.
pub(super) fn run(bench: &Bench, peers: &Peers) -> Result<Vec<Row>> {
    let installed = sh::which("ss").context("no ss here")?;
    let mut rows = Vec::new();

    let [ss, ours] = both(bench, &peers.ss, &["-tln"])?;
    rows.push(
        Row::new("-tln, nothing else there", "ms", ours.wall_ms).peer("ss", ss.wall_ms).faster_than_peer(1.0),
    );

    let sockets = bench.scaled(SOCKETS);
    note(&format!("opening {sockets} sockets"));
    let held = Held::sockets(sockets)?;
    let commands = [line(&peers.ss, &["-tan"]), ours_direct(bench, &["-tan"]), line(&peers.floor, &["dump"])];
    let [ss, ours, dump] = take(paired(&commands, bench.runs)?)?;
    let row = Row::new(format!("-tan, {sockets} sockets"), "ms", ours.wall_ms);
    rows.push(row.peer("ss", ss.wall_ms).limit("dump", dump.wall_ms).faster_than_peer(3.0).near_limit(1.5));

    let [ss, ours] = both(bench, &peers.ss, &["-tani"])?;
    rows.push(
        Row::new(format!("-tani, {sockets} sockets"), "ms", ours.wall_ms)
            .peer("ss", ss.wall_ms)
            .faster_than_peer(3.0),
    );

    rows.extend(with_owners(
        bench,
        &installed,
        &peers.floor,
        &format!("-tanp, {sockets} sockets"),
        15.0,
        Some(2.5),
    )?);

    rows.extend(one_of_many(bench, peers, sockets)?);

    let descriptors = bench.scaled(DESCRIPTORS);
    note(&format!("opening {descriptors} descriptors"));
    let inherited = Held::descriptors(descriptors)?;
    let what = format!("-tanp, and {descriptors} descriptors");
    rows.extend(with_owners(bench, &installed, &peers.floor, &what, 40.0, None)?);
    drop((held, inherited));
    Ok(rows)
}

/// Time and memory of `-tanp`.
fn with_owners(
    bench: &Bench,
    ss: &Path,
    floor: &Path,
    what: &str,
    times: f64,
    near: Option<f64>,
) -> Result<Vec<Row>> {
    let commands = [
        line(ss, &["-tanp"]),
        ours_direct(bench, &["-tanp"]),
        line(floor, &["dump"]),
        line(floor, &["holders"]),
    ];
    let [peer, ours, dump, holders] = take(paired(&commands, bench.runs)?)?;
    let row =
        Row::new(what, "ms", ours.wall_ms).peer("ss as installed", peer.wall_ms).faster_than_peer(times);
    let row = row.limit("dump + iterator", dump.wall_ms + holders.wall_ms);
    let row = match near {
        Some(near) => row.near_limit(near),
        None => row,
    };
    let memory = Row::new(format!("{what}: peak memory"), "MiB", ours.rss_kib / 1024.0)
        .peer("ss as installed", peer.rss_kib / 1024.0);
    // The goal is for the sockets, not for whatever else processes have open.
    let memory = if near.is_some() { memory.at_most(60.0) } else { memory };
    Ok(vec![row, memory])
}

/// One socket by its port, from the table of an agent and by a dump of our own.
fn one_of_many(bench: &Bench, peers: &Peers, sockets: u32) -> Result<Vec<Row>> {
    let filter = format!("sport = :{}", lonely_port(peers)?);
    let words = ["-tn", &filter];
    let agent = Agent::start(bench, None)?;
    let mut asked = line(&bench.socktrace, &["ss", "--agent"]);
    asked.arg(&agent.socket).args(words);
    let commands = [line(&peers.ss, &words), asked, ours_direct(bench, &words)];
    let [ss, asked, direct] = take(paired(&commands, bench.runs)?)?;
    let what = |how: &str| format!("one of {sockets} by port, {how}");
    Ok(vec![
        Row::new(what("agent"), "ms", asked.wall_ms)
            .peer("ss", ss.wall_ms)
            .faster_than_peer(5.0)
            .at_most(3.0),
        Row::new(what("direct"), "ms", direct.wall_ms).peer("ss", ss.wall_ms).faster_than_peer(1.0),
    ])
}

/// A local port that one socket has and no other.
pub(super) fn lonely_port(peers: &Peers) -> Result<u16> {
    let rows = sh::read(Command::new(&peers.ss).arg("-tnH"))?;
    let port = |row: &str| row.split_whitespace().nth(3)?.rsplit_once(':')?.1.parse::<u16>().ok();
    let mut counts = BTreeMap::new();
    rows.lines().filter_map(port).for_each(|port| *counts.entry(port).or_insert(0) += 1);
    let lonely = counts.into_iter().find(|(_, count)| *count == 1);
    lonely.map(|(port, _)| port).context("no socket to ask for")
}

fn both(bench: &Bench, ss: &Path, words: &[&str]) -> Result<[Run; 2]> {
    take(paired(&[line(ss, words), ours_direct(bench, words)], bench.runs)?)
}

fn line(program: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(words);
    command
}

fn ours_direct(bench: &Bench, words: &[&str]) -> Command {
    let mut command = line(&bench.socktrace, &["ss", "--direct"]);
    command.args(words);
    command
}

fn take<const N: usize>(runs: Vec<Run>) -> Result<[Run; N]> {
    runs.try_into().map_err(|_| anyhow::anyhow!("a run is missing"))
}

//! What our kernel programs cost for each event, by the kernel's own statistics, beside tcpstates under the same load.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::Bench;
use super::agent::Agent;
use super::load::{Churn, Traffic, note};
use super::measure::{median, number_after};
use super::row::Row;
use crate::sh;

const CONNECTIONS: u32 = 50_000;
const SWITCH: &str = "/proc/sys/kernel/bpf_stats_enabled";

/// The load's processor, and that of whoever reads.
const CORES: [usize; 2] = [0, 1];

/// Every program that ran, the state change first. Ours and the peer's run in turn: each record of the peer's wakes its
/// reader by an interrupt, which would fall into our programs' time. Both readers have a processor of their own.
pub(super) fn run(bench: &Bench) -> Result<Vec<Row>> {
    let _statistics = Statistics::on()?;
    let (mut ours, mut theirs) = (Costs::default(), Costs::default());
    let (mut lost, mut peer_lost) = (0.0, 0.0);
    for _ in 0..bench.runs {
        let agent = Agent::start(bench, Some(CORES[1]))?;
        ours.of(agent.pid(), || {
            load(bench, Traffic::Tcp)?;
            load(bench, Traffic::Udp)?;
            load(bench, Traffic::Bind)?;
            agent.settled().map(drop)
        })?;
        lost += agent.status("events_lost")?;
        drop(agent);
        let peer = Peer::start()?;
        theirs.of(peer.0.id(), || load(bench, Traffic::Tcp))?;
        peer_lost += peer.lost()?;
    }
    // tcpstates has one program for each event too.
    let tcpstates = theirs.medians().first().map_or(f64::NAN, |(_, ns, _)| *ns);
    let mut rows = Vec::new();
    for (name, ns, runs) in ours.medians() {
        let row = Row::new(format!("{name}, {runs:.0} runs"), "ns", ns);
        rows.push(if name.starts_with("inet_sock_set_s") {
            row.peer("tcpstates", tcpstates).at_most(250.0).faster_than_peer(4.0)
        } else {
            row.at_most(400.0)
        });
    }
    rows.push(Row::new("lost meanwhile", "events", lost).peer("tcpstates", peer_lost));
    Ok(rows)
}

fn load(bench: &Bench, traffic: Traffic) -> Result<()> {
    Churn { traffic, count: bench.scaled(CONNECTIONS), threads: 1, core: Some(CORES[0]) }.run().map(drop)
}

/// By program: what a run cost in each round, and how many runs there were.
#[derive(Default)]
struct Costs(BTreeMap<String, (Vec<f64>, f64)>);

impl Costs {
    /// What the programs of that process cost under a load.
    fn of(&mut self, pid: u32, load: impl FnOnce() -> Result<()>) -> Result<()> {
        let before = programs()?;
        load()?;
        let after = programs()?;
        let ids = program_ids(pid)?;
        for (id, now) in after.iter().filter(|(id, _)| ids.contains(id)) {
            let then = before.get(id).cloned().unwrap_or_default();
            let runs = now.runs - then.runs;
            // A program that hardly ran says nothing about its cost.
            if runs > 1000.0 {
                let (costs, all) = self.0.entry(now.name.clone()).or_default();
                costs.push((now.ns - then.ns) / runs);
                *all += runs;
            }
        }
        Ok(())
    }

    /// Name, median cost, runs; what ran most comes first.
    fn medians(&self) -> Vec<(String, f64, f64)> {
        let of =
            |(name, (costs, runs)): (&String, &(Vec<f64>, f64))| (name.clone(), median(costs.clone()), *runs);
        let mut medians: Vec<_> = self.0.iter().map(of).collect();
        medians.sort_by(|a, b| b.2.total_cmp(&a.2));
        medians
    }
}

/// The programs that a process holds, by its descriptors (of programs and of their links).
fn program_ids(pid: u32) -> Result<BTreeSet<u64>> {
    let mut ids = BTreeSet::new();
    for descriptor in std::fs::read_dir(format!("/proc/{pid}/fdinfo"))? {
        // A descriptor that has just been closed holds nothing.
        let Ok(text) = std::fs::read_to_string(descriptor?.path()) else { continue };
        ids.extend(number_after(&text, "prog_id:"));
    }
    Ok(ids)
}

/// The kernel's statistics of BPF programs, switched on for a while: they cost about 20 ns for each run.
struct Statistics {
    before: String,
}

impl Statistics {
    fn on() -> Result<Statistics> {
        let before = std::fs::read_to_string(SWITCH).context("no statistics of BPF programs")?;
        std::fs::write(SWITCH, "1")?;
        Ok(Statistics { before })
    }
}

impl Drop for Statistics {
    fn drop(&mut self) {
        let _ = std::fs::write(SWITCH, &self.before);
    }
}

#[derive(Debug, Default, Clone)]
struct Program {
    name: String,
    ns: f64,
    runs: f64,
}

/// All loaded programs by their ids.
fn programs() -> Result<BTreeMap<u64, Program>> {
    let list: Vec<Value> =
        serde_json::from_str(&sh::read(Command::new("bpftool").args(["-j", "prog", "show"]))?)?;
    let number = |value: &Value, name: &str| value.get(name).and_then(Value::as_u64).unwrap_or(0);
    let program = |value: &Value| Program {
        name: value.get("name").and_then(Value::as_str).unwrap_or("?").to_owned(),
        ns: number(value, "run_time_ns") as f64,
        runs: number(value, "run_cnt") as f64,
    };
    Ok(list.iter().map(|value| (number(value, "id"), program(value))).collect())
}

/// tcpstates of libbpf-tools, printing to nobody; what it says that it lost goes to a file.
struct Peer(Child, PathBuf);

impl Peer {
    fn start() -> Result<Peer> {
        let tcpstates = sh::which("tcpstates").unwrap_or_else(|| "/usr/sbin/tcpstates".into());
        let said = std::env::temp_dir().join(format!("socktrace-bench-tcpstates-{}", std::process::id()));
        let mut command = Command::new("taskset");
        command.args(["-c", &CORES[1].to_string()]).arg(tcpstates);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(&said)?);
        let peer = Peer(command.spawn().context("cannot run tcpstates")?, said);
        for _ in 0..100 {
            if !program_ids(peer.0.id())?.is_empty() {
                return Ok(peer);
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        note("tcpstates loads no program here");
        Ok(peer)
    }

    /// The sum of its lines `lost N events on CPU #C`.
    fn lost(&self) -> Result<f64> {
        let said = std::fs::read_to_string(&self.1)?;
        let lost = |line: &str| line.strip_prefix("lost ")?.split(' ').next()?.parse::<f64>().ok();
        Ok(said.lines().filter_map(lost).sum::<f64>() + 0.0)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
        let _ = std::fs::remove_file(&self.1);
    }
}

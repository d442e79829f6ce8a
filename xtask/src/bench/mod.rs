//! `cargo xtask bench`: what socktrace costs and how fast it answers, beside others and beside what the kernel allows.
//!
//! Everything happens in a network namespace of our own, over loopback; every load is bounded in count and time, and ends
//! with us. Ratios are of pairs measured one after the other in the same run; figures are medians.

mod agent;
mod churn;
mod kernel;
mod load;
mod measure;
mod memory;
mod query;
mod row;
mod siege;
mod soak;
mod ss;
mod start;
mod subscribers;

use std::path::PathBuf;

pub(crate) use agent::Agent;
use anyhow::{Context as _, Result};
pub(crate) use load::Hold;
pub(crate) use measure::Measured;
use row::Row;
pub(crate) use siege::{Assail, Siege};
pub(crate) use soak::Soak;

use crate::{setup, sh};

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Subject {
    /// Listings against the real ss and a bare dump.
    Ss,
    /// Cost of the kernel programs by the kernel's own statistics, against tcpstates.
    Kernel,
    /// Connections at full speed with and without the agent, and what the agent spends on them.
    Churn,
    /// Memory for each socket in the table.
    Memory,
    /// From exec to a seeded table.
    Start,
    /// Questions while everything happens at once.
    Query,
    /// 1, 10 and 100 subscribers with different filters.
    Subscribers,
}

const ALL: &[Subject] = &[
    Subject::Start,
    Subject::Ss,
    Subject::Kernel,
    Subject::Churn,
    Subject::Memory,
    Subject::Query,
    Subject::Subscribers,
];

/// What to measure, and how much of it.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// What to measure [default: all]
    subjects: Vec<Subject>,
    /// Write the figures to this file too, as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Divide every count by this, to see whether it works at all; goals mean nothing then
    #[arg(long, value_name = "N", default_value_t = 1)]
    divide: u32,
    /// Pairs of runs that a median is taken of
    #[arg(long, value_name = "N", default_value_t = 5)]
    runs: usize,
}

/// What all subjects share.
struct Bench {
    socktrace: PathBuf,
    divide: u32,
    runs: usize,
}

impl Bench {
    /// With the release build, made if it is not there.
    fn built(divide: u32, runs: usize) -> Result<Bench> {
        sh::run(sh::cargo().args(["build", "--quiet", "--release", "--locked", "--package", "socktrace"]))?;
        Ok(Bench { socktrace: sh::root().join("target/release/socktrace"), divide, runs })
    }

    /// A count of the real measurement, or less of it.
    fn scaled(&self, count: u32) -> u32 {
        (count / self.divide.max(1)).max(1)
    }
}

/// Measure, and print a table for each subject.
pub(crate) fn run(options: &Options) -> Result<()> {
    setup::tests()?;
    let bench = Bench::built(options.divide, options.runs.max(1))?;
    sh::many_files();
    let mut peers = Peers::default();
    let subjects = if options.subjects.is_empty() { ALL } else { &options.subjects };
    for subject in subjects {
        peers.fetch(*subject)?;
    }
    load::own_namespace()?;
    println!("{}", machine()?);
    let mut rows = Vec::new();
    for subject in subjects {
        let of_subject = sh::step(&format!("{subject:?}").to_lowercase(), || match subject {
            Subject::Ss => ss::run(&bench, &peers),
            Subject::Kernel => kernel::run(&bench),
            Subject::Churn => churn::run(&bench),
            Subject::Memory => memory::run(&bench),
            Subject::Start => start::run(&bench),
            Subject::Query => query::run(&bench, &peers),
            Subject::Subscribers => subscribers::run(&bench),
        })?;
        print!("{}", row::table(&of_subject));
        rows.extend(of_subject);
    }
    let missed = rows.iter().flat_map(|row: &Row| &row.goals).filter(|goal| !goal.met).count();
    println!("{} figures, {missed} goals missed", rows.len());
    if let Some(file) = &options.json {
        std::fs::write(file, row::json(&machine()?, &rows)?)
            .with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(())
}

/// Programs of others, fetched before we leave the network behind.
#[derive(Default)]
struct Peers {
    /// The real ss of iproute2 6.15.
    ss: PathBuf,
    /// What the kernel allows: see socktrace/examples/floor.rs.
    floor: PathBuf,
}

impl Peers {
    fn fetch(&mut self, subject: Subject) -> Result<()> {
        match subject {
            Subject::Ss | Subject::Query => {
                self.ss = crate::fetch::ss::fetch(&sh::root())?;
                let mut cargo = sh::cargo();
                cargo.args([
                    "build",
                    "--quiet",
                    "--release",
                    "--locked",
                    "--package",
                    "socktrace",
                    "--example",
                    "floor",
                ]);
                sh::run(&mut cargo)?;
                self.floor = sh::root().join("target/release/examples/floor");
                Ok(())
            }
            Subject::Kernel => setup::packages("comparing with tcpstates", &["libbpf-tools", "bpftool"]),
            Subject::Churn | Subject::Memory | Subject::Start | Subject::Subscribers => Ok(()),
        }
    }
}

/// The machine in one line: kernel, processors, memory.
fn machine() -> Result<String> {
    let kernel = sh::read(sh::command("uname").arg("-r"))?;
    let cpuinfo = std::fs::read_to_string("/proc/cpuinfo")?;
    let model = cpuinfo
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or("?", |(_, name)| name);
    let cores = std::thread::available_parallelism()?;
    let meminfo = std::fs::read_to_string("/proc/meminfo")?;
    let total = measure::number_after(&meminfo, "MemTotal:").unwrap_or_default() / 1_048_576;
    let load = std::fs::read_to_string("/proc/loadavg")?;
    let load = load.split(' ').next().unwrap_or_default();
    Ok(format!("Linux {kernel}, {cores} × {model}, {total} GiB, load {load} before"))
}

//! What a whole process takes: time from its start to its end, processor time, peak memory; its output is read by us.
//!
//! A process of ours stands between, so that the kernel's sum over "all children" is that of one.

use std::ffi::OsString;
use std::io::{Read as _, Write as _};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use nix::sys::resource::{UsageWho, getrusage};

/// The hidden task `measure`: run a program, print what it took.
#[derive(Debug, clap::Args)]
pub(crate) struct Measured {
    /// The program and its arguments
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
    words: Vec<OsString>,
}

impl Measured {
    /// Run it and print a line of figures.
    pub(crate) fn run(&self) -> Result<()> {
        let (program, arguments) = self.words.split_first().context("no program")?;
        let begun = Instant::now();
        let mut child =
            Command::new(program).args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        let mut output = child.stdout.take().context("no stdout")?;
        let (mut bytes, mut first, mut buffer) = (0, None, vec![0; 65_536]);
        loop {
            match output.read(&mut buffer)? {
                0 => break,
                n => {
                    first.get_or_insert_with(|| begun.elapsed());
                    bytes += n;
                }
            }
        }
        let status = child.wait()?;
        let wall = begun.elapsed();
        if !status.success() {
            bail!("{}: {status}", program.display());
        }
        let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
        let cpu = usage.user_time() + usage.system_time();
        let cpu_ms = cpu.tv_sec() as f64 * 1e3 + cpu.tv_usec() as f64 / 1e3;
        let first_ms = first.unwrap_or(wall).as_secs_f64() * 1e3;
        let mut out = std::io::stdout().lock();
        writeln!(out, "{} {cpu_ms} {} {bytes} {first_ms}", wall.as_secs_f64() * 1e3, usage.max_rss())?;
        Ok(())
    }
}

/// What one run took.
#[derive(Debug, Clone, Copy)]
pub(super) struct Run {
    pub(super) wall_ms: f64,
    /// Peak resident memory.
    pub(super) rss_kib: f64,
    /// What it wrote.
    pub(super) bytes: f64,
}

/// Run a command once, measured.
pub(super) fn once(command: &Command) -> Result<Run> {
    let mut wrapped = Command::new(std::env::current_exe()?);
    wrapped.arg("measure").arg("--").arg(command.get_program()).args(command.get_args());
    let line = crate::sh::read(&mut wrapped)?;
    let numbers = line.split(' ').map(str::parse).collect::<Result<Vec<f64>, _>>()?;
    let [wall_ms, _cpu_ms, rss_kib, bytes, _first_ms] =
        numbers.try_into().map_err(|_| anyhow::anyhow!("measured {line}"))?;
    Ok(Run { wall_ms, rss_kib, bytes })
}

/// Run several commands in turn, so that each pair sees the same machine; one warm-up, then a median run of each.
pub(super) fn paired(commands: &[Command], runs: usize) -> Result<Vec<Run>> {
    let mut taken: Vec<Vec<Run>> = vec![Vec::new(); commands.len()];
    for turn in 0..=runs {
        for (command, taken) in commands.iter().zip(&mut taken) {
            let run = once(command)?;
            if turn > 0 {
                taken.push(run);
            }
        }
    }
    let median_of = |runs: &Vec<Run>, of: fn(&Run) -> f64| median(runs.iter().map(of).collect());
    Ok(taken
        .iter()
        .map(|runs| Run {
            wall_ms: median_of(runs, |run| run.wall_ms),
            rss_kib: median_of(runs, |run| run.rss_kib),
            bytes: median_of(runs, |run| run.bytes),
        })
        .collect())
}

/// The middle one.
pub(super) fn median(values: Vec<f64>) -> f64 {
    quantile(values, 0.5)
}

/// The value that this share of all are at most.
pub(super) fn quantile(mut values: Vec<f64>, share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let last = values.len().saturating_sub(1);
    values.get((last as f64 * share).round() as usize).copied().unwrap_or(f64::NAN)
}

/// Nanoseconds that all threads of a process have run (`/proc/PID/task/TID/schedstat`).
pub(super) fn cpu_ns(pid: u32) -> Result<f64> {
    let mut sum = 0;
    for task in std::fs::read_dir(format!("/proc/{pid}/task"))? {
        // A thread that has just ended is not missed: the agent keeps its threads.
        let Ok(text) = std::fs::read_to_string(task?.path().join("schedstat")) else { continue };
        sum += text.split(' ').next().and_then(|ns| ns.parse::<u64>().ok()).unwrap_or(0);
    }
    Ok(sum as f64)
}

/// Resident memory of a process, KiB.
pub(super) fn rss_kib(pid: u32) -> Result<f64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    number_after(&text, "VmRSS:").map(|kib| kib as f64).context("no VmRSS")
}

/// The number after a word at the beginning of a line.
pub(super) fn number_after(text: &str, word: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(word))?.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_and_quantiles() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(quantile((1..=101).map(f64::from).collect(), 0.99), 100.0);
        assert!(median(Vec::new()).is_nan());
    }

    #[test]
    fn numbers_are_read() {
        assert_eq!(number_after("a: 1 kB\nVmRSS:\t  123 kB\n", "VmRSS:"), Some(123));
        assert_eq!(number_after("a: 1", "VmRSS:"), None);
    }
}

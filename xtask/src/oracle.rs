//! `cargo xtask oracle`: the proof that the agent's table equals the kernel's, by churn and comparison.
//!
//! The churn, the truth and the comparison are Python (xtask/oracle): they share nothing with what they judge.

use anyhow::{Result, bail};

use crate::sh;

/// What to run.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How many seeds, from 1.
    #[arg(long, default_value_t = Args::of_ci().seeds)]
    seeds: u32,
    /// Sockets to open and close for each seed.
    #[arg(long, default_value_t = Args::of_ci().sockets)]
    sockets: u32,
    /// plain, mid, ring, stop or kill; all of them if not given.
    #[arg(long)]
    variant: Option<String>,
}

impl Args {
    /// What CI runs: every variant.
    pub(crate) const fn of_ci() -> Args {
        Args { seeds: 3, sockets: 5000, variant: None }
    }
}

const VARIANTS: [&str; 5] = ["plain", "mid", "ring", "stop", "kill"];

/// Run each variant with each seed. Every difference is printed; one is enough to fail.
pub(crate) fn run(args: &Args) -> Result<()> {
    let chosen: Vec<&str> = match &args.variant {
        None => VARIANTS.to_vec(),
        Some(one) if VARIANTS.contains(&one.as_str()) => vec![one.as_str()],
        Some(other) => bail!("{other}: expected one of {}", VARIANTS.join(", ")),
    };
    sh::run(sh::cargo().args(["build", "--quiet", "--release", "--package", "socktrace"]))?;
    let binary = sh::root().join("target/release/socktrace");
    let mut failed = 0;
    for seed in 1..=args.seeds {
        for variant in &chosen {
            let mut oracle = sh::command("python3");
            oracle.arg("xtask/oracle/oracle.py").arg(&binary);
            oracle.args([seed.to_string(), args.sockets.to_string(), (*variant).to_owned()]);
            failed += u32::from(!oracle.status()?.success());
        }
    }
    if failed > 0 {
        bail!("{failed} of {} runs found differences", args.seeds * chosen.len() as u32);
    }
    Ok(())
}

//! `cargo xtask schemathesis`: questions made from the OpenAPI document, right ones and wrong ones, to a live agent. Every answer is
//! one that the document allows.
//!
//! I/O: an agent of the release build; runs Python with schemathesis, installed into the cache.

use anyhow::Result;

use crate::bench::Agent;
use crate::{python, sh};

/// schemathesis, what checks schemas for it, and what speaks HTTP.
const PACKAGES: &[&str] =
    &["schemathesis==4.32.5", "jsonschema-rs==0.60.3", "hypothesis==6.170.17", "requests==2.34.2"];

/// How long to ask.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct Options {
    /// Seconds, all endpoints together
    #[arg(long, default_value_t = 60)]
    seconds: u32,
}

impl Options {
    pub(crate) const fn of_ci() -> Self {
        Self { seconds: 60 }
    }
}

pub(crate) fn run(options: Options) -> Result<()> {
    let python = python::with("schemathesis", PACKAGES)?;
    let agent = Agent::of(&sh::root().join("target/release/socktrace"))?;
    let mut asks = sh::command(python);
    asks.arg("xtask/src/schemathesis/run.py").arg("docs/schema/openapi.json").arg(&agent.socket);
    // What it keeps from one run to the next.
    asks.env("HYPOTHESIS_STORAGE_DIRECTORY", sh::root().join("target/hypothesis"));
    sh::run(asks.arg(options.seconds.to_string()))
}

//! The words of `who` and `problems`, which answer questions about what is listed and what was.

use super::super::values;
use super::{Json, SourceArgs};
use crate::findings::problems::Kind;
use clap::builder::PossibleValuesParser;
use std::time::Duration;

const WHO_EXAMPLES: &str = "\
Through an agent: who holds it, who held it before, and who failed to bind it, with whom they met there. Without one: who holds it now.

Examples:
  socktrace who 8080                            why can my server not bind port 8080?
  socktrace who 10.0.0.9                        who has to do with that host?
  socktrace who [::1]:https --since 1h          one address and port, and the last hour
  socktrace who 5432 --json | jq -r .comm";

const PROBLEMS_EXAMPLES: &str = "\
Nothing is printed where nothing is wrong.
Exit status: 0 nothing, 3 warnings, 4 something critical; 1 nobody could be asked, 2 the words were wrong.

Examples:
  socktrace problems
  socktrace problems close-wait listen-queue --threshold close-wait=50
  socktrace problems --watch                       what comes and what goes
  socktrace problems --json | jq -r .id";

#[derive(Debug, clap::Args)]
#[command(after_help = WHO_EXAMPLES)]
pub(in crate::cli) struct WhoArgs {
    /// A port, a service, an IP address, or both as ADDR:PORT
    #[arg(value_name = "PORT|ADDR|ADDR:PORT")]
    pub(in crate::cli) target: String,
    /// What was closed or failed at this time or later: 10m, 'yesterday 14:00' or the like [default: the beginning]
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub(in crate::cli) since: Option<String>,
    /// Show all of the past [default: the last ten of each kind]
    #[arg(short, long)]
    pub(in crate::cli) all: bool,
    /// In every network namespace [default: in one's own]
    #[arg(long)]
    pub(in crate::cli) all_netns: bool,
    /// One JSON object per line instead of a table, or with --json=array all of them in one array [default: off]
    #[arg(long, value_name = "FORM", num_args = 0..=1, require_equals = true, default_missing_value = "lines", hide_possible_values = true)]
    pub(in crate::cli) json: Option<Json>,
    #[command(flatten)]
    pub(in crate::cli) source: SourceArgs,
}

#[derive(Debug, clap::Args)]
#[command(after_help = PROBLEMS_EXAMPLES)]
pub(in crate::cli) struct ProblemsArgs {
    /// Only these kinds: ports, time-wait, close-wait, listen-queue, not-accepted, connects, peers, send-queue [default: all]
    #[arg(value_name = "KIND", hide_possible_values = true, value_parser = PossibleValuesParser::new(Kind::ALL.map(Kind::word)))]
    pub(in crate::cli) kinds: Vec<String>,
    /// Count connects that failed, and losses, at this time or later: 10m, 'an hour ago' or the like [default: 5m]
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub(in crate::cli) since: Option<String>,
    /// Time between two samples, seconds [default: 2]
    #[arg(long, value_name = "SECS", value_parser = values::seconds, default_value = "2", hide_default_value = true)]
    pub(in crate::cli) interval: Duration,
    /// Look again every SECS seconds, and print what has come, changed or gone [default: once; without SECS every 10]
    #[arg(long, value_name = "SECS", num_args = 0..=1, require_equals = true, default_missing_value = "10", value_parser = values::seconds)]
    pub(in crate::cli) watch: Option<Duration>,
    /// From when on something is a problem, such as close-wait=50; may be repeated [default: those of docs/problems.md]
    #[arg(long, value_name = "NAME=NUMBER")]
    pub(in crate::cli) threshold: Vec<String>,
    /// One JSON object per line instead of text, or with --json=array all of them in one array [default: off]
    #[arg(long, value_name = "FORM", num_args = 0..=1, require_equals = true, default_missing_value = "lines", hide_possible_values = true)]
    pub(in crate::cli) json: Option<Json>,
    #[command(flatten)]
    pub(in crate::cli) source: SourceArgs,
}

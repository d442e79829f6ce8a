//! `socktrace problems`: what is wrong with the sockets of this network namespace.
//!
//! I/O: stdout, stderr, files in /proc, the clock.

use super::args::{Json, ProblemsArgs};
use super::array::Array;
use super::error::Error;
use super::{history, output, rows, stderr};
use crate::api::selection::Selection;
use crate::client::address::Address;
use crate::findings::problems::{
    self, Change, Counters, Finding, Host, Kind, PortRange, Sample, Scene, Severity, Tally, Thresholds, Watch,
};
use crate::kernel::netns;
use crate::runtime::time;
use std::fs;
use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// The exit status if something will fail, or fails now and then.
const WARNING: u8 = 3;
/// The exit status if something fails now.
const CRITICAL: u8 = 4;
/// How far back the history is looked at unless told otherwise, nanoseconds.
const WHILE_NS: u64 = 300_000_000_000;

/// How a sample is listed: all that `problems` judges by.
const WORDS: [&str; 2] = ["-tanpoemi", "--json"];

pub(super) fn run(args: &ProblemsArgs) -> Result<ExitCode, Error> {
    let mut thresholds = Thresholds::default();
    for word in &args.threshold {
        thresholds.set(word).map_err(|error| Error::Usage(format!("--threshold: {error}")))?;
    }
    let named = args.kinds.iter().filter_map(|word| Kind::named(word));
    let kinds = if args.kinds.is_empty() { Kind::ALL.to_vec() } else { named.collect() };
    let question = Asked { args, thresholds, kinds };
    let (mut before, agent) = question.sample()?;
    if agent.is_none() && question.asks_the_past() {
        stderr::say(format_args!(
            "socktrace: no agent answers, so connects that have failed are not known (try: sudo socktrace agent)"
        ));
    }
    match args.watch {
        None => question.once(before, agent.as_ref()),
        Some(_) if args.json == Some(Json::Array) => {
            Err(Error::Usage("an array is for a list that ends, and --watch does not: use --json".to_owned()))
        }
        Some(every) => {
            let mut watch = Watch::default();
            loop {
                let (found, now) = question.find(&before, agent.as_ref(), every)?;
                before = now;
                let changes = watch.next(&found);
                changes.iter().try_for_each(|(change, finding)| question.say(finding, Some(*change)))?;
            }
        }
    }
}

/// What is asked, and how.
struct Asked<'a> {
    args: &'a ProblemsArgs,
    thresholds: Thresholds,
    kinds: Vec<Kind>,
}

/// A sample, and when it was taken.
type Taken = (Sample, Instant);

impl Asked<'_> {
    fn once(&self, before: Taken, agent: Option<&Address>) -> Result<ExitCode, Error> {
        let (found, _) = self.find(&before, agent, self.args.interval)?;
        match self.args.json {
            Some(form) => {
                let mut out = Array::new(io::stdout().lock(), form == Json::Array);
                let mut each = found.iter().map(|finding| problems::json(finding, None));
                let written = each.try_for_each(|line| out.write_all(line.as_bytes()));
                written.and_then(|()| out.end()).map_err(Error::Output)?;
            }
            None => found.iter().try_for_each(|finding| self.say(finding, None))?,
        }
        Ok(match found.iter().map(|finding| finding.severity).max() {
            Some(Severity::Critical) => CRITICAL.into(),
            Some(Severity::Warning) => WARNING.into(),
            None => {
                if io::stderr().is_terminal() {
                    stderr::say(format_args!("socktrace: nothing wrong was found"));
                }
                ExitCode::SUCCESS
            }
        })
    }

    /// What is wrong after so long, compared with the sample before, and the sample of then.
    fn find(
        &self,
        before: &Taken,
        agent: Option<&Address>,
        every: Duration,
    ) -> Result<(Vec<Finding>, Taken), Error> {
        sleep((before.1 + every).saturating_duration_since(Instant::now()));
        let (now, _) = self.sample()?;
        let tally = self.tally(agent)?;
        let elapsed = now.1.duration_since(before.1).as_millis();
        let scene = Scene {
            now: &now.0,
            before: Some((&before.0, u64::try_from(elapsed).unwrap_or(u64::MAX))),
            tally: &tally,
            host: &host(),
            thresholds: &self.thresholds,
        };
        Ok((problems::find(&scene, &self.kinds), now))
    }

    fn sample(&self) -> Result<(Taken, Option<Address>), Error> {
        let mut rows = Vec::new();
        let counters = Counters::parse(&read("/proc/thread-self/net/netstat"));
        let agent = rows::list(&self.args.source, &WORDS, |row| rows.push(row))?;
        Ok(((Sample { rows, counters }, Instant::now()), agent))
    }

    /// Whether something is asked that only the history knows.
    fn asks_the_past(&self) -> bool {
        [Kind::Connects, Kind::Peers].iter().any(|kind| self.kinds.contains(kind))
    }

    fn tally(&self, agent: Option<&Address>) -> Result<Tally, Error> {
        let now = time::now();
        let mut tally = Tally::new(now);
        let Some(agent) = agent else { return Ok(tally) };
        let since =
            history::since(self.args.since.as_deref())?.unwrap_or_else(|| now.saturating_sub(WHILE_NS));
        let own = netns::current().ok().map(|netns| format!("netns = {netns}"));
        let selection = Selection {
            protos: vec!["tcp".to_owned()],
            filter: own.into_iter().collect(),
            ..Selection::default()
        };
        rows::past(agent, selection, Some(since), |past| tally.add(&past))?;
        Ok(tally)
    }

    fn say(&self, finding: &Finding, change: Option<Change>) -> Result<(), Error> {
        let now = time::now();
        let text = match self.args.json {
            Some(_) => {
                let at = problems::stamp(now);
                problems::json(finding, change.map(|change| (change, &*at)))
            }
            None => {
                let at = problems::local_stamp(now, time::local_offset_s());
                problems::lines(finding, change.map(|change| (change, &*at)))
            }
        };
        output::write(text.as_bytes())
    }
}

/// The limits of the network namespace that we are in.
fn host() -> Host {
    let ipv4 = |name: &str| read(&format!("/proc/sys/net/ipv4/{name}"));
    Host {
        ports: PortRange::parse(&ipv4("ip_local_port_range"), &ipv4("ip_local_reserved_ports")),
        max_time_wait: ipv4("tcp_max_tw_buckets").trim().parse().ok(),
    }
}

/// The text of a file; none where it cannot be read, which makes what it says unknown.
fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

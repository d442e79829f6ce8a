//! `socktrace who`: who holds a port or an address, who held it, and who could not have it.
//!
//! I/O: stdout, stderr.

use super::args::{Json, WhoArgs};
use super::array::Array;
use super::error::Error;
use super::{history, output, rows, stderr};
use crate::api::selection::Selection;
use crate::findings::who::{self, Look, Target};
use crate::kernel::netns;
use crate::listing::Paths;
use crate::listing::names::Directory;
use crate::query::Names as _;
use crate::runtime::time;
use std::io::{self, Write as _};

/// What of the past is shown to people unless all is asked for, lines of each kind.
const PAST: usize = 10;

pub(super) fn run(args: &WhoArgs) -> Result<(), Error> {
    let paths = Paths::default();
    let names = Directory::new(paths.proc.clone(), &paths.port_range()).only_files();
    let service = |name: &str| names.service(name, "tcp").or_else(|| names.service(name, "udp"));
    let target = Target::parse(&args.target, service).map_err(|error| Error::Usage(error.to_string()))?;
    let since = history::since(args.since.as_deref())?;
    let filter = target.filter();
    let mut words = vec!["-tuanpoe", "--json", filter.as_str()];
    words.extend(args.all_netns.then_some("--all-netns"));
    let (mut here, mut past) = (Vec::new(), Vec::new());
    let agent = rows::list(&args.source, &words, |row| here.push(row))?;
    let survey = match &agent {
        Some(agent) => {
            let own = netns::current().ok().filter(|_| !args.all_netns);
            let filter = own.map_or(filter.clone(), |netns| format!("{filter} and netns = {netns}"));
            let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
            let selection = Selection {
                kinds: words(&["close", "bind", "listen"]),
                protos: words(&["tcp", "udp"]),
                filter: vec![filter],
                ..Selection::default()
            };
            rows::past(agent, selection, since, |it| past.push(it))?
        }
        None => None,
    };
    match (&agent, &survey) {
        (None, _) => stderr::say(format_args!(
            "socktrace: no agent answers, so only who holds it now can be said (try: sudo socktrace agent)"
        )),
        (Some(_), None) => stderr::say(format_args!("socktrace: this agent keeps no history")),
        (Some(_), Some(survey)) => history::say(survey, since),
    }
    let answer = who::answer(&here, &past);
    if let Some(form) = args.json {
        let mut out = Array::new(io::stdout().lock(), form == Json::Array);
        let written = out.write_all(who::json(&answer).as_bytes());
        return written.and_then(|()| out.end()).map_err(Error::Output);
    }
    let look = Look {
        now: time::now(),
        local_offset_s: time::local_offset_s(),
        past: if args.all { usize::MAX } else { PAST },
        has_past: survey.is_some(),
    };
    output::write(who::lines(&target, &answer, look).as_bytes())
}

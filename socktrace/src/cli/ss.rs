//! `socktrace ss`: the questions of ss.
//!
//! I/O: arguments, environment, filter files, stdout, stderr.

use super::args::SourceArgs;
use super::array::Array;
use super::error::Error;
use super::output;
use super::source::Source;
use super::stderr;
use crate::api::report::{Outcome, Report};
use crate::api::screen::Screen;
use crate::api::sockets::{Format, NetnsChoice, Question, Request};
use crate::client::ClientError;
use crate::client::sockets::Connection;
use crate::kernel::netns;
use crate::listing::action::Action;
use crate::listing::words::{self, Asked, Command};
use crate::listing::{self, AnswerContext, Paths, Rounds};
use crate::query;
use std::borrow::Cow;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufWriter, IsTerminal as _, Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::path::Path;
use std::time::{Duration, Instant};

/// What `--help` prints.
pub const HELP: &str = include_str!("ss_help.txt");

/// Runs with the words that follow `ss`.
pub(super) fn run(words: Vec<OsString>) -> Result<(), Error> {
    let text: Vec<String> = words.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    match words::parse(&text, screen()) {
        Ok(Asked::Help) => output::write(HELP.as_bytes()),
        Ok(Asked::Version) => output::write(
            concat!("ss utility, socktrace-", env!("CARGO_PKG_VERSION"), " (as iproute2-6.15.0)\n")
                .as_bytes(),
        ),
        Ok(Asked::Command(command)) => answer(*command),
        Err(error) => Err(Error::Usage(error.to_string())),
    }
}

fn answer(mut command: Command) -> Result<(), Error> {
    let paths = Paths::from_variables(variables());
    let args = SourceArgs { direct: command.direct, agent: command.agent.clone() };
    let source = match (Source::new(&args)?, own_work(&command, &paths)) {
        (Source::Agent(_), Some(why)) => return Err(Error::Usage(format!("an agent {why}"))),
        (Source::Either(_), Some(_)) => Source::Direct,
        (source, _) => source,
    };
    match source {
        Source::Direct => {}
        Source::Agent(agent) => return ask(Connection::open(&agent)?, &command),
        Source::Either(agent) => match Connection::open(&agent) {
            Ok(agent) => match ask(agent, &command) {
                // What it does not do for us we may be able to do.
                Err(Error::Client(ClientError::Refused { status: 403, .. })) => {}
                // Others have it do too much.
                Err(Error::Client(ClientError::Refused { status: 429 | 503, message })) => {
                    stderr::say(format_args!("socktrace: {message}; the kernel is asked directly"));
                }
                asked => return asked,
            },
            Err(error @ ClientError::Stranger { .. }) => {
                stderr::say(format_args!("socktrace: {error}: not using it"));
            }
            Err(ClientError::Absent { .. } | ClientError::Refused { .. } | ClientError::Broken { .. }) => {}
        },
    }
    if let Some(path) = &command.filter_file {
        let text = read_filter(path).map_err(|error| Error::Io("read the filter file", error))?;
        command.question.filter.extend(query::file_words(&text));
    }
    // Rows are written in large pieces: the line buffer of `Stdout` would only cut them.
    let stdout = io::stdout().as_fd().try_clone_to_owned().map_err(Error::Output)?;
    let mut out = BufWriter::new(File::from(stdout));
    if let Some(every) = command.every {
        return repeat(&command, &paths, every, &mut out);
    }
    let mut out = Array::new(out, command.array);
    let context = AnswerContext::default();
    let report = listing::run_round(&command.question, &command.action, &paths, &context, None, &mut out)
        .map_err(Error::Listing)?;
    out.end().map_err(Error::Output)?;
    say(&command.question, &report)
}

/// One listing after the other, an empty line between tables, until the reader or the user has had enough.
fn repeat(command: &Command, paths: &Paths, every: Duration, out: &mut BufWriter<File>) -> Result<(), Error> {
    let mut rounds = Rounds::default();
    let mut next = Instant::now();
    let mut warned = false;
    loop {
        let context = AnswerContext::default();
        let mut report =
            listing::run_round(&command.question, &command.action, paths, &context, Some(&mut rounds), out)
                .map_err(Error::Listing)?;
        if command.question.format != Format::Json {
            out.write_all(b"\n").map_err(Error::Output)?;
        }
        out.flush().map_err(Error::Output)?;
        if std::mem::replace(&mut warned, true) {
            report.warnings.clear();
        }
        say(&command.question, &report)?;
        next += every;
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
    }
}

/// Why only this process itself can answer, if so.
fn own_work(command: &Command, paths: &Paths) -> Option<&'static str> {
    match (&command.action, &command.question.netns) {
        (Action::Kill { .. }, _) => Some("closes no sockets"),
        (Action::Dump(_), _) => Some("writes no files"),
        (Action::Events, _) => Some("reports closed sockets through `socktrace events`"),
        (Action::Nothing, _) => Some("is not needed for a summary"),
        (_, NetnsChoice::One(name)) if name.contains('/') => {
            Some("opens no files: give the name of the namespace")
        }
        (Action::List, _) if command.every.is_some() => Some("answers once"),
        (Action::List, _) if command.filter_file.is_some() => Some("reads no filter files"),
        (Action::List, _) if !paths.are_usual() => {
            Some("does not know your PROC_ROOT, TCPDIAG_FILE and the like")
        }
        (Action::List, _) => None,
    }
}

/// Asks an agent and passes on what it says.
fn ask(agent: Connection, command: &Command) -> Result<(), Error> {
    let asked_from = netns::current().ok().filter(|&inode| inode != 0);
    let (question, mixed) = numbered(&command.question);
    let mut reply = agent.ask(&Request { question: question.clone().into_owned(), asked_from })?;
    let mut out = Array::new(io::stdout(), command.array);
    while reply.next(|bytes| out.write_all(bytes).and_then(|()| out.flush()).map_err(Error::Output))? {}
    out.end().map_err(Error::Output)?;
    let Some(mut report) = reply.into_report() else { return Ok(()) };
    report.mixed |= mixed;
    say(&question, &report)
}

/// The question with numbers for names of hosts and users in the filter: an agent asks no name service for ordinary users,
/// and whoever asks is to wait for the name service, not the agent. Also whether the filter mixed `and` and `or`.
fn numbered(question: &Question) -> (Cow<'_, Question>, bool) {
    match listing::resolved(question, &Paths::default()) {
        Some((filter, mixed)) => (Cow::Owned(Question { filter: vec![filter], ..question.clone() }), mixed),
        None => (Cow::Borrowed(question), false),
    }
}

/// What is to be said beside the answer, on standard error.
pub(super) fn say(question: &Question, report: &Report) -> Result<(), Error> {
    stderr::warn(&report.warnings);
    if report.mixed && io::stderr().is_terminal() {
        stderr::say(format_args!(
            "socktrace: `and` and `or` are mixed: read from left to right, parentheses make it clear"
        ));
    }
    if report.rows == 0
        && let [table] = report.missing.as_slice()
    {
        stderr::say(format_args!("socktrace: this kernel cannot list {table} sockets"));
    }
    if question.show.users.is_some() && report.unowned > 0 {
        let (unowned, rows, why) = (report.unowned, report.rows, why_unknown(report));
        stderr::say(format_args!("socktrace: process unknown for {unowned} of {rows} sockets: {why}"));
    }
    if report.undecided > 0 {
        let (undecided, why) = (report.undecided, why_unknown(report));
        stderr::say(format_args!(
            "socktrace: {undecided} sockets not shown, as the filter asks for their process, which is unknown: {why}"
        ));
    }
    match &report.kill {
        Some(outcome) => say_killed(outcome),
        None => Ok(()),
    }
}

/// Why processes are unknown, and what would help.
fn why_unknown(report: &Report) -> String {
    match (report.denied, report.hidden.as_deref()) {
        (_, Some("pid_namespace")) => "processes outside this pid namespace cannot be seen from here".into(),
        (1.., _) => format!("no permission to inspect {} processes (try: sudo)", report.denied),
        (0, Some("hidepid")) => {
            "/proc is mounted with hidepid, which hides other users' processes (try: sudo)".into()
        }
        (0, Some("no_procfs")) => "/proc is not mounted".into(),
        (0, Some(_) | None) => "no permission to inspect processes of other users (try: sudo)".into(),
    }
}

fn say_killed(outcome: &Outcome) -> Result<(), Error> {
    let done = if outcome.dry_run { "would close" } else { "closed" };
    let mut said = format!("{done} {}", outcome.closed);
    for (count, what) in [
        (outcome.gone, "were gone already"),
        (outcome.spared, "carry this session and were left alone (--force closes them too)"),
        (outcome.refused, "could not be closed"),
    ] {
        if count > 0 {
            said.push_str(&format!(", {count} {what}"));
        }
    }
    if let Some(reason) = &outcome.reason {
        said.push_str(&format!(": {reason}"));
    }
    if outcome.refused > 0 {
        return Err(Error::Refused(said));
    }
    if outcome.dry_run || outcome.spared > 0 || io::stderr().is_terminal() {
        stderr::say(format_args!("socktrace: {said}"));
    }
    Ok(())
}

/// A file, or standard input for a name that begins with `-`, as in ss.
fn read_filter(path: &Path) -> io::Result<String> {
    if path.as_os_str().as_encoded_bytes().starts_with(b"-") {
        let mut text = String::new();
        io::stdin().read_to_string(&mut text)?;
        return Ok(text);
    }
    fs::read_to_string(path)
}

fn variables() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}

/// The terminal, or what `COLUMNS` says of it.
fn screen() -> Option<Screen> {
    let said = || std::env::var("COLUMNS").ok()?.parse().ok();
    output::width().and_then(Screen::of).or_else(said)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::sockets::key::Key;
    use crate::api::sockets::pick::Pick;

    #[test]
    fn the_help_fits_a_hundred_columns() {
        let long: Vec<_> = HELP.lines().filter(|line| line.chars().count() > 100).collect();
        assert!(long.is_empty(), "{long:#?}");
    }

    #[test]
    fn every_column_and_every_key_is_in_the_help() {
        for word in Pick::words().chain(Key::words(false)) {
            assert!(HELP.contains(word), "{word} is not in the help");
        }
    }
}

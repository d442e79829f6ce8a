//! `socktrace history`: sockets that have closed, from an agent or from the files that one has left.

use super::args::{HistoryArgs, Json};
use super::array::Array;
use super::error::Error;
use super::follow::follow;
use super::{output, runtime, select, source, stderr};
use crate::api::arrangement::Arrangement;
use crate::api::columns::Columns;
use crate::api::history::{Question, Survey, ahead};
use crate::api::reason::reason;
use crate::api::selection::{Format, Selection};
use crate::archive::log::Log;
use crate::client::{self, ClientError};
use crate::history::Snapshot;
use crate::render::clock::Clock;
use crate::runtime::closed::{Resolved, answer};
use crate::runtime::interest::{SelectionError, columns, names, resolve};
use crate::runtime::stop::Stop;
use crate::runtime::time;
use crate::socket::{UnixNs, Viewer};
use std::io::{self, BufWriter, Write as _};
use std::path::Path;

pub(super) fn run(args: &HistoryArgs) -> Result<(), Error> {
    let mut question = question(args)?;
    // Said here and not by an agent, so that the words of a bad filter are ours to point at.
    let (stop, viewer) = (Stop::default(), Viewer::Own);
    let names = names(viewer, &stop);
    let names = if args.dir.is_some() { names } else { names.others_answer() };
    let resolved = Resolved::new(question.clone(), viewer, &names).map_err(Error::Selection)?;
    resolve(&mut question.selection, &resolved.interest, &names);
    stderr::warn(&resolved.warnings);
    if let Some(dir) = &args.dir {
        readable(dir)?;
        let log = Log { dir: Some(dir.clone()), snapshot: Snapshot::default() };
        let overview =
            answer::survey(&log, &resolved, &stop).map_err(|error| Error::Io("read the history", error))?;
        say(&overview.survey, question.since.or(question.until));
        let out = BufWriter::with_capacity(64 * 1024, io::stdout().lock());
        let mut out = Array::new(out, args.json == Some(Json::Array));
        let found = answer::find(&log, &resolved, &overview, &stop, &|_| true);
        let found = found.map_err(|error| Error::Io("read the history", error))?;
        return found.write(&log, &stop, &mut out).and_then(|()| out.end()).map_err(Error::Output);
    }
    let agent = source::agent(args.agent.as_ref())?;
    runtime()?.block_on(async {
        let (survey, mut answer) = client::history(&agent, &question).await.map_err(|error| match error {
            ClientError::Absent { error: ref why, .. } if why.kind() != io::ErrorKind::PermissionDenied => {
                Error::NoHistory(error)
            }
            ClientError::Absent { .. }
            | ClientError::Stranger { .. }
            | ClientError::Refused { .. }
            | ClientError::Broken { .. } => error.into(),
        })?;
        stderr::say_limits(&answer);
        say(&survey, question.since.or(question.until));
        let mut out = Array::new(io::stdout(), args.json == Some(Json::Array));
        while let Some(piece) = answer.next().await? {
            out.write_all(&piece).and_then(|()| out.flush()).map_err(Error::Output)?;
        }
        out.end().map_err(Error::Output)?;
        if args.follow { follow(&agent, question, survey.next).await } else { Ok(()) }
    })
}

/// The options' meaning.
fn question(args: &HistoryArgs) -> Result<Question, Error> {
    // Whoever follows has not asked for what was.
    let since = match &args.dir {
        // Files may come from a machine whose clock was ahead.
        Some(_) => when("--since", args.since.as_deref())?,
        None => since(args.since.as_deref())?.or_else(|| args.follow.then(time::now)),
    };
    let until = when("--until", args.until.as_deref())?;
    if let (Some(since), Some(until)) = (since, until)
        && since > until
    {
        return Err(Error::Usage("--until is before --since: no time is between them".to_owned()));
    }
    let format = if args.json.is_some() {
        Format::Json
    } else {
        Format::Lines {
            style: output::style(
                columns(&args.columns, Columns::of_ended()).map_err(Error::Selection)?,
                args.numeric,
            ),
            utc_offset_s: time::local_offset_s(),
        }
    };
    let no_column = |error| Error::Selection(SelectionError::Column(error));
    let arrangement = Arrangement {
        sort: Arrangement::order(args.sort.iter().map(String::as_str)).map_err(no_column)?,
        top: args.top,
        count_by: Arrangement::groups(args.count_by.iter().map(String::as_str)).map_err(no_column)?,
    };
    let selection = Selection { kinds: args.kinds.clone(), ..select::selection(&args.which) };
    if args.follow && args.json == Some(Json::Array) {
        return Err(Error::Usage(
            "an array is for a list that ends, and --follow does not: use --json".to_owned(),
        ));
    }
    Ok(Question { selection, since, until, after: None, format, arrangement })
}

/// The time that an option was given; what is none is pointed at.
fn when(option: &str, word: Option<&str>) -> Result<Option<UnixNs>, Error> {
    let Some(word) = word else { return Ok(None) };
    time::parse(word).map(Some).map_err(|error| Error::Usage(format!("{error}\n{}", pointed(option, word))))
}

/// The option's word, and a finger beneath it.
fn pointed(option: &str, word: &str) -> String {
    let (before, finger) = (" ".repeat(option.len() + 1), "^".repeat(word.chars().count().max(1)));
    format!("  {option} {word}\n  {before}{finger}")
}

/// A directory that cannot be read is no empty history.
fn readable(dir: &Path) -> Result<(), Error> {
    match std::fs::read_dir(dir) {
        Ok(_) => Ok(()),
        Err(error) => {
            Err(Error::Refused(format!("cannot read the history in {}: {}", dir.display(), reason(&error))))
        }
    }
}

/// The time of `--since`, which cannot be ahead of now.
pub(super) fn since(word: Option<&str>) -> Result<Option<UnixNs>, Error> {
    let since = when("--since", word)?;
    match (word, since.filter(|&at| at > time::now())) {
        (Some(word), Some(at)) => Err(Error::Usage(format!("{}\n{}", ahead(at), pointed("--since", word)))),
        _ => Ok(since),
    }
}

/// What is to be known beside the sockets, on standard error. `asked`: the earliest time that was named.
pub(super) fn say(survey: &Survey, asked: Option<UnixNs>) {
    for line in notes(survey, asked, time::local_offset_s()) {
        stderr::say(format_args!("socktrace: {line}"));
    }
}

/// `asked`: the earliest time that was named.
fn notes(survey: &Survey, asked: Option<UnixNs>, local_offset_s: i32) -> Vec<String> {
    let clock = Clock { unix_minus_boot_ns: 0, local_offset_s };
    let date = |at: UnixNs| {
        let text = clock.local_date_time(at);
        String::from_utf8_lossy(text.get(..19).unwrap_or_default()).into_owned()
    };
    let mut notes = Vec::new();
    match (survey.from, asked) {
        (None, _) => notes.push("there is no history yet".to_owned()),
        (Some(from), Some(asked)) if asked < from => {
            notes.push(format!("history starts at {}; nothing older is kept", date(from)));
        }
        (Some(_), _) => {}
    }
    for &(from, to) in &survey.gaps {
        let (from, to) = (date(from), date(to));
        notes.push(format!("no agent was running from {from} to {to}; closes in that time are missing"));
    }
    if survey.lost > 0 {
        let lost = survey.lost;
        notes.push(format!(
            "records of that time lost in the kernel's buffer: {lost}; closed sockets may be missing"
        ));
    }
    if survey.unwritten > 0 {
        let unwritten = survey.unwritten;
        notes
            .push(format!("closed sockets of that time that could not be written to the files: {unwritten}"));
    }
    notes.extend(survey.troubles.iter().cloned());
    notes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_beside() {
        let second = 1_000_000_000;
        let survey = Survey {
            from: Some(1_795_356_301 * second),
            lost: 3,
            unwritten: 4,
            gaps: vec![(1_795_356_310 * second, 1_795_356_320 * second)],
            troubles: vec!["the last 5 bytes of x are torn or damaged".to_owned()],
            ..Survey::default()
        };
        assert_eq!(
            notes(&survey, Some(0), 0),
            [
                "history starts at 2026-11-22 14:05:01; nothing older is kept",
                "no agent was running from 2026-11-22 14:05:10 to 2026-11-22 14:05:20; closes in that time are missing",
                "records of that time lost in the kernel's buffer: 3; closed sockets may be missing",
                "closed sockets of that time that could not be written to the files: 4",
                "the last 5 bytes of x are torn or damaged",
            ]
        );
        let whole = Survey { from: Some(5), ..Survey::default() };
        assert_eq!(notes(&whole, Some(6), 0), [""; 0]);
        assert_eq!(notes(&whole, None, 0), [""; 0]);
        assert_eq!(notes(&Survey::default(), None, 0), ["there is no history yet"]);
    }
}

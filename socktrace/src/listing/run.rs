//! From a question to its answer on a writer.

use std::io::Write;
use std::path::Path;

use crate::api::report::Report;
use crate::kernel::netns::Netns;
use crate::kernel::selinux;

use super::action::{Action, Rows};
use super::answer::Answer;
use super::context::AnswerContext;
use super::error::Error;
use super::list::{hold_here, list};
use super::plan::Plan;
use super::rounds::Rounds;
use super::{Paths, events, kill, record, summary};
use crate::api::sockets::{Format, NetnsChoice, Question};

/// Lists the sockets that match.
///
/// # Errors
///
/// Why there is no answer; rows may have been written before.
pub fn run(question: &Question, paths: &Paths, out: &mut (impl Write + Send)) -> Result<Report, Error> {
    run_with(question, paths, &AnswerContext::default(), out)
}

/// Lists the sockets that match, within a context.
///
/// # Errors
///
/// Why there is no answer; rows may have been written before.
pub fn run_with(
    question: &Question,
    paths: &Paths,
    context: &AnswerContext<'_>,
    out: &mut (impl Write + Send),
) -> Result<Report, Error> {
    run_round(question, &Action::List, paths, context, None, out)
}

/// Answers a question, and says of each socket what has changed since the round before.
///
/// # Errors
///
/// Why there is no answer; rows may have been written before.
pub fn run_round(
    question: &Question,
    action: &Action,
    paths: &Paths,
    context: &AnswerContext<'_>,
    mut rounds: Option<&mut Rounds>,
    out: &mut (impl Write + Send),
) -> Result<Report, Error> {
    if let Some(rounds) = &mut rounds {
        rounds.begin();
        if question.header && question.format != Format::Json {
            out.write_all(rounds.heading().as_bytes()).map_err(Error::Output)?;
        }
    }
    if question.show.users.is_some_and(|users| users.process_context) && !selinux::is_enabled() {
        return Err(Error::Nothing("SELinux is not enabled here, so there are no contexts to show"));
    }
    match &question.netns {
        NetnsChoice::Own | NetnsChoice::All => run_here(question, action, paths, *context, rounds, out),
        NetnsChoice::One(name) => {
            // The context is of its own namespace.
            let context = AnswerContext { candidates: None, ..*context };
            find_netns(name)?.run(|| run_here(question, action, paths, context, rounds, out))?
        }
    }
}

/// By name, by the process that is in it, or by path.
fn find_netns(name: &str) -> Result<Netns, Error> {
    if name.contains('/') {
        return Ok(Netns::at(Path::new(name))?);
    }
    match (Netns::named(name), name.parse()) {
        (Err(error), Ok(pid)) if error.is_gone() => Ok(Netns::of_process(Path::new("/proc"), pid)?),
        (netns, _) => Ok(netns?),
    }
}

/// Answers a question about the calling thread's namespace.
fn run_here(
    question: &Question,
    action: &Action,
    paths: &Paths,
    context: AnswerContext<'_>,
    rounds: Option<&mut Rounds>,
    out: &mut impl Write,
) -> Result<Report, Error> {
    let mut report = Report::default();
    if question.summary {
        summary::write(question, paths, &context, rounds.as_deref(), &mut report, out)?;
    }
    match action {
        Action::Nothing => out.flush().map(|()| report).map_err(Error::Output),
        Action::List => list(question, paths, context, rounds, out),
        Action::Dump(path) => {
            let names = context.directory(paths);
            record::record(
                &Plan::new(question, Rows::Recorded, paths, &names, context)?.request(paths),
                path,
                out,
            )?;
            Ok(Report::default())
        }
        Action::Kill { dry_run, force } => kill(question, paths, context, (*dry_run, *force), out),
        Action::Events => {
            let mut names = context.directory(paths);
            let plan = Plan::new(question, Rows::Destroyed, paths, &names, context)?;
            // There may be no end at which to say it.
            plan.idle.iter().for_each(|idle| log::warn!("{idle}"));
            let mut answer = Answer::new(question, &mut names, context, None, out);
            events::follow(&plan, &plan.request(paths), &mut answer)?;
            Ok(Report::default())
        }
    }
}

fn kill(
    question: &Question,
    paths: &Paths,
    context: AnswerContext<'_>,
    (dry_run, force): (bool, bool),
    out: &mut impl Write,
) -> Result<Report, Error> {
    let mut names = context.directory(paths);
    let plan = Plan::new(question, Rows::Dumped, paths, &names, context)?;
    let mixed = plan.filter.mixes_and_or();
    let mut report = Report { mixed, warnings: plan.idle.clone(), ..Report::default() };
    // Before anything is closed: what is closed has no holder any more.
    let held = hold_here(question, paths, plan, context, &mut report)?;
    let mut answer = Answer::new(question, &mut names, context, None, out);
    let mut killer = kill::Killer::new(paths, dry_run, force)?;
    held.each(|row| if killer.close(row.socket) { answer.row(row) } else { Ok(()) })?;
    report.rows = answer.finish()?;
    report.kill = Some(killer.outcome());
    Ok(report)
}

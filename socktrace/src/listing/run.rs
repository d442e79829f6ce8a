//! From a question to its answer on a writer.

use std::io::Write;
use std::ops::ControlFlow;
use std::path::Path;

use crate::kernel::netns::Netns;
use crate::kernel::sock_diag::{InetId, Want};
use crate::query::bytecode::{Able, Target};
use crate::query::{self, Context, Dialect, Filter, Processes};
use crate::render::ss::Row;
use crate::socket::{Family, Socket, State, StateSet};

use super::answer::Answer;
use super::dump::{self, Request};
use super::error::Error;
use super::held::Held;
use super::hints::Hints;
use super::names::Directory;
use super::options::{Action, Format, NetnsChoice, Options};
use super::selection::{FamilySet, Selection, Table};
use super::summary::Summary;
use super::{Places, events, kill, record};

/// What is to be said beside the answer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// How many rows there are.
    pub rows: usize,
    /// Rows without a shown owner although owners were asked for.
    pub unowned: usize,
    /// Processes that could not be looked into.
    pub denied: usize,
    /// Kinds of sockets that this kernel cannot list.
    pub missing: Vec<&'static str>,
    /// The filter mixes `and` and `or` without parentheses.
    pub mixed: bool,
    /// What became of the sockets that were to be closed.
    pub kill: Option<kill::Outcome>,
}

/// Answers a question.
///
/// # Errors
///
/// Why there is no answer; rows may have been written before.
pub fn run(options: &Options, places: &Places, out: &mut (impl Write + Send)) -> Result<Report, Error> {
    run_with(options, places, &Hints::default(), out)
}

/// Answers a question with what the asker knows.
///
/// # Errors
///
/// Why there is no answer; rows may have been written before.
pub fn run_with(
    options: &Options,
    places: &Places,
    hints: &Hints<'_>,
    out: &mut (impl Write + Send),
) -> Result<Report, Error> {
    match &options.netns {
        NetnsChoice::Own | NetnsChoice::All => run_here(options, places, hints, out),
        NetnsChoice::One(name) => {
            // What the asker knows is of its own namespace.
            let hints = Hints { candidates: None, ..*hints };
            find_netns(name)?.run(|| run_here(options, places, &hints, out))?
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
    options: &Options,
    places: &Places,
    hints: &Hints<'_>,
    out: &mut impl Write,
) -> Result<Report, Error> {
    if options.summary {
        let summary = Summary::read(places)?;
        match options.format {
            Format::Text { .. } => summary.write_text(out),
            Format::Json => summary.write_json(out),
        }
        .map_err(Error::Output)?;
    }
    if options.action == Action::Nothing {
        out.flush().map_err(Error::Output)?;
        return Ok(Report::default());
    }
    let mut names = Directory::new(places.proc.clone(), &places.port_range());
    let filter = read_filter(options, &names)?;
    let selection = narrowed(&options.selection, &filter)?;
    // The kernel would answer a mark's question for us, who may ask.
    let secret = hints.viewer.is_limited() && filter.needs().mark;
    let bytecode = if secret { Vec::new() } else { bytecode(&filter, names.port_range()) };
    let candidates = candidates(hints, &filter, &selection);
    let request = Request {
        selection,
        want: want(options, &filter),
        bytecode: &bytecode,
        places,
        candidates: candidates.as_deref(),
        viewer: hints.viewer,
    };
    let mut report = Report { mixed: filter.mixes_and_or(), ..Report::default() };
    match &options.action {
        Action::Nothing => {}
        Action::Dump(path) => record::record(&request, path, out)?,
        Action::List => {
            let mut answer = Answer::new(options, &filter, &mut names, *hints, out);
            if places.tcpdiag.is_some() {
                answer.align_each_family();
            }
            list(options, &filter, &request, &mut answer, &mut report)?;
            report.rows = answer.rows();
            answer.write()?;
        }
        Action::Kill { dry_run, force } => {
            let mut answer = Answer::new(options, &filter, &mut names, *hints, out);
            let mut killer = kill::Killer::new(places, *dry_run, *force)?;
            dump_all(&request, &mut report, |socket| {
                if answer.passes(&socket, Processes::Unknown) && killer.close(&socket) {
                    answer.row(&Row::of(&socket))?;
                }
                Ok(killer.goes_on())
            })?;
            report.rows = answer.rows();
            report.kill = Some(killer.outcome());
            answer.write()?;
        }
        Action::Events => {
            let mut answer = Answer::new(options, &filter, &mut names, *hints, out);
            events::follow(&request, &mut answer)?;
        }
    }
    Ok(report)
}

fn list<W: Write>(
    options: &Options,
    filter: &Filter,
    request: &Request<'_>,
    answer: &mut Answer<'_, W>,
    report: &mut Report,
) -> Result<(), Error> {
    let by_process = filter.needs().processes;
    let peers = options.format == Format::Json && request.selection.families.contains(Family::Unix);
    if !by_process && options.show.users.is_none() && !peers {
        return dump_all(request, report, |socket| {
            if answer.passes(&socket, Processes::Unknown) {
                answer.row(&Row::of(&socket))?;
            }
            Ok(true)
        });
    }
    // Processes and peers are looked for when it is known whose are wanted.
    let mut held = Held::default();
    dump_all(request, report, |socket| {
        if peers {
            held.name(&socket);
        }
        if by_process || answer.passes(&socket, Processes::Unknown) {
            held.sockets.push(socket);
        }
        Ok(true)
    })?;
    if by_process || options.show.users.is_some() {
        let threads = options.show.users.is_some_and(|users| users.threads);
        held.find_users(request.places, threads);
        held.hide_from(request.viewer, &request.places.proc);
        report.denied = held.walk.denied;
    }
    held.each(|row| {
        let processes = match row.users {
            [] if report.denied > 0 => Processes::Unknown,
            users => Processes::Holders(users),
        };
        if !by_process || answer.passes(row.socket, processes) {
            report.unowned += usize::from(row.users.is_empty());
            answer.row(row)?;
        }
        Ok(())
    })
}

/// Hands every selected socket to `each` until it says no or fails.
pub(super) fn dump_all(
    request: &Request<'_>,
    report: &mut Report,
    mut each: impl FnMut(Socket) -> Result<bool, Error>,
) -> Result<(), Error> {
    let mut failed = None;
    let mut guarded = |socket| match each(socket) {
        Ok(true) => ControlFlow::Continue(()),
        Ok(false) => ControlFlow::Break(()),
        Err(error) => {
            failed = Some(error);
            ControlFlow::Break(())
        }
    };
    dump::dump(request, &mut guarded, &mut |table| report.missing.push(table))?;
    failed.map_or(Ok(()), Err)
}

/// The filter's meaning.
fn read_filter(options: &Options, names: &Directory) -> Result<Filter, Error> {
    let context = Context {
        dialect: Dialect::Ss,
        family: options.selection.last_family,
        tcp: options.selection.tables.contains(Table::Tcp),
        udp: options.selection.tables.contains(Table::Udp),
    };
    query::parse(&options.filter, &context, names)
        .map_err(|error| Error::Filter { error, words: options.filter.clone() })
}

/// What of the filter the kernel can do: all that newer kernels can, then what every kernel can.
fn bytecode(filter: &Filter, port_range: (u16, u16)) -> Vec<Vec<u8>> {
    let mut programs = Vec::new();
    for able in [Able::ALL, Able::LEAST] {
        programs.extend(filter.bytecode(&Target { able, port_range }));
    }
    programs.dedup();
    programs
}

/// The sockets that can pass, if the asker knows them and they can be looked up.
fn candidates(hints: &Hints<'_>, filter: &Filter, selection: &Selection) -> Option<Vec<InetId>> {
    let only_dumped = StateSet::of(State::TimeWait).union(StateSet::of(State::SynRecv));
    if filter.is_empty() || !selection.states.intersection(only_dumped).is_empty() {
        return None;
    }
    hints.candidates?(filter.hints())
}

/// The selection that the filter leaves.
fn narrowed(selection: &Selection, filter: &Filter) -> Result<Selection, Error> {
    let mut selection = *selection;
    if let Some(family) = filter.narrows_to() {
        selection.families = FamilySet::of(family);
    }
    if filter.needs().state && !selection.states_said {
        selection.states = filter.states().intersection(StateSet::ALL);
    }
    let Selection { tables, families, states, .. } = selection;
    if tables.is_empty() {
        return Err(Error::Nothing("no socket tables to show with these options"));
    }
    if families.is_empty() {
        return Err(Error::Nothing("no families to show with these options"));
    }
    if states.is_empty() {
        return Err(Error::Nothing("no socket states to show with these options"));
    }
    Ok(selection)
}

/// What the kernel is to tell of each socket.
fn want(options: &Options, filter: &Filter) -> Want {
    let (show, needs) = (&options.show, filter.needs());
    Want {
        extended: show.timers
            || show.extended
            || show.cgroup
            || show.sockopt
            || show.tipcinfo
            || needs.mark
            || needs.cgroup,
        memory: show.memory,
        info: show.info || needs.info,
        tos: show.tos,
        filter: show.bpf,
    }
}

//! Listing: rows as they come where that is enough, or all of them held back until more is known.

use std::io::Write;
use std::ops::ControlFlow;
use std::path::Path;

use rustc_hash::FxHashMap;

use crate::kernel::netns::{self, Netns};
use crate::kernel::owners::{Search, Sight, Unseen};
use crate::query::Processes;
use crate::render::ss::Row;
use crate::socket::{Family, NetnsId, Socket};

use super::action::Rows;
use super::answer::Answer;
use super::context::AnswerContext;
use super::dump::{self, Request};
use super::error::Error;
use super::names::{Hosts, SeenDevices};
use super::pending::PendingRows;
use super::plan::Plan;
use super::{Paths, namespaces, rounds::Rounds};
use crate::api::report::Report;
use crate::api::sockets::{Format, NetnsChoice, Question};

/// Lists what was asked for.
pub(super) fn list(
    question: &Question,
    paths: &Paths,
    context: AnswerContext<'_>,
    mut rounds: Option<&mut Rounds>,
    out: &mut impl Write,
) -> Result<Report, Error> {
    let mut names = context.directory(paths);
    if question.netns == NetnsChoice::All {
        names = names.of_several();
    }
    if context.sight.is_some_and(|sight| !sight.shows_names()) {
        names.hide_processes();
    }
    let mut report = Report::default();
    let mut plans = FxHashMap::default();
    let own = netns::current().unwrap_or(0);
    let plan = Plan::new(question, Rows::Dumped, paths, &names, context)?;
    report.mixed = plan.filter.mixes_and_or();
    report.warnings.clone_from(&plan.idle);
    if streams(question, &plan) && rounds.is_none() {
        let mut answer = Answer::new(question, &mut names, context, None, out);
        if paths.tcpdiag.is_some() {
            answer.align_each_family();
        }
        let mut batch = Vec::with_capacity(answer.batch());
        let dumped = dump_all(&plan.request(paths), &mut report, |socket| {
            context.go_on()?;
            if plan.passes(&socket, Processes::Unknown) {
                batch.push(socket);
                if batch.len() == answer.batch() {
                    answer.rows(&mut batch)?;
                }
            }
            Ok(true)
        });
        let damage = damage(dumped)?;
        answer.rows(&mut batch)?;
        return end(answer, report, damage);
    }

    let holders = Holders::of(question, paths, &plan);
    let mut pending = PendingRows::default();
    let mut damage = None;
    match question.netns {
        NetnsChoice::Own | NetnsChoice::One(_) => {
            damage = self::damage(hold(question, paths, &plan, context, own, &mut pending, &mut report))?;
            plans.insert(own, plan);
        }
        NetnsChoice::All => {
            let mut every = Every { question, paths, hosts: names.hosts(), devices: SeenDevices::default() };
            for netns in namespaces::all(&context, &mut report) {
                every.hold(&netns, context, &mut plans, &mut pending, &mut report)?;
                pending.labels.insert(netns.id, namespaces::label(&netns, own, Path::new("/proc")));
            }
            every.knows_the_devices(context)?;
            if let Some(rounds) = &mut rounds {
                // What has gone is shown with the names that it had.
                names.learn(std::mem::replace(&mut rounds.interfaces, pending.interfaces.clone()));
            }
            names.learn(pending.interfaces.drain());
        }
    }
    let asked = holders.wanted;
    context.go_on()?;
    holders.find(paths, context, &plans, &mut pending, &mut report);
    context.go_on()?;
    if !question.order.is_empty() && question.count_by.is_empty() {
        pending.sort(&question.order, &mut names, context);
    }
    if !question.count_by.is_empty() {
        report.rows = pending.count(question, &mut names, context, rounds.as_deref(), out)?;
        return damage.map_or(Ok(report), Err);
    }
    let beneath = pending.sockets.split_off(question.top.unwrap_or(usize::MAX).min(pending.sockets.len()));
    if let Some(rounds) = &mut rounds {
        // They are there, although they are not shown.
        for socket in &beneath {
            let _ = rounds.compare(&Row::of(socket));
        }
    }
    if question.show.resolve {
        let ends = pending.sockets.iter().flat_map(|socket| [&socket.local, &socket.peer]);
        let addrs = ends.filter_map(|end| Some(end.inet()?.0));
        // `::` is shown as `*`.
        names.meet_hosts(addrs.filter(|addr| addr.is_ipv4() || !addr.is_unspecified()));
    }
    let mut answer = Answer::new(question, &mut names, context, rounds, out);
    pending.each(|row| {
        let processes = pending.processes(row.socket, row.users);
        report.unowned += usize::from(asked && matches!(processes, Processes::Unknown));
        answer.row(row)
    })?;
    end(answer, report, damage)
}

/// What is to be said of a file that is damaged, once the rows that it has are shown.
fn damage(dumped: Result<(), Error>) -> Result<Option<Error>, Error> {
    match dumped {
        Err(error) if error.is_damage() => Ok(Some(error)),
        dumped => dumped.map(|()| None),
    }
}

/// Writes what is left.
fn end<W: Write>(answer: Answer<'_, W>, mut report: Report, damage: Option<Error>) -> Result<Report, Error> {
    match damage {
        // A heading without rows would look like an answer.
        Some(error) if answer.is_empty() => Err(error),
        damage => {
            report.rows = answer.finish()?;
            damage.map_or(Ok(report), Err)
        }
    }
}

/// Whether rows can be written as they come.
fn streams(question: &Question, plan: &Plan<'_>) -> bool {
    // Peers of UNIX sockets are only known at the end.
    let peers = question.tells_peers() && question.selection.families.contains(Family::Unix);
    // Names of hosts are asked for all at once, unless somebody waits for the first rows.
    let watched = matches!(question.format, Format::Text { screen: Some(_) });
    let hosts = question.show.resolve && !watched;
    !peers
        && !hosts
        && !plan.filter.needs().processes
        && !question.needs_users()
        && question.order.is_empty()
        && question.count_by.is_empty()
        && question.top.is_none()
        && question.netns != NetnsChoice::All
}

/// Everything that passes in the calling thread's namespace, with its holders if they are asked for.
pub(super) fn hold_here(
    question: &Question,
    paths: &Paths,
    plan: Plan<'_>,
    context: AnswerContext<'_>,
    report: &mut Report,
) -> Result<PendingRows, Error> {
    let own = netns::current().unwrap_or(0);
    let holders = Holders::of(question, paths, &plan);
    let mut pending = PendingRows::default();
    hold(question, paths, &plan, context, own, &mut pending, report)?;
    let plans = FxHashMap::from_iter([(own, plan)]);
    holders.find(paths, context, &plans, &mut pending, report);
    Ok(pending)
}

/// What is asked of holders.
struct Holders {
    /// The filter asks about them.
    by_process: bool,
    /// They are wanted at all.
    wanted: bool,
    threads: bool,
    /// Under way while the kernel is asked for sockets.
    search: Option<Search>,
}

impl Holders {
    fn of(question: &Question, paths: &Paths, plan: &Plan<'_>) -> Self {
        let by_process = plan.filter.needs().processes;
        let wanted = by_process || question.needs_users();
        let threads = question.show.users.is_some_and(|users| users.threads);
        let search = (wanted && !threads && !paths.recorded).then(Search::begin);
        Self { by_process, wanted, threads, search }
    }

    /// Finds them, and lets go of the sockets whose holders do not pass.
    fn find(
        self,
        paths: &Paths,
        context: AnswerContext<'_>,
        plans: &FxHashMap<NetnsId, Plan<'_>>,
        pending: &mut PendingRows,
        report: &mut Report,
    ) {
        if self.wanted {
            pending.find_users(paths, self.threads, self.search);
            if let Some(sight) = context.sight {
                pending.show_to(sight);
            }
            report.denied = pending.walk.denied;
            report.hidden =
                context.sight.map(Sight::word).or(pending.walk.unseen.map(Unseen::word)).map(Into::into);
        }
        if self.by_process {
            pending.keep(|socket, processes| {
                let Some(plan) = plans.get(&socket.netns) else { return false };
                let is_unknown = matches!(processes, Processes::Unknown);
                report.undecided += usize::from(is_unknown && plan.is_undecided(socket));
                plan.passes(socket, processes)
            });
        }
    }
}

/// Holds what a namespace has.
fn hold(
    question: &Question,
    paths: &Paths,
    plan: &Plan<'_>,
    context: AnswerContext<'_>,
    netns: NetnsId,
    pending: &mut PendingRows,
    report: &mut Report,
) -> Result<(), Error> {
    let by_process = plan.filter.needs().processes;
    let peers = question.tells_peers();
    dump_all(&plan.request(paths), report, |mut socket| {
        context.go_on()?;
        // Procfs does not say.
        socket.netns = netns;
        if peers {
            pending.name(&socket, &context)?;
        }
        if by_process || plan.passes(&socket, Processes::Unknown) {
            pending.push(socket, &context)?;
        }
        Ok(true)
    })
}

/// A question to every namespace, one after the other.
struct Every<'a> {
    question: &'a Question,
    paths: &'a Paths,
    /// As the namespace of whoever asks knows them.
    hosts: Hosts,
    /// What was looked for, and whether one of the namespaces has it.
    devices: SeenDevices,
}

impl Every<'_> {
    /// Holds what one of them has. One that has ended meanwhile has nothing.
    fn hold<'h>(
        &mut self,
        netns: &Netns,
        context: AnswerContext<'h>,
        plans: &mut FxHashMap<NetnsId, Plan<'h>>,
        pending: &mut PendingRows,
        report: &mut Report,
    ) -> Result<(), Error> {
        let &mut Self { question, paths, ref hosts, ref mut devices } = self;
        let inside = netns.run(|| {
            let names = context.directory(paths).of_several().with_hosts(hosts.clone());
            // The context is of one namespace.
            let plan = Plan::new(
                question,
                Rows::Dumped,
                paths,
                &names,
                AnswerContext { candidates: None, ..context },
            )?;
            for (name, found) in names.seen_devices() {
                *devices.entry(name).or_default() |= found;
            }
            let before = pending.sockets.len();
            hold(question, paths, &plan, context, netns.id, pending, report)?;
            pending.meet_interfaces(before);
            plans.insert(netns.id, plan);
            Ok(())
        });
        match inside {
            Ok(pending) => pending,
            Err(error) if error.is_gone() => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// A device that no namespace knows is a wrong word, as it is where one namespace is asked.
    fn knows_the_devices(self, context: AnswerContext<'_>) -> Result<(), Error> {
        if self.devices.values().all(|found| *found) {
            return Ok(());
        }
        let known = self.devices.into_iter().filter(|(_, found)| *found).map(|(name, _)| name).collect();
        let names = context.directory(self.paths).but_these(known).with_hosts(self.hosts);
        Plan::new(self.question, Rows::Dumped, self.paths, &names, AnswerContext::default()).map(drop)
    }
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
    dump::dump(request, &mut guarded, &mut |table| {
        if !report.missing.iter().any(|known| known == table) {
            report.missing.push(table.into());
        }
    })?;
    failed.map_or(Ok(()), Err)
}

//! What is asked of the kernel in one network namespace: the question, and the filter as that namespace reads it.

use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::Arc;

use crate::api::sockets::pick::Takes;
use crate::kernel::bpf_maps;
use crate::kernel::cgroups::Cgroups;
use crate::kernel::clock::boot_now;
use crate::kernel::sock_diag::Want;
use crate::query::bytecode::{Able, Target};
use crate::query::{self, Context, Dialect, Facts, Filter, InCgroup, Processes};
use crate::socket::{BootNs, Socket, State, StateSet};

use super::Paths;
use super::action::Rows;
use super::context::{AnswerContext, Candidates, Wanted};
use super::dump::Request;
use super::error::Error;
use super::judge::judge;
use super::names::Directory;
use crate::api::sockets::family::FamilySet;
use crate::api::sockets::selection::Selection;
use crate::api::sockets::table::Table;
use crate::api::sockets::{BpfMaps, Question};

/// What is asked.
pub(super) struct Plan<'a> {
    pub(super) filter: Filter,
    /// What of the question matches nothing although the rest can.
    pub(super) idle: Vec<String>,
    /// What it is known not to pass, where it asks about processes, which may be unknown.
    opposite: Option<Filter>,
    selection: Selection,
    want: Want,
    bytecode: Vec<Vec<u8>>,
    candidates: Option<(Candidates<'a>, Wanted)>,
    port_range: (u16, u16),
    context: AnswerContext<'a>,
    now: BootNs,
    /// Where the filter asks what a cgroup is.
    cgroups: Option<Arc<Cgroups>>,
    /// Kept open as long as they are asked about.
    _maps: Vec<OwnedFd>,
    map_fds: Option<Vec<RawFd>>,
}

impl<'a> Plan<'a> {
    /// For the calling thread's namespace: names of devices are its own.
    pub(super) fn new(
        question: &Question,
        rows: Rows,
        paths: &Paths,
        names: &Directory,
        context: AnswerContext<'a>,
    ) -> Result<Self, Error> {
        let filter = read_filter(question, names)?;
        let selection = narrowed(&question.selection, &filter)?;
        let idle = judge(question, rows, &filter, &selection, &context, paths)?;
        let opposite = filter.needs().processes.then(|| filter.opposite());
        let port_range = names.port_range();
        let bytecode = bytecode(&filter, port_range);
        let candidates = candidates(&context, &filter, &selection);
        let want = want(question, &filter);
        let now = if filter.needs().age { boot_now() } else { 0 };
        let cgroups = filter.needs().place.then(|| names.cgroups().clone());
        let maps = match &question.bpf_maps {
            BpfMaps::Ids(ids) => ids.iter().map(|&id| bpf_maps::open(id)).collect::<Result<_, _>>()?,
            BpfMaps::None | BpfMaps::All => Vec::new(),
        };
        let map_fds =
            (question.bpf_maps != BpfMaps::None).then(|| maps.iter().map(AsRawFd::as_raw_fd).collect());
        Ok(Self {
            filter,
            idle,
            opposite,
            selection,
            want,
            bytecode,
            candidates,
            port_range,
            context,
            now,
            cgroups,
            _maps: maps,
            map_fds,
        })
    }

    pub(super) fn request<'r>(&'r self, paths: &'r Paths) -> Request<'r> {
        Request {
            selection: self.selection,
            want: self.want,
            bytecode: &self.bytecode,
            paths,
            candidates: self.candidates,
            bpf_maps: self.map_fds.as_deref(),
        }
    }

    /// Whether the filter lets it pass, given who holds it.
    pub(super) fn passes(&self, socket: &Socket, processes: Processes<'_>) -> bool {
        self.filter.is_empty() || self.is_among(&self.filter, socket, processes)
    }

    /// Whether the filter can say neither yes nor no, since nobody knows who holds it.
    pub(super) fn is_undecided(&self, socket: &Socket) -> bool {
        let Some(opposite) = self.opposite.as_ref().filter(|it| it.is_about(socket.family)) else {
            return false;
        };
        let unknown = Processes::Unknown;
        !self.is_among(&self.filter, socket, unknown) && !self.is_among(opposite, socket, unknown)
    }

    fn is_among(&self, filter: &Filter, socket: &Socket, processes: Processes<'_>) -> bool {
        let opened =
            if self.now == 0 { None } else { self.context.opener(socket).and_then(|opener| opener.opened) };
        let age_us = opened.map(|opened| self.now.saturating_sub(opened) / 1000);
        let port_range = self.port_range;
        let mut facts = Facts { processes, port_range, age_us, ..Facts::of_socket(socket) };
        let cgroup = match (&self.cgroups, facts.cgroup_id) {
            (Some(cgroups), Some(id @ 1..)) => cgroups.get(id),
            (Some(_) | None, _) => None,
        };
        if let Some(cgroup) = &cgroup {
            facts.cgroup = InCgroup::Known(cgroup);
        }
        filter.matches(&facts)
    }
}

/// The filter without names of hosts and users, if it has some, and whether it mixed `and` and `or` without parentheses:
/// for whoever asks one that looks up no names. A filter that cannot be understood is left to that one.
#[must_use]
pub fn resolved(question: &Question, paths: &Paths) -> Option<(String, bool)> {
    if question.filter.is_empty() {
        return None;
    }
    let names = AnswerContext::default().directory(paths);
    let filter = read_filter(question, &names).ok()?;
    let text = filter.expr()?.to_string();
    names.has_asked().then(|| (text, filter.mixes_and_or()))
}

/// The filter's meaning.
fn read_filter(question: &Question, names: &Directory) -> Result<Filter, Error> {
    let context = Context {
        dialect: Dialect::Ss,
        family: question.selection.last_family,
        tcp: question.selection.tables.contains(Table::Tcp),
        udp: question.selection.tables.contains(Table::Udp),
    };
    query::parse(&question.filter, &context, names)
        .map_err(|error| Error::Filter { error, words: question.filter.clone() })
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

/// Who names the sockets that can pass, if the context knows them and they can be looked up.
fn candidates<'a>(
    context: &AnswerContext<'a>,
    filter: &Filter,
    selection: &Selection,
) -> Option<(Candidates<'a>, Wanted)> {
    let only_dumped = StateSet::of(State::TimeWait).union(StateSet::of(State::SynRecv));
    let states = selection.states;
    let dumped = selection.tables.contains(Table::Tcp) && !states.intersection(only_dumped).is_empty();
    if filter.is_empty() || dumped {
        return None;
    }
    Some((context.candidates?, Wanted { keys: filter.keys(), states }))
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

/// What the kernel is to report of each socket.
fn want(question: &Question, filter: &Filter) -> Want {
    let (show, needs) = (&question.show, filter.needs());
    Want {
        extended: show.timers
            || show.extended
            || show.cgroup
            || show.sockopt
            || show.tipcinfo
            || question.bpf_maps != BpfMaps::None
            || needs.mark
            || needs.cgroup,
        cgroup: question.takes(Takes::Cgroup),
        memory: show.memory,
        info: show.info || needs.info || question.takes(Takes::Info),
        tos: show.tos,
        filter: show.bpf,
    }
}

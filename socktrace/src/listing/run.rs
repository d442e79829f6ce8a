//! From a question to its answer on a writer.

use std::io::Write;
use std::ops::ControlFlow;
use std::path::PathBuf;

use crate::kernel::owners;
use crate::kernel::sock_diag::{SockDiag, Want};
use crate::query::{self, Context, Dialect, Facts, Filter, Processes};
use crate::render::ss::{Row, Table as Listed};
use crate::socket::{Family, Holder, Socket, StateSet};

use super::dump::{Request, dump};
use super::error::Error;
use super::names::Directory;
use super::options::{Format, Options};
use super::selection::{FamilySet, Selection, Table};

/// Where things are that are usually elsewhere; [`Places::default`] is where they usually are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places {
    /// Where procfs is.
    pub proc: PathBuf,
}

impl Default for Places {
    fn default() -> Self {
        Self { proc: "/proc".into() }
    }
}

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
}

/// Answers a question.
///
/// # Errors
///
/// Why there is no answer; rows may have been written before.
pub fn run(options: &Options, places: &Places, out: &mut impl Write) -> Result<Report, Error> {
    let mut names = Directory::new(places.proc.clone());
    let filter = read_filter(options, &names)?;
    let selection = narrowed(&options.selection, &filter)?;
    let mut diag = SockDiag::open()?;
    let want = want(options, &filter);
    let request = Request { selection, want, bytecode: &[] };

    let mut report = Report { mixed: filter.mixes_and_or(), ..Report::default() };
    let mut answer = Answer::new(options, &filter, &mut names, out);
    let users = options.show.users.is_some() || filter.needs().processes;
    let mut held = Vec::new();
    let mut failed = None;
    let mut each = |socket: Socket| {
        if users {
            // Processes are looked for when it is known whose sockets are wanted.
            if filter.needs().processes || answer.passes(&socket, Processes::Unknown) {
                held.push(socket);
            }
            return ControlFlow::Continue(());
        }
        if answer.passes(&socket, Processes::Unknown)
            && let Err(error) = answer.row(&socket, &[])
        {
            failed = Some(error);
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    };
    dump(&mut diag, &request, &mut each, &mut |table| report.missing.push(table))?;
    if let Some(error) = failed {
        return Err(error);
    }
    if users {
        with_users(&held, &mut answer, &mut report)?;
    }
    report.rows = answer.rows;
    answer.finish()?;
    Ok(report)
}

/// Looks for the processes behind the sockets, and writes those that pass.
fn with_users(
    held: &[Socket],
    answer: &mut Answer<'_, impl Write>,
    report: &mut Report,
) -> Result<(), Error> {
    let mut wanted: Vec<u32> = held.iter().map(|socket| socket.inode).filter(|&inode| inode != 0).collect();
    wanted.sort_unstable();
    let walk = if wanted.is_empty() {
        owners::Walk::default()
    } else {
        owners::find(|inode| wanted.binary_search(&inode).is_ok()).unwrap_or_default()
    };
    report.denied = walk.denied;
    let mut users: Vec<Holder> = Vec::new();
    for socket in held {
        users.clear();
        if socket.inode != 0 {
            users.extend(walk.holders.of(socket.inode));
        }
        let processes =
            if users.is_empty() && walk.denied > 0 { Processes::Unknown } else { Processes::Holders(&users) };
        if answer.passes(socket, processes) {
            report.unowned += usize::from(users.is_empty());
            answer.row(socket, &users)?;
        }
    }
    Ok(())
}

/// The rows on their way out.
struct Answer<'a, W> {
    options: &'a Options,
    filter: &'a Filter,
    names: &'a mut Directory,
    port_range: (u16, u16),
    table: Listed,
    rows: usize,
    out: &'a mut W,
}

impl<'a, W: Write> Answer<'a, W> {
    fn new(options: &'a Options, filter: &'a Filter, names: &'a mut Directory, out: &'a mut W) -> Self {
        let mut table = Listed::new(options.show);
        if options.header {
            table.header();
        }
        Self { options, filter, port_range: names.port_range(), names, table, rows: 0, out }
    }

    fn passes(&self, socket: &Socket, processes: Processes<'_>) -> bool {
        if self.filter.is_empty() {
            return true;
        }
        let facts = Facts { processes, port_range: self.port_range, ..Facts::of_socket(socket) };
        self.filter.matches(&facts)
    }

    fn row(&mut self, socket: &Socket, users: &[Holder]) -> Result<(), Error> {
        /// On a terminal, rows are shown when there are so many bytes of them.
        const SCREENFUL: usize = 64 * 1024;
        self.rows += 1;
        self.table.push(Row { socket, users }, self.names);
        match self.options.format {
            Format::Text { screen: screen @ Some(_) } if self.table.size() >= SCREENFUL => {
                self.table.write(self.out, screen).map_err(Error::Output)
            }
            Format::Text { .. } | Format::Json => Ok(()),
        }
    }

    fn finish(mut self) -> Result<(), Error> {
        let screen = match self.options.format {
            Format::Text { screen } => screen,
            Format::Json => None,
        };
        self.table.write(self.out, screen).and_then(|()| self.out.flush()).map_err(Error::Output)
    }
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
            || needs.cgroup
            || (show.memory && options.selection.families.contains(Family::Netlink)),
        memory: show.memory,
        info: show.info || needs.info,
        tos: show.tos,
        filter: show.bpf,
    }
}

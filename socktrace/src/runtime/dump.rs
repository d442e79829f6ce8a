//! A dump of every socket there is, namespace by namespace: what makes the table right.
//!
//! I/O: netlink, `/proc`. It blocks, so it runs on a thread of its own; the parts go to the task that owns the
//! engine.

use super::procfs::{self, Wanted};
use crate::engine::{Reach, Sought};
use crate::kernel::cgroups::Cgroups;
use crate::kernel::netns::{self, Netns};
use crate::kernel::owners::{OwnersError, Search, any_in_flight};
use crate::kernel::procfs_net::ProcTable;
use crate::kernel::sock_diag::{
    DiagError, InetQuery, InetRow, InetTable, IpVersion, SockDiag, UnixQuery, Want,
};
use crate::socket::{
    Endpoint, Family, Held, NetnsId, Process, Proto, Socket, State, StateSet, Timer, TimerKind,
};
use crate::table::{Outcome, Scope};
use rustc_hash::{FxHashMap, FxHashSet};
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Instant;

/// Rows that are handed over together.
const ROWS: usize = 512;
/// How often a scope is asked for again when the kernel says that it changed under the dump.
const TRIES: usize = 3;

/// A part of the dump.
#[derive(Debug)]
pub(super) enum Part {
    /// Some sockets.
    Rows(Vec<Socket>),
    /// One request has been answered, or not.
    Ended(Scope, Outcome),
    /// Both ends of what is left of connections that were closed before their peers closed them.
    Lingering(Vec<[Endpoint; 2]>),
    /// Who holds the sockets, by inode.
    Holders(FxHashMap<u32, Held>),
    /// What became of the sockets that were sought.
    Sought(Sought),
}

/// The kernel's tables that hold what the hooks tell of, and the kind of socket that names each.
const TABLES: [(InetTable, Proto); 5] = [
    (InetTable::Tcp, Proto::Tcp),
    (InetTable::Mptcp, Proto::Mptcp),
    (InetTable::Udp, Proto::Udp),
    (InetTable::UdpLite, Proto::UdpLite),
    (InetTable::Raw, Proto::Raw(0)),
];

/// How holders are asked for.
type Find = fn(Search, &FxHashSet<u32>) -> Result<FxHashMap<u32, Process>, OwnersError>;

/// The receiver of the parts has gone.
#[derive(Debug)]
pub(super) struct Unwanted;

/// Takes the parts, one after the other.
pub(super) type Hand<'a> = &'a mut dyn FnMut(Part) -> Result<(), Unwanted>;

/// Dumps the sockets of every namespace that we may enter, handing each part to `hand`, and asks for none before
/// `settled`. A search for their holders may have begun before.
///
/// # Errors
/// When `hand` says that nobody wants the rest.
pub(super) fn dump(
    reach: Reach,
    search: Option<Search>,
    settled: Instant,
    hand: Hand<'_>,
) -> Result<(), Unwanted> {
    let search = match (reach, search) {
        // The first audit follows soon: what came since the search began is not worth another one.
        (Reach::All, Some(begun)) => Some((begun, Search::first_found as Find)),
        (Reach::All, None) => Some((Search::begin(), Search::first_holders as Find)),
        (Reach::Unix, _) => None,
    };
    let (mut inodes, mut unix) = (FxHashSet::default(), FxHashSet::default());
    sockets(reach, settled, &mut |part| {
        if let Part::Rows(rows) = &part {
            inodes.extend(rows.iter().map(|row| row.inode).filter(|&inode| inode != 0));
            unix.extend(rows.iter().filter(|row| row.family == Family::Unix).map(|row| row.inode));
        }
        hand(part)
    })?;
    let Some((search, find)) = search else { return Ok(()) };
    hand(Part::Holders(holders(find(search, &inodes), &inodes, &unix)))
}

/// Looks whether some process has these sockets open.
///
/// # Errors
/// When `hand` says that nobody wants to know.
pub(super) fn seek(inodes: &FxHashSet<u32>, hand: Hand<'_>) -> Result<(), Unwanted> {
    // Before and after: what is received in between is held, and what is sent in between lies in a queue afterwards.
    let under_way = any_in_flight();
    hand(Part::Sought(match Search::held(inodes) {
        Some(held) if under_way || (held.len() < inodes.len() && any_in_flight()) => Sought::AtLeast(held),
        Some(held) => Sought::Open(held),
        None => Sought::Unknown,
    }))
}

fn sockets(reach: Reach, settled: Instant, hand: Hand<'_>) -> Result<(), Unwanted> {
    let proc = Path::new("/proc");
    // What is dumped often, and on a large machine, is what processes are in.
    let listed = match reach {
        Reach::All if Search::is_cheap() => netns::list_open(proc),
        Reach::All | Reach::Unix => netns::list(proc),
    };
    std::thread::sleep(settled.saturating_duration_since(Instant::now()));
    if listed.denied > 0 {
        log::debug!("the network namespaces of {} processes cannot be seen", listed.denied);
    }
    let mut unlisted = Vec::new();
    for namespace in &listed.namespaces {
        match SockDiag::open_in(namespace) {
            Ok(diag) => {
                let dump = Dump { diag, tables: pings(namespace, reach), rows: Vec::new(), hand: &mut *hand };
                unlisted.push(Wanted { namespace, tables: dump.all(reach)? });
            }
            Err(error) => {
                log::warn!("cannot list the sockets of network namespace {}: {error}", namespace.id);
                let outcome = if is_gone(&error) { Outcome::Complete } else { Outcome::Partial };
                for scope in scopes(namespace, reach) {
                    hand(Part::Ended(scope, outcome))?;
                }
            }
        }
    }
    unlisted.retain(|wanted| !wanted.tables.is_empty());
    for (scope, sockets) in procfs::sockets(&unlisted) {
        let outcome = if sockets.is_some() { Outcome::Complete } else { Outcome::Unsupported };
        for rows in sockets.unwrap_or_default().chunks(ROWS) {
            hand(Part::Rows(rows.to_vec()))?;
        }
        hand(Part::Ended(scope, outcome))?;
    }
    Ok(())
}

/// The tables of ping sockets, which sock_diag never lists.
fn pings(namespace: &Netns, reach: Reach) -> Vec<(ProcTable, Scope)> {
    match reach {
        Reach::All => IpVersion::BOTH.map(|ip| (ProcTable::Ping(ip), ping(namespace.id, ip))).into(),
        Reach::Unix => Vec::new(),
    }
}

const fn ping(netns: NetnsId, ip: IpVersion) -> Scope {
    scope(netns, ip.family(), Proto::Ping(0))
}

/// Who holds these sockets. unix_diag does not tell the cgroup of a socket: for those of UNIX it is the holder's.
fn holders(
    found: Result<FxHashMap<u32, Process>, OwnersError>,
    inodes: &FxHashSet<u32>,
    unix: &FxHashSet<u32>,
) -> FxHashMap<u32, Held> {
    let found = found.unwrap_or_else(|error| {
        log::warn!("cannot find out which processes hold which sockets: {error}");
        FxHashMap::default()
    });
    let proc = Path::new("/proc");
    let (cgroups, mut known) = (Cgroups::new(proc), FxHashMap::default());
    let mut cgroup_of = |pid| *known.entry(pid).or_insert_with(|| cgroups.of_process(proc, pid).unwrap_or(0));
    let held = |&inode: &u32| {
        let process = *found.get(&inode)?;
        let cgroup = if unix.contains(&inode) { cgroup_of(process.pid) } else { 0 };
        Some((inode, Held { process, cgroup }))
    };
    inodes.iter().filter_map(held).collect()
}

/// What of a namespace is asked for.
fn scopes(namespace: &Netns, reach: Reach) -> impl Iterator<Item = Scope> {
    let netns = namespace.id;
    let tables = tables(reach).iter();
    let inet = tables.flat_map(move |&(_, proto)| IpVersion::BOTH.map(|ip| scope(netns, ip.family(), proto)));
    let pings = pings(namespace, reach).into_iter().map(|(_, scope)| scope);
    inet.chain(pings).chain([scope(netns, Family::Unix, Proto::UnixStream)])
}

const fn tables(reach: Reach) -> &'static [(InetTable, Proto)] {
    match reach {
        Reach::All => &TABLES,
        Reach::Unix => &[],
    }
}

const fn scope(netns: NetnsId, family: Family, proto: Proto) -> Scope {
    Scope { netns, family, proto }
}

/// Whether the row is of a TIME-WAIT mini-socket: some of them show the state FIN-WAIT-2, so that the states of the
/// request do not keep them out (net/ipv4/inet_diag.c, `inet_diag_dump_icsk`, `tw_substate`).
fn is_mini(row: &InetRow<'_>) -> bool {
    matches!(row.timer(), Some(Timer { kind: TimerKind::TimeWait, .. }))
}

/// The dump of one namespace.
struct Dump<'a> {
    diag: SockDiag,
    /// What procfs is to tell.
    tables: Vec<(ProcTable, Scope)>,
    rows: Vec<Socket>,
    hand: Hand<'a>,
}

impl Dump<'_> {
    /// What is left for procfs to tell.
    fn all(mut self, reach: Reach) -> Result<Vec<(ProcTable, Scope)>, Unwanted> {
        let netns = self.diag.netns();
        for &(table, proto) in tables(reach) {
            // The kernel has one walk for both IPs of TCP, and of nothing else.
            let asks: &[&[IpVersion]] = match table {
                InetTable::Tcp => &[&IpVersion::BOTH],
                InetTable::Udp
                | InetTable::UdpLite
                | InetTable::Raw
                | InetTable::Mptcp
                | InetTable::Sctp
                | InetTable::Dccp => &[&[IpVersion::V4], &[IpVersion::V6]],
            };
            for &ips in asks {
                self.inet(netns, (table, proto), ips)?;
            }
        }
        self.scope(&[scope(netns, Family::Unix, Proto::UnixStream)], |diag, each| {
            let answer = diag.unix(&UnixQuery { states: StateSet::ALL, want: Want::NONE }, each)?;
            Ok(!answer.interrupted && !answer.stopped)
        })?;
        Ok(self.tables)
    }

    /// One IP of a table, or both of TCP.
    fn inet(
        &mut self,
        netns: NetnsId,
        (table, proto): (InetTable, Proto),
        ips: &[IpVersion],
    ) -> Result<(), Unwanted> {
        let mut lingering = Vec::new();
        let scopes: Vec<_> = ips.iter().map(|ip| scope(netns, ip.family(), proto)).collect();
        self.scope(&scopes, |diag, each| {
            // A row that cannot be understood is as good as missing.
            let mut whole = true;
            let take = |row: InetRow<'_>| match row.to_socket(Want::CGROUP) {
                Ok(socket) if is_mini(&row) => {
                    lingering.push([socket.local, socket.peer]);
                    ControlFlow::Continue(())
                }
                Ok(socket) => each(socket),
                Err(error) => {
                    log::debug!("a row that cannot be understood: {error}");
                    whole = false;
                    ControlFlow::Continue(())
                }
            };
            let query = |ip| InetQuery::new(table, ip, wanted_states());
            let answer = match *ips {
                [ip] => diag.inet(&query(ip), take),
                _ => diag.tcp_of_both(&query(IpVersion::V4), take),
            };
            let answer = answer?;
            Ok(whole && !answer.interrupted && !answer.stopped)
        })?;
        if lingering.is_empty() { Ok(()) } else { (self.hand)(Part::Lingering(lingering)) }
    }

    /// One request, of so many scopes; `ask` says whether the answer was whole.
    fn scope(
        &mut self,
        scopes: &[Scope],
        mut ask: impl FnMut(&mut SockDiag, &mut dyn FnMut(Socket) -> ControlFlow<()>) -> Result<bool, DiagError>,
    ) -> Result<(), Unwanted> {
        let Self { diag, tables, rows, hand } = self;
        let mut unwanted = false;
        let mut outcome = Outcome::Partial;
        for _ in 0..TRIES {
            let answer = ask(diag, &mut |socket| {
                rows.push(socket);
                if rows.len() < ROWS {
                    return ControlFlow::Continue(());
                }
                match hand(Part::Rows(std::mem::take(rows))) {
                    Ok(()) => ControlFlow::Continue(()),
                    Err(Unwanted) => {
                        unwanted = true;
                        ControlFlow::Break(())
                    }
                }
            });
            if unwanted {
                return Err(Unwanted);
            }
            match answer {
                Ok(true) => {
                    outcome = Outcome::Complete;
                    break;
                }
                Ok(false) => {}
                Err(DiagError::Unsupported(_)) => {
                    outcome = Outcome::Unsupported;
                    break;
                }
                Err(error) => log::warn!("a dump of sockets failed: {error}"),
            }
        }
        if !rows.is_empty() {
            hand(Part::Rows(std::mem::take(rows)))?;
        }
        scopes.iter().try_for_each(|&scope| {
            match procfs_table(scope).filter(|_| outcome == Outcome::Unsupported) {
                Some(table) => tables.push((table, scope)),
                None => hand(Part::Ended(scope, outcome))?,
            }
            Ok(())
        })
    }
}

/// Where procfs has the sockets of a kind that not every kernel's sock_diag has, all of which processes have made.
fn procfs_table(scope: Scope) -> Option<ProcTable> {
    let ip = IpVersion::BOTH.into_iter().find(|ip| ip.family() == scope.family)?;
    matches!(scope.proto, Proto::Raw(_)).then_some(ProcTable::Inet(InetTable::Raw, ip))
}

/// TIME-WAIT is a mini-socket of which no event tells; it is asked for when somebody wants to see it.
const fn wanted_states() -> StateSet {
    StateSet::ALL.difference(StateSet::of(State::TimeWait))
}

fn is_gone(error: &DiagError) -> bool {
    match error {
        DiagError::Namespace(error) => error.is_gone(),
        DiagError::Unsupported(_)
        | DiagError::CannotClose(_)
        | DiagError::Shadowed
        | DiagError::Netlink { .. } => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::netlink::NetlinkError;
    use crate::kernel::netns;

    fn refused() -> DiagError {
        let source = NetlinkError::Refused(nix::errno::Errno::ENOMEM);
        DiagError::Netlink { action: "list", table: "tcp", source }
    }

    #[test]
    fn only_a_whole_answer_is_complete() {
        type Answers = fn(usize) -> Result<bool, DiagError>;
        let tries: [(&str, Answers, Outcome, usize); 6] = [
            ("whole", |_| Ok(true), Outcome::Complete, 1),
            ("interrupted at first", |asked| Ok(asked == 2), Outcome::Complete, 2),
            ("interrupted again and again", |_| Ok(false), Outcome::Partial, TRIES),
            (
                "an error, then whole",
                |asked| if asked == 1 { Err(refused()) } else { Ok(true) },
                Outcome::Complete,
                2,
            ),
            ("nothing but errors", |_| Err(refused()), Outcome::Partial, TRIES),
            ("no such sockets", |_| Err(DiagError::Unsupported("tcp")), Outcome::Unsupported, 1),
        ];
        for (name, answers, expected, asks) in tries {
            let mut parts = Vec::new();
            let mut hand = |part| {
                parts.push(part);
                Ok(())
            };
            let diag = SockDiag::open().unwrap();
            let mut dump = Dump { diag, tables: Vec::new(), rows: Vec::new(), hand: &mut hand };
            let scope = scope(netns::current().unwrap(), Family::Inet, Proto::Tcp);
            let mut asked = 0;
            let ask = |_: &mut SockDiag, _: &mut dyn FnMut(Socket) -> ControlFlow<()>| {
                asked += 1;
                answers(asked)
            };
            dump.scope(&[scope], ask).unwrap();
            assert_eq!(asked, asks, "{name}");
            let [Part::Ended(of, outcome)] = parts.as_slice() else { panic!("{name}: {parts:?}") };
            assert_eq!((*of, *outcome), (scope, expected), "{name}");
        }
    }
}

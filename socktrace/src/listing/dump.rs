//! Asking for everything that was selected, table by table in ss's order.
//!
//! The kernel is asked by sock_diag; where it has no handler, or the caller put the files elsewhere, /proc/net is
//! read; TCP sockets may come from a file of recorded answers.
//! I/O: through `kernel`, and one such file.

use std::fs;
use std::ops::ControlFlow;
use std::os::fd::RawFd;
use std::path::PathBuf;
use std::time::Duration;

use crate::kernel::procfs_net::{self, ProcTable};
use crate::kernel::sock_diag::{
    DiagError, InetQuery, InetTable, IpVersion, SockDiag, UnixQuery, Want, replay,
};
use crate::socket::{Family, Proto, Socket, State};

use super::context::{Candidates, Named, Wanted};
use super::error::Error;
use super::{Paths, inet};
use crate::api::sockets::selection::Selection;
use crate::api::sockets::table::Table;

/// How often candidates are asked for when one of them has just changed, and how long that may take to be known. It is
/// a small part of what a dump takes where there are many sockets.
const TRIES: u32 = 4;
const PAUSE: Duration = Duration::from_micros(500);

/// What is asked.
#[derive(Clone)]
pub(super) struct Request<'a> {
    pub(super) selection: Selection,
    pub(super) want: Want,
    /// The filter for IP sockets in the kernel's bytecode, which may only narrow: the most telling first, and what is
    /// tried when the kernel refuses it.
    pub(super) bytecode: &'a [Vec<u8>],
    pub(super) paths: &'a Paths,
    /// Who names the TCP and UDP sockets that can pass, if somebody does.
    pub(super) candidates: Option<(Candidates<'a>, Wanted)>,
    /// BPF maps whose storages are wanted; all of them for none in the list.
    pub(super) bpf_maps: Option<&'a [RawFd]>,
}

/// The tables in the order in which ss lists them.
const ORDER: [Part; 12] = [
    Part::Netlink,
    Part::Packet,
    Part::Unix,
    Part::Inet(Table::Raw, InetTable::Raw),
    Part::Inet(Table::Udp, InetTable::Udp),
    Part::Inet(Table::Tcp, InetTable::Tcp),
    Part::Inet(Table::Dccp, InetTable::Dccp),
    Part::Inet(Table::Sctp, InetTable::Sctp),
    Part::Vsock,
    Part::Tipc,
    Part::Xdp,
    Part::Inet(Table::Mptcp, InetTable::Mptcp),
];

/// One place in the order: what one dump lists (an IP table takes one for each family).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Netlink,
    Packet,
    Unix,
    Inet(Table, InetTable),
    Vsock,
    Tipc,
    Xdp,
}

/// Hands every selected socket to `each`, until it breaks. What can be listed nowhere goes to `missing`.
pub(super) fn dump(
    request: &Request<'_>,
    each: &mut dyn FnMut(Socket) -> ControlFlow<()>,
    missing: &mut dyn FnMut(&'static str),
) -> Result<(), Error> {
    let mut dump = Dump { request, diag: None };
    for part in ORDER {
        if part.is_selected(&request.selection) && dump.part(part, each, missing)?.is_break() {
            break;
        }
    }
    Ok(())
}

/// A dump under way.
struct Dump<'a> {
    request: &'a Request<'a>,
    /// Opened when it is first needed: it may not be needed at all.
    diag: Option<SockDiag>,
}

impl Dump<'_> {
    fn part(
        &mut self,
        part: Part,
        each: &mut dyn FnMut(Socket) -> ControlFlow<()>,
        missing: &mut dyn FnMut(&'static str),
    ) -> Result<ControlFlow<()>, Error> {
        let paths = self.request.paths;
        if let (Some(file), Part::Inet(Table::Tcp, _)) = (&paths.tcpdiag, part) {
            return self.recorded(file, each);
        }
        if !paths.recorded && part.variables().iter().all(|variable| paths.elsewhere(variable).is_none()) {
            match self.by_diag(part, each) {
                Err(DiagError::Unsupported(table)) if part.proc_tables().is_empty() => {
                    missing(table);
                    return Ok(ControlFlow::Continue(()));
                }
                Err(DiagError::Unsupported(_)) => {}
                done => return Ok(done?),
            }
        }
        self.by_proc(part, each)
    }

    fn by_diag(
        &mut self,
        part: Part,
        each: &mut dyn FnMut(Socket) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, DiagError> {
        let &Request { selection, want, bytecode, .. } = self.request;
        let diag = match &mut self.diag {
            Some(diag) => diag,
            none => none.insert(SockDiag::open()?),
        };
        let mut listed = |socket: Socket| selection.listed(socket, each);
        let answer = match part {
            Part::Netlink => diag.netlink(want, listed)?,
            Part::Packet => diag.packet(want, listed)?,
            Part::Unix => diag.unix(&UnixQuery { states: selection.states, want }, listed)?,
            Part::Vsock => diag.vsock(selection.states, want, listed)?,
            Part::Tipc => diag.tipc(selection.states, want, listed)?,
            Part::Xdp => diag.xdp(want, listed)?,
            Part::Inet(table, kernels) => {
                let mut listed = |socket| listed(bound_inactive(socket));
                if let Some(found) = look_up(diag, kernels, want, self.request.candidates)? {
                    let wanted = found.into_iter().filter(|socket| selection.states.contains(socket.state));
                    return Ok(wanted
                        .map(listed)
                        .find(ControlFlow::is_break)
                        .unwrap_or(ControlFlow::Continue(())));
                }
                let covered = |ip: &IpVersion| selection.covers(table, ip.family());
                let ips: Vec<_> = IpVersion::BOTH.into_iter().filter(covered).collect();
                let query = InetQuery {
                    want,
                    bpf_storages: self.request.bpf_maps,
                    ..InetQuery::new(kernels, IpVersion::V4, selection.states)
                };
                return inet::dump(diag, &query, &ips, bytecode, &mut listed);
            }
        };
        Ok(if answer.stopped { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    }

    fn by_proc(
        &self,
        part: Part,
        each: &mut dyn FnMut(Socket) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, Error> {
        let selection = &self.request.selection;
        let mut flow = ControlFlow::Continue(());
        for table in part.proc_tables() {
            let Some(path) = self.proc_file(*table) else { continue };
            let listed = procfs_net::list(*table, &path, 0, |mut socket| {
                if let Proto::Raw(_) = socket.proto {
                    // Here the protocol is the port and nothing else, as in ss.
                    socket.proto = Proto::Raw(255);
                }
                if selection.states.contains(socket.state) {
                    flow = selection.listed(socket, each);
                }
                flow
            });
            match listed {
                // The kernel has no such sockets.
                Err(procfs_net::ProcNetError::Read { source, .. })
                    if source.kind() == std::io::ErrorKind::NotFound => {}
                listed => listed?,
            }
            if flow.is_break() {
                break;
            }
        }
        Ok(flow)
    }

    fn proc_file(&self, table: ProcTable) -> Option<PathBuf> {
        let name = table.file_name()?;
        Some(self.request.paths.proc_net(&name.to_uppercase(), name))
    }

    /// From a file. As in ss only families and the filter count: a recorded dump was made with its states.
    fn recorded(
        &self,
        file: &PathBuf,
        each: &mut dyn FnMut(Socket) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, Error> {
        let bytes =
            fs::read(file).map_err(|source| Error::File { action: "read", path: file.clone(), source })?;
        let damaged = |problem: String| Error::Recorded { path: file.clone(), problem };
        let mut flow = ControlFlow::Continue(());
        let mut malformed = None;
        replay(&bytes, 0, |row| {
            match row.to_socket(Want::ALL) {
                Ok(socket) => flow = self.request.selection.listed(bound_inactive(socket), each),
                Err(error) => malformed = Some(error),
            }
            if malformed.is_some() { ControlFlow::Break(()) } else { flow }
        })
        .map_err(|error| damaged(error.to_string()))?;
        malformed.map_or(Ok(flow), |error| Err(damaged(error.to_string())))
    }
}

/// The kernel lists a TCP socket that is bound and nothing else as closed, and those that are closed not at all
/// (net/ipv4/inet_diag.c, `inet_diag_dump_icsk`): what `-B` asks for and `state bound-inactive` means is one state.
fn bound_inactive(mut socket: Socket) -> Socket {
    if socket.proto == Proto::Tcp && socket.state == State::Close {
        socket.state = State::BoundInactive;
    }
    socket
}

impl Selection {
    /// Hands on what was selected.
    fn listed(&self, socket: Socket, each: &mut dyn FnMut(Socket) -> ControlFlow<()>) -> ControlFlow<()> {
        match Table::of(socket.proto) {
            Some(table) if self.covers(table, socket.family) => each(socket),
            Some(_) | None => ControlFlow::Continue(()),
        }
    }
}

/// The candidates of a table, looked up one by one. None where there are none to be had, or again and again one is not
/// found under its name: a dump tells.
fn look_up(
    diag: &mut SockDiag,
    table: InetTable,
    want: Want,
    candidates: Option<(Candidates<'_>, Wanted)>,
) -> Result<Option<Vec<Socket>>, DiagError> {
    let (InetTable::Tcp | InetTable::Udp, Some((name, wanted))) = (table, candidates) else {
        return Ok(None);
    };
    for _ in 0..TRIES {
        let found = match name(wanted) {
            Named::All(ids) => {
                let of_table = ids.iter().filter(|id| id.table == table);
                of_table.map(|id| diag.find(id, want)).collect::<Result<Option<Vec<_>>, _>>()?
            }
            Named::NotNow => None,
            Named::No => return Ok(None),
        };
        if found.is_some() {
            return Ok(found);
        }
        std::thread::sleep(PAUSE);
    }
    Ok(None)
}

impl Part {
    fn is_selected(self, selection: &Selection) -> bool {
        let any = |tables: &[Table], family| tables.iter().any(|&table| selection.covers(table, family));
        // In some families every socket is closed, and the kernel does not look at states.
        let closed = selection.states.contains(State::Close);
        match self {
            Self::Netlink => closed && any(&[Table::Netlink], Family::Netlink),
            Self::Packet => closed && any(&[Table::PacketRaw, Table::PacketDgram], Family::Packet),
            Self::Unix => any(&[Table::UnixStream, Table::UnixDgram, Table::UnixSeqpacket], Family::Unix),
            Self::Inet(table, _) => any(&[table], Family::Inet) || any(&[table], Family::Inet6),
            Self::Vsock => any(&[Table::VsockStream, Table::VsockDgram], Family::Vsock),
            Self::Tipc => any(&[Table::Tipc], Family::Tipc),
            Self::Xdp => closed && any(&[Table::Xdp], Family::Xdp),
        }
    }

    /// Where procfs has it; nowhere for the families that came later.
    const fn proc_tables(self) -> &'static [ProcTable] {
        use IpVersion::{V4, V6};
        match self {
            Self::Netlink => &[ProcTable::Netlink],
            Self::Packet => &[ProcTable::Packet],
            Self::Unix => &[ProcTable::Unix],
            Self::Inet(_, InetTable::Raw) => {
                &[ProcTable::Inet(InetTable::Raw, V4), ProcTable::Inet(InetTable::Raw, V6)]
            }
            Self::Inet(_, InetTable::Udp) => {
                &[ProcTable::Inet(InetTable::Udp, V4), ProcTable::Inet(InetTable::Udp, V6)]
            }
            Self::Inet(_, InetTable::Tcp) => {
                &[ProcTable::Inet(InetTable::Tcp, V4), ProcTable::Inet(InetTable::Tcp, V6)]
            }
            Self::Inet(..) | Self::Vsock | Self::Tipc | Self::Xdp => &[],
        }
    }

    /// The variables whose presence makes ss read files instead of asking the kernel.
    const fn variables(self) -> &'static [&'static str] {
        match self {
            Self::Netlink => &["NET_NETLINK"],
            Self::Packet => &["NET_PACKET"],
            Self::Unix => &["NET_UNIX"],
            Self::Inet(Table::Tcp, _) => &["NET_TCP"],
            Self::Inet(Table::Udp, _) => &["NET_UDP"],
            Self::Inet(Table::Raw, _) => &["NET_RAW"],
            Self::Inet(Table::Mptcp, _) => &["NET_MPTCP"],
            Self::Inet(Table::Dccp, _) => &["NET_DCCP"],
            Self::Inet(Table::Sctp, _) => &["NET_SCTP"],
            Self::Inet(..) | Self::Vsock | Self::Tipc | Self::Xdp => &[],
        }
    }
}

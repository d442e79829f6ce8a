//! Sockets that wait until it is known who holds them, or what their peers are called.
//!
//! I/O: through `kernel::owners`.

use rustc_hash::{FxHashMap, FxHashSet};

use crate::kernel::owners::{self, Look, Search, Sight, Unseen, Walk};
use crate::query::Processes;
use crate::render::names::Named;
use crate::render::ss::{Row, UnixPeer};
use crate::socket::{Detail, Endpoint, Holder, NetnsId, Process, Socket, UnixName};

use super::Paths;
use super::context::AnswerContext;
use super::error::Error;
use super::names::interface;
use super::namespaces::Label;

/// Processes and threads, by our numbers, with the numbers that they are shown with; none if they are not shown.
type Shown = FxHashMap<(u32, Option<u32>), Option<(u32, Option<u32>)>>;

/// Sockets that passed, and what was found out about them.
#[derive(Debug, Default)]
pub(super) struct PendingRows {
    pub(super) sockets: Vec<Socket>,
    /// Names of all UNIX sockets, shown or not, by their inode numbers.
    names: FxHashMap<u32, UnixName>,
    pub(super) walk: Walk,
    /// The interfaces that sockets of other namespaces are bound to.
    pub(super) interfaces: FxHashMap<Named, Option<Box<[u8]>>>,
    /// What their namespaces are called, if that is to be shown.
    pub(super) labels: FxHashMap<NetnsId, Label>,
    /// Which holders are shown, where not all are.
    shown: Option<Shown>,
    /// Whether every process was looked into, and may be shown: who has no holder then has none.
    sees_all: bool,
}

/// Bytes that a socket takes while it waits.
fn size(socket: &Socket) -> usize {
    let of_detail = |detail: &Detail| {
        let parts = [&detail.info, &detail.vegas, &detail.dctcp, &detail.bbr, &detail.md5, &detail.ulp];
        let more = [&detail.locals, &detail.peers, &detail.bpf_storages];
        let boxes = parts.into_iter().chain(more).flatten().map(|part| part.len());
        let raw = detail.raw.iter().map(|(_, part)| part.len() + size_of::<(u16, Box<[u8]>)>());
        let queue = detail.unix_queue.as_ref().map_or(0, Vec::len) * size_of::<u32>();
        size_of::<Detail>() + boxes.chain(raw).sum::<usize>() + queue
    };
    size_of::<Socket>() + socket.detail.as_deref().map_or(0, of_detail)
}

impl PendingRows {
    /// Keeps a socket.
    ///
    /// # Errors
    /// There is no memory for it.
    pub(super) fn push(&mut self, socket: Socket, context: &AnswerContext<'_>) -> Result<(), Error> {
        context.keep(size(&socket))?;
        self.sockets.push(socket);
        Ok(())
    }

    /// Finds the names of the interfaces of the sockets from that place on, which are of the calling thread's namespace.
    pub(super) fn meet_interfaces(&mut self, from: usize) {
        let Self { sockets, interfaces, .. } = self;
        for socket in sockets.iter().skip(from).filter(|socket| socket.ifindex != 0) {
            let named = Named::Interface { netns: socket.netns, index: socket.ifindex };
            interfaces.entry(named).or_insert_with(|| interface(socket.ifindex));
        }
    }

    /// Remembers what a UNIX socket is called, for its peer's sake.
    ///
    /// # Errors
    /// There is no memory for that.
    pub(super) fn name(&mut self, socket: &Socket, context: &AnswerContext<'_>) -> Result<(), Error> {
        if let Endpoint::Unix { name, inode } = &socket.local {
            context.keep(size_of::<(u32, UnixName)>())?;
            self.names.insert(*inode, name.clone());
        }
        Ok(())
    }

    /// Finds out who holds the sockets, and their peers if those were named; nobody, where procfs cannot be read.
    /// Without a search, procfs is walked.
    pub(super) fn find_users(&mut self, paths: &Paths, threads: bool, search: Option<Search>) {
        let peers = self.sockets.iter().map(peer_inode).filter(|inode| self.names.contains_key(inode));
        let inodes = self.sockets.iter().map(|socket| socket.inode).chain(peers);
        let inodes: FxHashSet<u32> = inodes.filter(|&inode| inode != 0).collect();
        if inodes.is_empty() {
            return;
        }
        let walk = match search {
            Some(search) => search.find(&inodes),
            None => owners::walk(&paths.proc, threads, |inode| inodes.contains(&inode)),
        };
        self.walk = walk.unwrap_or(Walk { unseen: Some(Unseen::NoProcfs), ..Walk::default() });
        self.sees_all = self.walk.is_complete();
    }

    /// From now on there are only the holders that somebody may see, by the numbers that they know them by.
    pub(super) fn show_to(&mut self, sight: &Sight) {
        self.sees_all = false;
        let inodes: Vec<u32> =
            self.sockets.iter().flat_map(|socket| [socket.inode, peer_inode(socket)]).collect();
        let (mut shown, mut hidden) = (Shown::default(), FxHashSet::default());
        for holder in inodes.into_iter().flat_map(|inode| self.walk.holders.of(inode)) {
            let (pid, tid) = (holder.process.pid, holder.tid);
            shown.entry((pid, tid)).or_insert_with(|| match (sight.of(pid), tid) {
                (Look::Seen(pid), None) => Some((pid, None)),
                (Look::Seen(seen), Some(tid)) => Some((seen, Some(sight.thread(pid, tid)?))),
                (Look::Hidden, _) => {
                    hidden.insert(pid);
                    None
                }
                (Look::Elsewhere | Look::Gone, _) => None,
            });
        }
        self.walk.denied += hidden.len();
        self.shown = Some(shown);
    }

    /// Keeps the sockets that pass, given who holds them.
    pub(super) fn keep(&mut self, mut passes: impl FnMut(&Socket, Processes<'_>) -> bool) {
        let mut sockets = std::mem::take(&mut self.sockets);
        let mut users = Vec::new();
        sockets.retain(|socket| {
            self.users_of(socket.inode, &mut users);
            passes(socket, self.processes(socket, &users))
        });
        self.sockets = sockets;
    }

    /// What is known of the processes that hold a socket, given those that can be seen: unknown if there is none, and
    /// some process cannot be seen. Those that can be seen count for all. Without an inode nobody can hold it.
    pub(super) fn processes<'a>(&self, socket: &Socket, users: &'a [Holder]) -> Processes<'a> {
        match users {
            [] if socket.inode != 0 && !self.sees_all => Processes::Unknown,
            users => Processes::Holders(users),
        }
    }

    /// Hands on each socket with what is known of it.
    pub(super) fn each(&self, mut each: impl FnMut(&Row<'_>) -> Result<(), Error>) -> Result<(), Error> {
        let (mut users, mut peers) = (Vec::new(), Vec::new());
        for socket in &self.sockets {
            self.users_of(socket.inode, &mut users);
            let inode = peer_inode(socket);
            let name = self.names.get(&inode);
            if name.is_some() {
                self.users_of(inode, &mut peers);
            }
            let peer = name.map(|name| UnixPeer { name, users: &peers });
            let netns = self.labels.get(&socket.netns).map(Label::of_row);
            each(&Row { users: &users, peer, netns, ..Row::of(socket) })?;
        }
        Ok(())
    }

    /// A holder as it is shown, if it is.
    fn as_shown(&self, user: Holder) -> Option<Holder> {
        let Some(shown) = &self.shown else { return Some(user) };
        let (pid, tid) = (*shown.get(&(user.process.pid, user.tid))?)?;
        Some(Holder { process: Process { pid, ..user.process }, tid, ..user })
    }

    fn users_of(&self, inode: u32, users: &mut Vec<Holder>) {
        users.clear();
        if inode != 0 {
            users.extend(self.walk.holders.of(inode).filter_map(|user| self.as_shown(user)));
        }
    }
}

/// The inode number of a connected UNIX socket's other end, 0 for none.
fn peer_inode(socket: &Socket) -> u32 {
    if let Endpoint::Unix { inode, .. } = socket.peer { inode } else { 0 }
}

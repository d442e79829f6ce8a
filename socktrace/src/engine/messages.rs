//! What goes into the engine, and what comes out.

use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::demand::{Demand, SubscriberId};
use crate::socket::{Cgroup, Change, Counters, Event, Held, Socket};
use crate::table::{Outcome, Scope};

/// What the engine takes.
#[derive(Debug)]
pub enum Input {
    /// A hook saw something. In the order of the ring.
    Change(Change),
    /// The ring was empty: every change from before `now` has been handed over.
    Drained,
    /// The kernel half's counters. They are read on every tick; audits are begun then, too. And whenever
    /// [`Engine::lacks_counters`](super::Engine::lacks_counters) says so: a dump is merged only when it is known what was
    /// lost while it was read.
    Counters(Counters),
    /// The dump shows a socket.
    Row(Socket),
    /// A part of the dump has ended.
    Scope(Scope, Outcome),
    /// What the cgroup with that id is, if it could be found.
    Cgroup(u64, Option<Arc<Cgroup>>),
    /// Who holds the sockets, by inode. While a dump is running it waits for the dump's end.
    Holders(FxHashMap<u32, Held>),
    /// What became of the sockets that were sought.
    Sought(Sought),
    /// The dump has been read to its end, however that came; or the search has ended.
    DumpRead,
    /// Somebody wants events.
    Subscribe(SubscriberId, Demand),
    /// Somebody does not want events any more.
    Unsubscribe(SubscriberId),
}

/// What the engine wants done.
#[derive(Debug)]
pub enum Output {
    /// Dump the kernel's tables: wait for [`SETTLE`](crate::table::SETTLE), then hand over rows and scopes, then
    /// [`Input::DumpRead`]. Nothing else is asked for before that.
    Dump(Reach),
    /// Find out whether any process has the sockets with these inode numbers open, hand over [`Input::Sought`], then
    /// [`Input::DumpRead`]. Nothing else is asked for before that.
    Seek(FxHashSet<u32>),
    /// Somebody wants events of this kind. Who wants this one is found out by [`Subscribers`](super::Subscribers).
    Event(Event),
    /// The first dump is in the table, which has so many sockets; 0 if none could be listed, whatever changes have said.
    Ready(u64),
}

/// Which of the sockets that were sought are there, by inode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sought {
    /// Exactly these: some process has them open.
    Open(FxHashSet<u32>),
    /// These; and perhaps others, whose descriptors have been sent and not been received.
    AtLeast(FxHashSet<u32>),
    /// It cannot be told, because not every process can be looked at.
    Unknown,
}

/// How much is to be dumped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Everything that the table holds, and who holds it.
    All,
    /// UNIX sockets only, nobody's holders.
    Unix,
}

/// How the engine is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stats {
    /// Sockets in the table, as a listing would count them.
    pub sockets: u64,
    /// Bytes of the table and its indexes.
    pub table_bytes: u64,
    /// Subscribers to events.
    pub subscribers: u64,
    /// Records that the kernel half lost.
    pub lost: u64,
    /// How often the table was repaired after a loss.
    pub resyncs: u64,
    /// How often it was compared although nothing was lost.
    pub audits: u64,
    /// Differences that those found, in all. Expected: 0.
    pub drift: u64,
}

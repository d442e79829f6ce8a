//! The engine: everything that happens goes in, what is to be reported and done comes out.
//!
//! It owns the table, decides when a dump is due, and makes the events of those kinds that somebody wants. Pure: time is an
//! argument, and somebody else attaches, dumps, evaluates what clients wrote, and writes to them.

mod demand;
mod dumps;
mod interest;
mod keys;
#[cfg(test)]
mod laws;
mod messages;
mod subscribers;
/// Whether its cookie is its own: an accepted MPTCP connection has its listener's.
fn has_cookie(view: &View<'_>) -> bool {
    view.proto() != Proto::Mptcp
}

fn opener(view: &View<'_>) -> Opener {
    Opener { owner: view.owner(), opened: view.opened() }
}

#[cfg(test)]
mod tests;

pub use demand::{Demand, SubscriberId, SubscriberIds};
pub use interest::Interest;
pub use messages::{Input, Output, Reach, Sought, Stats};
pub use subscribers::Subscribers;

use std::sync::Arc;

use demand::Demands;
use dumps::{Cause, Dumps, Waits};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::query::IndexKeys;
use crate::socket::{
    BootNs, Cgroup, Cookie, Counters, Ended, Event, EventKind, Held, KindSet, Opener, Proto, Subject,
};
use crate::table::{Outcome, SETTLE, Table, View};

/// How many cgroups are remembered; then they are reported again, one by one.
const CGROUPS: usize = 1 << 16;

/// What can be set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// Whether this kernel's dumps show TCP sockets that are bound and nothing more (Linux 6.8 and later).
    pub bound_is_listed: bool,
    /// How often the table is compared with the kernel's although nothing was lost, nanoseconds; 0 for never.
    pub audit_every: BootNs,
    /// How often UNIX sockets are looked through for those that came or went without an event, nanoseconds; 0 for
    /// never. Less often while nothing is heard of any and nobody waits for their ends.
    pub unix_every: BootNs,
    /// Whether a hook reports the ends of UNIX sockets: nobody has to look for them then.
    pub unix_ends_told: bool,
    /// How soon after a full dump the next one may follow because somebody's owner is not known, nanoseconds; 0 for
    /// never. Less often while such dumps find none.
    pub owners_every: BootNs,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            bound_is_listed: true,
            audit_every: 60_000_000_000,
            unix_every: 500_000_000,
            unix_ends_told: false,
            owners_every: 500_000_000,
        }
    }
}

/// The engine.
#[derive(Debug)]
pub struct Engine {
    table: Table,
    dumps: Dumps,
    demands: Demands,
    counters: Counters,
    /// What the cgroups of sockets are, by their ids.
    cgroups: FxHashMap<u64, Option<Arc<Cgroup>>>,
    /// Who holds which socket; waits for the rows of the dump that came with it.
    holders: FxHashMap<u32, Held>,
    stats: Stats,
    unix_ends_told: bool,
    /// A dump has listed a socket.
    has_listed: bool,
    /// Events of one input, kept for its memory.
    events: Vec<Event>,
}

impl Engine {
    /// An engine that knows of nothing.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self {
            table: Table::new(config.bound_is_listed),
            dumps: Dumps::new(config),
            demands: Demands::default(),
            counters: Counters::default(),
            cgroups: FxHashMap::default(),
            holders: FxHashMap::default(),
            stats: Stats::default(),
            unix_ends_told: config.unix_ends_told,
            has_listed: false,
            events: Vec::new(),
        }
    }

    /// Begins: asks for the first dump. The hooks are attached already.
    pub fn begin(&mut self, now: BootNs, out: &mut Vec<Output>) {
        self.start(Cause::Seed, now, out);
    }

    /// Takes one input; `now` is the time, for [`Input::Drained`] that of before the ring was looked at, for
    /// [`Input::Counters`] that of before they were read. What follows is appended.
    pub fn input(&mut self, now: BootNs, input: Input, out: &mut Vec<Output>) {
        let mut events = std::mem::take(&mut self.events);
        match input {
            Input::Change(change) => {
                // What is read after this one is younger, give or take how long two CPUs take to reserve.
                let applied = change.at.saturating_sub(SETTLE);
                if change.proto.is_unix() {
                    self.dumps.unix_seen();
                }
                self.table.apply(change, self.demands.kinds(), &mut events);
                self.finish_by(applied, now, &mut events, out);
            }
            Input::Drained => self.finish_by(now, now, &mut events, out),
            Input::Counters(counters) => self.count(counters, now, &mut events, out),
            Input::Row(row) => {
                self.has_listed = true;
                self.table.row(&row);
            }
            Input::Scope(scope, outcome) => {
                self.dumps.scope(outcome == Outcome::Partial);
                self.table.scope(scope, outcome);
            }
            Input::Cgroup(id, cgroup) => {
                if self.cgroups.len() >= CGROUPS {
                    self.cgroups.clear();
                }
                self.cgroups.insert(id, cgroup);
            }
            Input::Holders(holders) if self.dumps.is_idle() => {
                self.table.hold(&holders, self.table.latest(), self.demands.kinds(), &mut events);
            }
            Input::Holders(holders) => self.holders = holders,
            Input::Sought(sought) => self.settle(sought, &mut events),
            Input::DumpRead => {
                self.table.end(now);
                self.dumps.read(now);
            }
            Input::Subscribe(id, demand) => self.demands.add(id, demand),
            Input::Unsubscribe(id) => self.demands.remove(id),
        }
        for event in events.drain(..) {
            self.tell(event, out);
        }
        self.events = events;
    }

    /// Whether a dump waits for [`Input::Counters`] of now to be merged, rather than for the next tick.
    #[must_use]
    pub fn lacks_counters(&self, now: BootNs) -> bool {
        self.dumps.lacks_count(now)
    }

    /// Whether what that cgroup is has been told; one that is not found will never be.
    #[must_use]
    pub fn knows_cgroup(&self, id: u64) -> bool {
        self.cgroups.contains_key(&id)
    }

    /// Everything that is known of a socket of the table.
    #[must_use]
    pub fn subject(&self, view: View<'_>) -> Subject {
        let mut subject = view.subject();
        self.place(&mut subject);
        subject
    }

    /// From now on, ends are kept until [`ends`](Self::ends) takes them.
    pub fn keep_ends(&mut self) {
        self.table.keep_ends();
    }

    /// What has ended since it was last taken, whatever readers want.
    pub fn ends(&mut self) -> impl Iterator<Item = Ended> {
        let Self { table, cgroups, .. } = self;
        table.ends().map(|mut ended| {
            ended.subject.place = cgroups.get(&ended.subject.cgroup).cloned().flatten();
            ended
        })
    }

    fn place(&self, subject: &mut Subject) {
        subject.place = self.cgroups.get(&subject.cgroup).cloned().flatten();
    }

    /// The table, to look at.
    #[must_use]
    pub const fn table(&self) -> &Table {
        &self.table
    }

    /// Every listed socket that may have what a filter's matches have, and perhaps others: found by its keys where
    /// the table has an index for them, and by looking at every socket otherwise.
    #[must_use]
    pub fn candidates(&self, keys: &IndexKeys) -> Vec<View<'_>> {
        if let Some(cookie) = keys.cookie {
            return self.table.get(cookie).filter(View::is_listed).into_iter().collect();
        }
        match (keys.local_port, keys.peer_port, keys.either_port) {
            (None, None, Some(port @ 1..)) => {
                let local = self.table.with_ports(Some(port), None);
                let peer = self.table.with_ports(None, Some(port));
                // Those with both were among the first.
                local.chain(peer.filter(|view| view.local_port() != port && view.local_port() != 0)).collect()
            }
            (local, peer, _) => self.table.with_ports(local, peer).collect(),
        }
    }

    /// Who opened a listed socket, and when.
    #[must_use]
    pub fn opener(&self, cookie: Cookie) -> Option<Opener> {
        self.table.get(cookie).filter(View::is_listed).filter(has_cookie).map(|view| opener(&view))
    }

    /// Who opened each listed socket, and when.
    pub fn openers(&self) -> impl Iterator<Item = (Cookie, Opener)> {
        self.table.iter().filter(has_cookie).map(|view| (view.cookie(), opener(&view)))
    }

    /// Whether the table may lack sockets, or have too many: the first dump is not in it yet, or records were lost
    /// since the last one.
    #[must_use]
    pub const fn is_behind(&self) -> bool {
        self.dumps.is_behind()
    }

    /// Whether the first dump is in the table: until then it matters which datagram sockets are new.
    #[must_use]
    pub fn is_seeded(&self) -> bool {
        self.table.is_seeded()
    }

    /// How it is doing.
    #[must_use]
    pub fn stats(&self) -> Stats {
        Stats {
            sockets: self.table.len() as u64,
            table_bytes: self.table.bytes() as u64,
            subscribers: self.demands.len() as u64,
            ..self.stats
        }
    }

    fn count(&mut self, counters: Counters, now: BootNs, events: &mut Vec<Event>, out: &mut Vec<Output>) {
        let records = counters.lost().saturating_sub(self.counters.lost());
        self.counters = counters;
        self.dumps.counted(now);
        if records > 0 {
            self.stats.lost += records;
            let at = self.table.latest();
            events.push(Event { at, kind: EventKind::Lost { records }, subject: None });
            self.dumps.lost();
            self.table.lost();
        }
        let waits = Waits {
            unix_close: !self.unix_ends_told && self.demands.unix_closes(),
            owners: self.table.lacks_owners(now) | self.table.lacks_facts(now) | self.table.has_dials(),
        };
        if let Some(cause) = self.dumps.due(now, waits) {
            self.start(cause, now, out);
        }
    }

    fn start(&mut self, cause: Cause, now: BootNs, out: &mut Vec<Output>) {
        self.table.begin(now, cause.is_after_loss());
        match cause.reach() {
            Reach::All => self.table.doubt_hidden(),
            Reach::Unix => {}
        }
        self.dumps.start(cause, now);
        out.push(Output::Dump(cause.reach()));
    }

    /// Every change from before `applied` is in the table: merges the dump if it has waited for that.
    fn finish_by(&mut self, applied: BootNs, now: BootNs, events: &mut Vec<Event>, out: &mut Vec<Output>) {
        self.table.applied(applied);
        self.table.report_overdue(self.demands.kinds(), events);
        let Some(cause) = self.dumps.finish(applied, now) else { return };
        let at = self.table.latest();
        let merged = self.table.finish(self.demands.kinds(), events);
        if merged.unix > 0 {
            self.dumps.unix_seen();
        }
        match cause.reach() {
            Reach::All => {
                let holders = std::mem::take(&mut self.holders);
                let named = self.table.hold(&holders, at, self.demands.kinds(), events);
                self.dumps.owners_found(cause, named);
            }
            // Nobody looked for holders.
            Reach::Unix => {}
        }
        let (added, removed, changed) = (merged.added, merged.removed, merged.changed);
        let resync = Event { at, kind: EventKind::Resync { added, removed, changed }, subject: None };
        match cause {
            Cause::Seed if self.has_listed => out.push(Output::Ready(self.table.len() as u64)),
            Cause::Seed => out.push(Output::Ready(0)),
            Cause::Loss => {
                self.stats.resyncs += 1;
                events.push(resync);
            }
            // Nobody has lost anything: what is repaired here is in the status.
            Cause::Audit | Cause::Owners => {
                self.stats.audits += 1;
                self.stats.drift += merged.drift();
            }
            Cause::Retry if merged.drift() > 0 => events.push(resync),
            Cause::Retry => {}
            Cause::Unix => {}
        }
        let hidden = self.table.hidden();
        if !hidden.is_empty() {
            self.dumps.seek(cause, now);
            out.push(Output::Seek(hidden));
        }
    }

    /// What became of the hidden sockets. Where that cannot be known they are believed to live until something is lost;
    /// those that may be under way, until they have been so for long.
    fn settle(&mut self, sought: Sought, events: &mut Vec<Event>) {
        let Some(cause) = self.dumps.sought() else { return };
        let held = match sought {
            Sought::AtLeast(held) => {
                self.table.leave_hidden(&held);
                held
            }
            Sought::Open(held) => held,
            Sought::Unknown if cause.is_after_loss() => FxHashSet::default(),
            Sought::Unknown => self.table.hidden(),
        };
        if self.table.settle_hidden(&held, self.table.latest(), self.demands.kinds(), events) > 0 {
            self.dumps.unix_seen();
        }
    }

    fn tell(&mut self, mut event: Event, out: &mut Vec<Output>) {
        // Losses and repairs are reported whatever is wanted.
        if !self.demands.kinds().contains(&event.kind) {
            return;
        }
        if let Some(subject) = event.subject.as_deref_mut() {
            self.place(subject);
        }
        out.push(Output::Event(event));
    }

    /// The kinds that somebody wants.
    #[must_use]
    pub const fn wanted(&self) -> KindSet {
        self.demands.kinds()
    }
}

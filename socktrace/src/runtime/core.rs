//! The one task that owns the engine: changes, dumps, time and requests go in, events and answers come out.
//!
//! I/O: the clocks; the kernel through `source` and `dump`. Nothing here waits for a client.

mod answer;
mod start;

pub use start::StartError;

use super::dump::{self, Hand, Part, Unwanted};
use super::lingering::Lingering;
use super::request::Inbox;
use super::sink::Sinks;
use super::source::Source;
use super::time;
use super::unix::{Identities, Order};
use crate::archive::{self, Recorder};
use crate::engine::{Engine, Input, Output, Reach};
use crate::kernel::cgroups::Cgroups;
use crate::kernel::memory;
use crate::kernel::owners::Search;
use crate::kernel::priority;
use crate::render::clock::Clock;
use crate::socket::{BootNs, Change};
use crate::table::SETTLE;
use std::path::Path;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot, watch};

/// Changes taken from the ring before anything else gets its turn.
const BATCH: usize = 4096;
/// How often the counters are read; while nothing happens, less often.
const TICK: Duration = Duration::from_millis(100);
const IDLE_TICK: Duration = Duration::from_millis(500);
/// Parts of a dump that may wait: some hundred sockets each.
const PARTS: usize = 16;

/// Everything that the one task owns.
pub struct Core {
    source: Source,
    engine: Engine,
    identities: Identities,
    cgroups: Cgroups,
    lingering: Lingering,
    history: Option<Recorder>,
    sinks: Sinks,
    clock: Clock,
    /// Parts of the dump that is running.
    parts: Option<mpsc::Receiver<Part>>,
    /// Who wants to know when the first dump is in the table.
    waiting: Vec<oneshot::Sender<u64>>,
    ready: Option<u64>,
    started: BootNs,
    /// Whether there are system calls that we cannot make any more.
    confined: bool,
    outputs: Vec<Output>,
    /// Who holds which socket, as far as that has been found out while the programs were loaded.
    search: Option<Search>,
}

impl Core {
    /// Loads and attaches everything. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn load(ring_size: u32) -> Result<Self, StartError> {
        let search = Search::begin();
        let source = Source::kernel(ring_size)?;
        for hook in source.missed_hooks() {
            let (reason, lost) = (hook.reason.as_deref(), hook.lost_without.as_deref());
            log::warn!(
                "cannot attach {}: {}; lost without it: {}",
                hook.name,
                reason.unwrap_or("not known why"),
                lost.unwrap_or("answers that need it")
            );
        }
        memory::give_back();
        Ok(Self { search: Some(search), ..Self::new(source) })
    }

    pub(super) fn new(source: Source) -> Self {
        let unix_ends_told = source.tells_unix_ends();
        Self {
            source,
            engine: Engine::new(start::engine_config(unix_ends_told)),
            identities: Identities::new(),
            cgroups: Cgroups::new(Path::new("/proc")),
            lingering: Lingering::new(),
            history: None,
            sinks: Sinks::new(),
            clock: time::clock(0),
            parts: None,
            waiting: Vec::new(),
            ready: None,
            started: time::boot_now(),
            confined: false,
            outputs: Vec::new(),
            search: None,
        }
    }

    /// Keeps closed sockets from now on.
    #[must_use]
    pub fn with_history(mut self, options: &archive::Options) -> Self {
        self.engine.keep_ends();
        self.history = Some(Recorder::start(options, time::boot_now(), &self.clock));
        self
    }

    /// Says whether a filter of system calls is in place.
    #[must_use]
    pub fn confined(self, confined: bool) -> Self {
        Self { confined, ..self }
    }

    /// Runs until `ending` says so, or the ring cannot be read any more. Streams end with it, after everything that
    /// has happened before.
    pub async fn run(mut self, mut requests: Inbox, mut ending: watch::Receiver<bool>) {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        self.engine.begin(time::boot_now(), &mut self.outputs);
        self.obey();
        let mut idle = false;
        loop {
            tokio::select! {
                _ = ending.wait_for(|&ending| ending) => break,
                Some(request) = requests.next() => self.answer(request),
                part = next_part(&mut self.parts) => self.part(part),
                id = self.sinks.left() => {
                    self.input(time::boot_now(), Input::Unsubscribe(id));
                    self.source.want(self.engine.wanted(), !self.engine.is_seeded());
                }
                _ = tick.tick() => {
                    self.tick();
                    if idle {
                        tick.reset_after(IDLE_TICK);
                    }
                    idle = true;
                }
                // Completed by the drain below.
                () = self.identities.due() => {}
                result = self.source.readable() => if let Err(error) = result {
                    log::error!("cannot read the ring: {error}");
                    break;
                },
            }
            // Whatever woke us: the ring must not wait for a pause in requests or rows.
            if self.drain() > 0 && idle {
                idle = false;
                tick.reset_after(TICK);
            }
        }
        self.catch_up();
        self.count_lost();
        if let Some(history) = self.history.take() {
            history.stop(time::boot_now(), &self.clock);
        }
    }

    fn input(&mut self, now: BootNs, input: Input) {
        self.engine.input(now, input, &mut self.outputs);
    }

    /// Takes what has happened up to now, as far as that comes to an end.
    fn catch_up(&mut self) {
        // Whoever makes records as fast as we read them would keep us here.
        for _ in 0..64 {
            if self.drain() < BATCH {
                break;
            }
        }
        if !self.identities.is_empty() {
            self.identities.hurry();
            self.drain();
        }
    }

    /// Takes what is in the ring, at most a batch; how many records there were.
    fn drain(&mut self) -> usize {
        let now = time::boot_now();
        time::follow(&mut self.clock);
        if self.engine.lacks_counters(now) {
            let counters = self.source.counters();
            self.input(now, Input::Counters(counters));
        }
        let Self { source, engine, identities, lingering, cgroups, history, clock, outputs, .. } = self;
        let order = if engine.wanted().is_empty() { Order::Each } else { Order::All };
        let mut sink = Sink { now, engine, lingering, cgroups, history, clock, outputs };
        let drained = source.drain(BATCH, |change| {
            let cgroup = change.cgroup;
            match identities.pass(change, order) {
                Some(change) => sink.take(change),
                None => name_cgroup(cgroup, sink.cgroups, sink.engine, sink.outputs),
            }
        });
        if identities.is_due(now) {
            identities.complete().into_iter().for_each(|change| sink.take(change));
        }
        if drained.all && identities.is_empty() {
            // Everything from before `now` has been applied.
            self.input(now, Input::Drained);
        }
        self.obey();
        if let Some(history) = &mut self.history {
            history.hand_over();
        }
        drained.records
    }

    /// Lets history know what it has missed.
    fn count_lost(&mut self) {
        let Self { source, history, clock, .. } = self;
        if let Some(history) = history {
            history.count_lost(source.counters().lost(), time::boot_now(), clock);
        }
    }

    fn part(&mut self, part: Option<Part>) {
        let now = time::boot_now();
        time::follow(&mut self.clock);
        match part {
            Some(Part::Rows(rows)) => rows.into_iter().for_each(|row| {
                let cgroup = row.detail.as_ref().and_then(|detail| detail.cgroup_id);
                let Self { engine, cgroups, outputs, .. } = self;
                name_cgroup(cgroup.unwrap_or(0), cgroups, engine, outputs);
                self.input(now, Input::Row(row));
            }),
            Some(Part::Ended(scope, outcome)) => self.input(now, Input::Scope(scope, outcome)),
            Some(Part::Lingering(ends)) => {
                ends.iter().for_each(|[local, peer]| self.lingering.note(now, local, peer));
            }
            Some(Part::Holders(holders)) => {
                let Self { engine, cgroups, outputs, .. } = self;
                holders.values().for_each(|held| name_cgroup(held.cgroup, cgroups, engine, outputs));
                self.input(now, Input::Holders(holders));
            }
            Some(Part::Sought(held)) => {
                // What was told of them before the search is not to bring them back after it.
                self.catch_up();
                self.input(now, Input::Sought(held));
            }
            None => {
                self.parts = None;
                self.input(now, Input::DumpRead);
            }
        }
        self.obey();
    }

    fn tick(&mut self) {
        time::follow(&mut self.clock);
        self.identities.let_go();
        let now = time::boot_now();
        let counters = self.source.counters();
        self.input(now, Input::Counters(counters));
        if let Some(history) = &mut self.history {
            history.count_lost(counters.lost(), now, &self.clock);
            history.tick();
        }
        self.obey();
    }

    /// Does what the engine says is to be done.
    fn obey(&mut self) {
        let mut outputs = std::mem::take(&mut self.outputs);
        for output in outputs.drain(..) {
            match output {
                Output::Dump(reach) => self.parts = Some(start_dump(reach, self.search.take())),
                Output::Seek(inodes) => self.parts = Some(on_a_thread(move |hand| dump::seek(&inodes, hand))),
                Output::Event(event) => self.sinks.push(event),
                Output::Ready(sockets) => {
                    memory::give_back();
                    self.ready = Some(sockets);
                    for reply in self.waiting.drain(..) {
                        let _ = reply.send(sockets);
                    }
                }
            }
        }
        // Kept for its memory.
        self.outputs = outputs;
        self.sinks.flush(self.engine.table().latest(), &self.clock);
        if let Some(history) = &mut self.history {
            // What a dump found to have ended.
            self.engine.ends().for_each(|ended| history.push(&ended, &self.clock));
        }
        self.source.want(self.engine.wanted(), !self.engine.is_seeded());
    }
}

/// Where changes go when they are in order.
struct Sink<'a> {
    now: BootNs,
    engine: &'a mut Engine,
    lingering: &'a mut Lingering,
    cgroups: &'a Cgroups,
    history: &'a mut Option<Recorder>,
    clock: &'a Clock,
    outputs: &'a mut Vec<Output>,
}

impl Sink<'_> {
    fn take(&mut self, change: Change) {
        self.lingering.see(&change);
        name_cgroup(change.cgroup, self.cgroups, self.engine, self.outputs);
        self.engine.input(self.now, Input::Change(change), self.outputs);
        if let Some(history) = self.history {
            self.engine.ends().for_each(|ended| history.push(&ended, self.clock));
        }
    }
}

/// Tells the engine what a cgroup is, once, and at once: it may be gone when somebody asks.
fn name_cgroup(id: u64, cgroups: &Cgroups, engine: &mut Engine, outputs: &mut Vec<Output>) {
    if id != 0 && !engine.knows_cgroup(id) {
        engine.input(0, Input::Cgroup(id, cgroups.get(id)), outputs);
    }
}

/// The next part of a dump, nothing at its end; waits for ever while there is none.
async fn next_part(parts: &mut Option<mpsc::Receiver<Part>>) -> Option<Part> {
    match parts {
        Some(parts) => parts.recv().await,
        None => std::future::pending().await,
    }
}

/// Dumps on a thread of its own.
fn start_dump(reach: Reach, search: Option<Search>) -> mpsc::Receiver<Part> {
    // What was told before the dump began has had its effect on the kernel's tables by then.
    let settled = Instant::now() + Duration::from_nanos(SETTLE);
    let search = search.filter(|_| reach == Reach::All);
    on_a_thread(move |hand| dump::dump(reach, search, settled, hand))
}

/// Asks the kernel for something, part by part. Where the thread cannot be started, that is no part.
fn on_a_thread(ask: impl FnOnce(Hand<'_>) -> Result<(), Unwanted> + Send + 'static) -> mpsc::Receiver<Part> {
    let (sender, receiver) = mpsc::channel(PARTS);
    let run = move || {
        priority::go_back();
        // An error means that the engine's task has ended.
        let _ = ask(&mut |part| sender.blocking_send(part).map_err(|_| Unwanted));
    };
    if let Err(error) = std::thread::Builder::new().name("dump".into()).spawn(run) {
        log::error!("cannot start a dump: {error}");
    }
    receiver
}

#[cfg(test)]
mod tests;

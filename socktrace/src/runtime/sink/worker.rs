//! The thread of one sink.
//!
//! I/O: a thread, the clocks. It waits for nobody but its queue.

use super::lot::Lot;
use super::{Batch, Kind, Message, StreamReply, Subscription};
use crate::engine::SubscriberId;
use crate::kernel::priority;
use crate::render::clock::Clock;
use crate::socket::{BootNs, Viewer};
use nix::time::{ClockId, clock_gettime};
use rustc_hash::FxHashMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::thread::Builder;
use std::time::{Duration, Instant};
use tokio::sync::mpsc::UnboundedSender;

/// How often it is looked who has gone, and who has room to be told of a gap.
const TICK: Duration = Duration::from_millis(250);
/// How far ordinary users' subscriptions stand behind everything else, steps of nice(2).
const BEHIND: i32 = 10;
/// Ordinary users' filters have this share of a processor between them: so they do not fall behind, however many events
/// there are.
const SHARE: f64 = 0.8;
/// What a user can save up.
const SAVED: Duration = Duration::from_millis(200);

/// What the thread has.
pub(super) struct Worker {
    messages: Receiver<Message>,
    waiting: Arc<AtomicUsize>,
    left: UnboundedSender<SubscriberId>,
    lots: Vec<Lot>,
    /// Processor time of each ordinary user.
    times: FxHashMap<u32, Time>,
    /// Of the last batch: by it gaps are dated that are told before the next one, so that lines stay in order.
    latest: (BootNs, Clock),
}

/// Processor time that a user may still take.
#[derive(Debug)]
struct Time {
    left: Duration,
    /// When more was earned.
    earned: Instant,
}

impl Worker {
    /// Starts it; it ends with its queue, after everything in it.
    pub(super) fn start(
        kind: Kind,
        messages: Receiver<Message>,
        waiting: Arc<AtomicUsize>,
        left: UnboundedSender<SubscriberId>,
    ) -> io::Result<()> {
        let name = match kind {
            Kind::Own => "events",
            Kind::Users => "user-events",
        };
        let run = move || {
            if kind == Kind::Users {
                priority::yield_to_others(BEHIND);
            }
            let (lots, times) = (Vec::new(), FxHashMap::default());
            let latest = (0, Clock::default());
            Self { messages, waiting, left, lots, times, latest }.run();
        };
        Builder::new().name(name.to_owned()).spawn(run).map(drop)
    }

    fn run(mut self) {
        let mut looked = Instant::now();
        loop {
            let message = match self.lots.is_empty() {
                true => self.messages.recv().map_err(|_| RecvTimeoutError::Disconnected),
                false => self.messages.recv_timeout(TICK),
            };
            match message {
                Ok(Message::Batch(batch)) => {
                    self.batch(&batch);
                    self.waiting.fetch_sub(batch.events.len(), Ordering::Relaxed);
                }
                Ok(Message::Subscribe(id, subscription, reply)) => self.subscribe(id, *subscription, reply),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            if looked.elapsed() >= TICK {
                looked = Instant::now();
                let (latest, clock) = self.latest;
                self.lots.iter_mut().for_each(|lot| lot.tell_gaps(latest, &clock));
            }
            self.let_go();
        }
    }

    fn subscribe(&mut self, id: SubscriberId, subscription: Subscription, reply: StreamReply) {
        let viewer = subscription.interest.viewer;
        let place = self.lots.iter().position(|lot| lot.viewer() == viewer);
        let place = place.unwrap_or_else(|| {
            self.lots.push(Lot::new(viewer));
            self.lots.len() - 1
        });
        if let Some(lot) = self.lots.get_mut(place) {
            lot.add(id, subscription);
            // Where it has gone, its stream is dropped, which the next tick shows.
            let _ = reply.send(Ok(()));
        }
        if let Some(uid) = user_of(viewer) {
            self.times.entry(uid).or_insert_with(|| Time { left: SAVED, earned: Instant::now() });
        }
    }

    fn batch(&mut self, batch: &Batch) {
        self.latest = (batch.latest, batch.clock);
        let Self { lots, times, .. } = self;
        let share = SHARE / times.len().max(1) as f64;
        for lot in lots {
            lot.lose(batch.missed);
            match user_of(lot.viewer()) {
                None => lot.take(&batch.events, &batch.clock, || true),
                Some(uid) => {
                    let Some(time) = times.get_mut(&uid) else { continue };
                    time.earn(share);
                    let (begun, most) = (processor_time(), time.left);
                    lot.take(&batch.events, &batch.clock, || processor_time().saturating_sub(begun) < most);
                    time.left = most.saturating_sub(processor_time().saturating_sub(begun));
                }
            }
        }
    }

    /// Lets go of subscribers that want no more, and of what nobody needs any more.
    fn let_go(&mut self) {
        let Self { lots, times, left, .. } = self;
        let mut emptied = false;
        for lot in lots.iter_mut() {
            for id in lot.leaving() {
                // An error means that the agent is ending.
                let _ = left.send(id);
                emptied |= lot.is_empty();
            }
        }
        if emptied {
            lots.retain(|lot| !lot.is_empty());
            times.retain(|&uid, _| lots.iter().any(|lot| user_of(lot.viewer()) == Some(uid)));
        }
    }
}

impl Time {
    fn earn(&mut self, share: f64) {
        let now = Instant::now();
        let earned = now.duration_since(self.earned).mul_f64(share);
        self.earned = now;
        self.left = (self.left + earned).min(SAVED);
    }
}

const fn user_of(viewer: Viewer) -> Option<u32> {
    match viewer {
        Viewer::Own => None,
        Viewer::User { uid, .. } => Some(uid),
    }
}

/// What this thread has used.
fn processor_time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map_or(Duration::ZERO, Duration::from)
}

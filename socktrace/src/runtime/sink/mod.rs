//! Where events go once the task that owns the table has made them: to a thread that evaluates the filters of
//! subscribers, and renders.
//!
//! There are two sinks, one for root and the group and one for ordinary users, each with a bounded queue and an account
//! that balances: what was handed over was looked at, or is counted as missed and reported to every subscriber of that
//! sink. The owner of the table never waits for a sink, and hands it nothing unless somebody has subscribed there.
//!
//! I/O: threads.

mod lot;
#[cfg(test)]
mod tests;
mod worker;

use super::{stream, values};
use crate::api::selection::Format;
use crate::engine::{Interest, SubscriberId};
use crate::render::clock::Clock;
use crate::socket::{BootNs, Event};
use std::io;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use tokio::sync::{mpsc, oneshot};
use worker::Worker;

/// Events that may wait for a sink: some 30 MB, and a second or two of the most that two CPUs can do.
const MAX_WAITING: usize = 65_536;

/// What a subscriber wants.
#[derive(Debug)]
pub struct Subscription {
    /// Which events, and who is to see them.
    pub interest: Interest,
    /// End after so many events; `lost` and `resync` are not counted.
    pub count: Option<NonZeroU64>,
    /// Where they go.
    pub way: Way,
}

/// Where a subscriber's events go.
#[derive(Debug)]
pub enum Way {
    /// As lines that are written like this, once for all who want them alike.
    Lines(Format, stream::Feed),
    /// As values.
    Values(values::Feed),
}

/// Says that events are on their way, or why there are none.
pub type StreamReply = oneshot::Sender<io::Result<()>>;

/// Both sinks, from the side of the owner of the table.
#[derive(Debug)]
pub(crate) struct Sinks {
    own: Sink,
    users: Sink,
    newest: SubscriberId,
    /// Events since the last time that some were handed over.
    batch: Vec<Event>,
    /// Of subscribers that want no more.
    left: mpsc::UnboundedReceiver<SubscriberId>,
}

/// One sink.
#[derive(Debug)]
struct Sink {
    kind: Kind,
    /// None until somebody subscribes.
    queue: Option<Sender<Message>>,
    subscribers: Vec<SubscriberId>,
    /// Events in the queue.
    waiting: Arc<AtomicUsize>,
    /// Events that it had no room for, and that nobody has been told of yet.
    missed: u64,
    left: mpsc::UnboundedSender<SubscriberId>,
}

/// Whose subscribers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Own,
    Users,
}

/// What a sink is handed, in this order.
#[derive(Debug)]
enum Message {
    Batch(Batch),
    Subscribe(SubscriberId, Box<Subscription>, StreamReply),
}

/// Some events.
#[derive(Debug, Clone)]
struct Batch {
    events: Arc<Vec<Event>>,
    /// Events before these that are missing.
    missed: u64,
    /// The time of the last thing that is known to have happened: no event after them is older.
    latest: BootNs,
    clock: Clock,
}

impl Sinks {
    pub(crate) fn new() -> Self {
        let (sender, left) = mpsc::unbounded_channel();
        let sink = |kind| Sink {
            kind,
            queue: None,
            subscribers: Vec::new(),
            waiting: Arc::default(),
            missed: 0,
            left: sender.clone(),
        };
        Self { own: sink(Kind::Own), users: sink(Kind::Users), newest: 0, batch: Vec::new(), left }
    }

    /// Takes an event; it is handed over with the next [`flush`](Self::flush).
    pub(crate) fn push(&mut self, event: Event) {
        self.batch.push(event);
    }

    /// Hands over what was pushed since the last time.
    pub(crate) fn flush(&mut self, latest: BootNs, clock: &Clock) {
        let missed = self.own.missed + self.users.missed;
        if self.batch.is_empty() && missed == 0 {
            return;
        }
        let room = self.batch.len();
        let events = Arc::new(std::mem::take(&mut self.batch));
        for sink in [&mut self.own, &mut self.users] {
            sink.hand_over(&events, latest, clock);
        }
        // As many as these are likely next time.
        self.batch = Vec::with_capacity(room.min(1024));
    }

    /// The number of a new subscriber.
    pub(crate) fn number(&mut self) -> SubscriberId {
        self.newest += 1;
        self.newest
    }

    /// Lets somebody have every event that is pushed from now on, as far as it wants it. `flush` has been called.
    pub(crate) fn subscribe(
        &mut self,
        id: SubscriberId,
        subscription: Subscription,
        reply: StreamReply,
    ) -> bool {
        let limited = subscription.interest.viewer.is_limited();
        let sink = if limited { &mut self.users } else { &mut self.own };
        sink.subscribe(id, subscription, reply)
    }

    /// The next subscriber that wants no more. Cancel-safe.
    pub(crate) async fn left(&mut self) -> SubscriberId {
        match self.left.recv().await {
            Some(id) => {
                self.own.subscribers.retain(|&other| other != id);
                self.users.subscribers.retain(|&other| other != id);
                id
            }
            // We have a sender ourselves.
            None => std::future::pending().await,
        }
    }
}

impl Sink {
    /// False if there is no thread for it; the reply has said so.
    fn subscribe(&mut self, id: SubscriberId, subscription: Subscription, reply: StreamReply) -> bool {
        let queue = match self.queue.take() {
            Some(queue) => queue,
            None => match self.start() {
                Ok(queue) => queue,
                Err(error) => {
                    // An error means that it has gone.
                    let _ = reply.send(Err(error));
                    return false;
                }
            },
        };
        self.subscribers.push(id);
        // It never ends before its queue does.
        let _ = queue.send(Message::Subscribe(id, Box::new(subscription), reply));
        self.queue = Some(queue);
        true
    }

    fn start(&self) -> io::Result<Sender<Message>> {
        let (queue, messages) = channel();
        Worker::start(self.kind, messages, self.waiting.clone(), self.left.clone())?;
        Ok(queue)
    }

    /// Hands over events, if somebody wants any and there is room for them.
    fn hand_over(&mut self, events: &Arc<Vec<Event>>, latest: BootNs, clock: &Clock) {
        let Some(queue) = self.queue.as_ref().filter(|_| !self.subscribers.is_empty()) else {
            self.missed = 0;
            return;
        };
        let mut events = events.clone();
        if self.waiting.load(Ordering::Relaxed) + events.len() > MAX_WAITING {
            // Losses and repairs are few, and nobody else reports them.
            let kept: Vec<Event> = events.iter().filter(|event| event.subject.is_none()).cloned().collect();
            self.missed += (events.len() - kept.len()) as u64;
            if kept.is_empty() {
                return;
            }
            events = Arc::new(kept);
        }
        if events.is_empty() && self.missed == 0 {
            return;
        }
        self.waiting.fetch_add(events.len(), Ordering::Relaxed);
        let batch = Batch { events, missed: std::mem::take(&mut self.missed), latest, clock: *clock };
        let _ = queue.send(Message::Batch(batch));
    }
}

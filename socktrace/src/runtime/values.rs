//! Events as values, to those who are in this process: the way to one subscriber, with a bounded backlog between.
//!
//! The sending end never waits. What does not fit is counted, and the subscriber is told the number where the gap is, as
//! soon as there is room again.

use super::stream::Fed;
use crate::engine::SubscriberId;
use crate::socket::{Event, EventKind};
use rustc_hash::FxHashMap;
use std::num::NonZeroU64;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::mpsc::{self, Receiver, Sender};

/// What a subscriber receives.
#[derive(Debug, Clone, PartialEq)]
pub enum Item {
    /// Something has happened.
    Event(Event),
    /// So many events are missing here: the subscriber was too slow for them.
    Missed(u64),
}

/// The receiving end. Dropping it ends the subscription.
#[derive(Debug)]
pub struct Events(Receiver<Item>);

impl Events {
    /// The next item; none once the runtime has ended. Cancel-safe.
    pub async fn next(&mut self) -> Option<Item> {
        self.0.recv().await
    }

    /// The next item, for a thread that may block.
    pub fn next_blocking(&mut self) -> Option<Item> {
        self.0.blocking_recv()
    }
}

/// The sending end.
#[derive(Debug)]
pub struct Feed {
    items: Sender<Item>,
    lost: u64,
}

/// Both ends, with room for so many items (one at least).
#[must_use]
pub fn channel(items: usize) -> (Feed, Events) {
    let (sender, receiver) = mpsc::channel(items.max(1));
    (Feed { items: sender, lost: 0 }, Events(receiver))
}

impl Feed {
    fn offer(&mut self, event: &Event) -> Fed {
        match self.tell_gap() {
            Fed::Sent => match self.items.try_send(Item::Event(event.clone())) {
                Ok(()) => Fed::Sent,
                Err(TrySendError::Closed(_)) => Fed::Gone,
                Err(TrySendError::Full(_)) => self.lose(1),
            },
            Fed::Gone => Fed::Gone,
            Fed::Lost => self.lose(1),
        }
    }

    fn lose(&mut self, events: u64) -> Fed {
        self.lost += events;
        Fed::Lost
    }

    fn tell_gap(&mut self) -> Fed {
        if self.items.is_closed() {
            return Fed::Gone;
        }
        if self.lost > 0 {
            if self.items.try_send(Item::Missed(self.lost)).is_err() {
                return Fed::Lost;
            }
            self.lost = 0;
        }
        Fed::Sent
    }
}

/// The subscribers.
#[derive(Debug, Default)]
pub(super) struct Feeds {
    readers: FxHashMap<SubscriberId, Reader>,
    /// They want no more.
    done: Vec<SubscriberId>,
}

#[derive(Debug)]
struct Reader {
    feed: Feed,
    /// How many events it still wants, where it has said so.
    left: Option<u64>,
}

impl Feeds {
    pub(super) fn add(&mut self, id: SubscriberId, feed: Feed, count: Option<NonZeroU64>) {
        self.readers.insert(id, Reader { feed, left: count.map(NonZeroU64::get) });
    }

    /// Hands these readers an event.
    pub(super) fn tell(&mut self, event: &Event, readers: &[SubscriberId]) {
        if self.readers.is_empty() {
            return;
        }
        let counts = !matches!(event.kind, EventKind::Lost { .. } | EventKind::Resync { .. });
        for id in readers {
            let Some(reader) = self.readers.get_mut(id).filter(|reader| reader.left != Some(0)) else {
                continue;
            };
            let fed = reader.feed.offer(event);
            if let Some(left) = reader.left.as_mut().filter(|_| counts && fed == Fed::Sent) {
                *left -= 1;
            }
            if fed == Fed::Gone || reader.left == Some(0) {
                self.done.push(*id);
            }
        }
    }

    /// Counts events as lost for everybody: there was no time to look at them.
    pub(super) fn lose(&mut self, events: u64) {
        for reader in self.readers.values_mut() {
            reader.feed.lose(events);
        }
    }

    /// Tells everybody how many events they have lost, if any and if there is room now.
    pub(super) fn tell_gaps(&mut self) {
        for (id, reader) in &mut self.readers {
            if reader.feed.tell_gap() == Fed::Gone {
                self.done.push(*id);
            }
        }
    }

    /// Lets go of the readers that want no more; their numbers.
    pub(super) fn leaving(&mut self) -> Vec<SubscriberId> {
        let mut done = std::mem::take(&mut self.done);
        done.retain(|id| self.readers.remove(id).is_some());
        done
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use EventKind::Lost;

    fn event(at: u64) -> Event {
        Event { at, kind: Lost { records: 1 }, subject: None }
    }

    #[tokio::test]
    async fn what_does_not_fit_is_counted_where_it_is_missing() {
        let (feed, mut events) = channel(2);
        let mut feeds = Feeds::default();
        feeds.add(7, feed, None);
        (1..=5).for_each(|at| feeds.tell(&event(at), &[7]));
        assert_eq!(events.next().await, Some(Item::Event(event(1))));
        assert_eq!(events.next().await, Some(Item::Event(event(2))));
        feeds.tell(&event(6), &[7, 8]);
        assert_eq!(events.next().await, Some(Item::Missed(3)));
        assert_eq!(events.next().await, Some(Item::Event(event(6))));
        feeds.lose(2);
        feeds.tell_gaps();
        assert_eq!(events.next().await, Some(Item::Missed(2)));
        drop(events);
        feeds.tell_gaps();
        assert_eq!(feeds.leaving(), [7]);
        assert_eq!(feeds.leaving(), [0; 0]);
    }

    #[tokio::test]
    async fn who_wants_so_many_gets_no_more() {
        let (feed, mut events) = channel(9);
        let mut feeds = Feeds::default();
        feeds.add(7, feed, NonZeroU64::new(1));
        let accept = Event { at: 1, kind: EventKind::Accept, subject: None };
        feeds.tell(&event(0), &[7]);
        feeds.tell(&accept, &[7]);
        feeds.tell(&accept, &[7]);
        assert_eq!(feeds.leaving(), [7]);
        assert_eq!(events.next().await, Some(Item::Event(event(0))));
        assert_eq!(events.next().await, Some(Item::Event(accept)));
        assert_eq!(events.next().await, None);
    }
}

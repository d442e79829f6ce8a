//! The subscribers of one viewer: an event is made as they see it once, and then asked who wants it. Pure.

use super::{Subscription, Way};
use crate::engine::{SubscriberId, Subscribers};
use crate::render::clock::Clock;
use crate::runtime::feeds::Feeds;
use crate::runtime::values;
use crate::socket::{BootNs, Event, Viewer};

/// Events between two looks at the time.
const STEP: usize = 32;

/// The subscribers of one viewer.
#[derive(Debug)]
pub(super) struct Lot {
    viewer: Viewer,
    subscribers: Subscribers,
    feeds: Feeds,
    values: values::Feeds,
}

impl Lot {
    pub(super) fn new(viewer: Viewer) -> Self {
        Self {
            viewer,
            subscribers: Subscribers::default(),
            feeds: Feeds::default(),
            values: values::Feeds::default(),
        }
    }

    pub(super) const fn viewer(&self) -> Viewer {
        self.viewer
    }

    pub(super) fn is_empty(&self) -> bool {
        self.subscribers.is_empty()
    }

    pub(super) fn add(&mut self, id: SubscriberId, subscription: Subscription) {
        let Subscription { interest, count, way } = subscription;
        self.subscribers.add(id, interest);
        match way {
            Way::Lines(format, feed) => self.feeds.add(id, format, count, feed),
            Way::Values(feed) => self.values.add(id, feed, count),
        }
    }

    /// Tells events to those who want them, as long as there is time for that; the rest is lost for all of them.
    pub(super) fn take(&mut self, events: &[Event], clock: &Clock, mut has_time: impl FnMut() -> bool) {
        let mut steps = events.chunks(STEP);
        for step in steps.by_ref() {
            if !has_time() {
                let rest = step.iter().chain(steps.flatten());
                // Losses and repairs take no time.
                let (counted, others): (Vec<_>, Vec<_>) =
                    rest.filter(|event| self.wants(event)).partition(|event| event.subject.is_some());
                self.lose(counted.len() as u64);
                others.into_iter().for_each(|event| self.tell(event, clock));
                break;
            }
            step.iter().for_each(|event| self.tell(event, clock));
        }
        self.feeds.flush();
    }

    /// Whether somebody can want it.
    fn wants(&self, event: &Event) -> bool {
        self.subscribers.wanted().contains(&event.kind)
    }

    fn tell(&mut self, event: &Event, clock: &Clock) {
        if !self.wants(event) {
            return;
        }
        let seen;
        let event = if self.viewer.is_limited() {
            match self.viewer.see(event) {
                Some(as_seen) => {
                    seen = as_seen;
                    &seen
                }
                None => return,
            }
        } else {
            event
        };
        let wanted_by = self.subscribers.of(event);
        if !wanted_by.is_empty() {
            self.values.tell(event, &wanted_by);
            self.feeds.tell(event, &wanted_by, clock);
        }
    }

    /// Counts events that it was not handed.
    pub(super) fn lose(&mut self, events: u64) {
        if events > 0 {
            self.feeds.lose(events);
            self.values.lose(events);
        }
    }

    pub(super) fn tell_gaps(&mut self, now: BootNs, clock: &Clock) {
        self.values.tell_gaps();
        self.feeds.tell_gaps(now, clock);
        self.feeds.flush();
    }

    /// Forgets those that want no more; their numbers.
    pub(super) fn leaving(&mut self) -> Vec<SubscriberId> {
        let mut leaving = self.feeds.leaving();
        leaving.extend(self.values.leaving());
        leaving.iter().for_each(|&id| self.subscribers.remove(id));
        leaving
    }
}

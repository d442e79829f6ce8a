//! Which events somebody wants.

use std::cell::OnceCell;

use super::Demand;
use crate::query::{Facts, Filter};
use crate::socket::{Comm, Event, Family, KindSet, Subject, Viewer};

/// Which events somebody wants: those that pass every part. An empty list lets everything pass.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Interest {
    /// Of these kinds.
    pub kinds: KindSet,
    /// Of these kinds of socket, by the words of the JSON schema: `tcp`, `udp`, `raw`, `unix` …
    pub protos: Vec<String>,
    /// Of these families.
    pub families: Vec<Family>,
    /// Of sockets of these processes.
    pub pids: Vec<u32>,
    /// Of sockets of processes of these names.
    pub comms: Vec<Comm>,
    /// That pass this filter.
    pub filter: Filter,
    /// As that viewer may see them.
    pub viewer: Viewer,
}

/// The facts of one event, made when the first filter asks.
pub(super) type FactsOf<'a> = OnceCell<Option<Facts<'a>>>;

impl Interest {
    /// Whether it wants the event. Events without a subject (`lost`, `resync`) are wanted by their kind alone.
    #[must_use]
    pub fn wants(&self, event: &Event) -> bool {
        if !self.viewer.is_limited() {
            return self.wants_seen(event, &FactsOf::new());
        }
        // What a filter may ask about is what its author may see.
        self.kinds.contains(&event.kind)
            && self.viewer.see(event).is_some_and(|seen| {
                let facts = Facts::of_event(&seen);
                let mark = |facts: Facts<'_>| facts.mark.filter(|_| self.viewer.is_net_admin());
                let facts = facts.map(|facts| Facts { mark: mark(facts), ..facts });
                self.wants_seen(&seen, &FactsOf::from(facts))
            })
    }

    /// Whether it wants the event, which is as its viewer sees it.
    pub(super) fn wants_seen<'a>(&self, event: &'a Event, facts: &FactsOf<'a>) -> bool {
        let passes = |subject: &Subject| {
            (self.protos.is_empty() || self.protos.iter().any(|proto| proto == subject.proto.name()))
                && (self.families.is_empty() || self.families.contains(&subject.family))
                && self.is_of_process(subject)
                && (self.filter.is_empty() || {
                    let facts = facts.get_or_init(|| Facts::of_event(event));
                    facts.as_ref().is_some_and(|facts| self.filter.matches(facts))
                })
        };
        self.kinds.contains(&event.kind) && event.subject.as_deref().is_none_or(passes)
    }

    fn is_of_process(&self, subject: &Subject) -> bool {
        if self.pids.is_empty() && self.comms.is_empty() {
            return true;
        }
        let Some(process) = subject.owner.process() else { return false };
        (self.pids.is_empty() || self.pids.contains(&process.pid))
            && (self.comms.is_empty() || self.comms.contains(&process.comm))
    }

    /// What it costs an event to be asked whether it wants it, at most: see [`Filter::cost`].
    #[must_use]
    pub fn cost(&self) -> usize {
        let lists = self.protos.len() + self.families.len() + self.pids.len() + self.comms.len();
        1 + lists.div_ceil(4) + self.filter.cost()
    }

    /// What the engine must know of it.
    #[must_use]
    pub fn demand(&self) -> Demand {
        let unix_closes = self.kinds.intersects(KindSet::CLOSE)
            && (self.protos.is_empty() || self.protos.iter().any(|proto| proto == "unix"))
            && (self.families.is_empty() || self.families.contains(&Family::Unix))
            && self.filter.narrows_to().is_none_or(|family| family == Family::Unix);
        Demand { kinds: self.kinds, unix_closes }
    }
}

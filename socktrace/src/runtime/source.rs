//! Where changes come from: the kernel programs, or in tests whoever has the other end.

use crate::api::status::{Hook, HookState};
use crate::kernel::ebpf::{Config, Drained, EbpfError, HookStatus, Tracer, UNIX_END};
use crate::socket::{Change, Counters, KindSet};
use std::io;

/// Where changes come from.
pub(super) enum Source {
    /// The kernel programs.
    Kernel(Box<Tracer>),
    /// Whoever has the other end.
    #[cfg(test)]
    Given(given::Given),
}

impl Source {
    /// Loads the kernel programs and attaches them.
    pub(super) fn kernel(ring_size: u32) -> Result<Self, EbpfError> {
        // The programs' own diagnostics cost time, so only whoever debugs gets them.
        let config = Config { ring_size, log: log::log_enabled!(log::Level::Trace), ..Config::default() };
        Ok(Self::Kernel(Box::new(Tracer::load(&config)?)))
    }

    /// Waits until there may be something to drain. Cancel-safe.
    pub(super) async fn readable(&mut self) -> io::Result<()> {
        match self {
            Self::Kernel(tracer) => tracer.readable().await,
            #[cfg(test)]
            Self::Given(given) => given.readable().await,
        }
    }

    /// Hands over at most `max` changes, oldest first.
    pub(super) fn drain(&mut self, max: usize, each: impl FnMut(Change)) -> Drained {
        match self {
            Self::Kernel(tracer) => tracer.drain(max, each),
            #[cfg(test)]
            Self::Given(given) => given.drain(max, each),
        }
    }

    /// Says which kinds of event are wanted, and whether it is of interest which datagram sockets are made: changes that only
    /// others need may be left out from now on.
    pub(super) fn want(&self, kinds: KindSet, creations: bool) {
        match self {
            Self::Kernel(tracer) => tracer.want(kinds, creations),
            #[cfg(test)]
            Self::Given(given) => given.want(kinds),
        }
    }

    pub(super) fn counters(&self) -> Counters {
        match self {
            Self::Kernel(tracer) => tracer.counters(),
            #[cfg(test)]
            Self::Given(given) => given.counters(),
        }
    }

    /// Whether a hook tells the ends of UNIX sockets.
    pub(super) fn tells_unix_ends(&self) -> bool {
        self.hooks().iter().any(|hook| hook.name == UNIX_END && hook.state == HookState::Attached)
    }

    /// The hooks that the kernel refused, but for those that it is usual to refuse.
    pub(super) fn missed_hooks(&self) -> Vec<Hook> {
        match self {
            Self::Kernel(tracer) => {
                let hooks = tracer.hooks().iter().filter(|status| !status.hook.is_often_missing());
                hooks.map(hook).filter(|hook| hook.state == HookState::Missing).collect()
            }
            #[cfg(test)]
            Self::Given(_) => Vec::new(),
        }
    }

    /// What became of each hook.
    pub(super) fn hooks(&self) -> Vec<Hook> {
        match self {
            Self::Kernel(tracer) => tracer.hooks().iter().map(hook).collect(),
            #[cfg(test)]
            Self::Given(_) => Vec::new(),
        }
    }
}

fn hook(status: &HookStatus) -> Hook {
    Hook {
        name: status.hook.name.to_owned(),
        required: status.hook.required,
        state: if status.missing.is_none() { HookState::Attached } else { HookState::Missing },
        reason: status.missing.as_ref().map(ToString::to_string),
        lost_without: status.missing.as_ref().map(|_| status.hook.lost_without.to_owned()),
    }
}

/// Changes that a test gives.
#[cfg(test)]
pub(super) mod given {
    use super::{Change, Counters, Drained, KindSet, io};
    use std::collections::VecDeque;
    use std::sync::{Arc, Mutex};
    use tokio::sync::Notify;

    /// Both ends of it: a test pushes, the engine's task drains.
    #[derive(Debug, Clone, Default)]
    pub(crate) struct Given(Arc<(Mutex<State>, Notify)>);

    #[derive(Debug, Default)]
    struct State {
        changes: VecDeque<Change>,
        counters: Counters,
        wanted: KindSet,
    }

    impl Given {
        pub(crate) fn push(&self, change: Change) {
            let mut state = self.0.0.lock().unwrap();
            state.counters.state.seen += 1;
            state.counters.state.delivered += 1;
            state.changes.push_back(change);
            self.0.1.notify_one();
        }

        /// The ring was full so many times.
        pub(crate) fn lose(&self, records: u64) {
            let mut state = self.0.0.lock().unwrap();
            state.counters.state.seen += records;
            state.counters.state.ring_full += records;
        }

        /// What is wanted now.
        pub(crate) fn wanted(&self) -> KindSet {
            self.0.0.lock().unwrap().wanted
        }

        pub(super) fn want(&self, kinds: KindSet) {
            self.0.0.lock().unwrap().wanted = kinds;
        }

        pub(super) async fn readable(&self) -> io::Result<()> {
            self.0.1.notified().await;
            Ok(())
        }

        pub(super) fn drain(&self, max: usize, each: impl FnMut(Change)) -> Drained {
            let mut state = self.0.0.lock().unwrap();
            let count = max.min(state.changes.len());
            state.changes.drain(..count).for_each(each);
            Drained { records: count, all: state.changes.is_empty() }
        }

        pub(super) fn counters(&self) -> Counters {
            self.0.0.lock().unwrap().counters
        }
    }
}

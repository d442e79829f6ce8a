//! A dump of the small kernel: begun, read bucket by bucket while sockets come and go, handed over row by row.

use std::collections::VecDeque;

use super::{BUCKETS, NETNS, World};
use crate::socket::{BootNs, Socket};
use crate::table::{Outcome, SETTLE, Scope};

/// A dump that is being read.
#[derive(Debug)]
pub(crate) struct Reading {
    readable: BootNs,
    buckets: Vec<u64>,
    rows: VecDeque<Socket>,
    /// Which scopes are not completed, by their order: every other of their rows is missing.
    partial: Vec<usize>,
    only_unix: bool,
    /// Dumps do not find the second namespace.
    hidden: bool,
}

impl Reading {
    pub(crate) fn begin(world: &mut World, partial: Vec<usize>, only_unix: bool) -> Self {
        let readable = world.now + SETTLE;
        world.now += 1;
        Self {
            readable,
            buckets: (0..BUCKETS).collect(),
            rows: VecDeque::new(),
            partial,
            only_unix,
            hidden: world.hidden,
        }
    }

    /// Reads one more bucket.
    pub(crate) fn read(&mut self, world: &mut World, which: usize) {
        if self.buckets.is_empty() {
            return;
        }
        // The promise: what was told before begin has had its effect.
        world.pass(self.readable.saturating_sub(world.now));
        let bucket = self.buckets.remove(which % self.buckets.len());
        let scopes = World::scopes();
        let left_out = |row: &Socket| {
            let index = scopes.iter().position(|scope| scope.shows(row));
            index.is_some_and(|index| self.partial.contains(&index)) && row.cookie.is_multiple_of(2)
        };
        let found = |row: &Socket| !self.hidden || row.netns != NETNS[1];
        let asked = |row: &Socket| found(row) && (!self.only_unix || row.proto.is_unix());
        self.rows.extend(world.read(bucket).into_iter().filter(|row| asked(row) && !left_out(row)));
    }

    /// Up to so many rows that were read.
    pub(crate) fn take(&mut self, n: usize) -> Vec<Socket> {
        self.rows.drain(..n.min(self.rows.len())).collect()
    }

    /// How every scope came out, once everything has been read and handed over.
    pub(crate) fn outcomes(&self) -> Option<Vec<(Scope, Outcome)>> {
        let outcome =
            |index| if self.partial.contains(&index) { Outcome::Partial } else { Outcome::Complete };
        let scopes = World::scopes().into_iter().enumerate();
        let found = |scope: &Scope| !self.hidden || scope.netns != NETNS[1];
        let asked = |scope: &Scope| found(scope) && (!self.only_unix || scope.proto.is_unix());
        let scopes = scopes.filter(|(_, scope)| asked(scope));
        (self.rows.is_empty() && self.buckets.is_empty())
            .then(|| scopes.map(|(index, scope)| (scope, outcome(index))).collect())
    }
}

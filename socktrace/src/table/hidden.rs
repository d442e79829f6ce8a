//! UNIX sockets whose namespace cannot be found any more, though others can: no dump shows them.
//!
//! Mostly they have gone with it. But a socket keeps its namespace alive, and one that was handed to a process elsewhere
//! lives on where nobody can list it. So who holds them decides, and somebody has to look.

use rustc_hash::{FxHashMap, FxHashSet};

use super::Table;
use super::entry::Entry;
use super::tell::Teller;
use crate::socket::{BootNs, Cookie, Event, EventKind, KindSet, NetnsId, State};

/// How long a socket that nobody has open is believed to lie in the queue of another, while descriptors lie in any queue,
/// nanoseconds. A process that is busy or stopped receives late; but a queue that nobody ever reads must not keep the sockets
/// of every container that has ended.
const UNDER_WAY: BootNs = 60_000_000_000;

/// What the last dump could not show for that reason.
#[derive(Debug, Default)]
pub(super) struct Hidden {
    /// Their holders are to be looked for.
    missing: Vec<Cookie>,
    /// When that dump began.
    since: BootNs,
    /// Sockets that live elsewhere: not looked for each time.
    elsewhere: FxHashSet<Cookie>,
    /// Sockets that nobody has open and that may be under way to a process, and since which dump.
    under_way: FxHashMap<Cookie, BootNs>,
}

impl Hidden {
    /// A dump that began at `since` does not show them.
    pub(super) fn miss(&mut self, cookies: Vec<Cookie>, since: BootNs) {
        self.since = since;
        if !self.under_way.is_empty() {
            let missing: FxHashSet<Cookie> = cookies.iter().copied().collect();
            self.under_way.retain(|cookie, _| missing.contains(cookie));
        }
        self.missing = cookies;
        self.missing.retain(|cookie| !self.elsewhere.contains(cookie));
    }
}

impl Table {
    /// Inode numbers of the UNIX sockets that the last dump could not show, because their namespace cannot be found
    /// any more, and of which nobody has said yet whether they live.
    #[must_use]
    pub fn hidden(&self) -> FxHashSet<u32> {
        let slots = &self.slots;
        let inode = |&cookie: &Cookie| slots.find(cookie).map(|slot| slots.get(slot).inode);
        self.hidden.missing.iter().filter_map(inode).collect()
    }

    /// The network namespaces that certainly have sockets. Of those whose end no hook tells, UNIX sockets that a process elsewhere
    /// was seen to have open count, and no others.
    #[must_use]
    pub fn namespaces(&self) -> FxHashSet<NetnsId> {
        let is_certain = |entry: &&Entry| {
            if entry.proto.is_unix() {
                self.hidden.elsewhere.contains(&entry.cookie)
            } else {
                entry.is_listed() && !entry.is_kernels() && !entry.is_nobodys()
            }
        };
        let known = self.slots.iter().filter(is_certain).map(|entry| entry.netns);
        known.filter(|&netns| netns != 0).collect()
    }

    /// Those that live elsewhere are to be looked for again after the next dump.
    pub fn doubt_hidden(&mut self) {
        self.hidden.elsewhere.clear();
    }

    /// Of the [`hidden`](Self::hidden) sockets those with the inode numbers `held` live elsewhere. The others may be under
    /// way to a process, and the next dump asks again; except those that have been so for long, which stay to be
    /// [settled](Self::settle_hidden).
    pub fn leave_hidden(&mut self, held: &FxHashSet<u32>) {
        let slots = &self.slots;
        let inode = |cookie: Cookie| slots.find(cookie).map(|slot| slots.get(slot).inode);
        let Hidden { missing, since, elsewhere, under_way } = &mut self.hidden;
        missing.retain(|&cookie| {
            if inode(cookie).is_some_and(|inode| held.contains(&inode)) {
                under_way.remove(&cookie);
                elsewhere.insert(cookie);
                return false;
            }
            let first = *under_way.entry(cookie).or_insert(*since);
            since.saturating_sub(first) >= UNDER_WAY
        });
    }

    /// Of the [`hidden`](Self::hidden) sockets exactly those with the inode numbers `held` are still there. The others
    /// are told as closed; how many those are.
    pub fn settle_hidden(
        &mut self,
        held: &FxHashSet<u32>,
        at: BootNs,
        wanted: KindSet,
        out: &mut Vec<Event>,
    ) -> u64 {
        let mut ends = self.ends.take();
        let told = &mut Teller::new(wanted, out, ends.as_mut());
        let mut gone = 0;
        for cookie in std::mem::take(&mut self.hidden.missing) {
            self.hidden.under_way.remove(&cookie);
            let Some(slot) = self.slots.find(cookie) else { continue };
            let entry = self.slots.get(slot);
            if held.contains(&entry.inode) {
                self.hidden.elsewhere.insert(cookie);
                continue;
            }
            // Something was heard of it since.
            if entry.as_of >= self.hidden.since {
                continue;
            }
            let entry = self.remove(slot);
            let close = EventKind::Close { found: true, duration_us: entry.open_for_us(at), closing: None };
            told.found(close, at, &entry, State::Close);
            gone += 1;
        }
        self.ends = ends;
        gone
    }
}

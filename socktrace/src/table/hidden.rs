//! UNIX sockets whose namespace cannot be found any more, though others can: no dump shows them.
//!
//! Mostly they have gone with it. But a socket keeps its namespace alive, and one that was handed to a process elsewhere
//! lives on where nobody can list it. So who holds them decides, and somebody has to look.

use rustc_hash::FxHashSet;

use super::Table;
use super::tell::Teller;
use crate::socket::{BootNs, Cookie, Event, EventKind, KindSet, State};

/// What the last dump could not show for that reason.
#[derive(Debug, Default)]
pub(super) struct Hidden {
    /// Their holders are to be looked for.
    missing: Vec<Cookie>,
    /// When that dump began.
    since: BootNs,
    /// Sockets that live elsewhere: not looked for each time.
    elsewhere: FxHashSet<Cookie>,
}

impl Hidden {
    /// A dump that began at `since` does not show them.
    pub(super) fn miss(&mut self, cookies: Vec<Cookie>, since: BootNs) {
        self.since = since;
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

    /// Those that live elsewhere are to be looked for again after the next dump.
    pub fn doubt_hidden(&mut self) {
        self.hidden.elsewhere.clear();
    }

    /// Of the [`hidden`](Self::hidden) sockets those with the inode numbers `held` live elsewhere. The next dump asks again
    /// for the others.
    pub fn leave_hidden(&mut self, held: &FxHashSet<u32>) {
        let slots = &self.slots;
        let inode = |cookie: &Cookie| slots.find(*cookie).map(|slot| slots.get(slot).inode);
        let missing = std::mem::take(&mut self.hidden.missing);
        let live = |cookie: &Cookie| inode(cookie).is_some_and(|inode| held.contains(&inode));
        self.hidden.elsewhere.extend(missing.into_iter().filter(live));
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

//! Where entries lie, and how they are found: by cookie, and by local and peer port.
//!
//! Entries lie in one vector, so that a scan reads memory in order and growing it costs no double. The ports are
//! doubly linked lists through the slots: two words each, and no allocation when a socket comes or goes.

use rustc_hash::FxHashMap;

use super::entry::Entry;
use crate::socket::Cookie;

/// Which port of a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Side {
    Local,
    Peer,
}

/// The entries and their indexes. Slot 0 is never used: it ends the lists.
#[derive(Debug)]
pub(super) struct Slots {
    slots: Vec<Slot>,
    free: Vec<u32>,
    by_cookie: FxHashMap<Cookie, u32>,
    local: Ports,
    peer: Ports,
}

#[derive(Debug)]
struct Slot {
    entry: Entry,
    local: Link,
    peer: Link,
}

/// Neighbours in a list of one port; 0 is none.
#[derive(Debug, Clone, Copy, Default)]
struct Link {
    next: u32,
    prev: u32,
}

/// The list of one port.
#[derive(Debug, Clone, Copy, Default)]
struct Head {
    first: u32,
    count: u32,
}

/// The lists of all ports. Untouched pages of it take no memory.
#[derive(Debug)]
struct Ports(Box<[Head]>);

impl Default for Slots {
    fn default() -> Self {
        let heads = || Ports(vec![Head::default(); 1 << 16].into_boxed_slice());
        Self {
            slots: vec![Slot::of(Entry::vacant())],
            free: Vec::new(),
            by_cookie: FxHashMap::default(),
            local: heads(),
            peer: heads(),
        }
    }
}

impl Slot {
    fn of(entry: Entry) -> Self {
        Self { entry, local: Link::default(), peer: Link::default() }
    }

    const fn link(&mut self, side: Side) -> &mut Link {
        match side {
            Side::Local => &mut self.local,
            Side::Peer => &mut self.peer,
        }
    }
}

impl Slots {
    pub(super) fn find(&self, cookie: Cookie) -> Option<u32> {
        self.by_cookie.get(&cookie).copied()
    }

    pub(super) fn get(&self, slot: u32) -> &Entry {
        &self.slots[slot as usize].entry
    }

    /// Puts an entry in. The caller has looked that its cookie is not there.
    pub(super) fn insert(&mut self, entry: Entry) -> u32 {
        let cookie = entry.cookie;
        let slot = match self.free.pop() {
            Some(slot) => {
                self.slots[slot as usize] = Slot::of(entry);
                slot
            }
            None => {
                self.slots.push(Slot::of(entry));
                (self.slots.len() - 1) as u32
            }
        };
        let twin = self.by_cookie.insert(cookie, slot);
        debug_assert!(twin.is_none(), "two entries of one cookie");
        self.link(slot);
        slot
    }

    pub(super) fn remove(&mut self, slot: u32) -> Entry {
        self.unlink(slot);
        let entry = std::mem::replace(&mut self.slots[slot as usize].entry, Entry::vacant());
        self.by_cookie.remove(&entry.cookie);
        self.free.push(slot);
        entry
    }

    /// Alters an entry; its cookie stays.
    pub(super) fn alter(&mut self, slot: u32, alter: impl FnOnce(&mut Entry)) {
        let entry = &mut self.slots[slot as usize].entry;
        let before = entry.ends.ports();
        alter(entry);
        if entry.ends.ports() != before {
            self.unlink_ports(slot, before);
            self.link(slot);
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.slots.iter().map(|slot| &slot.entry).filter(|entry| entry.cookie != 0)
    }

    /// For facts that no index hangs on.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Entry> {
        self.slots.iter_mut().map(|slot| &mut slot.entry).filter(|entry| entry.cookie != 0)
    }

    /// The slots that pass.
    pub(super) fn slots_where(&self, mut pass: impl FnMut(&Entry) -> bool) -> Vec<u32> {
        let used = self.slots.iter().enumerate().filter(|(_, slot)| slot.entry.cookie != 0);
        used.filter(|(_, slot)| pass(&slot.entry)).map(|(slot, _)| slot as u32).collect()
    }

    /// How many entries have that port.
    pub(super) fn count(&self, side: Side, port: u16) -> u32 {
        self.ports(side).0[usize::from(port)].count
    }

    /// The entries with that port. Peer port 0 is not kept.
    pub(super) fn chain(&self, side: Side, port: u16) -> impl Iterator<Item = &Entry> {
        let first = self.ports(side).0[usize::from(port)].first;
        let used = |slot: u32| (slot != 0).then_some(slot);
        std::iter::successors(used(first), move |&slot| {
            let slot = &self.slots[slot as usize];
            used(match side {
                Side::Local => slot.local.next,
                Side::Peer => slot.peer.next,
            })
        })
        .map(|slot| self.get(slot))
    }

    /// Gives memory back when most slots are empty.
    pub(super) fn shrink(&mut self) {
        if self.slots.len() < 4096 || self.slots.len() < 4 * self.by_cookie.len() {
            return;
        }
        let old = std::mem::take(self);
        for slot in old.slots.into_iter().filter(|slot| slot.entry.cookie != 0) {
            self.insert(slot.entry);
        }
    }

    /// Bytes taken from the allocator, names of UNIX sockets aside.
    pub(super) fn bytes(&self) -> usize {
        self.slots.capacity() * size_of::<Slot>()
            + self.free.capacity() * size_of::<u32>()
            // hashbrown: one control byte for each bucket, at most 7 of 8 buckets used.
            + self.by_cookie.capacity() * 8 / 7 * (size_of::<(Cookie, u32)>() + 1)
            + (self.local.0.len() + self.peer.0.len()) * size_of::<Head>()
    }

    const fn ports(&self, side: Side) -> &Ports {
        match side {
            Side::Local => &self.local,
            Side::Peer => &self.peer,
        }
    }

    const fn ports_mut(&mut self, side: Side) -> &mut Ports {
        match side {
            Side::Local => &mut self.local,
            Side::Peer => &mut self.peer,
        }
    }

    fn link(&mut self, slot: u32) {
        let Some([local, peer]) = self.get(slot).ends.ports() else { return };
        self.push(Side::Local, local, slot);
        if peer != 0 {
            self.push(Side::Peer, peer, slot);
        }
    }

    fn unlink(&mut self, slot: u32) {
        let ports = self.get(slot).ends.ports();
        self.unlink_ports(slot, ports);
    }

    fn unlink_ports(&mut self, slot: u32, ports: Option<[u16; 2]>) {
        let Some([local, peer]) = ports else { return };
        self.pull(Side::Local, local, slot);
        if peer != 0 {
            self.pull(Side::Peer, peer, slot);
        }
    }

    fn push(&mut self, side: Side, port: u16, slot: u32) {
        let head = &mut self.ports_mut(side).0[usize::from(port)];
        let next = std::mem::replace(&mut head.first, slot);
        head.count += 1;
        *self.slots[slot as usize].link(side) = Link { next, prev: 0 };
        if next != 0 {
            self.slots[next as usize].link(side).prev = slot;
        }
    }

    fn pull(&mut self, side: Side, port: u16, slot: u32) {
        let Link { next, prev } = *self.slots[slot as usize].link(side);
        let head = &mut self.ports_mut(side).0[usize::from(port)];
        head.count -= 1;
        if prev == 0 {
            head.first = next;
        } else {
            self.slots[prev as usize].link(side).next = next;
        }
        if next != 0 {
            self.slots[next as usize].link(side).prev = prev;
        }
    }
}

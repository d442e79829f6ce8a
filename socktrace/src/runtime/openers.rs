//! Who opened each socket, as the task that owns the table hands it to those who list many.
//!
//! That task only walks its table; the index, whose places are far apart in memory, is made by who asks. Small, so that
//! both stay near the processor: a listing asks in the order of the kernel's hash table. Pure.

use crate::socket::{BootNs, Cookie, Opener, Owner};
use rustc_hash::FxHashMap;

/// Openers in the order of the table.
#[derive(Debug, Default)]
pub struct Openers {
    owners: Vec<Owner>,
    places: FxHashMap<Owner, u32>,
    rows: Vec<Row>,
}

#[derive(Debug, Clone, Copy)]
struct Row {
    cookie: Cookie,
    opened: Option<BootNs>,
    owner: u32,
}

impl FromIterator<(Cookie, Opener)> for Openers {
    fn from_iter<T: IntoIterator<Item = (Cookie, Opener)>>(openers: T) -> Self {
        let mut all = Self::default();
        // Sockets of one process mostly lie together.
        let mut last = None;
        for (cookie, Opener { owner, opened }) in openers {
            let place = match last {
                Some((of, place)) if of == owner => place,
                Some(_) | None => all.place(owner),
            };
            last = Some((owner, place));
            all.rows.push(Row { cookie, opened, owner: place });
        }
        all
    }
}

impl Openers {
    fn place(&mut self, owner: Owner) -> u32 {
        let Self { owners, places, .. } = self;
        *places.entry(owner).or_insert_with(|| {
            owners.push(owner);
            (owners.len() - 1) as u32
        })
    }

    /// To be asked by cookie.
    pub(super) fn indexed(self) -> Indexed {
        let mut by_cookie = FxHashMap::with_capacity_and_hasher(self.rows.len(), Default::default());
        by_cookie.extend(self.rows.iter().zip(0..).map(|(row, place)| (row.cookie, place)));
        Indexed { by_cookie, openers: self }
    }
}

/// Openers by cookie.
#[derive(Debug, Default)]
pub struct Indexed {
    by_cookie: FxHashMap<Cookie, u32>,
    openers: Openers,
}

impl Indexed {
    /// Bytes that it takes.
    pub fn size(&self) -> usize {
        let Openers { owners, places, rows } = &self.openers;
        owners.capacity() * size_of::<Owner>()
            + places.capacity() * size_of::<(Owner, u32)>()
            + rows.capacity() * size_of::<Row>()
            + self.by_cookie.capacity() * size_of::<(Cookie, u32)>()
    }

    /// Who opened that one, and when; none if the table did not have it.
    pub fn get(&self, cookie: Cookie) -> Option<Opener> {
        let row = self.openers.rows.get(*self.by_cookie.get(&cookie)? as usize)?;
        let owner = *self.openers.owners.get(row.owner as usize)?;
        Some(Opener { owner, opened: row.opened })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::socket::{Comm, Process};

    #[test]
    fn each_socket_has_its_own_opener() {
        let process = |pid| Process { pid, comm: Comm::from_bytes(b"sh") };
        let owners =
            [Owner::Exact(process(1)), Owner::Holder(process(1)), Owner::Unknown, Owner::Exact(process(2))];
        let opener = |cookie: u64| Opener {
            owner: owners[cookie as usize / 3 % owners.len()],
            opened: cookie.is_multiple_of(2).then_some(cookie),
        };
        let openers: Openers = (1..100).map(|cookie| (cookie, opener(cookie))).collect();
        assert_eq!(openers.owners.len(), owners.len());
        let openers = openers.indexed();
        for cookie in 1..100 {
            assert_eq!(openers.get(cookie), Some(opener(cookie)), "{cookie}");
        }
        assert_eq!(openers.get(100), None);
    }
}

//! The merge of a dump with the events that race it.
//!
//! A dump takes time: each row shows its socket at some moment between begin and end, while events keep coming, late
//! but in order. The caller promises four things:
//!
//! - `begin(at)` is called, and then [`SETTLE`] passes, before the first request is sent. So a change that was seen
//!   before `at` has had its effect on the kernel's tables before any row is read. (The hooks fire a moment before
//!   or after the fact: CLOSE→SYN_SENT is told before the socket is hashed, →CLOSE after it was unhashed.)
//! - Events keep being applied while the dump runs.
//! - `finish` is called after `end(at)` once every event from before `at` + [`SETTLE`] has been applied.
//! - No event from `at` of begin on was lost, or [`lost`](Table::lost) is called before `finish`. Then the dump only adds
//!   and changes, but for 4. below, and another must follow.
//!
//! Then, for each socket:
//!
//! 1. An event from begin on knows better than any row: it is newer, or the row is newer and the event that says
//!    the same as the row follows it. So rows of such sockets are ignored, and so are rows of sockets whose end was
//!    seen since.
//! 2. Otherwise nothing happened to the socket from begin on, and the row is the truth for the whole time. It is taken
//!    at the end, when no event from before begin can come and undo it.
//! 3. An entry without a row and without an event from begin on is a ghost: its end was lost. Only a complete scope
//!    says so, and only where no event was lost from begin on: bind(2), listen(2) and connect(2) may move a socket to
//!    where the dump has been already, and then nothing but the event says that it lives. What no dump can vouch for
//!    (a socket without a port, a kind that this kernel cannot dump) is believed until something was lost, and
//!    forgotten then; but of UNIX sockets whose namespace has vanished, who holds them says whether they are still
//!    there (`hidden`).
//! 4. While events keep being lost under one dump after the other, a ghost that two of them have not shown is forgotten,
//!    or the table would grow for as long. No reader is told; history keeps it as an end that was missed. Should it live
//!    after all, the next dump brings it back.
//!
//! Once every event from before begin has been applied ([`Table::applied`]), rows that say what the table says are
//! vouched for at once; only others wait for `finish`. What is found to differ then is drift: 0 unless events were lost.

use rustc_hash::FxHashSet;

use super::entry::Entry;
use super::scope::{Class, Outcome, Scope};
use super::tell::Teller;
use super::{Seed, Table};
use crate::socket::{BootNs, Change, Cookie, Event, EventKind, KindSet, Owner, Proto, Socket, State};

/// How long the kernel may take between telling of a change and showing it, nanoseconds.
pub const SETTLE: BootNs = 20_000_000;

/// A dump that is running.
#[derive(Debug)]
pub(super) struct Dump {
    begin: BootNs,
    end: BootNs,
    after_loss: bool,
    /// Whether events were lost since it began.
    lossy: bool,
    /// Sockets whose end was seen since it began.
    gone: FxHashSet<Cookie>,
    /// Sockets that came into the kernel's tables since it began, by events that do not say their whole state.
    touched: FxHashSet<Cookie>,
    /// Rows that say something else than the table did when they came.
    rows: Vec<Entry>,
    scopes: Vec<(Scope, Outcome)>,
}

/// What a dump repaired. UNIX sockets are counted apart: they come and go without events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Merged {
    /// Sockets that the dump had and the table had not.
    pub added: u64,
    /// Sockets that the table had and the dump had not.
    pub removed: u64,
    /// Sockets whose state or ends differed.
    pub changed: u64,
    /// UNIX sockets that had come, gone or changed.
    pub unix: u64,
}

impl Merged {
    /// How much the table had drifted, UNIX sockets aside.
    #[must_use]
    pub const fn drift(&self) -> u64 {
        self.added + self.removed + self.changed
    }
}

/// What a complete dump says of an entry that it did not show.
enum Verdict {
    Gone,
    /// Nothing can be said.
    Open,
    /// No dump will ever show it.
    Unseen,
    /// Nor this one, but whoever holds it can be found.
    Hidden,
}

impl Table {
    /// A dump begins. `after_loss`: whether events may have been lost since the last complete one. A dump that
    /// was running is forgotten.
    pub fn begin(&mut self, at: BootNs, after_loss: bool) {
        if after_loss && self.seed == Seed::Before {
            self.seed = Seed::Begun;
        }
        self.dump = Some(Dump {
            begin: at,
            end: at,
            after_loss,
            lossy: false,
            gone: FxHashSet::default(),
            touched: FxHashSet::default(),
            rows: Vec::new(),
            scopes: Vec::new(),
        });
    }

    /// Events were lost: who is missing from the dump that is running may live.
    pub fn lost(&mut self) {
        if let Some(dump) = &mut self.dump {
            dump.lossy = true;
        }
    }

    /// The dump shows a socket.
    pub fn row(&mut self, row: &Socket) {
        let Some(begin) = self.dump.as_ref().map(|dump| dump.begin) else { return };
        if row.cookie == 0 || Class::of(row.proto).is_none() {
            return;
        }
        // A request socket has no inode. A full socket in that state has one: it connected, or is accepted early.
        let is_request = row.state == State::SynRecv && row.inode == 0;
        if is_request || matches!(row.state, State::TimeWait | State::NewSynRecv) {
            return;
        }
        let row = Entry::of_row(row, begin);
        let found = if row.proto == Proto::Mptcp {
            self.find_mptcp(row.cookie, &row.ends).and_then(|key| self.slots.find(key))
        } else {
            self.slots.find(row.cookie)
        };
        match found {
            Some(slot) if self.slots.get(slot).as_of >= begin => {}
            Some(slot) if self.applied >= begin && same(self.slots.get(slot), &row) => {
                self.alter(slot, |entry| vouch(entry, row));
            }
            Some(_) | None => self.dump.iter_mut().for_each(|dump| dump.rows.push(row.clone())),
        }
    }

    /// A part of the dump has ended.
    pub fn scope(&mut self, scope: Scope, outcome: Outcome) {
        if let Some(dump) = &mut self.dump {
            dump.scopes.push((scope, outcome));
        }
    }

    /// The whole dump has ended. The merge is done by [`finish`](Self::finish).
    pub fn end(&mut self, at: BootNs) {
        if let Some(dump) = &mut self.dump {
            dump.end = at;
        }
    }

    /// Every event from before the end (and a moment more, [`SETTLE`]) has been applied: the table becomes what the
    /// kernel's is. UNIX sockets that are gone are told as closed, which is how their end is found.
    pub fn finish(&mut self, wanted: KindSet, out: &mut Vec<Event>) -> Merged {
        let mut merged = Merged::default();
        let Some(mut dump) = self.dump.take() else { return merged };
        let mut rows = std::mem::take(&mut dump.rows);
        let mut ends = self.ends.take();
        let told = &mut Teller::new(wanted, out, ends.as_mut());
        while let Some(row) = rows.pop() {
            self.adopt(row, &dump, &mut merged, told);
            // The rows of a first dump are as large as the table: give back what the table takes.
            if rows.len().is_multiple_of(16 * 1024) {
                rows.shrink_to_fit();
            }
        }
        if dump.scopes.iter().any(|(scope, _)| scope.proto == Proto::Tcp) {
            self.looked(dump.begin);
        }
        // A look through the UNIX sockets says nothing of them.
        if dump.scopes.iter().any(|(scope, _)| Class::of(scope.proto) == Some(Class::Udp)) {
            self.dials.retain(|dial| dial.at >= dump.begin);
        }
        self.sweep(&dump, &mut merged, told);
        self.ends = ends;
        self.seed = Seed::Merged;
        self.slots.shrink();
        merged
    }

    fn adopt(&mut self, row: Entry, dump: &Dump, merged: &mut Merged, told: &mut Teller<'_>) {
        let row = self.keyed(row);
        if !self.dials.is_empty() && self.adopt_dialled(&row, dump, told) {
            return;
        }
        let unix = row.proto.is_unix();
        let count =
            |counter: &mut u64, unix_counter: &mut u64| *if unix { unix_counter } else { counter } += 1;
        match self.slots.find(row.cookie) {
            None if dump.gone.contains(&row.cookie) => {}
            None => {
                count(&mut merged.added, &mut merged.unix);
                self.insert(row);
            }
            Some(slot) if self.slots.get(slot).as_of >= dump.begin => {}
            Some(slot) => {
                if !same(self.slots.get(slot), &row) {
                    count(&mut merged.changed, &mut merged.unix);
                }
                self.alter(slot, |entry| vouch(entry, row));
            }
        }
    }

    /// The row says what came of a connect of which only the beginning was reported. Whether it was such a row.
    fn adopt_dialled(&mut self, row: &Entry, dump: &Dump, told: &mut Teller<'_>) -> bool {
        let is_it = |dial: &Change| dial.cookie == row.cookie && dial.at < dump.begin;
        let Some(index) = self.dials.iter().position(is_it) else { return false };
        let dial = self.dials.swap_remove(index);
        let current = self.slots.find(row.cookie);
        if dump.gone.contains(&row.cookie)
            || current.is_some_and(|slot| self.slots.get(slot).as_of >= dump.begin)
        {
            return true;
        }
        let slot = match current {
            Some(slot) => slot,
            None => {
                let mut entry = row.clone();
                entry.opened = dial.at;
                self.insert(entry)
            }
        };
        self.alter(slot, |entry| {
            vouch(entry, row.clone());
            entry.own(&dial);
        });
        let at = self.latest.max(dump.end);
        if row.state == State::Established {
            let entry = self.slots.get(slot);
            told.found(EventKind::Connect { latency_us: None }, at, entry, entry.state);
        }
        true
    }

    /// Removes the ghosts. A dump that may have missed somebody knows only of those that one before it missed, too.
    fn sweep(&mut self, dump: &Dump, merged: &mut Merged, told: &mut Teller<'_>) {
        let since = if dump.lossy { self.lossy_from.unwrap_or(0) } else { dump.begin };
        // Others may not have asked for everything.
        if dump.after_loss {
            self.lossy_from = dump.lossy.then_some(dump.begin);
        }
        let bound_is_listed = self.bound_is_listed;
        let mut hidden = Vec::new();
        let ghosts = self.slots.slots_where(|entry| {
            entry.as_of < since
                && !dump.touched.contains(&entry.cookie)
                && match dump.verdict(entry, bound_is_listed) {
                    Verdict::Gone => true,
                    Verdict::Open => false,
                    Verdict::Unseen => dump.after_loss,
                    Verdict::Hidden => {
                        hidden.push(entry.cookie);
                        false
                    }
                }
        });
        self.hidden.miss(hidden, dump.begin);
        let at = self.latest.max(dump.end);
        for slot in ghosts {
            let entry = self.remove(slot);
            let close =
                EventKind::Close { found: true, duration_us: entry.open_for_us(dump.end), closing: None };
            // No hook tells of the end of these, so that a dump finds it. What is nobody's may be somebody's whose records were lost.
            let is_silent = entry.proto.is_unix() || entry.is_kernels();
            let is_found = !dump.lossy && (is_silent || (!dump.after_loss && entry.is_nobodys()));
            if entry.proto.is_unix() {
                merged.unix += 1;
            } else if !entry.is_listed() {
                continue;
            } else if !is_found {
                merged.removed += 1;
            }
            if is_found {
                told.found(close, at, &entry, State::Close);
            } else {
                told.missed(close, at, &entry, State::Close);
            }
        }
    }

    /// The socket of the change is gone.
    pub(super) fn gone(&mut self, change: &Change) {
        if let Some(dump) = self.dump.as_mut().filter(|dump| change.at >= dump.begin) {
            dump.gone.insert(change.cookie);
        }
    }

    /// The socket of the change came into the kernel's tables, and more is not said.
    pub(super) fn touch(&mut self, change: &Change) {
        if let Some(dump) = self.dump.as_mut().filter(|dump| change.at >= dump.begin) {
            dump.touched.insert(change.cookie);
        }
    }
}

impl Dump {
    fn verdict(&self, entry: &Entry, bound_is_listed: bool) -> Verdict {
        if !entry.is_listed() || (entry.state == State::BoundInactive && !bound_is_listed) {
            return Verdict::Unseen;
        }
        // Where its namespace is not known it may be in any of them.
        let of_it = |scope: &Scope| match entry.netns {
            0 => scope.is_kind_of(entry),
            _ => scope.covers(entry),
        };
        let outcomes = || self.scopes.iter().filter(|(scope, _)| of_it(scope)).map(|&(_, outcome)| outcome);
        let first = outcomes().next();
        let outcome = first.filter(|first| outcomes().all(|outcome| outcome == *first));
        match (outcome, entry.proto) {
            (Some(Outcome::Complete), _) => Verdict::Gone,
            (Some(Outcome::Unsupported), _) => Verdict::Unseen,
            // Procfs could not tell of them.
            (None, Proto::Ping(_)) if first.is_none() => Verdict::Unseen,
            // Its namespace cannot be found any more, others can.
            (None, proto) if first.is_none() && self.shows_elsewhere(entry) => {
                if proto.is_unix() && entry.inode != 0 { Verdict::Hidden } else { Verdict::Unseen }
            }
            (Some(Outcome::Partial) | None, _) => Verdict::Open,
        }
    }

    /// Whether the dump shows this kind of socket in any namespace.
    fn shows_elsewhere(&self, entry: &Entry) -> bool {
        let mut kinds = self.scopes.iter().filter(|(scope, _)| scope.is_kind_of(entry));
        kinds.any(|&(_, outcome)| outcome == Outcome::Complete)
    }
}

/// Whether the table says what the row says.
fn same(entry: &Entry, row: &Entry) -> bool {
    entry.state == row.state && entry.proto == row.proto && entry.ends.agrees_with(&row.ends, entry.state)
}

/// The row is the truth since the dump began.
fn vouch(entry: &mut Entry, row: Entry) {
    entry.learn_row(&row);
    // Who began that was not seen.
    if entry.is_outlived_by(&row) {
        (entry.owner, entry.opened) = (Owner::Unknown, 0);
    }
    (entry.as_of, entry.state, entry.ends) = (row.as_of, row.state, row.ends);
    (entry.proto, entry.family) = (row.proto, row.family);
}

//! What whoever asks knows beside the kernel's answer, and who is to see the answer.

use std::fmt;

use super::Paths;
use super::error::Error;
use super::names::{Directory, Stopped};
use crate::kernel::owners::Sight;
use crate::kernel::sock_diag::InetId;
use crate::query;
use crate::render::clock::Clock;
use crate::socket::{Cookie, NetnsId, Opener, Owner, Socket, StateSet};

/// What is wanted of the TCP and UDP sockets of a namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// What all of them have.
    pub keys: query::IndexKeys,
    /// The states that they may be in.
    pub states: StateSet,
}

/// The sockets that can be what is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Named {
    /// All of them, in the order in which the kernel lists them.
    All(Vec<InetId>),
    /// They cannot all be named at this moment: one is about to be connected or closed.
    NotNow,
    /// They cannot all be named, or only the kernel knows their order.
    No,
}

/// Names the sockets that can be what is wanted.
pub type Candidates<'a> = &'a (dyn Fn(Wanted) -> Named + Sync);

/// Who opened the socket with that cookie, and when.
pub type OpenerOf<'a> = &'a (dyn Fn(Cookie) -> Option<Opener> + Sync);

/// What comes with a question beside its words. Nothing by default.
#[derive(Clone, Copy, Default)]
pub struct AnswerContext<'a> {
    /// The TCP and UDP sockets of the namespace that can be what is wanted, so that each is looked up and no table is
    /// dumped. Not asked about the states that only a dump has (TIME-WAIT, SYN-RECV); a socket that is bound and
    /// nothing else cannot be looked up, so with one of those among them they cannot be named.
    pub candidates: Option<Candidates<'a>>,
    /// Who opened sockets, and when. Asked only where the answer takes it.
    pub opener: Option<OpenerOf<'a>>,
    /// The network namespaces that have sockets. Asked only about all of them.
    pub namespaces: Option<&'a (dyn Fn() -> Vec<NetnsId> + Sync)>,
    /// Makes dates of openings.
    pub clock: Option<&'a Clock>,
    /// Whether the work on the answer is to stop: nobody waits for it any more.
    pub stopped: Option<&'a Stopped>,
    /// Takes so many more bytes of memory, until the answer is complete; false if there is no more.
    pub memory: Option<&'a (dyn Fn(usize) -> bool + Sync)>,
    /// What processes are shown, to whoever is to see the answer; all by default. What the kernel reports is as it reports it
    /// to this thread.
    pub sight: Option<&'a Sight>,
}

impl AnswerContext<'_> {
    /// The names that may be used for the answer: of a process with more rights, an ordinary user has no name service
    /// asked.
    pub(super) fn directory(&self, paths: &Paths) -> Directory {
        let names = Directory::new(paths.proc.clone(), &paths.port_range()).until(self.stopped.cloned());
        if self.sight.is_some() { names.only_files() } else { names }
    }

    /// Goes on with the work.
    ///
    /// # Errors
    /// It is to stop.
    pub(super) fn go_on(&self) -> Result<(), Error> {
        if self.stopped.is_some_and(|stopped| stopped()) { Err(Error::Stopped) } else { Ok(()) }
    }

    /// Keeps so many bytes until the answer is complete.
    ///
    /// # Errors
    /// There is no room for them.
    pub(super) fn keep(&self, bytes: usize) -> Result<(), Error> {
        if self.memory.is_none_or(|memory| memory(bytes)) { Ok(()) } else { Err(Error::TooMuch) }
    }

    /// Who opened it, and when, if whoever is to see the answer may know it; none if nobody knows openers here.
    pub(super) fn opener(&self, socket: &Socket) -> Option<Opener> {
        let opener = self.opener?(socket.cookie);
        let opener = opener.unwrap_or(Opener { owner: Owner::Unknown, opened: None });
        let shown = |sight: &Sight| sight.owner(opener.owner, socket.uid);
        Some(Opener { owner: self.sight.map_or(opener.owner, shown), ..opener })
    }
}

impl fmt::Debug for AnswerContext<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnswerContext").field("sight", &self.sight).finish_non_exhaustive()
    }
}

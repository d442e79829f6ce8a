//! What history holds.

use crate::socket::{Cookie, Event, Process, UnixNs};

/// A record, and when it happened.
#[derive(Debug, Clone, PartialEq)]
pub struct Dated {
    /// When.
    pub at: UnixNs,
    /// What.
    pub record: Record,
}

/// One thing that history knows.
#[derive(Debug, Clone, PartialEq)]
pub enum Record {
    /// A socket ended.
    Ended {
        /// `close` or `connect_failed`, or a `bind` or `listen` that failed. Its times are [`UnixNs`], as if the kernel's clock began in 1970.
        event: Event,
        /// Its event was lost, and a dump showed that it was gone: its time is the time of that.
        missed: bool,
    },
    /// accept(2) returned a connection that had ended before: now it is known whose it was.
    Accepted {
        /// Which connection.
        cookie: Cookie,
        /// Who accepted it.
        process: Process,
    },
    /// So many records are missing here.
    Lost {
        /// How many.
        records: u64,
        /// Where they were lost.
        by: Loser,
    },
    /// An agent began to look.
    Began,
    /// The agent ended; nothing is known from here to the next [`Began`](Self::Began).
    Stopped,
}

/// Where records were lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loser {
    /// The buffer between the kernel and the agent was full. Any record: not every one would have been an end.
    Kernel,
    /// The files could not be written, or not fast enough.
    Files,
}

//! What the one task that owns the engine can be asked.

use super::history::log::Log;
use super::openers::{Indexed, Openers};
use super::selection::Format;
use super::status::Status;
use super::stream::EventStream;
use crate::engine::Interest;
use crate::listing::{Named, Wanted};
use crate::socket::{Cookie, NetnsId, Opener, Viewer};
use bytes::Bytes;
use std::num::NonZeroU64;
use tokio::sync::{mpsc, oneshot};

/// A question, and where the answer goes. Whoever asked may be gone by then.
#[derive(Debug)]
pub enum Request {
    /// The live stream from now on.
    Events {
        /// Which events.
        interest: Box<Interest>,
        /// How they are written.
        format: Format,
        /// End after so many events; `lost` and `resync` are not counted.
        count: Option<NonZeroU64>,
        /// Where the stream goes.
        reply: oneshot::Sender<EventStream>,
    },
    /// The table as it is, one JSON object per line.
    Table {
        /// Who is to see it.
        viewer: Viewer,
        /// Where it goes, in pieces.
        reply: oneshot::Sender<Vec<Bytes>>,
    },
    /// The sockets that have closed.
    History {
        /// Where they go; none where they are not kept.
        reply: oneshot::Sender<Option<Log>>,
    },
    /// The TCP and UDP sockets that can be what is wanted.
    Candidates {
        /// What is wanted.
        wanted: Wanted,
        /// In which namespace.
        netns: NetnsId,
        /// Where their names go.
        reply: oneshot::Sender<Named>,
    },
    /// Who opened one socket, and when.
    Opener {
        /// Which.
        cookie: Cookie,
        /// Where the answer goes.
        reply: oneshot::Sender<Option<Opener>>,
    },
    /// Who opened each socket, and when.
    Openers {
        /// Where the answer goes.
        reply: oneshot::Sender<Openers>,
    },
    /// How many sockets there are, told once the first dump is in the table.
    Ready {
        /// Where the number goes.
        reply: oneshot::Sender<u64>,
    },
    /// How it is doing.
    Status {
        /// Where the answer goes.
        reply: oneshot::Sender<Status>,
    },
}

/// The way to the task that owns the engine.
#[derive(Debug, Clone)]
pub struct Asker(mpsc::Sender<Request>);

/// The task has ended: the agent is shutting down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the agent is shutting down")]
pub struct Ending;

/// Both ends of the way to the task.
#[must_use]
pub fn channel() -> (Asker, mpsc::Receiver<Request>) {
    let (sender, receiver) = mpsc::channel(64);
    (Asker(sender), receiver)
}

impl Asker {
    /// The live stream from now on.
    ///
    /// # Errors
    /// The task has ended.
    pub async fn events(
        &self,
        interest: Interest,
        format: Format,
        count: Option<NonZeroU64>,
    ) -> Result<EventStream, Ending> {
        self.ask(|reply| Request::Events { interest: Box::new(interest), format, count, reply }).await
    }

    /// The table as it is, one JSON object per line, in pieces.
    ///
    /// # Errors
    /// The task has ended.
    pub async fn table(&self, viewer: Viewer) -> Result<Vec<Bytes>, Ending> {
        self.ask(|reply| Request::Table { viewer, reply }).await
    }

    /// The sockets that have closed; none where they are not kept.
    ///
    /// # Errors
    /// The task has ended.
    pub async fn history(&self) -> Result<Option<Log>, Ending> {
        self.ask(|reply| Request::History { reply }).await
    }

    /// How many sockets there are, told once the first dump is in the table.
    ///
    /// # Errors
    /// The task has ended.
    pub async fn ready(&self) -> Result<u64, Ending> {
        self.ask(|reply| Request::Ready { reply }).await
    }

    /// The TCP and UDP sockets of a namespace that can be what is wanted, asked from a thread that may block.
    #[must_use]
    pub fn candidates(&self, wanted: Wanted, netns: NetnsId) -> Named {
        self.ask_blocking(|reply| Request::Candidates { wanted, netns, reply }).unwrap_or(Named::No)
    }

    /// Who opened one socket, and when, asked from a thread that may block.
    #[must_use]
    pub fn opener(&self, cookie: Cookie) -> Option<Opener> {
        self.ask_blocking(|reply| Request::Opener { cookie, reply })?
    }

    /// Who opened each socket, and when, asked from a thread that may block.
    #[must_use]
    pub(super) fn openers(&self) -> Indexed {
        self.ask_blocking(|reply| Request::Openers { reply }).map(Openers::indexed).unwrap_or_default()
    }

    fn ask_blocking<T>(&self, request: impl FnOnce(oneshot::Sender<T>) -> Request) -> Option<T> {
        let (reply, answer) = oneshot::channel();
        self.0.blocking_send(request(reply)).ok()?;
        answer.blocking_recv().ok()
    }

    /// How it is doing.
    ///
    /// # Errors
    /// The task has ended.
    pub async fn status(&self) -> Result<Status, Ending> {
        self.ask(|reply| Request::Status { reply }).await
    }

    async fn ask<T>(&self, request: impl FnOnce(oneshot::Sender<T>) -> Request) -> Result<T, Ending> {
        let (reply, answer) = oneshot::channel();
        self.0.send(request(reply)).await.map_err(|_| Ending)?;
        answer.await.map_err(|_| Ending)
    }
}

//! What the one task that owns the engine can be asked.

use super::budget::Room;
use super::openers::{Indexed, Openers};
use super::sink::{StreamReply, Subscription, Way};
use super::stream::{BACKLOG, EventStream, stream};
use super::values::{self, Events};
use crate::api::reason::reason;
use crate::api::selection::Format;
use crate::api::status::Status;
use crate::archive::{self, log::Log};
use crate::engine::Interest;
use crate::listing::{Named, Wanted};
use crate::socket::{Cookie, NetnsId, Opener, Subject, Viewer};
use std::io;
use std::num::NonZeroU64;
use tokio::sync::{mpsc, oneshot};

/// A question, and where the answer goes. Whoever asked may be gone by then.
#[derive(Debug)]
pub enum Request {
    /// The live stream from now on.
    Events {
        /// What is wanted.
        subscription: Box<Subscription>,
        /// Where the stream goes.
        reply: StreamReply,
    },
    /// Which sockets are in the table that a listing would show.
    Cookies {
        /// Who is to see them.
        viewer: Viewer,
        /// Where their cookies go.
        reply: oneshot::Sender<Vec<Cookie>>,
    },
    /// All that is known of some sockets. Those that are not in the table any more are left out.
    Subjects {
        /// Which. Few, so that others wait for no long turn.
        cookies: Vec<Cookie>,
        /// Where they go, in that order.
        reply: oneshot::Sender<Vec<Subject>>,
    },
    /// The sockets that have closed.
    History {
        /// Where they go; none where they are not kept.
        reply: oneshot::Sender<Option<Log>>,
    },
    /// How much of closed sockets is to be kept from now on.
    Keep {
        /// In memory, and in the files that there are.
        history: Box<archive::Options>,
        /// Where it says that it is so.
        reply: oneshot::Sender<()>,
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
    /// The network namespaces that have sockets.
    Namespaces {
        /// Where they go.
        reply: oneshot::Sender<Vec<NetnsId>>,
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
pub struct Asker {
    way: mpsc::Sender<Request>,
    /// The way of ordinary users, where this one is not theirs.
    users: Option<mpsc::Sender<Request>>,
}

/// The other end of it. Requests of ordinary users wait for each other, and others do not wait for them.
#[derive(Debug)]
pub struct Inbox {
    own: mpsc::Receiver<Request>,
    users: mpsc::Receiver<Request>,
}

/// The task has ended: the agent is shutting down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the agent is shutting down")]
pub struct Ending;

/// Requests that may wait for the task; more wait to be handed over.
const WAITING: usize = 64;

/// Sockets that are asked for together, so that others wait for no long turn.
pub const PART: usize = 512;

/// Why there is no stream of events.
#[derive(Debug, thiserror::Error)]
pub enum NoStream {
    /// There is no task.
    #[error(transparent)]
    Ending(#[from] Ending),
    /// There is no thread that could evaluate filters.
    #[error("the agent cannot have one more thread: {}", reason(.0))]
    Thread(#[from] io::Error),
}

/// Both ends of the way to the task.
#[must_use]
pub fn channel() -> (Asker, Inbox) {
    let (way, own) = mpsc::channel(WAITING);
    let (users_way, users) = mpsc::channel(WAITING);
    (Asker { way, users: Some(users_way) }, Inbox { own, users })
}

impl Inbox {
    /// The next request, one of ordinary users only if there is no other. Cancel-safe.
    pub async fn next(&mut self) -> Option<Request> {
        tokio::select! {
            biased;
            Some(request) = self.own.recv() => Some(request),
            Some(request) = self.users.recv() => Some(request),
            else => None,
        }
    }
}

impl Asker {
    /// The way for questions of ordinary users.
    #[must_use]
    pub fn for_users(&self) -> Self {
        Self { way: self.users.clone().unwrap_or_else(|| self.way.clone()), users: None }
    }

    /// The live stream from now on, in lines. `room` is for what has not been read.
    ///
    /// # Errors
    /// The task has ended, or there is no thread for the stream.
    pub async fn lines(
        &self,
        interest: Interest,
        format: Format,
        count: Option<NonZeroU64>,
        room: Room,
    ) -> Result<EventStream, NoStream> {
        let (feed, stream) = stream(BACKLOG, room);
        self.subscribe(Subscription { interest, count, way: Way::Lines(format, feed) }).await?;
        Ok(stream)
    }

    /// The live stream from now on, as values, of which so many may wait to be taken.
    ///
    /// # Errors
    /// The task has ended, or there is no thread for the stream.
    pub async fn events(&self, interest: Interest, waiting: usize) -> Result<Events, NoStream> {
        let (feed, events) = values::channel(waiting);
        self.subscribe(Subscription { interest, count: None, way: Way::Values(feed) }).await?;
        Ok(events)
    }

    async fn subscribe(&self, subscription: Subscription) -> Result<(), NoStream> {
        let subscription = Box::new(subscription);
        Ok(self.ask(|reply| Request::Events { subscription, reply }).await??)
    }

    /// Keeps so much of closed sockets from now on.
    ///
    /// # Errors
    /// The task has ended.
    pub async fn keep(&self, history: archive::Options) -> Result<(), Ending> {
        let history = Box::new(history);
        self.ask(|reply| Request::Keep { history, reply }).await
    }

    /// Every socket in the table that a listing would show.
    ///
    /// # Errors
    /// The task has ended.
    pub async fn snapshot(&self) -> Result<Vec<Subject>, Ending> {
        let cookies = self.ask(|reply| Request::Cookies { viewer: Viewer::Own, reply }).await?;
        let mut sockets = Vec::with_capacity(cookies.len());
        for part in cookies.chunks(PART) {
            let cookies = part.to_vec();
            sockets.extend(self.ask(|reply| Request::Subjects { cookies, reply }).await?);
        }
        Ok(sockets)
    }

    /// Which sockets are in the table that a listing would show, asked from a thread that may block.
    ///
    /// # Errors
    /// The task has ended.
    pub fn cookies(&self, viewer: Viewer) -> Result<Vec<Cookie>, Ending> {
        self.ask_blocking(|reply| Request::Cookies { viewer, reply })
    }

    /// All that is known of those of some sockets that are still in the table, asked from a thread that may block.
    ///
    /// # Errors
    /// The task has ended.
    pub fn subjects(&self, cookies: Vec<Cookie>) -> Result<Vec<Subject>, Ending> {
        self.ask_blocking(|reply| Request::Subjects { cookies, reply })
    }

    /// The sockets that have closed, asked from a thread that may block; none where they are not kept.
    ///
    /// # Errors
    /// The task has ended.
    pub fn history(&self) -> Result<Option<Log>, Ending> {
        self.ask_blocking(|reply| Request::History { reply })
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
        self.ask_blocking(|reply| Request::Opener { cookie, reply }).ok()?
    }

    /// Who opened each socket, and when, asked from a thread that may block.
    #[must_use]
    pub fn openers(&self) -> Indexed {
        self.ask_blocking(|reply| Request::Openers { reply }).map(Openers::indexed).unwrap_or_default()
    }

    /// The network namespaces that have sockets, asked from a thread that may block.
    #[must_use]
    pub fn namespaces(&self) -> Vec<NetnsId> {
        self.ask_blocking(|reply| Request::Namespaces { reply }).unwrap_or_default()
    }

    fn ask_blocking<T>(&self, request: impl FnOnce(oneshot::Sender<T>) -> Request) -> Result<T, Ending> {
        let (reply, answer) = oneshot::channel();
        self.way.blocking_send(request(reply)).map_err(|_| Ending)?;
        answer.blocking_recv().map_err(|_| Ending)
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
        self.way.send(request(reply)).await.map_err(|_| Ending)?;
        answer.await.map_err(|_| Ending)
    }
}

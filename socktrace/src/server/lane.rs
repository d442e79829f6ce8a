//! The connections of some clients, side by side on one thread: root's and the group's on the agent's own, those of
//! ordinary users on another one. So however many requests strangers make, root's wait for none of them.
//!
//! I/O: a thread; connections.

use super::parting::{refuse, turn_away};
use super::refusal::Refusal;
use super::stall::Connection;
use super::{Client, FAREWELL};
use crate::kernel::priority;
use crate::runtime::budget::Share;
use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::io;
use std::os::unix::net::UnixStream as StdStream;
use std::thread::Builder;
use std::time::Duration;
use tokio::net::UnixStream;
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;

/// A request's head, bytes: room for the longest query, and for headers.
const REQUEST: usize = 40 * 1024;
/// How long a request's head may take, and a connection may wait for its next request: also on a machine that is so busy
/// that a client gets no processor for seconds between connecting and asking. What has come by then is read first, however
/// late we are ourselves.
pub(super) const HEADER_TIMEOUT: Duration = Duration::from_secs(30);

/// A client who is served, or told why not.
#[derive(Debug)]
pub(super) enum Guest {
    /// It is served as long as it holds its place.
    Served(Client, Share),
    /// It is told that.
    Refused(Refusal),
}

/// Connections that are served on one thread.
pub(super) struct Lane {
    router: Router,
    ending: watch::Receiver<bool>,
    served: JoinSet<()>,
    refused: JoinSet<()>,
    /// How many are waited for at a time until they have asked; more than these are told at once.
    most_refused: usize,
}

impl Lane {
    pub(super) fn new(router: Router, most_refused: usize, ending: watch::Receiver<bool>) -> Self {
        Self { router, ending, served: JoinSet::new(), refused: JoinSet::new(), most_refused }
    }

    /// Begins to serve one.
    pub(super) fn take(&mut self, stream: UnixStream, guest: Guest) {
        let mut ending = self.ending.clone();
        match guest {
            Guest::Served(client, place) => {
                let router = self.router.clone().layer(Extension(client));
                self.served.spawn(async move {
                    connection(stream, router, ending).await;
                    drop(place);
                });
            }
            Guest::Refused(refusal) if self.refused.len() < self.most_refused => {
                self.refused.spawn(async move { refuse(stream, &refusal, ended(&mut ending)).await });
            }
            Guest::Refused(refusal) => turn_away(&stream, &refusal),
        }
    }

    /// Takes finished connections off the lists; pends while there is none. Cancel-safe.
    pub(super) async fn tidy(&mut self) {
        tokio::select! {
            Some(_) = self.served.join_next() => {}
            Some(_) = self.refused.join_next() => {}
            else => std::future::pending().await,
        }
    }

    /// Lets open answers finish for a moment.
    pub(super) async fn end(mut self) {
        let all = async {
            while self.served.join_next().await.is_some() {}
            while self.refused.join_next().await.is_some() {}
        };
        if tokio::time::timeout(FAREWELL, all).await.is_err() {
            log::debug!("some clients did not take their answers in time");
        }
    }
}

/// How HTTP is spoken.
pub(super) fn http(header_timeout: Duration) -> http1::Builder {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(header_timeout).max_buf_size(REQUEST);
    http
}

async fn connection(stream: UnixStream, router: Router, mut ending: watch::Receiver<bool>) {
    let connection = http(HEADER_TIMEOUT)
        .serve_connection(TokioIo::new(Connection::new(stream)), TowerToHyperService::new(router));
    tokio::pin!(connection);
    let result = tokio::select! {
        result = connection.as_mut() => result,
        () = ended(&mut ending) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = result {
        log::debug!("a client's connection ended: {error}");
    }
}

/// Waits for the end.
pub(super) async fn ended(ending: &mut watch::Receiver<bool>) {
    // An error means that the sender is gone, which is an end too.
    let _ = ending.wait_for(|&ending| ending).await;
}

/// A lane on a thread of its own.
#[derive(Debug)]
pub(super) struct Apart {
    guests: mpsc::UnboundedSender<(StdStream, Guest)>,
    /// Resolves when the thread has ended.
    ended: oneshot::Receiver<()>,
}

impl Apart {
    /// Starts it.
    ///
    /// # Errors
    /// There is no thread, or no descriptor for its event loop.
    pub(super) fn start(
        router: Router,
        most_refused: usize,
        mut ending: watch::Receiver<bool>,
    ) -> io::Result<Self> {
        // No more than have a place, or are refused in words.
        let (guests, mut arriving) = mpsc::unbounded_channel::<(StdStream, Guest)>();
        let run = async move {
            let mut lane = Lane::new(router, most_refused, ending.clone());
            loop {
                tokio::select! {
                    () = ended(&mut ending) => break,
                    () = lane.tidy() => {}
                    arrived = arriving.recv() => match arrived {
                        None => break,
                        Some((stream, guest)) => match UnixStream::from_std(stream) {
                            Ok(stream) => lane.take(stream, guest),
                            Err(error) => log::debug!("a client cannot be served: {error}"),
                        },
                    },
                }
            }
            lane.end().await;
        };
        let (ends, ended) = oneshot::channel();
        // The thread first: where there is none, a runtime could not be dropped here, within another one.
        let (hand, runtimes) = std::sync::mpsc::sync_channel::<Runtime>(1);
        Builder::new().name("users".to_owned()).spawn(move || {
            let Ok(runtime) = runtimes.recv() else { return };
            priority::go_back();
            runtime.block_on(run);
            drop(ends);
        })?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        // The thread waits for it.
        let _ = hand.send(runtime);
        Ok(Self { guests, ended })
    }

    /// Hands it a client.
    pub(super) fn take(&self, stream: UnixStream, guest: Guest) {
        // Errors mean that the client or the agent has ended.
        let _ = stream.into_std().map(|stream| self.guests.send((stream, guest)));
    }

    /// Whether it has ended.
    pub(super) fn has_ended(&self) -> bool {
        self.guests.is_closed()
    }

    /// Waits a moment for its end.
    pub(super) async fn end(self) {
        let _ = tokio::time::timeout(FAREWELL, self.ended).await;
    }
}

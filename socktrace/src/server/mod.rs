//! HTTP/1.1 over the agent's Unix socket: who connects is served within their limits, or told why not.
//!
//! I/O: the listening socket. A client can hold up nobody but itself: requests are bounded in size and time, and what
//! clients take is counted (see [`budget`](crate::runtime::budget)).

mod events;
mod history;
mod lane;
pub mod options;
mod parting;
mod refusal;
mod reload;
mod reply;
pub mod rights;
mod routes;
pub mod run;
pub mod socket_file;
mod sockets;
mod stall;
mod systemd;
mod table;
#[cfg(test)]
mod tests;
#[cfg(any(test, fuzzing))]
pub mod trial;
mod work;

use crate::api::reason::reason;
use crate::kernel::peer::{Peer, is_exhausted};
use crate::runtime::budget::{Account, Budget, Resource};
use crate::runtime::request::Asker;
use crate::server::rights::Rights;
use crate::socket::Viewer;
use lane::{Apart, Guest, Lane, ended};
use nix::sys::socket::{setsockopt, sockopt};
use parting::turn_away;
use refusal::Refusal;
use routes::router;
use std::time::Duration;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;

/// How long open answers may take to finish when the agent ends.
const FAREWELL: Duration = Duration::from_secs(2);
/// How long to wait before accepting again when there are no descriptors left.
const RELIEF: Duration = Duration::from_millis(100);

/// Who asks, and whose account that goes to.
#[derive(Debug, Clone)]
pub(super) struct Client {
    viewer: Viewer,
    account: Account,
}

/// What clients are served with.
#[derive(Debug)]
pub struct Server {
    /// The way to the task that owns the table.
    pub asker: Asker,
    /// Who sees what.
    pub rights: Rights,
    /// What clients may take.
    pub budget: Budget,
}

impl Server {
    /// Serves until `ending` says so (or its sender is gone), then lets open answers finish for a moment.
    pub async fn serve(self, listener: UnixListener, mut ending: watch::Receiver<bool>) {
        let mut own = Lane::new(router(self.asker.clone()), self.budget.refused(), ending.clone());
        let mut users = None;
        let mut refused = false;
        loop {
            let accepted = tokio::select! {
                () = ended(&mut ending) => break,
                () = own.tidy() => continue,
                accepted = listener.accept() => accepted,
            };
            let known = accepted.and_then(|(stream, _)| match Peer::of(&stream) {
                Ok(peer) => Ok(Some((stream, peer))),
                Err(error) if is_exhausted(&error) => {
                    turn_away(&stream, &Refusal::failed(reason(&error)));
                    Err(error)
                }
                // Gone already, or nobody that the kernel vouches for.
                Err(_) => Ok(None),
            });
            match known {
                Ok(None) => {}
                Ok(Some((stream, peer))) => {
                    refused = false;
                    let viewer = self.rights.viewer(&peer);
                    let guest = self.admit(&stream, viewer);
                    if viewer.is_limited() {
                        self.serve_apart(&mut users, stream, guest, &ending);
                    } else {
                        own.take(stream, guest);
                    }
                }
                Err(error) => {
                    // Out of descriptors or memory; clients wait in the queue meanwhile. Said once each time.
                    if !std::mem::replace(&mut refused, true) {
                        log::warn!("cannot accept clients: {}", reason(&error));
                    }
                    tokio::time::sleep(RELIEF).await;
                }
            }
        }
        drop(listener);
        let users = async {
            if let Some(users) = users {
                users.end().await;
            }
        };
        tokio::join!(own.end(), users);
    }

    /// Whether there is a place for one more client.
    fn admit(&self, stream: &UnixStream, viewer: Viewer) -> Guest {
        let account = self.budget.account(viewer);
        let room = account.most().kernel_bytes;
        // Best effort: with less room, whoever writes and whoever reads wake each other more often; with more, the
        // kernel keeps more for a client that does not read.
        let _ = setsockopt(stream, sockopt::SndBufForce, &room)
            .or_else(|_| setsockopt(stream, sockopt::SndBuf, &room));
        match account.take(Resource::Connections, 1) {
            Ok(place) => Guest::Served(Client { viewer, account }, place),
            Err(over) => Guest::Refused(over.into()),
        }
    }

    /// Serves an ordinary user, on the thread that they share: it is started for the first one.
    fn serve_apart(
        &self,
        users: &mut Option<Apart>,
        stream: UnixStream,
        guest: Guest,
        ending: &watch::Receiver<bool>,
    ) {
        if users.as_ref().is_none_or(Apart::has_ended) {
            match Apart::start(router(self.asker.for_users()), self.budget.refused(), ending.clone()) {
                Ok(started) => *users = Some(started),
                Err(error) => return turn_away(&stream, &Refusal::no_thread(&error)),
            }
        }
        if let Some(users) = users {
            users.take(stream, guest);
        }
    }
}

//! HTTP/1.1 over the agent's Unix socket: connections here, answers in `routes`.
//!
//! I/O: the listening socket and its connections. A client can hold up nobody but itself: requests are bounded
//! in size and time, connections in number.

mod history;
mod places;
mod routes;
mod sockets;
#[cfg(test)]
mod tests;
mod turns;

pub use routes::router;

use crate::agent::rights::Rights;
use crate::kernel::peer::Peer;
use crate::render::errno::reason;
use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use nix::sys::socket::{setsockopt, sockopt};
use places::Places;
use std::io;
use std::time::Duration;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::task::JoinSet;

/// A request's head, bytes.
const REQUEST: usize = 64 * 1024;
/// How long a request's head may take, and a connection may wait for its next request: also on a machine that is so busy
/// that a client gets no processor for seconds between connecting and asking. What has come by then is read first, however
/// late we are ourselves.
const PATIENCE: Duration = Duration::from_secs(30);
/// Bytes that may wait for a client in the kernel: what is told in some milliseconds at full speed, the time that a busy
/// machine lets a reader wait for a processor. Without CAP_NET_ADMIN no more than `net.core.wmem_max`.
const QUEUE: usize = 1 << 20;
/// How long open answers may take to finish when the agent ends.
const FAREWELL: Duration = Duration::from_secs(2);
/// How long to wait before accepting again when there are no descriptors left.
const RELIEF: Duration = Duration::from_millis(100);

/// Serves until `ending` says so (or its sender is gone), then lets open answers finish for a moment.
pub async fn serve(
    listener: UnixListener,
    router: Router,
    rights: Rights,
    mut ending: watch::Receiver<bool>,
) {
    let places = Places::new();
    let mut connections = JoinSet::new();
    let mut refused = false;
    loop {
        let accepted = tokio::select! {
            () = ended(&mut ending) => break,
            // Takes the finished ones off the list.
            Some(_) = connections.join_next() => continue,
            accepted = accept(&listener, &places) => accepted,
        };
        match accepted {
            Ok((stream, place)) => {
                refused = false;
                // Gone already, or nobody that the kernel vouches for.
                let Ok(peer) = Peer::of(&stream) else { continue };
                let viewer = rights.viewer(&peer);
                let Some(place) = places.give(place, viewer) else {
                    turn_away(&stream);
                    continue;
                };
                let (router, ending) = (router.clone().layer(Extension(viewer)), ending.clone());
                connections.spawn(async move {
                    connection(stream, router, ending).await;
                    drop(place);
                });
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
    let all = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(FAREWELL, all).await.is_err() {
        log::debug!("some clients did not take their answers in time");
    }
}

/// Waits for the end.
async fn ended(ending: &mut watch::Receiver<bool>) {
    // An error means that the sender is gone, which is an end too.
    let _ = ending.wait_for(|&ending| ending).await;
}

/// The next client, once there is a place for it. Cancel-safe.
async fn accept(listener: &UnixListener, places: &Places) -> io::Result<(UnixStream, OwnedSemaphorePermit)> {
    let place = places.one().await.ok_or(io::ErrorKind::Other)?;
    let (stream, _) = listener.accept().await?;
    // Best effort: with less room, whoever writes and whoever reads wake each other more often.
    let _ = setsockopt(&stream, sockopt::SndBufForce, &QUEUE)
        .or_else(|_| setsockopt(&stream, sockopt::SndBuf, &QUEUE));
    Ok((stream, place))
}

/// Says that there are too many of them; whoever does not listen is not waited for.
fn turn_away(stream: &UnixStream) {
    const BODY: &str = "your user has too many connections to the agent\n";
    let length = BODY.len();
    let head = "HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\ncontent-length: ";
    let _ = stream.try_write(format!("{head}{length}\r\n\r\n{BODY}").as_bytes());
}

async fn connection(stream: UnixStream, router: Router, mut ending: watch::Receiver<bool>) {
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .max_buf_size(REQUEST)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
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

//! Work on an answer that blocks: on a thread of its own, which ends with the work.
//!
//! Whoever works holds the permit, so that work whose client has gone counts until it has ended; and it is asked to
//! stop as soon as nobody waits for it. Where no thread can be had, that is an answer.
//!
//! I/O: threads.

use super::Client;
use super::refusal::Refusal;
use crate::kernel::priority;
use crate::runtime::stop::Stop;
use axum::body::{Body, Bytes};
use std::io::{self, Write};
use std::thread::Builder;
use tokio::sync::{mpsc, oneshot};

/// How far the work for ordinary users stands behind everything else, steps of nice(2).
const BEHIND: i32 = 3;
/// Room for its calls: filters nest 200 deep at most.
const STACK: usize = 1 << 20;

/// Bytes that are sent together.
const PIECE: usize = 64 * 1024;
/// Pieces that may wait for the client.
const PIECES: usize = 4;

/// Work under way. Dropping it asks the work to stop.
#[derive(Debug)]
pub(super) struct Job<T> {
    result: oneshot::Receiver<T>,
    stop: Stop,
}

/// Begins to work for a client, as soon as that may have one more answer made.
///
/// # Errors
/// Others were first and take long, or there is no thread.
pub(super) async fn begin<T: Send + 'static>(
    client: &Client,
    work: impl FnOnce(&Stop) -> T + Send + 'static,
) -> Result<Job<T>, Refusal> {
    let permit = client.account.permit().await?;
    let stop = Stop::after(client.account.answer_time());
    let (sender, result) = oneshot::channel();
    let (limited, stopped) = (client.viewer.is_limited(), stop.clone());
    let run = move || {
        match limited {
            true => priority::yield_to_others(BEHIND),
            false => priority::go_back(),
        }
        if !stopped.is_asked() {
            // An error means that nobody waits any more.
            let _ = sender.send(work(&stopped));
        }
        drop(permit);
    };
    let thread = Builder::new().name("answer".to_owned()).stack_size(STACK).spawn(run);
    thread.map_err(|error| Refusal::no_thread(&error))?;
    Ok(Job { result, stop })
}

impl<T> Job<T> {
    /// Waits for its end.
    ///
    /// # Errors
    /// There was no time left when it was to begin; or it broke off, and said so on standard error.
    pub(super) async fn result(&mut self) -> Result<T, Refusal> {
        (&mut self.result).await.map_err(|_| match self.stop.is_asked() {
            true => Refusal::too_long(),
            false => Refusal::failed("the work on this answer broke off"),
        })
    }
}

impl<T> Drop for Job<T> {
    fn drop(&mut self) {
        self.stop.ask();
    }
}

/// The pieces of an answer as its body. Work that has failed breaks it off, so that no part is taken for the whole.
pub(super) fn body(pieces: mpsc::Receiver<Bytes>, job: Job<io::Result<()>>) -> Body {
    let frames = futures_util::stream::unfold((pieces, Some(job)), |(mut pieces, mut job)| async {
        if let Some(piece) = pieces.recv().await {
            return Some((Ok(piece), (pieces, job)));
        }
        let failed = match job.take()?.result().await {
            Ok(Ok(())) => return None,
            Ok(Err(error)) => error,
            Err(Refusal(_, said)) => io::Error::other(said),
        };
        Some((Err(failed), (pieces, None)))
    });
    Body::from_stream(frames)
}

/// Sends what is written, in pieces, until the client has gone or the work is to stop.
pub(super) struct Pieces {
    sender: mpsc::Sender<Bytes>,
    piece: Vec<u8>,
    stop: Stop,
}

/// The way of an answer from the work to the client. A client that reads nothing is disconnected, which ends the work.
pub(super) fn pieces() -> (mpsc::Sender<Bytes>, mpsc::Receiver<Bytes>) {
    mpsc::channel(PIECES)
}

impl Pieces {
    /// Room for a piece: what is written at once may go a little beyond, and the next size is a mapping of its own.
    const ROOM: usize = PIECE + PIECE / 4;

    pub(super) fn new(sender: mpsc::Sender<Bytes>, stop: &Stop) -> Self {
        Self { sender, piece: Vec::with_capacity(Self::ROOM), stop: stop.clone() }
    }
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.piece.extend_from_slice(bytes);
        if self.piece.len() >= PIECE {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.stop.is_asked() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        if self.piece.is_empty() {
            return Ok(());
        }
        let piece = std::mem::replace(&mut self.piece, Vec::with_capacity(Self::ROOM));
        self.sender.blocking_send(piece.into()).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

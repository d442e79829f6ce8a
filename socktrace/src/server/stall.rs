//! A client's connection that ends when the client reads nothing for long, or has gone without being noticed.
//!
//! I/O: the connection, the clock.

use super::parting::hang_up;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::io::{self, IoSlice};
use std::os::fd::AsFd;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::UnixStream;
use tokio::time::{Sleep, sleep};

/// How long a client may read nothing of what waits for it.
pub(super) const READ_TIMEOUT: Duration = Duration::from_secs(30);
/// How often it is looked whether a client is still there that has been sent nothing: one that sent more than its
/// request is not heard when it leaves, because what it sent is not read before its answer has ended.
const LOOK: Duration = Duration::from_secs(2);

/// The server's end.
#[derive(Debug)]
pub(super) struct Connection {
    stream: UnixStream,
    /// Runs while something waits to be read.
    waiting: Option<Pin<Box<Sleep>>>,
    look: Option<Pin<Box<Sleep>>>,
}

impl Connection {
    pub(super) const fn new(stream: UnixStream) -> Self {
        Self { stream, waiting: None, look: None }
    }

    /// What came of writing: where nothing could be written, for how long that may be.
    fn written<T>(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.waiting = None;
            return written;
        }
        let waiting = self.waiting.get_or_insert_with(|| Box::pin(sleep(READ_TIMEOUT)));
        ready!(waiting.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        hang_up(&self.stream);
    }
}

/// Whether the other end has been closed.
fn is_closed(stream: &UnixStream) -> bool {
    let mut fds = [PollFd::new(stream.as_fd(), PollFlags::empty())];
    poll(&mut fds, PollTimeout::ZERO).is_ok()
        && fds[0].revents().is_some_and(|events| events.contains(PollFlags::POLLHUP))
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.written(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, pieces);
        self.written(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// There is nothing to flush. HTTP asks for it whenever it waits, so this is where the client is looked for.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut look = self.look.take().unwrap_or_else(|| Box::pin(sleep(LOOK)));
        while look.as_mut().poll(cx).is_ready() {
            if is_closed(&self.stream) {
                return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
            }
            look = Box::pin(sleep(LOOK));
        }
        self.look = Some(look);
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::time::Instant;

    #[tokio::test(start_paused = true)]
    async fn a_client_that_reads_nothing_is_disconnected_and_one_that_reads_little_is_not() {
        let (ours, mut client) = UnixStream::pair().unwrap();
        let mut ours = Connection::new(ours);
        let begun = Instant::now();
        let write = async {
            let piece = vec![b'x'; 1 << 20];
            loop {
                if let Err(error) = ours.write_all(&piece).await {
                    return error.kind();
                }
            }
        };
        let read = async {
            let mut some = vec![0; 1 << 20];
            for _ in 0..10 {
                tokio::time::sleep(READ_TIMEOUT - Duration::from_secs(1)).await;
                assert!(client.read(&mut some).await.unwrap() > 0);
            }
            std::future::pending::<()>().await
        };
        // The clock is the test's: it goes on when everybody waits.
        let error = tokio::select! { error = write => error, () = read => unreachable!() };
        assert_eq!(error, io::ErrorKind::TimedOut);
        let took = begun.elapsed();
        assert!(took >= 11 * (READ_TIMEOUT - Duration::from_secs(1)), "{took:?}");
        assert!(took <= 12 * READ_TIMEOUT, "{took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_leaves_behind_what_is_not_read_is_noticed() {
        let (ours, mut client) = UnixStream::pair().unwrap();
        let mut ours = Connection::new(ours);
        client.write_all(b"more than a request").await.unwrap();
        ours.flush().await.unwrap();
        drop(client);
        let error = loop {
            tokio::time::sleep(LOOK / 4).await;
            if let Err(error) = ours.flush().await {
                break error;
            }
        };
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    }
}

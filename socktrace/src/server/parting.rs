//! How a connection ends: so that what was answered reaches the client, whatever it sent that nobody read.
//!
//! A client of a Unix socket that is closed with something unread gets ECONNRESET (net/unix/af_unix.c,
//! `unix_release_sock`), and after it no answer that it has not read yet.
//!
//! I/O: connections, the clock.

use super::refusal::Refusal;
use nix::sys::socket::{MsgFlags, Shutdown, recv, send, shutdown};
use std::io;
use std::os::fd::AsRawFd as _;
use std::time::Duration;
use tokio::net::UnixStream;
use tokio::time::timeout;

/// How long one that is refused may take to ask, and then to finish what it sends.
const PATIENCE: Duration = Duration::from_secs(2);
/// What is read of a client that is refused, bytes: more than a request may have, and than a kernel keeps of one writer.
const MOST: usize = 512 * 1024;
/// What is read at a time, bytes.
const PIECE: usize = 4 * 1024;

/// Tells one who is not served why, once it has asked or has not asked for long; then waits for it to finish, or for the
/// end of `ending`. Takes at most twice [`PATIENCE`].
pub(super) async fn refuse(stream: UnixStream, refusal: &Refusal, ending: impl Future<Output = ()>) {
    let mut left = MOST;
    let conversation = async {
        // A client that is told before it asks takes that for no answer.
        let _ = timeout(PATIENCE, heard(&stream, &mut left, has_asked)).await;
        tell(&stream, refusal);
        let _ = shutdown(stream.as_raw_fd(), Shutdown::Write);
        let _ = timeout(PATIENCE, heard(&stream, &mut left, |_| false)).await;
    };
    tokio::select! {
        () = conversation => {}
        () = ending => tell(&stream, refusal),
    }
    hang_up(&stream);
}

/// Tells one who cannot be served, at once; whoever does not listen is not waited for.
pub(super) fn turn_away(stream: &UnixStream, refusal: &Refusal) {
    tell(stream, refusal);
    hang_up(stream);
}

/// The last words: from then on the client can send nothing, and nothing that it sent is unread when the connection is closed.
pub(super) fn hang_up(stream: &UnixStream) {
    // Errors mean that the client has gone.
    let _ = shutdown(stream.as_raw_fd(), Shutdown::Both);
    let mut piece = [0; PIECE];
    for _ in 0..MOST / PIECE {
        if !matches!(recv(stream.as_raw_fd(), &mut piece, MsgFlags::MSG_DONTWAIT), Ok(1..)) {
            break;
        }
    }
}

fn tell(stream: &UnixStream, Refusal(status, said): &Refusal) {
    let length = said.len() + 1;
    let answer = format!(
        "HTTP/1.1 {status}\r\ncontent-type: text/plain; charset=utf-8\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{said}\n"
    );
    // Not by the event loop, which has not heard yet that it can be written to. After the end of what we say, and to
    // whoever has gone, it fails.
    let _ = send(stream.as_raw_fd(), answer.as_bytes(), MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL);
}

/// Reads and drops what comes, until `enough` of it has come, its end, or so much that nothing is `left` to read.
async fn heard(stream: &UnixStream, left: &mut usize, enough: impl Fn(&[u8]) -> bool) {
    let mut piece = [0; PIECE];
    // The last bytes of what came before stand first: a head may end between two pieces.
    let mut kept = 0;
    while *left > 0 && stream.readable().await.is_ok() {
        match stream.try_read(&mut piece[kept..]) {
            Ok(0) => return,
            Ok(length) => {
                *left = left.saturating_sub(length);
                let came = kept + length;
                if enough(&piece[..came]) {
                    return;
                }
                kept = came.min(2);
                piece.copy_within(came - kept..came, 0);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => return,
        }
    }
}

/// Whether a request's head ends there.
fn has_asked(bytes: &[u8]) -> bool {
    bytes.windows(3).any(|three| three == b"\n\r\n") || bytes.windows(2).any(|two| two == b"\n\n")
}

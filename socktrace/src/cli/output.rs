//! Standard output: what it is, and writing to it.
//!
//! I/O: stdout, the terminal's size, the environment.

use super::error::Error;
use crate::api::columns::Columns;
use crate::api::selection::Style;
use std::fs::File;
use std::io::{self, IsTerminal as _, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::fs::FileTypeExt as _;
use tokio::io::Interest;
use tokio::net::unix::pipe;

/// The width of the terminal that standard output is; none if it is no terminal.
pub(super) fn width() -> Option<u16> {
    let stdout = io::stdout();
    if !stdout.is_terminal() {
        return None;
    }
    terminal_size::terminal_size_of(stdout.as_fd()).map(|(width, _)| width.0)
}

/// How event lines are to look there: colour only on a terminal that has it, unless `NO_COLOR` is set.
pub(super) fn style(columns: Columns, numeric: bool) -> Style {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    let colour =
        io::stdout().is_terminal() && set("NO_COLOR").is_none() && set("TERM").is_none_or(|t| t != "dumb");
    Style { width: width(), colour, numeric, columns }
}

/// Writes a piece and sends it off.
pub(super) fn write(bytes: &[u8]) -> Result<(), Error> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(bytes).and_then(|()| stdout.flush()).map_err(Error::Output)
}

/// Resolves when the reader of the pipe that standard output is has gone, so that a stream ends although
/// nothing more happens. For anything that is no pipe: never.
pub(super) async fn reader_gone() {
    if let Ok(pipe) = stdout_pipe() {
        // Only the error condition is waited for; nothing is written through this handle.
        if pipe.ready(Interest::ERROR).await.is_ok() {
            return;
        }
    }
    std::future::pending().await
}

fn stdout_pipe() -> io::Result<pipe::Sender> {
    let file = File::from(io::stdout().as_fd().try_clone_to_owned()?);
    if !file.metadata()?.file_type().is_fifo() {
        return Err(io::ErrorKind::Unsupported.into());
    }
    pipe::Sender::from_file_unchecked(file)
}

//! Being asked to end: SIGINT, SIGTERM, SIGHUP.
//!
//! I/O: signals.

use std::io;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals that end us, caught from the moment this exists.
#[derive(Debug)]
pub struct Shutdown {
    interrupt: Signal,
    terminate: Signal,
    hangup: Option<Signal>,
}

impl Shutdown {
    /// Catches them from now on. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// If the system refuses a handler.
    pub fn listen() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: Some(signal(SignalKind::hangup())?),
        })
    }

    /// SIGHUP, which is to end us no more.
    #[must_use]
    pub const fn take_hangup(&mut self) -> Option<Signal> {
        self.hangup.take()
    }

    /// Waits until one has come. May be called again for the next one.
    pub async fn asked(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            Some(_) = async { self.hangup.as_mut()?.recv().await } => {}
        }
    }
}

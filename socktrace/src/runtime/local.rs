//! The engine on a thread of its own, without a server: what a command does that works alone.
//!
//! I/O: a thread. However slowly standard output takes what is written, the kernel's ring is read meanwhile.

use super::core::{Core, StartError};
use super::request::{self, Asker};
use std::thread::JoinHandle;
use tokio::sync::{oneshot, watch};

/// A running engine. Dropping it detaches everything from the kernel.
#[derive(Debug)]
pub struct Local {
    asker: Asker,
    ending: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl Local {
    /// Loads and attaches everything, and returns once that is done.
    ///
    /// # Errors
    /// If the kernel refuses, or the thread cannot be started.
    pub async fn start(ring_size: u32) -> Result<Self, StartError> {
        let (asker, requests) = request::channel();
        let (ending, ended) = watch::channel(false);
        let (ready, is_ready) = oneshot::channel();
        let run = move || {
            let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => runtime,
                Err(error) => return drop(ready.send(Err(StartError::System(error)))),
            };
            runtime.block_on(async {
                match Core::load(ring_size) {
                    Ok(core) => {
                        let _ = ready.send(Ok(()));
                        core.run(requests, ended).await;
                    }
                    Err(error) => drop(ready.send(Err(error))),
                }
            });
        };
        let thread =
            std::thread::Builder::new().name("engine".into()).spawn(run).map_err(StartError::System)?;
        let local = Self { asker, ending, thread: Some(thread) };
        match is_ready.await {
            Ok(result) => result.map(|()| local),
            // The thread panicked, and said so.
            Err(_) => Err(StartError::System(std::io::Error::other("its thread ended"))),
        }
    }

    /// The way to ask it.
    #[must_use]
    pub const fn asker(&self) -> &Asker {
        &self.asker
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        let _ = self.ending.send(true);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

//! The engine on a thread of its own, without a server: for commands that work alone, and for other programs.
//!
//! I/O: a thread. However slowly standard output takes what is written, the kernel's ring is read meanwhile.

use super::core::{Core, StartError};
use super::interest::{SelectionError, Told, interest, judge, names};
use super::request::{self, Asker, Ending, NoStream};
use super::stop::Stop;
use super::values::Events;
use crate::api::selection::Selection;
use crate::socket::{Subject, Viewer};
use std::thread::JoinHandle;
use tokio::sync::{oneshot, watch};

/// Why there are no events.
#[derive(Debug, thiserror::Error)]
pub enum NoEvents {
    /// The selection makes no sense.
    #[error(transparent)]
    Selection(#[from] SelectionError),
    /// There is no stream.
    #[error(transparent)]
    Stream(#[from] NoStream),
}

/// A running engine. Dropping it detaches everything from the kernel.
#[derive(Debug)]
pub struct Runtime {
    asker: Asker,
    ending: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl Runtime {
    /// Loads and attaches everything, and returns once that is done. `ring_size`: bytes of the buffer between the kernel
    /// and us ([`Config`](crate::kernel::ebpf::Config) has the usual ones).
    ///
    /// # Errors
    /// The kernel refuses, or the thread cannot be started.
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
        let runtime = Self { asker, ending, thread: Some(thread) };
        match is_ready.await {
            Ok(result) => result.map(|()| runtime),
            // The thread panicked, and said so.
            Err(_) => Err(StartError::System(std::io::Error::other("its thread ended"))),
        }
    }

    /// Events from now on that a selection wants, as values, of which so many may wait to be taken. What does not fit is
    /// counted ([`Item::Missed`](super::values::Item)). Names in its filter are looked up, which may take time.
    ///
    /// # Errors
    /// The selection makes no sense, or there is no thread for the stream.
    pub async fn events(&self, selection: &Selection, waiting: usize) -> Result<Events, NoEvents> {
        let interest = interest(selection, Viewer::Own, &names(Viewer::Own, &Stop::default()))?;
        judge(selection, &interest, Told::Live)?;
        Ok(self.asker.events(interest, waiting).await?)
    }

    /// The sockets that there are, once all that were there before have been found.
    ///
    /// # Errors
    /// The runtime has ended.
    pub async fn snapshot(&self) -> Result<Vec<Subject>, Ending> {
        self.asker.ready().await?;
        self.asker.snapshot().await
    }

    /// The way to ask it anything else.
    #[must_use]
    pub const fn asker(&self) -> &Asker {
        &self.asker
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        let _ = self.ending.send(true);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

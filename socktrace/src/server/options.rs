//! How an agent is to run, and how that is read again.

use crate::archive;
use std::path::PathBuf;
use std::sync::Arc;

/// Reads the options again, or says what is wrong with them. May block.
pub type Reload = Arc<dyn Fn() -> Result<Options, String> + Send + Sync>;

/// How the agent is to run.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where it listens.
    pub socket: PathBuf,
    /// Whose members may ask, besides the agent's own user and group.
    pub group: Option<String>,
    /// The permissions of its socket.
    pub mode: u32,
    /// The user that it becomes once it has attached everything; none for the one who starts it.
    pub user: Option<String>,
    /// Bytes of the buffer between the kernel and the agent.
    pub ring_size: u32,
    /// What is kept of closed sockets.
    pub history: archive::Options,
}

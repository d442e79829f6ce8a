//! Closed sockets, kept: the ring in memory, and the files if there are any.
//!
//! I/O: files, a thread that writes them.

pub(crate) mod disk;
pub(crate) mod dropped;
pub(crate) mod files;
pub mod log;
mod recorder;
mod writer;

pub use recorder::Recorder;

use crate::history::Bounds;
use std::path::PathBuf;

/// What is kept, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// What is kept in memory.
    pub bounds: Bounds,
    /// Where it is kept beyond the end of the agent.
    pub files: Option<FileOptions>,
}

/// Files of closed sockets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileOptions {
    /// Their directory.
    pub dir: PathBuf,
    /// Bytes that they may take together.
    pub most: u64,
}

impl Options {
    /// Records in memory, unless something else is asked for.
    pub const RECORDS: usize = 500_000;
    /// Their bytes.
    pub const BYTES: usize = 24 << 20;
    /// Bytes of the files.
    pub const FILES: u64 = 256 << 20;
    /// Fewer bytes of files make no sense: what is written at once must fit.
    pub const LEAST_FILES: u64 = 1 << 20;
}

impl Default for Options {
    fn default() -> Self {
        Self { bounds: Bounds { records: Self::RECORDS, bytes: Self::BYTES }, files: None }
    }
}

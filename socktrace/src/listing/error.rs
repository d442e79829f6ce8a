//! Why there is no answer.

use std::io;
use std::path::PathBuf;

use crate::kernel::bpf_maps::MapError;
use crate::kernel::netns::NetnsError;
use crate::kernel::procfs_net::ProcNetError;
use crate::kernel::sock_diag::DiagError;
use crate::query::ParseError;

/// Why a question was not answered.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The filter makes no sense.
    #[error("{}", error.explain(words))]
    Filter {
        /// Where and what.
        error: ParseError,
        /// The words it points into.
        words: Vec<String>,
    },
    /// The question is understood, and what it asks for is not known here.
    #[error("{0}")]
    Never(String),
    /// The kernel could not be asked, or broke off.
    #[error(transparent)]
    Kernel(#[from] DiagError),
    /// A BPF map could not be opened.
    #[error(transparent)]
    BpfMap(#[from] MapError),
    /// A table of procfs could not be read.
    #[error(transparent)]
    Procfs(#[from] ProcNetError),
    /// The network namespace could not be entered.
    #[error(transparent)]
    Namespace(#[from] NetnsError),
    /// A file could not be read or written.
    #[error("cannot {action} {}: {source}", .path.display())]
    File {
        /// `read`, `write`.
        action: &'static str,
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file of recorded answers is damaged.
    #[error("{} is not a dump of TCP sockets: {problem}", .path.display())]
    Recorded {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The options leave nothing to list, or ask for what is not there.
    #[error("{0}")]
    Nothing(&'static str),
    /// The work on the answer was to stop.
    #[error("the answer was cancelled")]
    Stopped,
    /// The answer takes more memory than there is for it.
    #[error("the answer needs more memory than is allowed: narrow it with a filter")]
    TooMuch,
    /// The answer could not be written.
    #[error("cannot write the answer: {0}")]
    Output(#[source] io::Error),
}

impl Error {
    /// Whether the reader has gone: it has had what it wanted.
    #[must_use]
    pub fn is_closed_pipe(&self) -> bool {
        matches!(self, Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }

    /// Whether it is a damaged file: what was read of it before is shown all the same.
    #[must_use]
    pub const fn is_damage(&self) -> bool {
        matches!(self, Self::Recorded { .. } | Self::Procfs(ProcNetError::Line { .. }))
    }

    /// Whether it asks for a network namespace or a BPF map that is not there.
    #[must_use]
    pub const fn is_about_nothing(&self) -> bool {
        match self {
            Self::Namespace(error) => error.is_none(),
            Self::BpfMap(_) => true,
            Self::Filter { .. }
            | Self::Never(_)
            | Self::Kernel(_)
            | Self::Procfs(_)
            | Self::File { .. }
            | Self::Recorded { .. }
            | Self::Nothing(_)
            | Self::Stopped
            | Self::TooMuch
            | Self::Output(_) => false,
        }
    }

    /// Whether the words were wrong, not the world.
    #[must_use]
    pub const fn is_usage(&self) -> bool {
        matches!(self, Self::Filter { .. } | Self::Never(_))
    }
}

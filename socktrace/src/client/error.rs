//! Why a running agent gave no answer.

use std::io;
use std::path::PathBuf;

use crate::api::reason::reason;

/// Why there was no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens there.
    #[error("no agent answers on {}: {}", path.display(), reason(error))]
    Absent {
        /// Where.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// Somebody listens there who could answer what they like.
    #[error("the agent on {} is neither root's nor yours but of user {uid}, who could make its answers up", path.display())]
    Stranger {
        /// Where.
        path: PathBuf,
        /// Whose it is.
        uid: u32,
    },
    /// The agent understood and refused; its words.
    #[error("{message}")]
    Refused {
        /// The status code; 4xx is about the question, 5xx about the agent.
        status: u16,
        /// What it said.
        message: String,
    },
    /// The conversation broke off.
    #[error("lost the agent on {}: {error}", path.display())]
    Broken {
        /// Where.
        path: PathBuf,
        /// Why.
        error: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl ClientError {
    /// Whether it is the question that was wrong.
    #[must_use]
    pub const fn is_usage(&self) -> bool {
        matches!(self, Self::Refused { status: 400, .. })
    }
}

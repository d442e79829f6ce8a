//! What a command can fail with, and how it is said: once, at the top, with what to try.

use super::stderr;
use crate::api::reason::reason;
use crate::client::ClientError;
use crate::kernel::capabilities::CapabilityError;
use crate::runtime::core::StartError;
use crate::runtime::interest::SelectionError;
use crate::runtime::request::{Ending, NoStream};
use crate::server::run::AgentError;
use crate::server::socket_file::SocketError;
use std::fmt;
use std::io;
use std::process::ExitCode;

/// Why a command ended badly.
#[derive(Debug)]
pub(super) enum Error {
    /// The words make no sense; exit 2.
    Usage(String),
    /// No answer from the agent.
    Client(ClientError),
    /// No agent that knows what has closed.
    NoHistory(ClientError),
    /// The agent cannot listen.
    Socket(SocketError),
    /// The kernel programs cannot be started.
    Start(StartError),
    /// Privileges cannot be laid down.
    Privileges(CapabilityError),
    /// A filter or another choice of events makes no sense; exit 2.
    Selection(SelectionError),
    /// What we were reading from ended; in words.
    Ended(&'static str),
    /// Anything of the system, with what was tried.
    Io(&'static str, io::Error),
    /// Writing to standard output failed.
    Output(io::Error),
    /// It was done in part; what was not, and why.
    Refused(String),
    /// No answer to a question of ss.
    Listing(crate::listing::Error),
}

impl Error {
    /// Says it on standard error.
    pub(super) fn report(&self) -> ExitCode {
        if self.is_closed_pipe() {
            return ExitCode::SUCCESS;
        }
        stderr::say(format_args!("socktrace: {self}"));
        if let Some(remedy) = self.remedy() {
            stderr::say(format_args!("try: {remedy}"));
        }
        self.exit_code()
    }

    /// The reader of our output has gone: it has had what it wanted.
    fn is_closed_pipe(&self) -> bool {
        match self {
            Self::Output(error) => error.kind() == io::ErrorKind::BrokenPipe,
            Self::Listing(error) => error.is_closed_pipe(),
            Self::Usage(_)
            | Self::Selection(_)
            | Self::Client(_)
            | Self::NoHistory(_)
            | Self::Socket(_)
            | Self::Start(_)
            | Self::Privileges(_)
            | Self::Ended(_)
            | Self::Io(..)
            | Self::Refused(_) => false,
        }
    }

    fn exit_code(&self) -> ExitCode {
        match self {
            Self::Usage(_) | Self::Selection(_) => ExitCode::from(2),
            Self::Client(error) if error.is_usage() => ExitCode::from(2),
            Self::Listing(error) if error.is_usage() => ExitCode::from(2),
            Self::Client(_)
            | Self::NoHistory(_)
            | Self::Socket(_)
            | Self::Start(_)
            | Self::Privileges(_)
            | Self::Ended(_)
            | Self::Io(..)
            | Self::Output(_)
            | Self::Refused(_)
            | Self::Listing(_) => ExitCode::FAILURE,
        }
    }

    fn remedy(&self) -> Option<String> {
        match self {
            Self::Client(ClientError::Absent { error, .. }) => Some(
                if error.kind() == io::ErrorKind::PermissionDenied {
                    "sudo, or ask for membership in the group of the agent's socket"
                } else {
                    "sudo socktrace agent, or --agent PATH if it listens elsewhere"
                }
                .to_owned(),
            ),
            Self::Client(ClientError::Stranger { uid, .. }) => Some(format!(
                "SOCKTRACE_AGENT_USER={uid} to believe that user, or another --agent PATH"
            )),
            Self::NoHistory(_) => Some(
                "sudo socktrace agent, which keeps what closes from then on, or --dir DIR where an agent has \
                 written its history"
                    .to_owned(),
            ),
            Self::Socket(SocketError::Taken { path }) => Some(format!(
                "socktrace status --agent {}, or --socket PATH for a second agent",
                path.display()
            )),
            Self::Socket(SocketError::Io { error, .. })
                if error.kind() == io::ErrorKind::PermissionDenied =>
            {
                Some("sudo socktrace agent, or --socket PATH where you may write".to_owned())
            }
            Self::Socket(SocketError::Directory { .. } | SocketError::NoLock { .. }) => {
                Some("--socket PATH in a directory that only root or the agent's user may write".to_owned())
            }
            Self::Start(error) => error.remedy().map(str::to_owned),
            Self::Usage(_)
            | Self::Selection(_)
            | Self::Client(_)
            | Self::Socket(_)
            | Self::Privileges(_)
            | Self::Ended(_)
            | Self::Io(..)
            | Self::Output(_)
            | Self::Refused(_)
            | Self::Listing(_) => None,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(message) | Self::Refused(message) => f.write_str(message),
            Self::Client(error) | Self::NoHistory(error) => error.fmt(f),
            Self::Socket(error) => error.fmt(f),
            Self::Start(error) => error.fmt(f),
            Self::Privileges(error) => error.fmt(f),
            Self::Selection(error) => error.fmt(f),
            Self::Ended(what) => f.write_str(what),
            Self::Io(what, error) => write!(f, "cannot {what}: {}", reason(error)),
            Self::Listing(error) => error.fmt(f),
            Self::Output(error) => write!(f, "cannot write to standard output: {}", reason(error)),
        }
    }
}

impl From<ClientError> for Error {
    fn from(error: ClientError) -> Self {
        Self::Client(error)
    }
}

impl From<SocketError> for Error {
    fn from(error: SocketError) -> Self {
        Self::Socket(error)
    }
}

impl From<StartError> for Error {
    fn from(error: StartError) -> Self {
        Self::Start(error)
    }
}

impl From<SelectionError> for Error {
    fn from(error: SelectionError) -> Self {
        Self::Selection(error)
    }
}

impl From<AgentError> for Error {
    fn from(error: AgentError) -> Self {
        match error {
            AgentError::Socket(error) => Self::Socket(error),
            AgentError::Start(error) => Self::Start(error),
            AgentError::Privileges(error) => Self::Privileges(error),
            AgentError::Stopped => Self::Ended("cannot read the kernel's records any more"),
        }
    }
}

impl From<NoStream> for Error {
    fn from(none: NoStream) -> Self {
        match none {
            NoStream::Ending(ending) => ending.into(),
            NoStream::Thread(error) => Self::Io("start a thread", error),
        }
    }
}

impl From<Ending> for Error {
    fn from(_: Ending) -> Self {
        Self::Ended("cannot read the kernel's records any more")
    }
}

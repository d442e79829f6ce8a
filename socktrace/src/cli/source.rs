//! Where answers come from: an agent, or this process itself.
//!
//! I/O: the environment.

use super::args::SourceArgs;
use super::error::Error;
use crate::api::DEFAULT_SOCKET;
use crate::client::address::Address;
use std::path::PathBuf;

/// Where answers come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Source {
    /// This process looks for itself.
    Direct,
    /// The agent on this socket and no other.
    Agent(Address),
    /// The agent on this socket if it answers, else this process itself.
    Either(Address),
}

impl Source {
    /// From the options; the environment only moves the default path.
    pub(super) fn new(args: &SourceArgs) -> Result<Self, Error> {
        Ok(match (args.direct, &args.agent) {
            (true, _) => Self::Direct,
            (false, Some(_)) => Self::Agent(agent(args.agent.as_ref())?),
            (false, None) => Self::Either(agent(None)?),
        })
    }
}

/// `$SOCKTRACE_SOCKET`, or the usual place.
pub(super) fn default_socket() -> PathBuf {
    std::env::var_os("SOCKTRACE_SOCKET")
        .filter(|path| !path.is_empty())
        .unwrap_or_else(|| DEFAULT_SOCKET.into())
        .into()
}

/// The variable that names a user whose agent is believed besides root's and one's own.
const TRUSTED: &str = "SOCKTRACE_AGENT_USER";

/// The agent on that socket, or in the usual place; whose agent is believed there is for the environment to say.
pub(super) fn agent(path: Option<&PathBuf>) -> Result<Address, Error> {
    let path = path.cloned().unwrap_or_else(default_socket);
    let Some(name) = std::env::var_os(TRUSTED).filter(|name| !name.is_empty()) else {
        return Ok(Address { path, trusted: None });
    };
    let name = name.to_string_lossy();
    let named = || Some(nix::unistd::User::from_name(&name).ok()??.uid.as_raw());
    match name.parse().ok().or_else(named) {
        Some(uid) => Ok(Address { path, trusted: Some(uid) }),
        None => Err(Error::Usage(format!("{TRUSTED}={name}: no user is called that"))),
    }
}

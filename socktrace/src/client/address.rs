//! Where an agent listens, and whose agent is believed there.
//!
//! I/O: getsockopt(2). Whoever can make files in a directory can listen there and answer what they like: only root and
//! ourselves are believed, and one user more if that was said.

use super::ClientError;
use nix::sys::socket::{getsockopt, sockopt};
use nix::unistd::Uid;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

/// An agent that is to be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// Its socket.
    pub path: PathBuf,
    /// The user, besides root and ourselves, whose agent is believed.
    pub trusted: Option<u32>,
}

impl From<&Path> for Address {
    fn from(path: &Path) -> Self {
        Self { path: path.to_owned(), trusted: None }
    }
}

impl From<&PathBuf> for Address {
    fn from(path: &PathBuf) -> Self {
        path.as_path().into()
    }
}

impl From<&Self> for Address {
    fn from(address: &Self) -> Self {
        address.clone()
    }
}

impl Address {
    /// Says no if the one who listens at the other end of the connection is not to be believed.
    pub(super) fn check(&self, stream: &impl AsFd) -> Result<(), ClientError> {
        let absent = |errno: nix::Error| ClientError::Absent { path: self.path.clone(), error: errno.into() };
        let uid = getsockopt(&stream.as_fd(), sockopt::PeerCredentials).map_err(absent)?.uid();
        if self.believes(uid) { Ok(()) } else { Err(ClientError::Stranger { path: self.path.clone(), uid }) }
    }

    fn believes(&self, uid: u32) -> bool {
        uid == 0 || uid == Uid::effective().as_raw() || self.trusted == Some(uid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_and_we_are_believed_and_who_was_said() {
        let usual = Address::from(Path::new("/run/agent.sock"));
        let other = Uid::effective().as_raw() + 1;
        assert!(usual.believes(0) && usual.believes(Uid::effective().as_raw()) && !usual.believes(other));
        assert!(Address { trusted: Some(other), ..usual }.believes(other));
    }
}

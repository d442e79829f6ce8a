//! What this process may do: no more than it needs, and for a while even less, so that the kernel answers as it would
//! answer anybody.
//!
//! I/O: capget(2), capset(2), prctl(2), setresuid(2).

use std::collections::HashSet;
use std::ffi::CString;
use std::io;

use caps::errors::CapsError;
use caps::{CapSet, Capability};
use nix::errno::Errno;
use nix::sys::prctl::{set_keepcaps, set_no_new_privs};
use nix::unistd::{Gid, Uid, User, initgroups, setresgid, setresuid};

/// What a running agent needs, and what it could not do without it (docs/agent.md; the tests take them away one by
/// one). Attaching is done by then.
pub const NEEDED: [(Capability, &str); 4] = [
    (Capability::CAP_NET_ADMIN, "marks, keys and packet filters of sockets"),
    (Capability::CAP_SYS_ADMIN, "sockets of other network namespaces; the iterator over holders"),
    (Capability::CAP_SYS_PTRACE, "what processes of other users hold, and in which namespace they are"),
    (Capability::CAP_DAC_READ_SEARCH, "what processes of other users hold"),
];

/// Where CAP_SYS_ADMIN is not there, these stand for the part of it that is about the iterator.
pub const INSTEAD: [Capability; 2] = [Capability::CAP_BPF, Capability::CAP_PERFMON];

/// Privileges could not be laid down.
#[derive(Debug, thiserror::Error)]
pub enum CapabilityError {
    /// The kernel refused to change the capabilities of this thread.
    #[error("cannot change capabilities: {0}")]
    Capability(#[from] CapsError),
    /// There is no such user.
    #[error("no user is called {0}")]
    NoUser(String),
    /// The kernel refused another user id, or what goes with it.
    #[error("cannot become user {name}: {errno}")]
    Become {
        /// Who.
        name: String,
        /// Why.
        errno: Errno,
    },
    /// The kernel refused to promise that no program that is started gets more rights.
    #[error("cannot set no_new_privs: {0}")]
    NoNewPrivileges(Errno),
    /// The user's name cannot be told to the system.
    #[error("cannot look up a user: {0}")]
    Lookup(io::Error),
}

/// A user to become.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtherUser {
    name: String,
    /// User id.
    pub uid: Uid,
    /// Primary group.
    pub gid: Gid,
}

impl OtherUser {
    /// Looks a name up.
    ///
    /// # Errors
    /// There is none of that name.
    pub fn called(name: &str) -> Result<Self, CapabilityError> {
        match User::from_name(name) {
            Ok(Some(user)) => Ok(Self { name: name.to_owned(), uid: user.uid, gid: user.gid }),
            Ok(None) => Err(CapabilityError::NoUser(name.to_owned())),
            Err(errno) => Err(CapabilityError::Lookup(errno.into())),
        }
    }

    /// Becomes them for good, and keeps the capabilities for the moment. It is the whole process that changes.
    fn become_them(&self) -> nix::Result<()> {
        set_keepcaps(true)?;
        let name = CString::new(self.name.as_str()).map_err(|_| Errno::EINVAL)?;
        initgroups(&name, self.gid)?;
        setresgid(self.gid, self.gid, self.gid)?;
        setresuid(self.uid, self.uid, self.uid)
    }
}

/// Lays down for good what a running agent does not [need](NEEDED), and becomes that user if there is one. To be called
/// while there is one thread: capabilities are each thread's own, and are handed on to those that it starts.
///
/// # Errors
/// The kernel refused; some of it may have been laid down.
pub fn lay_down(user: Option<&OtherUser>) -> Result<(), CapabilityError> {
    let has: HashSet<Capability> = caps::read(None, CapSet::Permitted)?;
    let instead = INSTEAD.iter().filter(|_| !has.contains(&Capability::CAP_SYS_ADMIN));
    let needed = NEEDED.iter().map(|(needed, _)| needed).chain(instead);
    let keep: HashSet<Capability> = needed.filter(|needed| has.contains(needed)).copied().collect();
    if has.contains(&Capability::CAP_SETPCAP) {
        // What is not in the bounding set no program gets that is started by us.
        for capability in caps::runtime::thread_all_supported() {
            if !keep.contains(&capability) {
                caps::drop(None, CapSet::Bounding, capability)?;
            }
        }
    }
    if let Some(user) = user {
        user.become_them().map_err(|errno| CapabilityError::Become { name: user.name.clone(), errno })?;
    }
    caps::clear(None, CapSet::Ambient)?;
    caps::clear(None, CapSet::Inheritable)?;
    // In this order: what is effective must be permitted.
    caps::set(None, CapSet::Effective, &keep)?;
    caps::set(None, CapSet::Permitted, &keep)?;
    set_no_new_privs().map_err(CapabilityError::NoNewPrivileges)
}

/// What is told to administrators of a network only.
const NET_ADMIN: Capability = Capability::CAP_NET_ADMIN;

/// Does it without CAP_NET_ADMIN: sock_diag then keeps back marks, keys, filters and sequence numbers, as it does from
/// ordinary users (`netlink_net_capable`). Threads that it starts have none either.
///
/// # Errors
/// The capability could not be laid down, and nothing was done.
pub fn without_net_admin<T>(act: impl FnOnce() -> T) -> Result<T, CapabilityError> {
    let _laid_down = LaidDown::all_but(!(1 << NET_ADMIN as u8))?;
    Ok(act())
}

/// Does it without any capability that is not among these bits.
///
/// # Errors
/// The others could not be laid down, and nothing was done.
pub fn with_at_most<T>(capabilities: u64, act: impl FnOnce() -> T) -> Result<T, CapabilityError> {
    let _laid_down = LaidDown::all_but(capabilities)?;
    Ok(act())
}

/// Whether the kernel reports marks to this thread.
#[must_use]
pub fn may_see_marks() -> bool {
    caps::has_cap(None, CapSet::Effective, NET_ADMIN).unwrap_or(false)
}

/// Takes them up again at its end, also that of a panic: the thread will work for others.
struct LaidDown(Option<HashSet<Capability>>);

impl LaidDown {
    fn all_but(kept: u64) -> Result<Self, CapsError> {
        let had = caps::read(None, CapSet::Effective)?;
        let keep: HashSet<Capability> =
            had.iter().filter(|&&capability| kept & (1 << capability as u8) != 0).copied().collect();
        if keep == had {
            return Ok(Self(None));
        }
        caps::set(None, CapSet::Effective, &keep)?;
        Ok(Self(Some(had)))
    }
}

impl Drop for LaidDown {
    fn drop(&mut self) {
        if let Some(had) = &self.0
            && let Err(error) = caps::set(None, CapSet::Effective, had)
        {
            log::error!("cannot take capabilities up again: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_laid_down_and_taken_up_again() {
        let has_it = || caps::has_cap(None, CapSet::Effective, NET_ADMIN).unwrap();
        let before = has_it();
        let (here, in_a_thread) = without_net_admin(|| {
            let caller = std::thread::spawn(|| caps::has_cap(None, CapSet::Effective, NET_ADMIN).unwrap());
            (has_it(), caller.join().unwrap())
        })
        .unwrap();
        assert_eq!((here, in_a_thread, has_it()), (false, false, before));
        let none = with_at_most(0, || caps::read(None, CapSet::Effective).unwrap()).unwrap();
        assert_eq!((none.is_empty(), has_it()), (true, before));
        let panicked = std::panic::catch_unwind(|| without_net_admin(|| panic!("as intended")));
        assert!(panicked.is_err());
        assert_eq!(has_it(), before);
    }
}

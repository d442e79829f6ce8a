//! The capabilities of threads: laid down for a while, so that the kernel answers as it would answer anybody.
//!
//! I/O: capget(2), capset(2).

use caps::errors::CapsError;
use caps::{CapSet, Capability};

/// What is told to administrators of a network only.
const NET_ADMIN: Capability = Capability::CAP_NET_ADMIN;

/// The kernel refused to change the capabilities of this thread.
#[derive(Debug, thiserror::Error)]
#[error("cannot change capabilities: {0}")]
pub struct CapabilityError(#[from] CapsError);

/// Does it without CAP_NET_ADMIN: sock_diag then keeps back marks, keys, filters and sequence numbers, as it does from
/// ordinary users (`netlink_net_capable`). Threads that it starts have none either.
///
/// # Errors
/// The capability could not be laid down, and nothing was done.
pub fn without_net_admin<T>(act: impl FnOnce() -> T) -> Result<T, CapabilityError> {
    let _laid_down = LaidDown::new()?;
    Ok(act())
}

/// Takes it up again at its end, also that of a panic: the thread will work for others.
struct LaidDown {
    had_it: bool,
}

impl LaidDown {
    fn new() -> Result<Self, CapsError> {
        let had_it = caps::has_cap(None, CapSet::Effective, NET_ADMIN)?;
        if had_it {
            caps::drop(None, CapSet::Effective, NET_ADMIN)?;
        }
        Ok(Self { had_it })
    }
}

impl Drop for LaidDown {
    fn drop(&mut self) {
        if self.had_it
            && let Err(error) = caps::raise(None, CapSet::Effective, NET_ADMIN)
        {
            log::error!("cannot take CAP_NET_ADMIN up again: {error}");
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
        let panicked = std::panic::catch_unwind(|| without_net_admin(|| panic!("as intended")));
        assert!(panicked.is_err());
        assert_eq!(has_it(), before);
    }
}

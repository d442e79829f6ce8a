//! Why the kernel refuses a program: what would help follows from which of these it is.

use std::io;

use aya::programs::ProgramError;
use nix::errno::Errno;

use super::super::reason::reason;

/// Why a program, or all of them, could not be loaded or attached.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AttachError {
    /// EPERM or EACCES without a word of the verifier: more rights would help.
    #[error("{}", reason(*.0))]
    Denied(Errno),
    /// The verifier's last line. The error number that comes with it is EACCES as a rule, and no right would help.
    #[error("the verifier refuses it: {0}")]
    Verifier(String),
    /// This kernel, or this mount namespace, has no such thing to attach to.
    #[error("no {what}: {}", reason(*.errno))]
    Missing {
        /// A filesystem or an event.
        what: &'static str,
        /// Why it could not be reached.
        errno: Errno,
    },
    /// This kernel has no such member of a struct, without which the program would do nothing.
    #[error("this kernel has no {strukt}.{path}")]
    NoField {
        /// The struct.
        strukt: &'static str,
        /// The member, and those of it that lead to it.
        path: &'static str,
    },
    /// EMFILE or ENFILE: each program, map and link takes a descriptor.
    #[error("{}", reason(*.0))]
    NoDescriptors(Errno),
    /// Any other error of a system call.
    #[error("{}", reason(*.0))]
    Call(Errno),
    /// The committed object is not what this program expects, or aya cannot read it.
    #[error("{0}")]
    Object(String),
}

impl AttachError {
    /// Whether more rights would help.
    #[must_use]
    pub const fn is_denied(&self) -> bool {
        match self {
            Self::Denied(errno) | Self::Missing { errno, .. } => {
                matches!(errno, Errno::EPERM | Errno::EACCES)
            }
            Self::Verifier(_)
            | Self::NoField { .. }
            | Self::NoDescriptors(_)
            | Self::Call(_)
            | Self::Object(_) => false,
        }
    }

    /// What the kernel or the mount namespace has not got, if that is why.
    #[must_use]
    pub const fn lacks(&self) -> Option<&'static str> {
        match self {
            Self::Missing { what, .. } => Some(what),
            Self::Denied(_)
            | Self::Verifier(_)
            | Self::NoDescriptors(_)
            | Self::Call(_)
            | Self::Object(_)
            | Self::NoField { .. } => None,
        }
    }

    /// What this kernel does not have.
    pub(super) fn missing(what: &'static str, error: &io::Error) -> Self {
        Self::Missing { what, errno: errno_of(error) }
    }

    /// From the chain of errors in which aya wraps that of a system call.
    pub(super) fn of(error: &(dyn std::error::Error + 'static)) -> Self {
        let mut cause = error;
        loop {
            if let Some(error) = cause.downcast_ref::<io::Error>() {
                return errno_of(error).into();
            }
            match cause.source() {
                Some(inner) => cause = inner,
                None => return Self::Object(cause.to_string()),
            }
        }
    }
}

impl From<Errno> for AttachError {
    fn from(errno: Errno) -> Self {
        if matches!(errno, Errno::EPERM | Errno::EACCES) {
            Self::Denied(errno)
        } else if matches!(errno, Errno::EMFILE | Errno::ENFILE) {
            Self::NoDescriptors(errno)
        } else {
            Self::Call(errno)
        }
    }
}

impl From<ProgramError> for AttachError {
    fn from(error: ProgramError) -> Self {
        let ProgramError::LoadError { io_error, verifier_log } = &error else { return Self::of(&error) };
        let log = verifier_log.to_string();
        log::debug!("verifier log:\n{log}");
        let noise = ["processed ", "stack depth ", "verification time "];
        let said =
            |line: &&str| !line.trim().is_empty() && !noise.iter().any(|word| line.trim().starts_with(word));
        match log.lines().rev().find(said) {
            Some(line) => Self::Verifier(line.trim().to_owned()),
            None => errno_of(io_error).into(),
        }
    }
}

fn errno_of(error: &io::Error) -> Errno {
    error.raw_os_error().map_or(Errno::EIO, Errno::from_raw)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_rights_would_help_is_denied() {
        #[track_caller]
        fn check(error: &AttachError, denied: bool, text: &str) {
            assert_eq!((error.is_denied(), error.to_string()), (denied, text.to_owned()));
        }
        check(&Errno::EPERM.into(), true, "operation not permitted");
        check(&Errno::EACCES.into(), true, "permission denied");
        check(&Errno::EMFILE.into(), false, "too many open files");
        check(&Errno::ENOENT.into(), false, "no such file or directory");
        check(
            &AttachError::missing("tracefs", &io::Error::from(Errno::EPERM)),
            true,
            "no tracefs: operation not permitted",
        );
        check(&AttachError::Verifier("R9 !read_ok".into()), false, "the verifier refuses it: R9 !read_ok");
        let wrapped = ProgramError::from(aya::sys::SyscallError {
            call: "bpf_link_create",
            io_error: io::Error::from(Errno::EACCES),
        });
        check(&wrapped.into(), true, "permission denied");
    }
}

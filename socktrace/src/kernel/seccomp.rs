//! System calls that a running agent makes no more: whoever took it over could not make them either.
//!
//! A list of what is refused, not of what is allowed: libraries change what they call. The kernel remembers that a call
//! that is not in it passes (kernel/seccomp.c, `seccomp_cache_prepare`, 5.11), so the filter costs nothing but where
//! arguments are looked at.
//!
//! I/O: seccomp(2).

mod refused;
#[cfg(test)]
mod tests;

use refused::{FIRST_OF_X32, REFUSED, with_arguments};
use seccompiler::{BackendError, BpfProgram, SeccompAction, SeccompFilter, sock_filter};

/// The filter could not be put in place.
#[derive(Debug, thiserror::Error)]
pub enum SeccompError {
    /// Not for this processor, or it is no filter.
    #[error("no filter of system calls for this processor: {0}")]
    Processor(#[from] BackendError),
    /// The kernel refused it.
    #[error("seccomp filters unavailable: {0}")]
    Kernel(#[from] seccompiler::Error),
}

/// From now on every thread of this process, and what it starts, is refused them with EPERM. There must be no way to
/// more privileges (no_new_privs).
///
/// # Errors
/// The kernel has no such filters; nothing has changed.
pub fn confine() -> Result<(), SeccompError> {
    for program in programs()? {
        seccompiler::apply_filter_all_threads(&program)?;
    }
    Ok(())
}

fn programs() -> Result<[BpfProgram; 2], BackendError> {
    Ok([unknown(), forbidden()?])
}

/// Refuses them with EPERM.
fn forbidden() -> Result<BpfProgram, BackendError> {
    let mut rules: std::collections::BTreeMap<_, _> =
        REFUSED.iter().map(|&call| (call, Vec::new())).collect();
    rules.extend(with_arguments()?);
    let refusal = SeccompAction::Errno(libc::EPERM.cast_unsigned());
    let processor = std::env::consts::ARCH.try_into()?;
    SeccompFilter::new(rules, SeccompAction::Allow, refusal, processor)?.try_into()
}

/// Says ENOSYS to clone3(2), whose flags lie in memory where no filter can look: the C library then calls clone(2). And to
/// the other numbers that calls have on x86-64 (x32), by which they would pass.
fn unknown() -> BpfProgram {
    // include/uapi/linux/bpf_common.h, include/uapi/linux/seccomp.h.
    const LOAD_WORD: u16 = 0x20;
    const IF_EQUAL: u16 = 0x15;
    const IF_NOT_LESS: u16 = 0x35;
    const RETURN: u16 = 0x06;
    const ALLOW: u32 = 0x7fff_0000;
    const ERRNO: u32 = 0x0005_0000;
    let step = |code, jt, k| sock_filter { code, jt, jf: 0, k };
    vec![
        // `seccomp_data.nr` comes first.
        step(LOAD_WORD, 0, 0),
        step(IF_NOT_LESS, 2, FIRST_OF_X32),
        step(IF_EQUAL, 1, libc::SYS_clone3 as u32),
        step(RETURN, 0, ALLOW),
        step(RETURN, 0, ERRNO | libc::ENOSYS.cast_unsigned()),
    ]
}

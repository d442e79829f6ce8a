//! System calls that a running agent makes no more: whoever took it over could not make them either.
//!
//! A list of what is refused, not of what is allowed: libraries change what they call. The kernel remembers that a call
//! that is not in it passes (kernel/seccomp.c, `seccomp_cache_prepare`, 5.11), so the filter costs nothing.
//!
//! I/O: seccomp(2).

use seccompiler::{BackendError, BpfProgram, SeccompAction, SeccompFilter};

/// Starting programs, reaching into other processes, changing what is mounted, loading code into the kernel, setting
/// clocks, making namespaces, and the ways around this filter (io_uring).
const REFUSED: [libc::c_long; 35] = [
    libc::SYS_execve,
    libc::SYS_execveat,
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_pidfd_getfd,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_reboot,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_fsopen,
    libc::SYS_fsmount,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_acct,
    libc::SYS_unshare,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_clock_adjtime,
    libc::SYS_adjtimex,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_userfaultfd,
    libc::SYS_io_uring_setup,
    libc::SYS_mknodat,
];

/// The filter could not be put in place.
#[derive(Debug, thiserror::Error)]
pub enum SeccompError {
    /// Not for this processor.
    #[error("no filter of system calls for this processor: {0}")]
    Processor(#[from] BackendError),
    /// The kernel refused it.
    #[error("the kernel takes no filter of system calls: {0}")]
    Kernel(#[from] seccompiler::Error),
}

/// From now on every thread of this process, and what it starts, is refused them with EPERM. There must be no way to
/// more privileges (no_new_privs).
///
/// # Errors
/// The kernel has no such filters; nothing has changed.
pub fn confine() -> Result<(), SeccompError> {
    Ok(seccompiler::apply_filter_all_threads(&program()?)?)
}

fn program() -> Result<BpfProgram, BackendError> {
    let refused = REFUSED.into_iter().map(|call| (call, Vec::new())).collect();
    let refusal = SeccompAction::Errno(libc::EPERM.cast_unsigned());
    let processor = std::env::consts::ARCH.try_into()?;
    SeccompFilter::new(refused, SeccompAction::Allow, refusal, processor)?.try_into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::errno::Errno;
    use nix::sched::{CloneFlags, unshare};

    #[test]
    fn what_is_refused_fails_and_the_rest_goes_on() {
        // The filter is this thread's alone, and goes with it.
        let thread = std::thread::spawn(|| {
            nix::sys::prctl::set_no_new_privs().unwrap();
            let mount = || nix::mount::umount("/nonexistent").unwrap_err();
            let start = || std::process::Command::new("/nonexistent").spawn().unwrap_err().raw_os_error();
            assert_eq!(start(), Some(libc::ENOENT));
            seccompiler::apply_filter(&program().unwrap()).unwrap();
            assert_eq!(start(), Some(libc::EPERM));
            assert_eq!(mount(), Errno::EPERM);
            assert_eq!(unshare(CloneFlags::CLONE_FILES), Err(Errno::EPERM));
            let text = std::fs::read_to_string("/proc/thread-self/status").unwrap();
            assert!(text.contains("\nSeccomp:\t2\n"), "{text}");
            std::thread::spawn(|| std::net::TcpListener::bind("127.0.0.1:0").unwrap()).join().unwrap();
        });
        thread.join().unwrap();
    }
}

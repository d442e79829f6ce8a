//! Each refused call is made, on a thread that has the filter for itself.

use super::refused::{BPF_COMMANDS, NEW_NAMESPACES, REFUSED};
use super::*;
use nix::errno::Errno;

/// Runs it with the filter in place, which is the thread's alone and goes with it.
fn confined(act: impl FnOnce() + Send + 'static) {
    let run = || {
        nix::sys::prctl::set_no_new_privs().unwrap();
        programs().unwrap().iter().for_each(|program| seccompiler::apply_filter(program).unwrap());
        act();
    };
    std::thread::spawn(run).join().unwrap();
}

/// A call with arguments that make no sense to any: where it is not refused, it does nothing.
fn call(number: libc::c_long, arguments: [libc::c_long; 3]) -> Result<libc::c_long, Errno> {
    let [a, b, c] = arguments;
    // SAFETY: none of the addresses is one: what reads or writes there fails.
    let done = unsafe { libc::syscall(number, a, b, c, -1, -1, -1) };
    if done == 0 && cfg!(target_arch = "x86_64") && matches!(number, 56..=58) {
        // SAFETY: the child that should not be ends at once.
        unsafe { libc::_exit(1) };
    }
    Errno::result(done)
}

#[test]
fn every_refused_call_is_refused() {
    confined(|| {
        for &number in REFUSED {
            assert_eq!(call(number, [-1; 3]), Err(Errno::EPERM), "call {number}");
        }
    });
}

#[test]
fn no_namespace_is_made_and_no_process() {
    confined(|| {
        let thread =
            libc::CLONE_VM | libc::CLONE_FS | libc::CLONE_FILES | libc::CLONE_SIGHAND | libc::CLONE_THREAD;
        let clone = |flags: libc::c_int| call(libc::SYS_clone, [flags.cast_unsigned().into(), 0, 0]);
        for flag in NEW_NAMESPACES {
            assert_eq!(clone(flag | libc::SIGCHLD), Err(Errno::EPERM), "{flag:x}");
            assert_eq!(clone(flag | thread), Err(Errno::EPERM), "{flag:x} of a thread");
        }
        assert_eq!(clone(libc::SIGCHLD), Err(Errno::EPERM));
        assert_eq!(clone(libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD), Err(Errno::EPERM));
        // The C library takes that for a kernel that has no such call.
        assert_eq!(call(libc::SYS_clone3, [-1, 88, 0]), Err(Errno::ENOSYS));
        std::thread::spawn(|| std::net::TcpListener::bind("127.0.0.1:0").unwrap()).join().unwrap();
        // Namespaces of the network are entered; -1 is none.
        for kind in [0, libc::CLONE_NEWNS, libc::CLONE_NEWUSER, libc::CLONE_NEWNET | libc::CLONE_NEWNS] {
            assert_eq!(call(libc::SYS_setns, [-1, kind.into(), 0]), Err(Errno::EPERM));
        }
        assert_eq!(call(libc::SYS_setns, [-1, libc::CLONE_NEWNET.into(), 0]), Err(Errno::EBADF));
    });
}

#[test]
fn nothing_is_loaded_into_the_kernel() {
    confined(|| {
        for command in 0..64 {
            let done = call(libc::SYS_bpf, [command, -1, 16]);
            let allowed = BPF_COMMANDS.contains(&(command as u32));
            // Where it passes, and we may, the kernel looks for what it is told at that address.
            assert!(if allowed { done != Ok(0) } else { done == Err(Errno::EPERM) }, "{command}: {done:?}");
            let root = nix::unistd::Uid::effective().is_root();
            assert!(!(allowed && root) || done == Err(Errno::EFAULT), "{command}: {done:?}");
        }
    });
}

#[test]
fn no_other_process_gets_a_signal() {
    confined(|| {
        let (ours, thread) = (std::process::id().into(), nix::unistd::gettid().as_raw().into());
        assert_eq!(call(libc::SYS_tgkill, [ours, thread, 0]), Ok(0));
        let parent = std::os::unix::process::parent_id().into();
        assert_eq!(call(libc::SYS_tgkill, [parent, parent, 0]), Err(Errno::EPERM));
        assert_eq!(call(libc::SYS_ioctl, [-1, libc::TIOCSTI as libc::c_long, 0]), Err(Errno::EPERM));
    });
}

#[test]
fn there_is_no_way_around_by_other_numbers() {
    confined(|| {
        for &number in REFUSED {
            assert_eq!(call(number | 0x4000_0000, [-1; 3]), Err(Errno::ENOSYS), "call {number} of x32");
        }
        let text = std::fs::read_to_string("/proc/thread-self/status").unwrap();
        assert!(text.contains("\nSeccomp:\t2\n"), "{text}");
        let start = || std::process::Command::new("/nonexistent").spawn().unwrap_err().raw_os_error();
        assert_eq!(start(), Some(libc::EPERM));
    });
}

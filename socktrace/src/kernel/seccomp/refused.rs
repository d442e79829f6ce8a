//! Which system calls those are, and with which arguments.

use seccompiler::{BackendError, SeccompCmpArgLen::Dword, SeccompCmpOp, SeccompCondition, SeccompRule};

/// Starting programs, reaching into other processes, changing what is mounted, loading code into the kernel, setting
/// clocks, making namespaces and device files, and the ways around this filter (io_uring).
pub(super) const REFUSED: &[libc::c_long] = &[
    libc::SYS_execve,
    libc::SYS_execveat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_fork,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_vfork,
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_process_mrelease,
    libc::SYS_kcmp,
    libc::SYS_pidfd_getfd,
    libc::SYS_pidfd_send_signal,
    libc::SYS_kill,
    libc::SYS_tkill,
    libc::SYS_rt_sigqueueinfo,
    libc::SYS_rt_tgsigqueueinfo,
    libc::SYS_perf_event_open,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    KEXEC_FILE_LOAD,
    libc::SYS_reboot,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    OPEN_TREE_ATTR,
    libc::SYS_mount_setattr,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fspick,
    libc::SYS_fsmount,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_acct,
    libc::SYS_quotactl,
    libc::SYS_quotactl_fd,
    libc::SYS_fanotify_init,
    libc::SYS_syslog,
    libc::SYS_unshare,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_clock_adjtime,
    libc::SYS_adjtimex,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_personality,
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_userfaultfd,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_mknod,
    libc::SYS_mknodat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_iopl,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_ioperm,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_modify_ldt,
];

/// kexec_file_load(2); the libc crate does not know it on each processor.
const KEXEC_FILE_LOAD: libc::c_long = if cfg!(target_arch = "x86_64") { 320 } else { 294 };
/// open_tree_attr(2), Linux 6.15, the same on each processor.
const OPEN_TREE_ATTR: libc::c_long = 467;
/// `__X32_SYSCALL_BIT`: a number with it is a call of another ABI (arch/x86/include/uapi/asm/unistd.h). No processor has
/// so many calls.
pub(super) const FIRST_OF_X32: u32 = 0x4000_0000;

/// Commands of bpf(2) that a running agent gives: to open and look at maps and types by number, and to begin a pass of the
/// iterator that it has loaded. It loads nothing more.
pub(super) const BPF_COMMANDS: [u32; 5] = [
    14, // BPF_MAP_GET_FD_BY_ID
    15, // BPF_OBJ_GET_INFO_BY_FD
    19, // BPF_BTF_GET_FD_BY_ID
    28, // BPF_LINK_CREATE
    33, // BPF_ITER_CREATE
];

/// The flags of clone(2) that make namespaces (include/uapi/linux/sched.h). A time namespace is made by others only.
pub(super) const NEW_NAMESPACES: [libc::c_int; 7] = [
    libc::CLONE_NEWNS,
    libc::CLONE_NEWCGROUP,
    libc::CLONE_NEWUTS,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWNET,
];

/// Calls that are refused with some arguments. A rule applies where all of its conditions do.
pub(super) fn with_arguments() -> Result<[(libc::c_long, Vec<SeccompRule>); 5], BackendError> {
    let is = |argument, op, value: u64| SeccompCondition::new(argument, Dword, op, value);
    let rule = |conditions| SeccompRule::new(conditions);
    let has = |flag: libc::c_int| SeccompCmpOp::MaskedEq(bits(flag));
    // Whatever makes a namespace, and whatever makes a process and not a thread.
    let mut clone = Vec::new();
    for flag in NEW_NAMESPACES {
        clone.push(rule(vec![is(0, has(flag), bits(flag))?])?);
    }
    clone.push(rule(vec![is(0, has(libc::CLONE_THREAD), 0)?])?);
    // Other kinds of namespaces than those of the network are not entered.
    let setns = rule(vec![is(1, SeccompCmpOp::Ne, bits(libc::CLONE_NEWNET))?])?;
    let mut commands = Vec::new();
    for command in BPF_COMMANDS {
        commands.push(is(0, SeccompCmpOp::Ne, command.into())?);
    }
    // It may abort itself.
    let tgkill = rule(vec![is(0, SeccompCmpOp::Ne, std::process::id().into())?])?;
    // Nobody's terminal gets input from us.
    let ioctl = rule(vec![is(1, SeccompCmpOp::Eq, libc::TIOCSTI)?])?;
    Ok([
        (libc::SYS_clone, clone),
        (libc::SYS_setns, vec![setns]),
        (libc::SYS_bpf, vec![rule(commands)?]),
        (libc::SYS_tgkill, vec![tgkill]),
        (libc::SYS_ioctl, vec![ioctl]),
    ])
}

fn bits(flags: libc::c_int) -> u64 {
    flags.cast_unsigned().into()
}

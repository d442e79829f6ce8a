//! The current task: only to be asked where the hook runs in the caller's own context.

use aya_ebpf::helpers::{bpf_probe_read_kernel, generated};
use socktrace_common::{COMM_LEN, EXACT, Field, RecordHead};

use crate::asked::Asked;
use crate::fields::{address, is_present, load, load_16, load_ptr, probe};
use crate::{cgroup, marks};

/// The current `struct task_struct`, typed for the verifier (Linux 5.11).
#[inline(always)]
pub(crate) fn current() -> *const u8 {
    // SAFETY: takes nothing, always returns the current task.
    unsafe { generated::bpf_get_current_task_btf() as *const u8 }
}

/// What the system call that the current task is in was asked, by the registers that it saved on entering; `None` where we
/// do not know them.
#[inline(always)]
pub(crate) fn call_arguments() -> Option<Asked> {
    if !is_present(Field::RegsFirst) {
        return None;
    }
    let regs = registers();
    // SAFETY: `registers` are typed.
    unsafe {
        Some(Asked {
            fd: load::<u64>(regs, Field::RegsFirst) as u32,
            second: load(regs, Field::RegsSecond),
            third: load::<u64>(regs, Field::RegsThird) as u32,
        })
    }
}

/// The registers that the current task has saved, typed for the verifier (Linux 5.15: on older kernels user space says
/// that we do not know them, and this is never reached).
#[inline(always)]
fn registers() -> *const u8 {
    // SAFETY: takes the typed current task.
    unsafe { generated::bpf_task_pt_regs(current().cast_mut().cast()) as *const u8 }
}

/// `PF_IO_WORKER` (include/linux/sched.h): a thread that works for io_uring, and is in no system call.
const IO_WORKER: u32 = 0x10;

/// The number of the system call that the current task is in; `None` where it is in none, or we do not know.
#[inline(always)]
pub(crate) fn call_number() -> Option<u64> {
    // SAFETY: `current` is typed, and so are its registers.
    unsafe {
        if !is_present(Field::RegsNumber) || load::<u32>(current(), Field::TaskFlags) & IO_WORKER != 0 {
            return None;
        }
        Some(load(registers(), Field::RegsNumber))
    }
}

/// `TS_COMPAT` (arch/x86/include/asm/thread_info.h).
const COMPAT: u32 = 2;

/// Whether the current task is in a 32-bit system call, of which no tracepoint of system calls reports anything
/// (arch/x86/include/asm/ftrace.h, `arch_trace_is_compat_syscall`).
#[inline(always)]
pub(crate) fn is_in_32_bit_call() -> bool {
    // SAFETY: `current` is typed.
    unsafe {
        let task = current();
        load::<u32>(task, Field::TaskStatus) & COMPAT != 0
            && load::<u32>(task, Field::TaskFlags) & IO_WORKER == 0
    }
}

/// `ERESTARTSYS` (include/linux/errno.h): restarted unless a handler says otherwise.
const RESTART: u32 = 512;
/// `ERESTARTNOINTR`: always restarted.
const RESTART_ALWAYS: u32 = 513;
/// Bytes of `struct k_sigaction` on all architectures with `sa_restorer`, and where its flags are.
const ACTION: u64 = 32;
const ACTION_FLAGS: u64 = 8;
/// `SA_RESTART`.
const SA_RESTART: u64 = 0x1000_0000;

/// Whether a system call that a signal interrupted, and that returns this number, begins again without its caller's
/// knowing, so that its outcome is still to come. Otherwise it returns EINTR (arch/x86/kernel/signal.c, `handle_signal`).
#[inline(never)]
pub(crate) fn is_restarted(number: u32) -> bool {
    let task = current();
    // SAFETY: each pointer is typed by the one before, or probed.
    unsafe {
        let of_process = load_ptr(task, Field::TaskSignal);
        let of_handlers = load_ptr(task, Field::TaskSighand);
        let mut pending =
            load::<u64>(task, Field::TaskPending) | load::<u64>(of_process, Field::SignalPending);
        pending &= !load::<u64>(task, Field::TaskBlocked);
        let Some(actions) = address(of_handlers as u64, Field::SighandAction) else { return true };
        // The first one that has a handler decides. One that has none ends the process, or does nothing.
        for _ in 0..4 {
            if pending == 0 {
                break;
            }
            let signal = u64::from(pending.trailing_zeros());
            pending &= pending - 1;
            let action = actions as u64 + signal * ACTION;
            let handler = bpf_probe_read_kernel(action as *const u64).unwrap_or_default();
            if handler > 1 {
                let flags = bpf_probe_read_kernel((action + ACTION_FLAGS) as *const u64).unwrap_or_default();
                return number == RESTART_ALWAYS || (number == RESTART && flags & SA_RESTART != 0);
            }
        }
    }
    true
}

/// The name of a task's process: that of its group leader, not of the thread.
///
/// # Safety
/// `task` is a BTF-typed `struct task_struct`.
#[inline(always)]
pub(crate) unsafe fn leader_comm(task: *const u8, into: &mut [u8; COMM_LEN]) {
    // SAFETY: by the caller's word.
    unsafe {
        let leader = load_ptr(task, Field::TaskGroupLeader);
        load_16(leader, Field::TaskComm, into);
    }
}

/// Say that the current task's process made the call. Whoever has the task at hand passes it on: each asking is a call
/// within the kernel.
#[inline(always)]
pub(crate) fn own(task: *const u8, head: &mut RecordHead) {
    // SAFETY: `current` is typed.
    own_led(task, unsafe { load_ptr(task, Field::TaskGroupLeader) }, head);
}

/// The same where the task's group leader is at hand too.
#[inline(always)]
pub(crate) fn own_led(task: *const u8, leader: *const u8, head: &mut RecordHead) {
    head.flags |= EXACT;
    // SAFETY: both are typed.
    unsafe {
        head.pid = load(task, Field::TaskTgid);
        load_16(leader, Field::TaskComm, &mut head.comm);
    }
}

/// Id of the task's cgroup, 0 where it cannot be told.
#[inline(always)]
pub(crate) fn cgroup_id(task: *const u8) -> u64 {
    // SAFETY: `cgroup` is typed.
    unsafe { cgroup::id(cgroup(task)) }
}

/// Id of the cgroup at this address. It mostly is the task's, which is cheaper to ask.
#[inline(always)]
pub(crate) fn cgroup_id_of(task: *const u8, address: u64) -> u64 {
    let own = cgroup(task);
    if !own.is_null() && marks::opaque(own as u64) == address {
        // SAFETY: typed.
        return unsafe { cgroup::id(own) };
    }
    probe(probe(address, Field::CgroupKn), Field::KnId)
}

/// The task's cgroup, typed; null where it cannot be told.
#[inline(always)]
fn cgroup(task: *const u8) -> *const u8 {
    // SAFETY: each pointer is typed by the one before.
    unsafe {
        let set = load_ptr(task, Field::TaskCgroups);
        if set.is_null() { set } else { load_ptr(set, Field::CssSetCgroup) }
    }
}

/// The task's network namespace, typed; null where it cannot be told.
#[inline(always)]
pub(crate) fn net(task: *const u8) -> *const u8 {
    // SAFETY: each pointer is typed by the one before.
    unsafe {
        let nsproxy = load_ptr(task, Field::TaskNsproxy);
        if nsproxy.is_null() { nsproxy } else { load_ptr(nsproxy, Field::NsproxyNet) }
    }
}

/// Inode of the network namespace at this address. It mostly is `own`, the current task's, which is cheaper to ask.
#[inline(always)]
pub(crate) fn netns_inode_of(own: *const u8, net: u64) -> u32 {
    if !own.is_null() && marks::opaque(own as u64) == net {
        // SAFETY: typed.
        return unsafe { load(own, Field::NetInum) };
    }
    probe(net, Field::NetInum)
}

/// Inode of the network namespace with that cookie, which this `struct sock` is in. It mostly is the task's, which is
/// cheaper to ask.
#[inline(always)]
pub(crate) fn netns_inode(task: *const u8, cookie: u64, sk: u64) -> u32 {
    let net = net(task);
    // SAFETY: typed.
    unsafe {
        if !net.is_null() && load::<u64>(net, Field::NetCookie) == cookie {
            return load(net, Field::NetInum);
        }
    }
    probe(probe(sk, Field::SkNet), Field::NetInum)
}

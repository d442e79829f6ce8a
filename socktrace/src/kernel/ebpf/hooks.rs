//! The hook table: what is attached where, whether it is required, what is lost without it.

use socktrace_common::Field;

use super::failure::AttachError;
use super::offsets::Offsets;

/// One hook.
#[derive(Debug, Clone, Copy)]
pub struct Hook {
    /// The name people are told: that of the program, or of the event.
    pub name: &'static str,
    /// The program.
    pub(super) program: &'static str,
    /// Whether nothing works without it.
    pub required: bool,
    /// What is lost if the kernel refuses it.
    pub lost_without: &'static str,
    pub(super) target: Target,
    registers: Registers,
    /// Without this field the program does nothing.
    needs: Option<Field>,
    /// Whether kernels that we run on may be too old for it.
    is_newer: bool,
}

/// Where a program is attached.
#[derive(Debug, Clone, Copy)]
pub(super) enum Target {
    /// The BTF tracepoint of that name.
    BtfTracepoint(&'static str),
    /// The tracepoint `syscalls:NAME`.
    Syscall,
    /// The root of the cgroup2 hierarchy.
    CgroupSock,
    /// The root of the cgroup2 hierarchy.
    CgroupSockAddr,
    /// Where the kernel function of that name begins.
    Entry(&'static str),
    /// Where it ends.
    Exit(&'static str),
}

/// Where a hook is wanted: by whether we know the registers that a task saves when it enters a system call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Registers {
    /// Everywhere.
    Either,
    /// It finds the arguments of calls there.
    Known,
    /// It stands in for one that would.
    Unknown,
}

impl Hook {
    /// Whether it is wanted, where the registers of system calls are known, or are not.
    pub(super) fn is_wanted(&self, registers_known: bool) -> bool {
        match self.registers {
            Registers::Either => true,
            Registers::Known => registers_known,
            Registers::Unknown => !registers_known,
        }
    }

    /// The field, if any, that the program needs and this kernel lacks.
    pub(super) fn lacks(&self, offsets: &Offsets) -> Option<Field> {
        self.needs.filter(|&field| !offsets.has(field))
    }

    /// Whether it is usual that the kernel refuses it.
    #[must_use]
    pub const fn is_often_missing(&self) -> bool {
        self.is_newer || self.is_on_function()
    }

    /// Whether it is attached to a kernel function, which some kernels do not let anybody do.
    #[must_use]
    pub const fn is_on_function(&self) -> bool {
        match self.target {
            Target::Entry(_) | Target::Exit(_) => true,
            Target::BtfTracepoint(_) | Target::Syscall | Target::CgroupSock | Target::CgroupSockAddr => false,
        }
    }
}

const fn required(name: &'static str, target: Target, lost_without: &'static str) -> Hook {
    Hook { required: true, ..optional(name, target, lost_without) }
}

const fn optional(name: &'static str, target: Target, lost_without: &'static str) -> Hook {
    Hook {
        name,
        program: name,
        required: false,
        lost_without,
        target,
        registers: Registers::Either,
        needs: None,
        is_newer: false,
    }
}

/// Another event that a program of those before is called for.
const fn also(name: &'static str, of: Hook) -> Hook {
    Hook { name, ..of }
}

/// Wanted only where the registers of system calls are known.
const fn with_registers(hook: Hook) -> Hook {
    Hook { registers: Registers::Known, ..hook }
}

/// One that older kernels lack.
const fn newer(hook: Hook) -> Hook {
    Hook { is_newer: true, ..hook }
}

/// One whose program is of no use without that field.
const fn needing(field: Field, hook: Hook) -> Hook {
    Hook { needs: Some(field), ..hook }
}

/// One that stands in for them.
const fn without_registers(hook: Hook) -> Hook {
    Hook { registers: Registers::Unknown, ..hook }
}

const BINDS: &str = "bind events of UNIX sockets, failed binds";
const LISTENS: &str = "listen events of UNIX sockets, failed listens";
const CONNECTS: &str = "connect events of UDP, RAW and UNIX sockets, why a connect failed at once";
const ACCEPTS: &str = "accept events and the owners of accepted connections";

const ACCEPT: Hook = optional("sys_exit_accept", Target::Syscall, ACCEPTS);

/// The program that stands in for the state program while that one is interrupted. The kernel calls the programs of
/// a tracepoint in the order of attachment, so it comes after.
pub(super) const NESTED: &str = "set_state_nested";

/// The hook that tells the ends of UNIX sockets.
pub const UNIX_END: &str = "unix_release_sock";

/// Every hook, in the order of attachment: exits before enters, so that no call is remembered that nobody tells of.
pub(super) const HOOKS: &[Hook] = &[
    required("inet_sock_set_state", Target::BtfTracepoint("inet_sock_set_state"), "everything about TCP"),
    optional(
        NESTED,
        Target::BtfTracepoint("inet_sock_set_state"),
        "TCP state changes that interrupt another one",
    ),
    optional(
        "tcp_retransmit_skb",
        Target::BtfTracepoint("tcp_retransmit_skb"),
        "the local port of TCP sockets that wait in SYN-SENT",
    ),
    ACCEPT,
    also("sys_exit_accept4", ACCEPT),
    optional("sys_exit_bind", Target::Syscall, BINDS),
    without_registers(optional("sys_enter_bind", Target::Syscall, BINDS)),
    optional("sys_exit_listen", Target::Syscall, LISTENS),
    without_registers(optional("sys_enter_listen", Target::Syscall, LISTENS)),
    optional("sys_exit_connect", Target::Syscall, CONNECTS),
    without_registers(optional("sys_enter_connect", Target::Syscall, CONNECTS)),
    optional("sock_create", Target::CgroupSock, "RAW sockets, and which socket a UDP connect is of"),
    optional("sock_release", Target::CgroupSock, "close events of UDP and RAW sockets"),
    optional("post_bind4", Target::CgroupSock, "binds that make no system call (io_uring), IPv4"),
    optional("post_bind6", Target::CgroupSock, "binds that make no system call (io_uring), IPv6"),
    optional("connect4", Target::CgroupSockAddr, "connect events of UDP sockets by 32-bit calls, IPv4"),
    optional("connect6", Target::CgroupSockAddr, "connect events of UDP sockets by 32-bit calls, IPv6"),
    optional("sendmsg4", Target::CgroupSockAddr, "open events of UDP sockets that never bind, IPv4"),
    optional("sendmsg6", Target::CgroupSockAddr, "open events of UDP sockets that never bind, IPv6"),
    newer(optional(
        "sock_send_length",
        Target::BtfTracepoint("sock_send_length"),
        "ports that UDP sockets get by a send that fails, and ping sockets by any (Linux 6.3)",
    )),
    newer(needing(
        Field::IoResult,
        optional(
            "io_uring_complete",
            Target::BtfTracepoint("io_uring_complete"),
            "calls through io_uring as they happen, and those that fail (Linux 5.19)",
        ),
    )),
    with_registers(optional(
        "ping_get_port",
        Target::Exit("ping_get_port"),
        "open events of ping sockets, and their ports",
    )),
    with_registers(optional(
        "inet_accept",
        Target::Exit("inet_accept"),
        "accepts through io_uring as they happen",
    )),
    optional(UNIX_END, Target::Entry("unix_release_sock"), "closes of UNIX sockets as they happen"),
];

/// What became of a hook.
#[derive(Debug, Clone)]
pub struct HookStatus {
    /// The hook.
    pub hook: &'static Hook,
    /// `None` if it is attached; otherwise why it is not.
    pub missing: Option<AttachError>,
}

//! The tracepoints of system calls, `syscalls:sys_enter_*` and `sys_exit_*`: how their records are laid out, and attaching
//! to them. I/O: tracefs, perf_event_open(2), ioctl(2).
//!
//! Our own and not aya's, which attaches only where tracefs is mounted at one of its usual places.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use nix::errno::Errno;

use super::failure::AttachError;
use crate::kernel::mounts;

/// `PERF_TYPE_TRACEPOINT` (include/uapi/linux/perf_event.h).
const TRACEPOINT: u64 = 2;
/// `PERF_ATTR_SIZE_VER0`.
const ATTRIBUTE_SIZE: u64 = 64;
/// `PERF_FLAG_FD_CLOEXEC`.
const CLOEXEC: libc::c_ulong = 8;

nix::ioctl_write_int!(
    /// `PERF_EVENT_IOC_SET_BPF`.
    set_bpf,
    b'$',
    8
);

/// The events of system calls in tracefs.
pub(super) struct Syscalls {
    tracefs: io::Result<File>,
}

/// Offsets in the records of the system call tracepoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SyscallLayout {
    /// First argument of `sys_enter_*`.
    pub(super) args: u32,
    /// Result of `sys_exit_*`.
    pub(super) ret: u32,
}

impl Syscalls {
    /// Those of this kernel.
    pub(super) fn of_running_kernel() -> Self {
        Self { tracefs: mounts::root(c"tracefs") }
    }

    /// As the `format` files tell; the usual layout where they cannot be read.
    pub(super) fn layout(&self) -> SyscallLayout {
        let offset = |name: &str, field: &str| field_offset(&self.read(name, "format").ok()?, field);
        SyscallLayout {
            args: offset("sys_enter_bind", "fd").unwrap_or(16),
            ret: offset("sys_exit_bind", "ret").unwrap_or(16),
        }
    }

    /// Run a loaded program of that type whenever the event of that name happens, on any processor, until what is
    /// returned is dropped.
    pub(super) fn attach(&self, name: &str, program: BorrowedFd<'_>) -> Result<OwnedFd, AttachError> {
        let id = self.read(name, "id")?;
        let id = id.trim().parse();
        let id =
            id.map_err(|_| AttachError::Missing { what: "number of the event", errno: Errno::EINVAL })?;
        open(id, program).map_err(AttachError::from)
    }

    fn read(&self, name: &str, file: &str) -> Result<String, AttachError> {
        let tracefs = self.tracefs.as_ref().map_err(|error| AttachError::missing("tracefs", error))?;
        mounts::read(tracefs, format!("events/syscalls/{name}/{file}"))
            .map_err(|error| AttachError::missing("event of that name", &error))
    }
}

fn open(id: u64, program: BorrowedFd<'_>) -> Result<OwnedFd, Errno> {
    // `struct perf_event_attr`, its first version: type and size, config, and nothing more.
    let mut attribute = [0u64; ATTRIBUTE_SIZE as usize / 8];
    (attribute[0], attribute[1]) = (TRACEPOINT | ATTRIBUTE_SIZE << 32, id);
    let (anybody, processor, alone): (libc::pid_t, libc::c_int, RawFd) = (-1, 0, -1);
    // SAFETY: the attribute is as long as it says; all else are numbers. The program is called for the event itself, on
    // whatever processor it happens (kernel/trace/trace_syscalls.c, `perf_call_bpf_exit`).
    unsafe {
        let (call, at) = (libc::SYS_perf_event_open, attribute.as_ptr());
        let fd = Errno::result(libc::syscall(call, at, anybody, processor, alone, CLOEXEC))?;
        let event = OwnedFd::from_raw_fd(RawFd::try_from(fd).map_err(|_| Errno::EBADF)?);
        set_bpf(event.as_raw_fd(), program.as_raw_fd() as libc::c_ulong)?;
        Ok(event)
    }
}

/// The `offset:` of a field in a tracefs `format` file.
fn field_offset(format: &str, name: &str) -> Option<u32> {
    let line = format.lines().find(|line| {
        let declaration = line.trim_start().strip_prefix("field:").and_then(|rest| rest.split(';').next());
        declaration.is_some_and(|d| d.rsplit(' ').next() == Some(name))
    })?;
    line.split(';').find_map(|part| part.trim().strip_prefix("offset:"))?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_found_in_a_format_file() {
        let format = "name: sys_exit_bind\nformat:\n\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;\n\n\
                      \tfield:int __syscall_nr;\toffset:8;\tsize:4;\tsigned:1;\n\tfield:long ret;\toffset:24;\tsize:8;\tsigned:1;\n";
        assert_eq!(field_offset(format, "ret"), Some(24));
        assert_eq!(field_offset(format, "__syscall_nr"), Some(8));
        assert_eq!(field_offset(format, "nr"), None);
    }
}

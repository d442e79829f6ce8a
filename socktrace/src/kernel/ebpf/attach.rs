//! Loading and attaching one program. I/O: bpf(2).

use std::fs::File;
use std::io;
use std::os::fd::AsFd;

use aya::Btf;
use aya::programs::{
    BtfTracePoint, CgroupAttachMode, CgroupSock, CgroupSockAddr, FEntry, FExit, Program, ProgramError,
    TracePoint,
};

use super::failure::AttachError;
use super::hooks::{Hook, Target};
use super::syscalls::Syscalls;
use crate::kernel::mounts;

/// What keeps a program attached: dropped, it detaches. That waits for a grace period of the kernel each time.
pub(super) type Link = Box<dyn Send + Sync>;

/// Load a hook's program.
pub(super) fn load(program: &mut Program, target: Target, btf: &Btf) -> Result<(), AttachError> {
    match target {
        Target::BtfTracepoint(tracepoint) => typed::<BtfTracePoint>(program)?.load(tracepoint, btf),
        Target::Syscall => typed::<TracePoint>(program)?.load(),
        Target::CgroupSock => typed::<CgroupSock>(program)?.load(),
        Target::CgroupSockAddr => typed::<CgroupSockAddr>(program)?.load(),
        Target::Entry(function) => typed::<FEntry>(program)?.load(function, btf),
        Target::Exit(function) => typed::<FExit>(program)?.load(function, btf),
    }
    .map_err(AttachError::from)
}

/// What hooks are attached to.
pub(super) struct Places {
    pub(super) syscalls: Syscalls,
    /// The root of the cgroup2 hierarchy.
    pub(super) cgroup: io::Result<File>,
}

impl Places {
    /// Those of this kernel.
    pub(super) fn of_running_kernel() -> Self {
        Self { syscalls: Syscalls::of_running_kernel(), cgroup: mounts::root(c"cgroup2") }
    }
}

/// Attach a loaded program.
pub(super) fn attach(program: &mut Program, hook: &Hook, places: &Places) -> Result<Link, AttachError> {
    let cgroup = || places.cgroup.as_ref().map_err(|error| AttachError::missing("cgroup2", error));
    match hook.target {
        Target::BtfTracepoint(_) => {
            let program: &mut BtfTracePoint = typed(program)?;
            program.attach().and_then(|id| program.take_link(id)).map(boxed)
        }
        Target::Syscall => {
            let program: &mut TracePoint = typed(program)?;
            let program = program.fd().map_err(AttachError::from)?;
            return places.syscalls.attach(hook.name, program.as_fd()).map(boxed);
        }
        Target::CgroupSock => {
            let program: &mut CgroupSock = typed(program)?;
            let attached = program.attach(cgroup()?, CgroupAttachMode::Single);
            attached.and_then(|id| program.take_link(id)).map(boxed)
        }
        Target::CgroupSockAddr => {
            let program: &mut CgroupSockAddr = typed(program)?;
            let attached = program.attach(cgroup()?, CgroupAttachMode::Single);
            attached.and_then(|id| program.take_link(id)).map(boxed)
        }
        Target::Entry(_) => {
            let program: &mut FEntry = typed(program)?;
            program.attach().and_then(|id| program.take_link(id)).map(boxed)
        }
        Target::Exit(_) => {
            let program: &mut FExit = typed(program)?;
            program.attach().and_then(|id| program.take_link(id)).map(boxed)
        }
    }
    .map_err(AttachError::from)
}

fn boxed(link: impl Send + Sync + 'static) -> Link {
    Box::new(link)
}

fn typed<'a, P>(program: &'a mut Program) -> Result<&'a mut P, AttachError>
where
    &'a mut P: TryFrom<&'a mut Program, Error = ProgramError>,
{
    program.try_into().map_err(AttachError::from)
}

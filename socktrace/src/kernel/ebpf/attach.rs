//! Loading and attaching one program. I/O: bpf(2).

use std::fs::File;
use std::io;
use std::os::fd::AsFd;

use aya::Btf;
use aya::programs::{
    BtfTracePoint, CgroupAttachMode, CgroupSock, CgroupSockAddr, FEntry, FExit, Program, ProgramError,
    TracePoint,
};

use super::hooks::Hook;
use super::syscalls::Syscalls;
use crate::kernel::mounts;

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

/// What keeps a program attached: dropped, it detaches. That waits for a grace period of the kernel each time.
pub(super) type Link = Box<dyn Send + Sync>;

/// Load a hook's program; what goes wrong, in words.
pub(super) fn load(program: &mut Program, target: Target, btf: &Btf) -> Result<(), String> {
    match target {
        Target::BtfTracepoint(tracepoint) => typed::<BtfTracePoint>(program)?.load(tracepoint, btf),
        Target::Syscall => typed::<TracePoint>(program)?.load(),
        Target::CgroupSock => typed::<CgroupSock>(program)?.load(),
        Target::CgroupSockAddr => typed::<CgroupSockAddr>(program)?.load(),
        Target::Entry(function) => typed::<FEntry>(program)?.load(function, btf),
        Target::Exit(function) => typed::<FExit>(program)?.load(function, btf),
    }
    .map_err(reason)
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

/// Attach a loaded program; what goes wrong, in words.
pub(super) fn attach(program: &mut Program, hook: &Hook, places: &Places) -> Result<Link, String> {
    let cgroup = || places.cgroup.as_ref().map_err(|error| format!("no cgroup2: {error}"));
    match hook.target {
        Target::BtfTracepoint(_) => {
            let program: &mut BtfTracePoint = typed(program)?;
            program.attach().and_then(|id| program.take_link(id)).map(boxed)
        }
        Target::Syscall => {
            let program: &mut TracePoint = typed(program)?;
            let program = program.fd().map_err(reason)?;
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
    .map_err(reason)
}

fn boxed(link: impl Send + Sync + 'static) -> Link {
    Box::new(link)
}

fn typed<'a, P>(program: &'a mut Program) -> Result<&'a mut P, String>
where
    &'a mut P: TryFrom<&'a mut Program, Error = ProgramError>,
{
    program.try_into().map_err(reason)
}

/// The innermost cause, or if it was the verifier that refused, its last line: the error number of a refusal says as a
/// rule that permission is denied, and no permission would help.
pub(super) fn reason(error: ProgramError) -> String {
    if let ProgramError::LoadError { io_error, verifier_log } = &error {
        let log = verifier_log.to_string();
        log::debug!("verifier log:\n{log}");
        let noise = ["processed ", "stack depth ", "verification time "];
        let said =
            |line: &&str| !line.trim().is_empty() && !noise.iter().any(|word| line.trim().starts_with(word));
        return match log.lines().rev().find(said) {
            Some(line) => format!("the verifier refuses it: {}", line.trim()),
            None => io_error.to_string(),
        };
    }
    let mut cause: &dyn std::error::Error = &error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

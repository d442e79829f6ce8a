//! Attaching one program. I/O: bpf(2), perf_event_open(2), cgroup directories.

use std::fs::{self, File};
use std::path::PathBuf;

use aya::programs::{
    BtfTracePoint, CgroupAttachMode, CgroupSock, CgroupSockAddr, Program, ProgramError, TracePoint,
};
use aya::{Btf, Ebpf};

use super::hooks::Hook;

/// Where a program is attached.
#[derive(Debug, Clone, Copy)]
pub(super) enum Target {
    /// A BTF tracepoint of the program's name.
    BtfTracepoint,
    /// The tracepoint `syscalls:NAME`.
    Syscall,
    /// The root of the cgroup2 hierarchy.
    CgroupSock,
    /// The root of the cgroup2 hierarchy.
    CgroupSockAddr,
}

/// Load and attach a hook's program; what goes wrong, in words.
pub(super) fn attach(ebpf: &mut Ebpf, hook: &Hook, btf: &Btf, cgroup: Option<&File>) -> Result<(), String> {
    let program = ebpf.program_mut(hook.name).ok_or("the kernel object has no such program")?;
    let cgroup = || cgroup.ok_or_else(|| "no cgroup2 mount".to_owned());
    match hook.target {
        Target::BtfTracepoint => {
            let program: &mut BtfTracePoint = typed(program)?;
            program.load(hook.name, btf).and_then(|()| program.attach()).map(drop).map_err(reason)
        }
        Target::Syscall => {
            let program: &mut TracePoint = typed(program)?;
            program.load().and_then(|()| program.attach("syscalls", hook.name)).map(drop).map_err(reason)
        }
        Target::CgroupSock => {
            let cgroup = cgroup()?;
            let program: &mut CgroupSock = typed(program)?;
            program
                .load()
                .and_then(|()| program.attach(cgroup, CgroupAttachMode::Single))
                .map(drop)
                .map_err(reason)
        }
        Target::CgroupSockAddr => {
            let cgroup = cgroup()?;
            let program: &mut CgroupSockAddr = typed(program)?;
            program
                .load()
                .and_then(|()| program.attach(cgroup, CgroupAttachMode::Single))
                .map(drop)
                .map_err(reason)
        }
    }
}

fn typed<'a, P>(program: &'a mut Program) -> Result<&'a mut P, String>
where
    &'a mut P: TryFrom<&'a mut Program, Error = ProgramError>,
{
    program.try_into().map_err(reason)
}

/// The innermost cause, and the last line of the verifier if it was the verifier that refused.
fn reason(error: ProgramError) -> String {
    if let ProgramError::LoadError { io_error, verifier_log } = &error {
        let log = verifier_log.to_string();
        log::debug!("verifier log:\n{log}");
        let noise = ["processed ", "stack depth ", "verification time "];
        let said =
            |line: &&str| !line.trim().is_empty() && !noise.iter().any(|word| line.trim().starts_with(word));
        return match log.lines().rev().find(said) {
            Some(line) => format!("{io_error}: {}", line.trim()),
            None => io_error.to_string(),
        };
    }
    let mut cause: &dyn std::error::Error = &error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

/// The root of the cgroup2 hierarchy, from the mounts of this process.
pub(super) fn cgroup2_root() -> Option<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mounts").ok()?;
    mounts.lines().find_map(|line| {
        let mut words = line.split(' ').skip(1);
        let (path, kind) = (words.next()?, words.next()?);
        (kind == "cgroup2").then(|| PathBuf::from(path.replace("\\040", " ")))
    })
}

//! The tracer: everything loaded and attached, for as long as this value lives.
//! I/O: bpf(2), cgroup directories.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;

use aya::maps::RingBuf;
use aya::{Btf, Ebpf, EbpfLoader, VerifierLogLevel};
use aya_log::EbpfLogger;

use super::attach::{attach, cgroup2_root};
use super::counters::{CounterPage, recursion_misses};
use super::hooks::{HOOKS, HookStatus};
use super::mapped::Mapped;
use super::object::object;
use super::offsets::{Offsets, SyscallLayout};
use super::ring::Ring;
use super::{EbpfError, decode};
use crate::socket::{Change, Counters};

/// How to load.
#[derive(Debug, Clone, Copy)]
pub struct Config {
    /// Bytes of the ring buffer; rounded up to a power of two of at least a page.
    pub ring_size: u32,
    /// Whether the programs' own diagnostics go to the log.
    pub log: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self { ring_size: 16 << 20, log: false }
    }
}

/// The running kernel half. Dropping it (or the end of the process, however it ends) detaches everything.
pub struct Tracer {
    ebpf: Ebpf,
    ring: Ring,
    counters: CounterPage,
    hooks: Vec<HookStatus>,
    absent: Vec<String>,
    logger: Option<EbpfLogger<&'static dyn log::Log>>,
    undecoded: u64,
}

/// `Level::Debug` of aya-log; 0 is silent.
const LOG_DEBUG: u8 = 4;

impl Tracer {
    /// Load the programs and attach every hook. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// If the kernel lacks what is required, or this process the rights.
    pub fn load(config: &Config) -> Result<Self, EbpfError> {
        let offsets = Offsets::of_running_kernel()?;
        let layout = SyscallLayout::of_running_kernel();
        let level = if config.log { LOG_DEBUG } else { 0 };
        let cpus = nr_cpus();
        let btf = Btf::from_sys_fs()
            .map_err(|error| EbpfError::Load { reason: error.to_string(), denied: false })?;
        let mut ebpf = EbpfLoader::new()
            .btf(Some(&btf))
            .verifier_log_level(verifier_log())
            .map_max_entries("EVENTS", config.ring_size.max(4096).next_power_of_two())
            .map_max_entries("COUNTERS", u32::try_from(cpus).unwrap_or(u32::MAX))
            .override_global("OFFSETS", offsets.table.as_slice(), true)
            .override_global("SYS_ENTER_ARGS", &layout.args, true)
            .override_global("SYS_EXIT_RET", &layout.ret, true)
            .override_global(aya_log::LEVEL, &level, false)
            .load(&object())
            .map_err(load_error)?;
        let logger =
            EbpfLogger::init(&mut ebpf).map_err(|error| log::debug!("no log of the programs: {error}")).ok();
        let hooks = attach_all(&mut ebpf, &btf)?;
        let ring = ring(&mut ebpf)?;
        let counters = CounterPage::new(&ebpf, cpus)?;
        Ok(Self { ebpf, ring, counters, hooks, absent: offsets.absent(), logger, undecoded: 0 })
    }

    /// What became of each hook.
    #[must_use]
    pub fn hooks(&self) -> &[HookStatus] {
        &self.hooks
    }

    /// Fields that this kernel lacks, as `struct.member`; what depends on them is told as 0 or absent.
    #[must_use]
    pub fn absent_fields(&self) -> &[String] {
        &self.absent
    }

    /// Wait until there are records to drain. Cancel-safe.
    ///
    /// # Errors
    /// If the runtime cannot watch the ring.
    pub async fn readable(&mut self) -> io::Result<()> {
        self.ring.readable().await
    }

    /// Hand over at most `max` changes, oldest first; how many records there were.
    pub fn drain(&mut self, max: usize, mut each: impl FnMut(Change)) -> usize {
        let undecoded = &mut self.undecoded;
        let count = self.ring.drain(max, |record| match decode(record) {
            Ok(change) => each(change),
            Err(error) => {
                *undecoded += 1;
                log::debug!("a record that cannot be decoded: {error}");
            }
        });
        if let Some(logger) = &mut self.logger {
            logger.flush();
        }
        count
    }

    /// The kernel half's counters now.
    #[must_use]
    pub fn counters(&self) -> Counters {
        let missed = self.ebpf.programs().filter_map(|(_, program)| program.fd().ok());
        let missed = missed.map(|fd| recursion_misses(fd.as_fd())).sum::<u64>();
        self.counters.read(missed + self.undecoded)
    }
}

/// The verifier's log is costly: only for those who debug.
fn verifier_log() -> VerifierLogLevel {
    if log::log_enabled!(log::Level::Debug) { VerifierLogLevel::default() } else { VerifierLogLevel::DISABLE }
}

fn attach_all(ebpf: &mut Ebpf, btf: &Btf) -> Result<Vec<HookStatus>, EbpfError> {
    let cgroup = cgroup2_root().and_then(|path| File::open(path).ok());
    let mut statuses = Vec::with_capacity(HOOKS.len());
    for hook in HOOKS {
        let missing = attach(ebpf, hook, btf, cgroup.as_ref()).err();
        if let Some(reason) = &missing
            && hook.required
        {
            let denied = reason.contains("permitted") || reason.contains("denied");
            return Err(EbpfError::Attach { hook: hook.name, reason: reason.clone(), denied });
        }
        statuses.push(HookStatus { hook, missing });
    }
    Ok(statuses)
}

fn ring(ebpf: &mut Ebpf) -> Result<Ring, EbpfError> {
    let error = |reason: String| EbpfError::Map { map: "EVENTS", reason };
    let wake = Mapped::new(ebpf, "WAKE", 1)?;
    let map = ebpf.take_map("EVENTS").ok_or_else(|| error("the kernel object has no such map".into()))?;
    let ring = RingBuf::try_from(map).map_err(|e| error(e.to_string()))?;
    Ring::new(ring, wake).map_err(|e| error(e.to_string()))
}

/// How many CPUs there can be: `bpf_get_smp_processor_id` stays below it.
fn nr_cpus() -> usize {
    aya::util::nr_cpus().unwrap_or(1024)
}

pub(super) fn load_error(error: aya::EbpfError) -> EbpfError {
    let mut denied = false;
    let mut reason = error.to_string();
    let mut cause: Option<&dyn std::error::Error> = Some(&error);
    while let Some(inner) = cause {
        if let Some(io) = inner.downcast_ref::<io::Error>() {
            denied |= io.kind() == io::ErrorKind::PermissionDenied;
        }
        reason = inner.to_string();
        cause = inner.source();
    }
    EbpfError::Load { reason, denied }
}

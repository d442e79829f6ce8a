//! The tracer: everything loaded and attached, for as long as this value lives.
//! I/O: bpf(2), cgroup directories.

use std::cell::Cell;
use std::io;
use std::os::fd::AsFd;
use std::thread::Builder;

use aya::maps::RingBuf;
use aya::programs::Program;
use aya::{Btf, Ebpf, EbpfLoader};
use aya_log::EbpfLogger;
use rustc_hash::FxHashMap;
use socktrace_common::{Slot, UNWANTED_CREATION, UNWANTED_INDEX, UNWANTED_NEWBORN};

use super::attach::{Link, Places, attach, load};
use super::counters::{CounterPage, recursion_misses};
use super::failure::AttachError;
use super::holders::HolderIter;
use super::hooks::{HOOKS, Hook, HookStatus, NESTED};
use super::lanes::{Drained, Lanes};
use super::mapped::Mapped;
use super::object;
use super::offsets::Offsets;
use super::reader::Reader;
use super::{EbpfError, decode};
use crate::kernel::parallel::in_parallel;
use crate::socket::{Change, Counters, KindSet};

/// How to load.
#[derive(Debug, Clone, Copy)]
pub struct Config {
    /// Bytes of the buffer between the kernel and us, for all CPUs together; what one of them gets is rounded up to a power
    /// of two of at least two KiB.
    pub ring_size: u32,
    /// Whether the programs' own diagnostics go to the log.
    pub log: bool,
    /// Whether what a system call was asked may be read from saved registers, where that can be done. Otherwise it is
    /// remembered from the call's beginning, as on all architectures but x86-64.
    pub registers: bool,
}

impl Default for Config {
    fn default() -> Self {
        // Some milliseconds of what one CPU can do, until we read again.
        let each = u32::try_from(nr_cpus()).map_or(u32::MAX, |cpus| cpus.saturating_mul(512 << 10));
        Self { ring_size: each.max(16 << 20), log: false, registers: true }
    }
}

/// The running kernel half. Dropping it (or the end of the process, however it ends) detaches everything.
pub struct Tracer {
    ebpf: Ebpf,
    links: Vec<Link>,
    reader: Reader,
    counters: CounterPage,
    /// Which records nobody wants.
    unwanted: Mapped<u32>,
    hooks: Vec<HookStatus>,
    absent: Vec<String>,
    logger: Option<EbpfLogger<&'static dyn log::Log>>,
    undecoded: u64,
    /// What was drained, in the families' fields for that.
    delivered: Counters,
    /// How many records had been seen, and how many runs skipped, when the kernel was last asked for the latter.
    missed: Cell<(u64, u64)>,
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
        let offsets = if config.registers { offsets } else { offsets.without_registers() };
        let places = Places::of_running_kernel();
        let layout = places.syscalls.layout();
        let level = if config.log { LOG_DEBUG } else { 0 };
        let cpus = nr_cpus();
        let slots = lane_slots(config.ring_size, cpus);
        let btf = Btf::from_sys_fs().map_err(|error| EbpfError::Load(AttachError::of(&error)))?;
        let programs = object::with(&offsets)?;
        let mut ebpf = EbpfLoader::new()
            .btf(Some(&btf))
            .verifier_log_level(object::verifier_log())
            .map_max_entries("LANES", slots * cpus as u32)
            .map_max_entries("READ", cpus as u32)
            .map_max_entries("COUNTERS", cpus as u32)
            .override_global("LANE_SLOTS", &slots, true)
            .override_global("STORES_IN_ORDER", &u32::from(cfg!(target_arch = "x86_64")), true)
            .override_global("SYS_ENTER_ARGS", &layout.args, true)
            .override_global("SYS_EXIT_RET", &layout.ret, true)
            .override_global(aya_log::LEVEL, &level, false)
            .load(&programs)
            .map_err(|error| EbpfError::Load(AttachError::of(&error)))?;
        let logger =
            EbpfLogger::init(&mut ebpf).map_err(|error| log::debug!("no log of the programs: {error}")).ok();
        let attached = attach_all(&mut ebpf, &btf, &places, &offsets)?;
        HolderIter::keep_from(&mut ebpf, &btf);
        drop(btf);
        let (hooks, links) = attached
            .into_iter()
            .map(|attached| (attached.status, attached.link))
            .unzip::<_, _, Vec<_>, Vec<_>>();
        let reader = reader(&mut ebpf, cpus, slots)?;
        let counters = CounterPage::new(&ebpf, cpus)?;
        let unwanted = Mapped::new(&ebpf, "UNWANTED", 1)?;
        let links = links.into_iter().flatten().collect();
        Ok(Self {
            ebpf,
            links,
            reader,
            counters,
            unwanted,
            hooks,
            absent: offsets.absent(),
            logger,
            undecoded: 0,
            delivered: Counters::default(),
            missed: Cell::default(),
        })
    }

    /// What became of each hook.
    #[must_use]
    pub fn hooks(&self) -> &[HookStatus] {
        &self.hooks
    }

    /// Fields that this kernel lacks, as `struct.member`; what depends on them is found in another
    /// way, or told as 0 or absent.
    #[must_use]
    pub fn absent_fields(&self) -> &[String] {
        &self.absent
    }

    /// Say which kinds of event are wanted, and whether it is of interest which datagram sockets are made: what only others
    /// need is not recorded from now on. Until it is said, all are.
    pub fn want(&self, kinds: KindSet, creations: bool) {
        let newborn = if kinds.intersects(KindSet::STATE) { 0 } else { UNWANTED_NEWBORN };
        let unwanted = newborn | if creations { 0 } else { UNWANTED_CREATION };
        let index = UNWANTED_INDEX as usize;
        // Only looked at, it stays in every processor's cache.
        if self.unwanted.get(index) != Some(unwanted) {
            self.unwanted.set(index, unwanted);
        }
    }

    /// Wait until there are records to drain. Cancel-safe.
    ///
    /// # Errors
    /// If the runtime cannot watch the ring.
    pub async fn readable(&mut self) -> io::Result<()> {
        self.reader.readable().await
    }

    /// Hand over at most `max` changes, oldest first: their times never fall.
    pub fn drain(&mut self, max: usize, mut each: impl FnMut(Change)) -> Drained {
        let Self { undecoded, delivered, .. } = self;
        let drained = self.reader.drain(max, |at, first, second| match decode(first, second) {
            Ok(mut change) => {
                change.at = at;
                delivered.of(&change).delivered += 1;
                each(change);
            }
            Err(error) => {
                *undecoded += 1;
                log::debug!("a record that cannot be decoded: {error}");
            }
        });
        if let Some(logger) = &mut self.logger {
            logger.flush();
        }
        drained
    }

    /// The kernel half's counters now, and what has been drained.
    #[must_use]
    pub fn counters(&self) -> Counters {
        let counters = self.counters.read(0);
        let (seen, mut missed) = self.missed.get();
        // A run is only skipped for another one; asking takes a system call for each program.
        if seen != counters.seen() {
            // The stand-in does nothing while the state program runs undisturbed; a skip of it is no loss.
            let programs = self.ebpf.programs().filter(|(name, _)| *name != NESTED);
            let programs = programs.filter_map(|(_, program)| program.fd().ok());
            missed = programs.map(|fd| recursion_misses(fd.as_fd())).sum();
            self.missed.set((counters.seen(), missed));
        }
        self.counters.read(missed + self.undecoded).with_delivered(&self.delivered)
    }
}

impl Drop for Tracer {
    fn drop(&mut self) {
        detach_all(std::mem::take(&mut self.links));
    }
}

/// What came of one hook.
struct Attached {
    status: HookStatus,
    link: Option<Link>,
}

/// Load all programs on all processors, the verifier takes its time, then attach them one after the other.
fn attach_all(
    ebpf: &mut Ebpf,
    btf: &Btf,
    places: &Places,
    offsets: &Offsets,
) -> Result<Vec<Attached>, EbpfError> {
    let hooks = || HOOKS.iter().filter(|hook| hook.is_wanted(offsets.knows_registers()));
    let mut programs: FxHashMap<String, &mut Program> =
        ebpf.programs_mut().map(|(name, program)| (name.to_owned(), program)).collect();
    let named = hooks().filter(|hook| hook.program == hook.name && hook.lacks(offsets).is_none());
    let jobs: Vec<_> = named.map(|hook| (hook, programs.remove(hook.program))).collect();
    let (on_functions, others): (Vec<_>, Vec<_>) =
        jobs.into_iter().partition(|(hook, _)| hook.is_on_function());
    let names: Vec<_> = others.iter().map(|(hook, _)| hook.program).collect();
    let loaded = in_parallel(others, |(hook, program)| ready(hook, program, btf));
    let mut loaded: FxHashMap<_, _> = names.into_iter().zip(loaded).collect();

    let mut all = Vec::with_capacity(HOOKS.len());
    for hook in hooks().filter(|hook| !hook.is_on_function()) {
        let attached = match loaded.get_mut(hook.program) {
            Some(Ok(program)) => attach(program, hook, places),
            Some(Err(why)) => Err(why.clone()),
            None => Err(hook.lacks(offsets).map_or_else(no_program, |field| AttachError::NoField {
                strukt: field.strukt(),
                path: field.path(),
            })),
        };
        let (link, missing) = match attached {
            Ok(link) => (Some(link), None),
            Err(why) => (None, Some(why)),
        };
        if let Some(why) = &missing
            && hook.required
        {
            return Err(EbpfError::Attach { hook: hook.name, why: why.clone() });
        }
        all.push(Attached { status: HookStatus { hook, missing }, link });
    }
    // Where the first may not be attached to its function, none may: the others need not be loaded to learn that.
    let mut denied = None;
    for (hook, program) in on_functions {
        let attached = match &denied {
            Some(why) => Err(AttachError::clone(why)),
            None => ready(hook, program, btf).and_then(|program| attach(program, hook, places)),
        };
        let (link, missing) = match attached {
            Ok(link) => (Some(link), None),
            Err(why) => (None, Some(why)),
        };
        denied = missing.clone().filter(AttachError::is_denied);
        all.push(Attached { status: HookStatus { hook, missing }, link });
    }
    Ok(all)
}

/// The hook's program, loaded.
fn ready<'a>(
    hook: &Hook,
    program: Option<&'a mut Program>,
    btf: &Btf,
) -> Result<&'a mut Program, AttachError> {
    let program = program.ok_or_else(no_program)?;
    load(program, hook.target, btf)?;
    Ok(program)
}

fn no_program() -> AttachError {
    AttachError::Object("the kernel object has no such program".into())
}

/// All at once: each waits for a grace period of its own, tens of milliseconds long.
fn detach_all(links: Vec<Link>) {
    let threads: Vec<_> = links.into_iter().map(|link| Builder::new().spawn(move || drop(link))).collect();
    for thread in threads.into_iter().flatten() {
        let _ = thread.join();
    }
}

fn reader(ebpf: &mut Ebpf, cpus: usize, slots: u32) -> Result<Reader, EbpfError> {
    let lanes = Lanes::new(
        Mapped::new(ebpf, "LANES", cpus * slots as usize)?,
        Mapped::new(ebpf, "COUNTERS", cpus)?,
        Mapped::new(ebpf, "READ", cpus)?,
        slots,
    );
    let wake = Mapped::new(ebpf, "WAKE", 1)?;
    let error = |reason: String| EbpfError::Map { map: "BELL", reason };
    let bell = ebpf.take_map("BELL").ok_or_else(|| error("the kernel object has no such ring".into()))?;
    let bell = RingBuf::try_from(bell).map_err(|e| error(e.to_string()))?;
    Reader::new(lanes, bell, wake).map_err(|e| error(e.to_string()))
}

/// Places of each CPU's lane where all together have so many bytes: a power of two, and some at least.
fn lane_slots(bytes: u32, cpus: usize) -> u32 {
    let each = bytes / size_of::<Slot>() as u32 / cpus as u32;
    each.clamp(16, 1 << 20).next_power_of_two()
}

/// How many CPUs there can be: `bpf_get_smp_processor_id` stays below it.
fn nr_cpus() -> usize {
    aya::util::nr_cpus().unwrap_or(1024)
}

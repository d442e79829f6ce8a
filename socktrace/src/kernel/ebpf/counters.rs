//! The kernel half's counters, summed. I/O: mapped memory, bpf(2) for the runs that the kernel skipped.

use std::os::fd::BorrowedFd;

use aya::Ebpf;
use socktrace_common::{CpuCounters, Family, FamilyCounters};

use super::EbpfError;
use super::mapped::Mapped;
use crate::kernel::bpf_info;
use crate::socket::{Counters, FamilyCount};

pub(super) struct CounterPage {
    cpus: Mapped<CpuCounters>,
    count: usize,
}

impl CounterPage {
    pub(super) fn new(ebpf: &Ebpf, cpus: usize) -> Result<Self, EbpfError> {
        Ok(Self { cpus: Mapped::new(ebpf, "COUNTERS", cpus)?, count: cpus })
    }

    /// The sum over the CPUs. The counters of a family are read one after the other while programs run, so they
    /// balance exactly only at rest.
    pub(super) fn read(&self, missed: u64) -> Counters {
        let mut counters = Counters::default();
        let mut stood_in = 0;
        for cpu in (0..self.count).filter_map(|cpu| self.cpus.get(cpu)) {
            stood_in += cpu.stood_in;
            add(&mut counters.state, cpu.interrupting);
            for (family, from) in Family::ALL.into_iter().zip(cpu.families) {
                add(
                    match family {
                        Family::State => &mut counters.state,
                        Family::Call => &mut counters.call,
                        Family::Inet => &mut counters.inet,
                    },
                    from,
                );
            }
        }
        // What was skipped and told in its place is not lost.
        counters.missed = missed.saturating_sub(stood_in);
        counters
    }
}

fn add(to: &mut FamilyCount, from: FamilyCounters) {
    to.seen += from.seen;
    to.ring_full += from.full;
}

/// Offset of `recursion_misses` in `struct bpf_prog_info`, and how much of the struct that takes.
const MISSES_AT: usize = 208;
const INFO_LEN: usize = MISSES_AT + 8;

/// How many runs of a program the kernel skipped because it, or another of its kind, was running on that CPU
/// (kernel/bpf/trampoline.c and kernel/trace/bpf_trace.c, `bpf_prog_inc_misses_counter`). 0 where the kernel does
/// not tell (before 5.12).
pub(super) fn recursion_misses(program: BorrowedFd<'_>) -> u64 {
    let mut info = [0u64; INFO_LEN / 8];
    // SAFETY: all addresses of further room, and their sizes, are 0.
    match unsafe { bpf_info::read(program, &mut info) } {
        Ok(()) => info.get(MISSES_AT / 8).copied().unwrap_or_default(),
        Err(_) => 0,
    }
}

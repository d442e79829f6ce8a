//! The kernel half of socktrace: hooks in, records out.
//!
//! Each attach function has one line: it calls the body. A body leaves early, reads, fills a record, emits it.
//! Nothing is decided here that can be decided in user space.
#![no_std]
#![no_main]
// The methods of `AtomicU64` are hidden on this target, though BPF has the instructions.
#![allow(internal_features, reason = "the intrinsics that give atomic instructions")]
#![feature(asm_experimental_arch)]
#![feature(core_intrinsics)]
#![feature(stmt_expr_attributes)]

mod asked;
mod calls;
mod cgroup;
mod emit;
mod exits;
mod fields;
mod functions;
mod holders;
mod inet;
mod known;
mod lanes;
mod maps;
mod marks;
mod mptcp;
mod remembered;
mod sends;
mod socket;
mod task;
mod tcp;
mod told;
mod uring;
mod words;

/// The kernel lends its GPL-only helpers (tracing, probe reads, wake-ups) to programs that declare this.
#[unsafe(no_mangle)]
#[unsafe(link_section = "license")]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

#[cfg(not(test))]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

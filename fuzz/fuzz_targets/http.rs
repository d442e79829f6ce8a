//! The agent's HTTP: any bytes are answered or refused, within the memory that a request may take.
//!
//! `cargo xtask fuzz http` runs it in a network and a pid namespace of its own. What begins with `!` is root's.
#![no_main]

use std::alloc::System;
use std::cell::OnceCell;

use cap::Cap;
use libfuzzer_sys::fuzz_target;
use socktrace::server::trial::{Trial, Whose};

/// What one request against a small table may allocate, bytes: two pieces of an answer, the buffers of a dump, the
/// request itself, and what comes of it.
const BUDGET: usize = 4 << 20;
/// As many bytes of an answer as there can be.
const ANSWER: usize = 4 << 20;

/// An allocation beyond the limit fails, which aborts.
#[global_allocator]
static MEMORY: Cap<System> = Cap::new(System, usize::MAX);

fuzz_target!(|bytes: &[u8]| {
    thread_local!(static TRIAL: OnceCell<Trial> = const { OnceCell::new() });
    let (whose, bytes) = match bytes.strip_prefix(b"!") {
        Some(bytes) => (Whose::Root, bytes),
        None => (Whose::User, bytes),
    };
    TRIAL.with(|trial| {
        let trial = trial.get_or_init(|| Trial::new().expect("a server"));
        MEMORY.set_limit(MEMORY.allocated() + BUDGET).expect("more than there is");
        let answer = trial.answer(whose, bytes).expect("an end");
        MEMORY.set_limit(usize::MAX).expect("more than there is");
        assert!(answer.length <= ANSWER, "{} bytes", answer.length);
        match answer.status() {
            Some(status) => {
                // Nothing of the agent breaks, and nobody waits for others: 500, 503. Root may name a namespace that
                // cannot be entered.
                let known = [200, 400, 403, 404, 405, 408, 411, 413, 414, 417, 429, 431, 501];
                let said = String::from_utf8_lossy(&answer.head);
                let failed = status == 500 && whose == Whose::Root && !said.contains("broke off");
                assert!(known.contains(&status) || failed, "{status}: {said}");
            }
            None => assert_eq!(answer.length, 0, "{}", String::from_utf8_lossy(&answer.head)),
        }
    });
});

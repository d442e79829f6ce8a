//! One integration binary.

#![expect(clippy::unwrap_used, reason = "clippy takes only the test functions themselves for tests")]

mod agent;
mod cgroups;
mod cli;
mod closes;
mod diag;
mod doctor;
mod embedded;
mod events;
mod filter;
mod garbage;
mod kernels;
mod kinds;
mod language;
mod mptcp;
mod odd_datagrams;
mod odd_tcp;
mod owners;
mod privileges;
mod problems;
mod refused;
mod shown;
mod ss_cases;
mod ss_fixtures;
mod ss_ghost;
mod ss_parity;
mod ss_storage;
mod support;
mod tour;
mod tracer;
mod who;

/// The tests look at the sockets and processes of the whole machine, so that one would see what another one does: one
/// after the other, unless `--test-threads` or `RUST_TEST_THREADS` says otherwise. Every other test of the workspace runs
/// beside others.
#[used]
// SAFETY: the loader calls what this section holds before `main`, as it does with constructors of C.
#[unsafe(link_section = ".init_array")]
static ONE_AT_A_TIME: extern "C" fn() = {
    extern "C" fn one_at_a_time() {
        if std::env::var_os("RUST_TEST_THREADS").is_none() {
            // SAFETY: before `main` there is no other thread.
            unsafe { std::env::set_var("RUST_TEST_THREADS", "1") };
        }
    }
    one_at_a_time
};

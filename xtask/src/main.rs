//! The project's own tasks, one file each: `cargo xtask help` lists them.
//!
//! Everything here is for people who change socktrace; a user needs none of it.

// `expect` fails when nobody needs it any more.
#![warn(clippy::allow_attributes)]

mod bench;
mod build_ebpf;
mod ci;
mod debian;
mod fetch;
mod fuzz;
mod oracle;
mod package;
mod python;
mod record;
mod release;
mod roots;
mod schema;
mod schemathesis;
mod setup;
mod sh;
mod testing;
mod tidy;
mod toolchain;
mod tree;
mod vm;

use std::process::ExitCode;

use clap::Parser;

/// The project's own tasks.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
enum Task {
    /// Everything that CI checks: format, lints, the kernel object, the floors, every test.
    Ci,
    /// Compile the kernel programs to socktrace/bpf/socktrace.bpf.o and record what built them.
    BuildEbpf {
        /// Compile to target/ and fail unless the committed object is what the sources give.
        #[arg(long)]
        check: bool,
        /// Use rustup's nightly, also where Debian's compiler is at hand.
        #[arg(long)]
        nightly: bool,
    },
    /// Check the floors and the house rules; no compiler is needed.
    Tidy,
    /// Fetch the real ss that the tests compare with, and print its path (Debian).
    FetchSs,
    /// Churn sockets, then compare the agent's table with the kernel's own: zero differences, or each is printed.
    Oracle(oracle::Args),
    /// Make the packages that people install.
    Package(package::Options),
    /// Boot Debian's kernels for 64-bit Arm under QEMU and let doctor look at them.
    Arm(vm::arm::Options),
    /// Install, use, upgrade and purge the deb on Debians that boot under QEMU, with systemd.
    Trial(vm::trial::Options),
    /// Install, ask and purge the deb in the roots of Debian 11, 12, 13 and the newest.
    Roots(roots::Options),
    /// Podman's containers on a Debian under QEMU: whose sockets are whose, and an agent that is in one of them.
    Containers(vm::containers::Options),
    /// Try every order of memory in the models of what the two halves share.
    Model,
    /// Try every point of the checklist of a release, and make its tag.
    Release(release::Options),
    /// Write docs/schema: the JSON Schemas of what is answered, and the OpenAPI document of the agent's API.
    Schema {
        /// Fail unless the committed files are what the types give.
        #[arg(long)]
        check: bool,
    },
    /// Ask a live agent what the OpenAPI document allows, and what it does not; needs the release build.
    Schemathesis(schemathesis::Options),
    /// Make the manual pages and completions, and try them: mandoc, man, the three shells.
    Manual,
    /// Boot other kernels under QEMU and run the kernel tests there.
    Vm(vm::Options),
    /// Measure speed and cost, beside others and beside what the kernel allows.
    Bench(bench::Options),
    /// Millions of connections past one agent: nothing of it grows, nothing is lost untold.
    Soak(bench::Soak),
    /// Feed a fuzz target with cases, guided by coverage.
    Fuzz(fuzz::Options),
    /// Ordinary users attack an agent of root, and others notice nothing.
    Siege(bench::Siege),
    /// Part of siege: one attacker.
    #[command(hide = true)]
    Assail(bench::Assail),
    /// Part of bench: hold sockets.
    #[command(hide = true)]
    Hold(bench::Hold),
    /// Part of bench: what a program takes.
    #[command(hide = true)]
    Measure(bench::Measured),
    /// Install what the tests need and unpack the compiler of the kernel object (Debian, as root), or name them.
    Setup,
}

fn main() -> ExitCode {
    let result = match Task::parse() {
        Task::Ci => ci::run(),
        Task::BuildEbpf { check, nightly } => build_ebpf::run(check, nightly),
        Task::Tidy => tidy::run(),
        Task::FetchSs => fetch::ss::fetch(&sh::root()).map(|ss| println!("{}", ss.display())),
        Task::Oracle(args) => oracle::run(&args),
        Task::Package(options) => package::run(&options),
        Task::Arm(options) => vm::arm::run(&options),
        Task::Trial(options) => vm::trial::run(&options),
        Task::Roots(options) => roots::run(&options),
        Task::Containers(options) => vm::containers::run(&options),
        Task::Model => testing::models(),
        Task::Release(options) => release::run(options),
        Task::Schema { check } => schema::run(check),
        Task::Schemathesis(options) => schemathesis::run(options),
        Task::Manual => package::manual(),
        Task::Vm(options) => vm::run(&options),
        Task::Bench(options) => bench::run(&options),
        Task::Soak(soak) => soak.run(),
        Task::Fuzz(options) => fuzz::run(&options),
        Task::Siege(siege) => siege.run(),
        Task::Assail(assail) => assail.run(),
        Task::Hold(hold) => hold.run(),
        Task::Measure(measured) => measured.run(),
        Task::Setup => ci::setup(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

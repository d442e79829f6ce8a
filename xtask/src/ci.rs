//! `cargo xtask ci`: what CI runs, which is nothing that a contributor could not.

use anyhow::{Result, bail};

use crate::build_ebpf;
use crate::{bench, fetch, oracle, package, schema, schemathesis, setup, sh, testing, tidy, toolchain, vm};

type Step = fn() -> Result<()>;

/// The tests come first, and what needs more packages later: trouble with a package fails the step that needs it and
/// hides nothing else.
const STEPS: &[(&str, Step)] = &[
    ("packages of the tests", setup::tests),
    ("the real ss", real_ss),
    ("tests", testing::all),
    ("format", format),
    ("tidy", tidy::run),
    ("lints", host_lints),
    ("schemas", schemas),
    ("manual and unit", manual),
    ("release build", release_build),
    ("questions of the OpenAPI document", questions),
    ("oracle", random_churn),
    ("siege", siege),
    ("lints of the kernel programs", kernel_lints),
    ("kernel object", kernel_object),
    ("other kernels", other_kernels),
];

/// Every step in turn. One that fails does not keep the others from being tried; all that failed are named at the end.
pub(crate) fn run() -> Result<()> {
    let failed = sh::steps(STEPS, |(name, _)| (*name).to_owned(), |(_, work)| work());
    println!("steps: {} passed, {} failed", STEPS.len() - failed.len(), failed.len());
    if !failed.is_empty() {
        bail!("failed: {}", failed.join(", "));
    }
    Ok(())
}

/// Everything that the steps would fetch or install on their way.
pub(crate) fn setup() -> Result<()> {
    setup::tests()?;
    toolchain::find_or_install()?;
    package::setup()?;
    vm::setup()
}

fn real_ss() -> Result<()> {
    fetch::ss::fetch(&sh::root()).map(drop)
}

fn format() -> Result<()> {
    sh::run(sh::cargo().args(["fmt", "--all", "--check"]))?;
    sh::run(sh::cargo().args(["fmt", "--manifest-path", "socktrace-ebpf/Cargo.toml", "--check"]))
}

fn host_lints() -> Result<()> {
    sh::run(sh::cargo().args([
        "clippy",
        "--quiet",
        "--workspace",
        "--all-targets",
        "--locked",
        "--",
        "-D",
        "warnings",
    ]))
}

/// The same lints, by the clippy of the compiler that builds the programs, for the target that they are built for.
fn kernel_lints() -> Result<()> {
    let tools = toolchain::find_or_install()?;
    let mut cargo = tools.cargo();
    cargo.args(["clippy", "--quiet", "--release", "--locked", "--target-dir", "../target/ebpf"]);
    cargo.args(tools.target_arguments()).args(["--", "-D", "warnings"]);
    sh::run(&mut cargo)
}

/// What people run. The optimising compiler has refused what every test build took.
fn release_build() -> Result<()> {
    sh::run(sh::cargo().args(["build", "--quiet", "--release", "--locked", "--package", "socktrace"]))
}

/// What is committed is what the types give.
fn schemas() -> Result<()> {
    schema::run(true)
}

/// What packages hold besides the program: quick to look at. The packages themselves are another command.
fn manual() -> Result<()> {
    package::manual()?;
    package::service()
}

/// Answers are those that the document allows, whatever is asked.
fn questions() -> Result<()> {
    schemathesis::run(schemathesis::Options::of_ci())
}

fn random_churn() -> Result<()> {
    oracle::run(&oracle::Args::of_ci())
}

fn siege() -> Result<()> {
    bench::Siege::of_ci().run()
}

/// The tests have run with the committed object, which must be what the recorded toolchain makes of the sources.
fn kernel_object() -> Result<()> {
    let checked = build_ebpf::check(&toolchain::find_or_install()?)?;
    build_ebpf::vouched(checked, true).map(drop)
}

fn other_kernels() -> Result<()> {
    vm::run(&vm::Options::of_ci())
}

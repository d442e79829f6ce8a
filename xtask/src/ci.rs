//! `cargo xtask ci`: what CI runs, which is nothing that a contributor could not.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::build_ebpf::{self, Checked};
use crate::toolchain::{self, Route};
use crate::{fetch, oracle, setup, sh, tidy, vm};

/// Every step in turn; the first that fails ends it. The tests come last, so that their summary is what one sees.
pub(crate) fn run() -> Result<()> {
    sh::step("setup", setup::everything)?;
    sh::step("format", format)?;
    sh::step("tidy", tidy::run)?;
    sh::step("lints", host_lints)?;
    sh::step("lints of the kernel programs", kernel_lints)?;
    let checked = sh::step("kernel object", || build_ebpf::check(&toolchain::find_or_install()?))?;
    sh::step("release build", release_build)?;
    sh::step("the real ss", || fetch::ss::fetch(&sh::root()).map(drop))?;
    sh::step("oracle", || oracle::run(&oracle::Args::of_ci()))?;
    sh::step("other kernels", || vm::run(&vm::Options::of_ci()))?;
    sh::step("tests", || tests(&checked))
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
    if tools.route == Route::Debian {
        // Debian's cargo finds Debian's cargo-clippy by PATH, where rustup's may stand before it.
        let path = std::env::var("PATH").unwrap_or_default();
        cargo.env("PATH", format!("/usr/bin:{path}"));
    }
    sh::run(&mut cargo)
}

/// What people run. The optimising compiler has refused what every test build took.
fn release_build() -> Result<()> {
    sh::run(sh::cargo().args(["build", "--quiet", "--release", "--locked", "--package", "socktrace"]))
}

/// Every test, the kernel tests included: where they cannot run, CI has failed.
fn tests(checked: &Checked) -> Result<()> {
    let mut cargo = test_command(&["--workspace"]);
    if let Checked::OtherToolchain(object) = checked {
        cargo.env("SOCKTRACE_BPF_OBJECT", object);
    }
    sh::run(&mut cargo)
}

/// The tests that load the kernel object, with this one instead of the committed one.
pub(crate) fn kernel_tests(object: &Path) -> Result<()> {
    sh::run(test_command(&["--package", "socktrace"]).env("SOCKTRACE_BPF_OBJECT", object))
}

/// `required`: a kernel test that cannot run here fails and does not merely say so. The object is taken from the
/// environment in debug builds only, which test builds are.
fn test_command(packages: &[&str]) -> Command {
    let mut cargo = sh::cargo();
    sh::many_files();
    cargo.args(["test", "--locked"]).args(packages).env("SOCKTRACE_KERNEL_TESTS", "required");
    cargo
}

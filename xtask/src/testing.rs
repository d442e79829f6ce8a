//! How the tests are run, by CI and by whoever has built another kernel object.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::sh;

/// Every test, the kernel tests included: where they cannot run, that is a failure.
pub(crate) fn all() -> Result<()> {
    sh::run(&mut test_command(&["--workspace"]))
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

/// The models of what the two halves do to memory that both have mapped: every order of it is tried.
pub(crate) fn models() -> Result<()> {
    let mut cargo = sh::cargo();
    cargo.args([
        "test",
        "--quiet",
        "--locked",
        "--release",
        "--package",
        "socktrace-model",
        "--test",
        "lanes",
    ]);
    // A flag of the whole build: what else lies in target/ would be built anew after it.
    cargo.env("RUSTFLAGS", "--cfg loom").env("CARGO_TARGET_DIR", sh::root().join("target/model"));
    sh::run(&mut cargo)
}

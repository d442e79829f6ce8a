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

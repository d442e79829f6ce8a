//! `cargo xtask vm`: the kernel tests on other kernels than this machine's, each booted under QEMU.
//!
//! Software emulation (`-accel tcg`) boots a Debian cloud kernel in seconds and runs anywhere, in containers and nested
//! machines too.

pub(crate) mod arm;
pub(crate) mod containers;
mod image;
mod kernels;
mod qemu;
pub(crate) mod trial;

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
pub(crate) use kernels::Kernel;

use crate::package::Arch;
use crate::tree::Tree;
use crate::{setup, sh};

/// What the making of the guests needs.
const PACKAGES: &[&str] = &["busybox-static", "kmod", "cpio", "xz-utils"];

/// Who needs the packages, for messages.
const WHAT: &str = "booting other kernels";

/// The tests of what depends on the kernel. Those with heavy traffic take too long under emulation.
const KERNEL_TESTS: &[&str] =
    &["tracer::", "events::", "diag::", "agent::clock::", "kernels::", UNIX_ENDS, URING, PINGS];

/// Those of what kernel functions tell, which are only attached to where the kernel lets us; there they must be.
const UNIX_ENDS: &str = "kinds::unix_sockets_live_and_end_with_their_owners";
const URING: &str = "owners::what_io_uring_connects_and_accepts_has_its_process";
const PINGS: &str = "kinds::a_ping_socket_that_sends_first";

/// Those of them that CI runs: each program of the kernel half is verified, attached and fired.
const CI_TESTS: &[&str] = &["tracer::", UNIX_ENDS, URING, PINGS];

/// What to run, and where.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Options {
    /// Kernels by their series [default: all of them]
    #[arg(value_name = "KERNEL")]
    kernels: Vec<Kernel>,
    /// Shell command to run in the guest instead of the kernel tests; `socktrace` is in its PATH
    #[arg(long, value_name = "COMMAND")]
    run: Option<String>,
    /// Only tests whose name contains this; may be given again
    #[arg(long = "test", value_name = "NAME", conflicts_with = "run")]
    tests: Vec<String>,
    /// Words for the kernel's command line, such as lockdown=confidentiality
    #[arg(long, value_name = "WORDS", default_value = "")]
    words: String,
}

impl Options {
    /// What CI runs: what every program of the kernel half says, on the two kernels that most machines have.
    pub(crate) fn of_ci() -> Options {
        let tests = CI_TESTS.iter().map(|test| (*test).to_owned()).collect();
        Options { kernels: vec![Kernel::V6_1, Kernel::V6_12], run: None, tests, ..Options::default() }
    }
}

/// Install and unpack what that needs.
pub(crate) fn setup() -> Result<()> {
    setup::packages(WHAT, PACKAGES)?;
    qemu::fetch(WHAT, Arch::Amd64).map(drop)
}

/// Boot each kernel and run; the first failure does not keep the others from being tried.
pub(crate) fn run(options: &Options) -> Result<()> {
    let kernels = if options.kernels.is_empty() { Kernel::ALL } else { &options.kernels };
    setup::packages(WHAT, PACKAGES)?;
    let qemu = qemu::fetch(WHAT, Arch::Amd64)?;
    let programs = Programs::build()?;
    let name = |kernel: &&Kernel| format!("kernel {kernel}");
    let failed = sh::steps(kernels, name, |&kernel| {
        let command = options.run.clone().unwrap_or_else(|| tests(kernel, &programs, &options.tests));
        boot(kernel, &qemu, &programs, &command, &options.words)
    });
    if !failed.is_empty() {
        bail!("failed on {}", failed.join(", "));
    }
    Ok(())
}

/// The command that runs the kernel tests, but for those that this kernel cannot pass, which are named.
fn tests(kernel: Kernel, programs: &Programs, only: &[String]) -> String {
    let mut command = format!("{} --test-threads=2", programs.tests.display());
    let all = || KERNEL_TESTS.iter().map(|test| (*test).to_owned()).collect();
    let chosen: Vec<String> = if only.is_empty() { all() } else { only.to_vec() };
    for test in &chosen {
        command.push_str(&format!(" {test}"));
    }
    for (test, why) in kernel.lacks() {
        println!("    without {test}: {why}");
        command.push_str(&format!(" --skip {test}"));
    }
    command
}

fn boot(kernel: Kernel, qemu: &Tree, programs: &Programs, command: &str, words: &str) -> Result<()> {
    let booted = kernels::fetch(kernel, Arch::Amd64)?;
    let initramfs = image::pack(&booted, programs, command)?;
    let guest = qemu::Boot {
        kernel: &booted.image,
        initramfs: &initramfs,
        words,
        megabytes: 2048,
        machine: Arch::Amd64,
    };
    match qemu::boot(qemu, &guest)? {
        0 => Ok(()),
        code => bail!("`{command}` ended with {code} on {}", booted.release),
    }
}

/// What is run in the guest: built here, taken there with the libraries that it is linked with.
struct Programs {
    socktrace: PathBuf,
    tests: PathBuf,
}

impl Programs {
    fn build() -> Result<Programs> {
        sh::run(sh::cargo().args(["build", "--quiet", "--locked", "--package", "socktrace"]))?;
        let mut cargo = sh::cargo();
        cargo.args(["test", "--quiet", "--locked", "--package", "socktrace", "--test", "it", "--no-run"]);
        let messages = sh::read(cargo.arg("--message-format=json"))?;
        let executable = |line: &str| {
            let rest = line.split_once("\"executable\":\"")?.1;
            Some(PathBuf::from(rest.split_once('"')?.0))
        };
        let is_test = |path: &PathBuf| path.parent().is_some_and(|folder| folder.ends_with("deps"));
        let tests = messages.lines().filter_map(executable).find(is_test);
        let target =
            tests.as_ref().and_then(|path| path.parent()?.parent()).context("cargo named no test binary")?;
        Ok(Programs { socktrace: target.join("socktrace"), tests: tests.clone().context("no test binary")? })
    }
}

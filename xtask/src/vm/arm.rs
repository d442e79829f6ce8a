//! `cargo xtask arm`: the program for 64-bit Arm, as packages hold it, on Debian's kernels for it under QEMU.
//!
//! I/O: target/vm/guest-arm64; through `Apt`; cross-building, cpio, QEMU.

use std::fs;

use anyhow::{Context as _, Result, bail};

use super::kernels::{self, Kernel};
use super::{PACKAGES, WHAT, image, qemu};
use crate::fetch::Apt;
use crate::package::{Arch, Programs, Target};
use crate::{setup, sh};

/// What to run, and where.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Kernels by their series [default: 6.1 and 6.12]
    #[arg(value_name = "KERNEL")]
    kernels: Vec<Kernel>,
    /// Shell command to run in the guest; `socktrace` is in its PATH
    #[arg(long, value_name = "COMMAND", default_value = COMMAND)]
    run: String,
    /// Run the kernel tests whose name contains this instead; may be given again
    #[arg(long = "test", value_name = "NAME", conflicts_with = "run")]
    tests: Vec<String>,
}

/// Programs loaded, attached and fired; an agent that keeps a table, and what it answers.
const COMMAND: &str = "socktrace doctor -v && (socktrace agent & sleep 20; socktrace ss -tlnxp; socktrace status; socktrace doctor)";

/// Boots each kernel and runs; the first failure does not keep the others from being tried.
pub(crate) fn run(options: &Options) -> Result<()> {
    let kernels = if options.kernels.is_empty() { &[Kernel::V6_1, Kernel::V6_12] } else { &*options.kernels };
    setup::packages(WHAT, PACKAGES)?;
    let target = Target::of(Arch::Arm64)?;
    if !options.tests.is_empty() {
        let programs = target.tests()?;
        let failed = sh::steps(
            kernels,
            |kernel| format!("kernel tests on kernel {kernel} for arm64"),
            |&kernel| boot(kernel, &target, &programs, &tests(kernel, &programs, &options.tests)),
        );
        return if failed.is_empty() { Ok(()) } else { bail!("failed on {}", failed.join(", ")) };
    }
    target.build()?;
    let programs = Programs { socktrace: target.program(), tests: None };
    let name = |kernel: &&Kernel| format!("kernel {kernel} for arm64");
    let failed = sh::steps(kernels, name, |&kernel| boot(kernel, &target, &programs, &options.run));
    if failed.is_empty() { Ok(()) } else { bail!("failed on {}", failed.join(", ")) }
}

/// The command that runs those tests, of which each knows the path of the program that it tests.
fn tests(kernel: Kernel, programs: &Programs, names: &[String]) -> String {
    // Programs on kernel functions came to 64-bit Arm with Linux 6.4.
    let functions = if kernel == Kernel::V6_1 { "unset SOCKTRACE_FUNCTION_HOOKS; " } else { "" };
    let tests = programs.tests.iter().map(|path| path.display().to_string()).collect::<String>();
    format!("{functions}{tests} --test-threads=2 {}", names.join(" "))
}

fn boot(kernel: Kernel, target: &Target, programs: &Programs, command: &str) -> Result<()> {
    let booted = kernels::fetch(kernel, Arch::Arm64)?;
    let folder = sh::root().join("target/vm/guest-arm64").join(&booted.release);
    let root = folder.join("root");
    sh::empty_folder(&root)?;
    for name in ["bin", "dev", "etc", "proc", "run", "sbin", "sys", "tmp", "root", "usr/bin"] {
        fs::create_dir_all(root.join(name))?;
    }
    Apt::of(&folder.join("apt"), kernel.suite(), Some("arm64"))?.unpack("busybox-static", &root)?;
    let busybox = ["usr/bin/busybox", "bin/busybox"].map(|path| root.join(path));
    let busybox = busybox.iter().find(|path| path.is_file()).context("no busybox in its package")?;
    if *busybox != root.join("bin/busybox") {
        fs::copy(busybox, root.join("bin/busybox"))?;
    }
    std::os::unix::fs::symlink("/bin/busybox", root.join("sbin/modprobe"))?;
    fs::copy(&programs.socktrace, root.join("usr/bin/socktrace"))?;
    target.copy_libraries(&programs.socktrace, &root)?;
    if let Some(tests) = &programs.tests {
        for program in [&programs.socktrace, tests] {
            let inside = root.join(program.strip_prefix("/").unwrap_or(program));
            fs::create_dir_all(inside.parent().context("a file lies in a folder")?)?;
            fs::copy(program, &inside)?;
            target.strip(&inside)?;
        }
        target.copy_libraries(tests, &root)?;
    }
    fs::write(root.join("etc/passwd"), "root:x:0:0::/root:/bin/sh\n")?;
    fs::write(root.join("etc/group"), "root:x:0:\n")?;
    image::modules(&booted, &root)?;
    fs::write(root.join("init"), image::init(command))?;
    sh::run(sh::command("chmod").arg("755").arg(root.join("init")))?;
    let initramfs = image::packed(&root, &folder.join("initramfs"))?;
    let guest = qemu::Boot {
        kernel: &booted.image,
        initramfs: &initramfs,
        words: "",
        megabytes: 2048,
        machine: Arch::Arm64,
    };
    match qemu::boot(&qemu::fetch(WHAT, Arch::Arm64)?, &guest)? {
        0 => Ok(()),
        code => bail!("`{command}` ended with {code} on {}", booted.release),
    }
}

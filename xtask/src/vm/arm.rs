//! `cargo xtask arm`: the program for 64-bit Arm, as packages hold it, on Debian's kernels for it under QEMU.
//!
//! I/O: target/vm/arm64; through `Apt`; cross-building, cpio, QEMU.

use std::fs;

use anyhow::{Context as _, Result, bail};

use super::kernels::{self, Kernel};
use super::{PACKAGES, WHAT, image, qemu};
use crate::fetch::Apt;
use crate::package::{Arch, Target};
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
}

/// Programs loaded, attached and fired; an agent that keeps a table, and what it answers.
const COMMAND: &str = "socktrace doctor -v && (socktrace agent & sleep 20; socktrace ss -tlnxp; socktrace status; socktrace doctor)";

/// Boots each kernel and runs; the first failure does not keep the others from being tried.
pub(crate) fn run(options: &Options) -> Result<()> {
    let kernels = if options.kernels.is_empty() { &[Kernel::V6_1, Kernel::V6_12] } else { &*options.kernels };
    setup::packages(WHAT, PACKAGES)?;
    let target = Target::of(Arch::Arm64)?;
    target.build()?;
    let name = |kernel: &&Kernel| format!("kernel {kernel} for arm64");
    let failed = sh::steps(kernels, name, |&kernel| boot(kernel, &target, &options.run));
    if failed.is_empty() { Ok(()) } else { bail!("failed on {}", failed.join(", ")) }
}

fn boot(kernel: Kernel, target: &Target, command: &str) -> Result<()> {
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
    fs::copy(target.program(), root.join("usr/bin/socktrace"))?;
    target.copy_libraries(&root)?;
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

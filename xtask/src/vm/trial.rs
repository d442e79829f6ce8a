//! `cargo xtask trial`: the deb on a Debian that has just been set up, in a virtual machine with systemd as its first
//! process: installed, started, asked, upgraded, removed, purged.
//!
//! I/O: target/trial; runs cpio and QEMU.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

use super::kernels::{self, Kernel};
use super::{image, qemu};
use crate::debian::Suite;
use crate::package::{self, Arch, Version};
use crate::{setup, sh};

/// Who needs the packages, for messages.
const WHAT: &str = "trying the package";

/// Which Debian.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Options {
    /// The suites to try it on: each with its own kernel
    #[arg(value_name = "SUITE", default_value = "bookworm")]
    suites: Vec<Suite>,
    /// Try this deb instead of one made now; its version must be greater than 0.0.1
    #[arg(long, value_name = "FILE")]
    deb: Option<PathBuf>,
}

/// Tries the package on each suite; the first failure does not keep the others from being tried.
pub(crate) fn run(options: &Options) -> Result<()> {
    setup::packages(WHAT, &["cpio"])?;
    if options.suites.contains(&Suite::Bullseye) {
        bail!("the kernel of Debian 11 cannot be traced; `cargo xtask roots` tries its C library");
    }
    let version = Version::of_tree()?;
    let deb = match &options.deb {
        Some(deb) => deb.clone(),
        None => package::deb(Arch::Amd64, &version)?,
    };
    let older = package::older_deb(Arch::Amd64, &version)?;
    let name = |suite: &&Suite| suite.name().to_owned();
    let failed = sh::steps(&options.suites, name, |&suite| on(suite, &older, &deb));
    if failed.is_empty() { Ok(()) } else { bail!("failed on {}", failed.join(", ")) }
}

fn on(suite: Suite, older: &Path, deb: &Path) -> Result<()> {
    let root = suite.unpacked("root", &[])?;
    let opt = root.join("opt");
    fs::copy(older, opt.join("older.deb"))?;
    fs::copy(deb, opt.join("newer.deb"))?;
    fs::copy(sh::root().join("packaging/trial.sh"), opt.join("trial.sh"))?;
    boot(suite, &root, "bash ./trial.sh /opt/older.deb /opt/newer.deb")
}

/// Boots a Debian with systemd as its first process, and does that in its /opt.
pub(super) fn boot(suite: Suite, root: &Path, command: &str) -> Result<()> {
    let qemu = qemu::fetch(WHAT, Arch::Amd64)?;
    let kernel = kernels::fetch(Kernel::of(suite), Arch::Amd64)?;
    image::modules(&kernel, root)?;
    let units = root.join("etc/systemd/system");
    fs::write(units.join("trial.service"), UNIT.replace("COMMAND", command))?;
    fs::create_dir_all(units.join("multi-user.target.wants"))?;
    std::os::unix::fs::symlink("../trial.service", units.join("multi-user.target.wants/trial.service"))?;
    fs::write(root.join("etc/hostname"), "trial\n")?;
    let initramfs = pack(root, &suite.folder().join("initramfs"))?;
    let boot = qemu::Boot {
        kernel: &kernel.image,
        initramfs: &initramfs,
        words: "rdinit=/lib/systemd/systemd systemd.show_status=false systemd.mask=getty.target \
                systemd.mask=serial-getty@ttyS0.service",
        megabytes: 3072,
        machine: Arch::Amd64,
    };
    match qemu::boot(&qemu, &boot)? {
        0 => Ok(()),
        code => bail!("`{command}` ended with {code} on {}", suite.name()),
    }
}

/// Runs the trial and powers off.
const UNIT: &str = "\
[Unit]
Description=Trial of the package
After=basic.target dbus.service systemd-logind.service

[Service]
Type=oneshot
TimeoutStartSec=infinity
StandardOutput=tty
StandardError=tty
TTYPath=/dev/ttyS0
ExecStart=/bin/sh -c 'cd /opt; COMMAND; echo \"guest: exit $?\"; sync; systemctl poweroff --force --force'
";

fn pack(root: &Path, into: &Path) -> Result<PathBuf> {
    // What nobody in there reads; it all lies in memory.
    for unread in ["var/cache/apt", "var/lib/apt/lists", "usr/share/locale", "usr/share/doc"] {
        let path = root.join(unread);
        if path.exists() {
            fs::remove_dir_all(path)?;
        }
    }
    let mut find = Command::new("find").arg(".").current_dir(root).stdout(Stdio::piped()).spawn()?;
    let names = find.stdout.take().context("find has no stdout")?;
    let mut cpio = Command::new("cpio");
    cpio.args(["--quiet", "-o", "-H", "newc", "-F"]).arg(into).current_dir(root).stdin(names);
    sh::run(&mut cpio)?;
    if !find.wait()?.success() {
        bail!("find failed");
    }
    Ok(into.to_owned())
}

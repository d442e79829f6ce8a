//! One boot: the guest's console is our output, its last line is the exit code.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use crate::package::Arch;
use crate::tree::Tree;

/// A guest that takes longer has hung.
const BOOT_TIMEOUT: Duration = Duration::from_secs(600);

/// Debian's QEMU, unpacked: one that is installed from elsewhere is not in its way.
///
/// # Errors
///
/// If it cannot be had.
pub(super) fn fetch(what: &str, machine: Arch) -> Result<Tree> {
    match machine {
        Arch::Amd64 => Tree::of(what, "qemu", &["qemu-system-x86"]),
        Arch::Arm64 => Tree::of(what, "qemu-arm", &["qemu-system-arm"]),
    }
}

/// The program, with arguments for where its modules, firmware and libraries lie.
fn command(tree: &Tree, machine: Arch) -> Result<Command> {
    let mut qemu = Command::new(tree.path(&format!("usr/bin/qemu-system-{}", machine.machine())));
    qemu.env("LD_LIBRARY_PATH", std::env::join_paths(tree.libraries())?);
    let triplet = format!("{}-linux-gnu", std::env::consts::ARCH);
    qemu.env("QEMU_MODULE_DIR", tree.path(&format!("usr/lib/{triplet}/qemu")));
    for folder in ["usr/share/seabios", "usr/share/qemu"] {
        qemu.arg("-L").arg(tree.path(folder));
    }
    Ok(qemu)
}

/// A guest.
pub(super) struct Boot<'a> {
    pub(super) kernel: &'a Path,
    pub(super) initramfs: &'a Path,
    /// What is said to the kernel besides.
    pub(super) words: &'a str,
    /// Its memory.
    pub(super) megabytes: u32,
    /// Its processor.
    pub(super) machine: Arch,
}

/// Boot and give the exit code of the guest's command.
pub(super) fn boot(qemu: &Tree, boot: &Boot<'_>) -> Result<i32> {
    let mut qemu = command(qemu, boot.machine)?;
    // One thread for both processors: with two, one of them may run into the breakpoint by which the kernel patches
    // its own code (tracepoints, static branches) after the kernel has taken it away, and the guest panics.
    qemu.args(["-accel", "tcg,thread=single", "-smp", "2", "-nodefaults", "-no-reboot"]);
    qemu.args(["-m", &format!("{}M", boot.megabytes)]);
    let console = match boot.machine {
        Arch::Amd64 => {
            // Two things that QEMU 7.2 emulates in a way that Linux 6.12 dies of: five-level page tables, which `-cpu
            // max` has, and cmpxchg16b, which leaves rubbish in the flags when an interrupt comes.
            qemu.args(["-cpu", "qemu64,-cx16"]);
            "ttyS0"
        }
        Arch::Arm64 => {
            // Signing pointers as the architecture has it takes most of the time.
            qemu.args(["-machine", "virt", "-cpu", "max,pauth-impdef=on"]);
            "ttyAMA0"
        }
    };
    qemu.args(["-display", "none", "-serial", "stdio"]);
    qemu.arg("-append").arg(format!("console={console} quiet panic=-1 {}", boot.words));
    qemu.arg("-kernel").arg(boot.kernel).arg("-initrd").arg(boot.initramfs);
    let running = qemu.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
    let mut running = Stopped(running.context("cannot run QEMU")?);

    let console = running.0.stdout.take().context("qemu has no stdout")?;
    let (send, lines) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(console).split(b'\n').map_while(Result::ok) {
            if send.send(String::from_utf8_lossy(&line).trim_end().to_owned()).is_err() {
                return;
            }
        }
    });
    let deadline = Instant::now() + BOOT_TIMEOUT;
    loop {
        match lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(line) => {
                println!("    {line}");
                if let Some(code) = line.strip_prefix("guest: exit ") {
                    return code.parse().with_context(|| format!("the guest said: {line}"));
                }
            }
            Err(mpsc::RecvTimeoutError::Timeout) => {
                bail!("the guest has not ended in {} s", BOOT_TIMEOUT.as_secs())
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => bail!("the guest ended without an exit code"),
        }
    }
}

/// A qemu that does not outlive us.
struct Stopped(Child);

impl Drop for Stopped {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

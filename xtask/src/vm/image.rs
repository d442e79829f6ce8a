//! The initramfs of a guest: busybox, our programs, the programs that the tests run, and the libraries of all of them.
//!
//! I/O: copies from this machine to `target/vm`, runs ldd, strip, depmod and cpio.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

use super::Programs;
use super::kernels::Unpacked;
use crate::sh;

/// Programs of this machine that the tests run.
const TOOLS: &[&str] = &["ip", "ss", "unshare", "nsenter", "setpriv", "modprobe"];

/// Files that these and the tests read.
const FILES: &[&str] = &[
    "/etc/passwd",
    "/etc/group",
    "/etc/services",
    "/etc/protocols",
    "/etc/hosts",
    "/etc/os-release",
    "/usr/share/zoneinfo/Asia/Tokyo",
];

/// Modules that a request for sockets, or a test, makes a kernel load by itself; what they need comes with them.
const MODULES: &[&str] = &[
    "inet_diag",
    "tcp_diag",
    "udp_diag",
    "raw_diag",
    "unix_diag",
    "af_packet_diag",
    "netlink_diag",
    "mptcp_diag",
    "sctp_diag",
    "tipc_diag",
    "vsock_diag",
    "xsk_diag",
    "vsock_loopback",
    "udplite",
    "tls",
    "dummy",
    "veth",
];

/// Pack a guest that runs `command` and powers off.
pub(super) fn pack(kernel: &Unpacked, programs: &Programs, command: &str) -> Result<PathBuf> {
    let folder = sh::root().join("target/vm/guest").join(&kernel.release);
    sh::empty_folder(&folder)?;
    let guest = Guest { root: folder.join("root") };
    for name in ["bin", "dev", "etc", "proc", "run", "sys", "tmp", "root", "var/tmp"] {
        std::fs::create_dir_all(guest.root.join(name))?;
    }
    guest.copy(&sh::which("busybox").context("no busybox")?, Path::new("/bin/busybox"))?;
    for name in TOOLS {
        let program = sh::which(name).with_context(|| format!("no {name} to take to the guest"))?;
        guest.program(&program, &Path::new("/usr/bin").join(name))?;
    }
    std::fs::create_dir_all(guest.root.join("sbin"))?;
    std::os::unix::fs::symlink("/usr/bin/modprobe", guest.root.join("sbin/modprobe"))?;
    for file in FILES.iter().map(Path::new).filter(|file| file.exists()) {
        guest.copy(file, file)?;
    }
    // Where they lie here, since the tests know the path of the program that they test; and in PATH.
    for program in [&programs.socktrace, &programs.tests] {
        guest.program(program, program)?;
        sh::run(Command::new("strip").arg("--strip-debug").arg(guest.inside(program)))?;
    }
    std::os::unix::fs::symlink(&programs.socktrace, guest.root.join("usr/bin/socktrace"))?;
    guest.modules(kernel)?;
    let script = init(command);
    std::fs::write(guest.root.join("init"), script)?;
    sh::run(Command::new("chmod").arg("755").arg(guest.root.join("init")))?;
    guest.pack(&folder.join("initramfs"))
}

/// What the kernel runs first and last. All files are in memory as it is; nothing is mounted over /tmp, where this tree may
/// lie.
pub(super) fn init(command: &str) -> String {
    let root = sh::root();
    format!(
        r#"#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/usr/bin:/bin HOME=/root TERM=dumb SOCKTRACE_KERNEL_TESTS=required SOCKTRACE_FUNCTION_HOOKS=1 SOCKTRACE_GUEST=1 RUST_BACKTRACE=1
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mount -t tmpfs run /run
mount -t cgroup2 cgroup /sys/fs/cgroup
mount -t bpf bpf /sys/fs/bpf
mount -t tracefs trace /sys/kernel/tracing
mount -t securityfs security /sys/kernel/security
mkdir -p /dev/pts /dev/shm '{root}'
chmod 1777 /tmp
mount -t devpts pts /dev/pts
mount -t tmpfs shm /dev/shm
ip link set lo up
ulimit -n 1048576
cd '{root}'
echo "guest: $(uname -sr), up in $(cut -d' ' -f1 /proc/uptime) s"
( {command}
)
echo "guest: exit $?"
poweroff -f
"#,
        root = root.display()
    )
}

/// Puts the modules that a request for sockets makes a kernel load into another guest's tree.
pub(super) fn modules(kernel: &Unpacked, root: &Path) -> Result<()> {
    Guest { root: root.to_owned() }.modules(kernel)
}

/// Packs the tree of another guest.
pub(super) fn packed(root: &Path, into: &Path) -> Result<PathBuf> {
    Guest { root: root.to_owned() }.pack(into)
}

/// The guest's files while they lie in a folder of ours.
struct Guest {
    root: PathBuf,
}

impl Guest {
    fn inside(&self, path: &Path) -> PathBuf {
        self.root.join(path.strip_prefix("/").unwrap_or(path))
    }

    fn copy(&self, from: &Path, to: &Path) -> Result<()> {
        let to = self.inside(to);
        std::fs::create_dir_all(to.parent().context("a file lies in a folder")?)?;
        std::fs::copy(from, &to).with_context(|| format!("cannot copy {}", from.display()))?;
        Ok(())
    }

    /// A program and every library that it is linked with, each where the loader looks for it.
    fn program(&self, from: &Path, to: &Path) -> Result<()> {
        self.copy(from, to)?;
        let libraries = sh::read(Command::new("ldd").arg(from)).unwrap_or_default();
        for path in libraries.split_whitespace().filter(|word| word.starts_with('/')).map(Path::new) {
            if !self.inside(path).exists() {
                self.copy(path, path)?;
            }
        }
        Ok(())
    }

    /// The modules, with what they need, where the guest's modprobe looks for them.
    fn modules(&self, kernel: &Unpacked) -> Result<()> {
        let (from, to) = (&kernel.modules, Path::new("/lib/modules").join(&kernel.release));
        let index = from.join("modules.dep");
        if !index.exists() {
            let base = from.ancestors().nth(3).context("modules lie below lib")?;
            depmod(base, &kernel.release)?;
        }
        let index = std::fs::read_to_string(&index)?;
        for file in needed(&index, MODULES) {
            self.copy(&from.join(&file), &to.join(&file))?;
        }
        for name in ["modules.order", "modules.builtin", "modules.builtin.modinfo"] {
            if from.join(name).exists() {
                self.copy(&from.join(name), &to.join(name))?;
            }
        }
        depmod(&self.root, &kernel.release)
    }

    fn pack(&self, into: &Path) -> Result<PathBuf> {
        let list = sh::read(Command::new("find").arg(".").current_dir(&self.root))?;
        let mut cpio = Command::new("cpio");
        cpio.args(["--quiet", "-o", "-H", "newc", "-R", "0:0", "-F"]).arg(into).current_dir(&self.root);
        let mut running = cpio.stdin(Stdio::piped()).spawn().context("cannot run cpio")?;
        let mut names = running.stdin.take().context("cpio has no stdin")?;
        std::io::Write::write_all(&mut names, format!("{list}\n").as_bytes())?;
        drop(names);
        if !running.wait()?.success() {
            bail!("cpio failed");
        }
        Ok(into.to_owned())
    }
}

/// Write `modules.dep` and its kin for the modules that are there.
fn depmod(base: &Path, release: &str) -> Result<()> {
    let depmod = sh::which("depmod").unwrap_or_else(|| "/usr/sbin/depmod".into());
    sh::read(Command::new(depmod).arg("-b").arg(base).arg(release)).map(drop)
}

/// The files of these modules and of those that they need, by `modules.dep`: `path: path path`.
fn needed(index: &str, names: &[&str]) -> BTreeSet<String> {
    let of_interest = index.lines().filter_map(|line| line.split_once(':')).filter(|(file, _)| {
        let stem = file.rsplit('/').next().and_then(|name| name.split(".ko").next()).unwrap_or_default();
        names.iter().any(|name| name.replace('-', "_") == stem.replace('-', "_"))
    });
    of_interest
        .flat_map(|(file, needs)| std::iter::once(file).chain(needs.split_whitespace()))
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_come_with_what_they_need() {
        let index = "a/tcp_diag.ko.xz: a/inet_diag.ko.xz\na/inet_diag.ko.xz:\nb/af-packet.ko:\nc/ext4.ko: c/jbd2.ko\n";
        let of = |names: &[&str]| needed(index, names).into_iter().collect::<Vec<_>>();
        assert_eq!(of(&["tcp_diag"]), ["a/inet_diag.ko.xz", "a/tcp_diag.ko.xz"]);
        assert_eq!(of(&["af_packet"]), ["b/af-packet.ko"]);
        assert!(of(&["diag"]).is_empty());
    }
}

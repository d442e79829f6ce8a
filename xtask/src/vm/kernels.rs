//! Debian's cloud kernels, fetched by the package client from the mirror that this machine uses anyway.
//!
//! Each lies unpacked under `target/vm/<series>`; nothing is installed. I/O: through `Apt`; apt-cache.

use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::debian::Suite;
use crate::fetch::Apt;
use crate::package::Arch;
use crate::sh;

/// The kernels that we try, by the name that people know them by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Kernel {
    /// Debian 11.
    #[value(name = "5.10")]
    V5_10,
    /// Debian 12.
    #[value(name = "6.1")]
    V6_1,
    /// Debian 13.
    #[value(name = "6.12")]
    V6_12,
    /// What Debian's unstable has today.
    Newest,
}

impl Kernel {
    pub(crate) const ALL: &[Kernel] = &[Kernel::V5_10, Kernel::V6_1, Kernel::V6_12, Kernel::Newest];

    /// That of a Debian.
    pub(super) fn of(suite: Suite) -> Kernel {
        match suite {
            Suite::Bullseye => Kernel::V5_10,
            Suite::Bookworm => Kernel::V6_1,
            Suite::Trixie => Kernel::V6_12,
            Suite::Sid => Kernel::Newest,
        }
    }

    /// The Debian that it is from.
    pub(super) fn suite(self) -> &'static str {
        match self {
            Kernel::V5_10 => "bullseye",
            Kernel::V6_1 => "bookworm",
            Kernel::V6_12 => "trixie",
            Kernel::Newest => "sid",
        }
    }
}

impl Kernel {
    /// Tests that cannot pass there, with what that kernel lacks.
    pub(super) fn lacks(self) -> &'static [(&'static str, &'static str)] {
        const BOUND_STATE: (&str, &str) =
            ("diag::inet::a_socket_that_is_only_bound", "TCP_BOUND_INACTIVE came with Linux 6.8");
        match self {
            Kernel::V5_10 => &[
                BOUND_STATE,
                ("tracer::", "cookies in typed tracepoints came with Linux 5.12"),
                ("events::", "the same"),
                ("agent::", "the same"),
                ("kinds::", "the same"),
                ("refused::", "the same"),
                ("owners::", "the same"),
                ("mptcp", "Debian 11 is built without it"),
                ("a_namespace_is_listed_and_asked_from_outside", "SO_NETNS_COOKIE came with Linux 5.14"),
            ],
            Kernel::V6_1 => &[BOUND_STATE],
            Kernel::V6_12 | Kernel::Newest => &[],
        }
    }
}

impl fmt::Display for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kernel::V5_10 => "5.10",
            Kernel::V6_1 => "6.1",
            Kernel::V6_12 => "6.12",
            Kernel::Newest => "newest",
        })
    }
}

/// A kernel on disk.
pub(crate) struct Unpacked {
    /// What `uname -r` will say.
    pub(crate) release: String,
    pub(crate) image: PathBuf,
    /// The folder with `modules.dep`.
    pub(crate) modules: PathBuf,
}

/// The kernel, downloaded unless it is there.
pub(crate) fn fetch(kernel: Kernel, arch: Arch) -> Result<Unpacked> {
    let (folder, foreign) = match arch {
        Arch::Amd64 => (kernel.to_string(), None),
        Arch::Arm64 => (format!("{kernel}-arm64"), Some("arm64")),
    };
    let folder = sh::root().join("target/vm").join(folder);
    if let Some(found) = unpacked(&folder.join("root")) {
        return Ok(found);
    }
    let apt = Apt::of(&folder, kernel.suite(), foreign)?;
    let meta = format!("linux-image-cloud-{arch}");
    let image = depends(&apt, &meta)?.into_iter().find(|name| name.starts_with("linux-image-"));
    let image = image.with_context(|| format!("{meta} names no kernel"))?;
    // Since 7.x the image itself is empty and names the packages that hold the parts.
    let parts = depends(&apt, &image)?.into_iter().filter(|name| {
        (name.starts_with("linux-binary-") || name.starts_with("linux-modules-")) && !name.contains('|')
    });
    let root = folder.join("root");
    for package in std::iter::once(image.clone()).chain(parts) {
        println!("fetching {package}");
        apt.unpack(&package, &root)?;
    }
    unpacked(&root).with_context(|| format!("{image} holds no kernel"))
}

fn unpacked(root: &Path) -> Option<Unpacked> {
    let modules = ["usr/lib/modules", "lib/modules"].map(|folder| root.join(folder));
    let modules = modules.iter().filter_map(|folder| std::fs::read_dir(folder).ok()).flatten();
    let modules =
        modules.filter_map(|entry| Some(entry.ok()?.path())).find(|path| path.join("kernel").is_dir())?;
    let release = modules.file_name()?.to_str()?.to_owned();
    let images = [modules.join("vmlinuz"), root.join("boot").join(format!("vmlinuz-{release}"))];
    Some(Unpacked { image: images.into_iter().find(|image| image.is_file())?, release, modules })
}

fn depends(apt: &Apt, package: &str) -> Result<Vec<String>> {
    let text = sh::read(apt.command("apt-cache").args(["depends", package]))?;
    let names = text.lines().filter_map(|line| line.trim().strip_prefix("Depends: "));
    Ok(names.map(str::to_owned).collect())
}

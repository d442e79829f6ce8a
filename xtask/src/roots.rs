//! `cargo xtask roots`: the deb in the roots of four Debians, with the C library and the tools of each, on this kernel.
//!
//! I/O: target/trial; runs tar, unshare and chroot, as root.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use crate::debian::Suite;
use crate::package::{self, Arch, Version};
use crate::sh;

/// Which Debians.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Options {
    /// The suites to try it in [default: all of them]
    #[arg(value_name = "SUITE")]
    suites: Vec<Suite>,
    /// Try this deb instead of one made now
    #[arg(long, value_name = "FILE")]
    deb: Option<PathBuf>,
}

/// Tries the deb in each root; the first failure does not keep the others from being tried.
pub(crate) fn run(options: &Options) -> Result<()> {
    let suites = if options.suites.is_empty() { Suite::ALL } else { &*options.suites };
    let deb = match &options.deb {
        Some(deb) => deb.clone(),
        None => package::deb(Arch::Amd64, &Version::of_tree()?)?,
    };
    let failed = sh::steps(suites, |suite| suite.name().to_owned(), |&suite| within(suite, &deb));
    if failed.is_empty() { Ok(()) } else { bail!("failed in {}", failed.join(", ")) }
}

fn within(suite: Suite, deb: &Path) -> Result<()> {
    let root = suite.unpacked("chroot", &[])?;
    fs::copy(deb, root.join("opt/socktrace.deb"))?;
    fs::copy(sh::root().join("packaging/roots.sh"), root.join("opt/roots.sh"))?;
    // Mounts, processes and traffic of its own, which end with it.
    let mut inside = sh::command("unshare");
    inside.args(["--mount", "--net", "--pid", "--fork", "--kill-child", "chroot"]).arg(&root);
    let tried = sh::run(inside.args(["/bin/sh", "/opt/roots.sh"]));
    fs::remove_dir_all(&root)?;
    tried
}

//! `cargo xtask containers`: containers of Podman on a Debian that boots under QEMU: whose sockets are whose, and an agent that
//! runs in one of them as docs/install.md says.
//!
//! I/O: target/trial; what `package` and `trial` do.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result};

use super::trial;
use crate::debian::Suite;
use crate::package::{self, Arch};
use crate::{setup, sh};

/// What runs containers, and what they run.
const PACKAGES: &[&str] = &["podman", "crun", "busybox-static"];

/// What to try.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Options {
    /// The Debian
    #[arg(value_name = "SUITE", default_value = "bookworm")]
    suite: Suite,
    /// Try this deb instead of one made now; its image lies beside it
    #[arg(long, value_name = "FILE")]
    deb: Option<PathBuf>,
}

/// Boots it and tries.
pub(crate) fn run(options: &Options) -> Result<()> {
    setup::packages("trying containers", &["cpio"])?;
    let (deb, image) = match &options.deb {
        Some(deb) => (deb.clone(), deb.with_extension("oci.tar")),
        None => package::image(Arch::Amd64)?,
    };
    let root = options.suite.unpacked("containers", PACKAGES)?;
    let opt = root.join("opt");
    fs::copy(deb, opt.join("socktrace.deb"))?;
    fs::copy(image, opt.join("socktrace.oci.tar"))?;
    fs::copy(sh::root().join("packaging/containers.sh"), opt.join("containers.sh"))?;
    let manual = fs::read_to_string(sh::root().join("docs/install.md"))?;
    let command = documented(&manual).context("docs/install.md has no `podman run`")?;
    fs::write(opt.join("agent.sh"), format!("{command}\n"))?;
    trial::boot(options.suite, &root, "bash ./containers.sh")
}

/// What people are told to start an agent by, to the end of its block.
fn documented(manual: &str) -> Option<&str> {
    let begin = manual.find("install -d /run/socktrace\npodman run ")?;
    manual.get(begin..)?.split("\n```").next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_command_is_found() {
        let command = documented(include_str!("../../../docs/install.md")).unwrap();
        assert!(command.ends_with("localhost/socktrace agent"), "{command}");
    }
}

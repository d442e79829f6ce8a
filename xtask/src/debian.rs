//! Debians that have just been set up, each as a tarball under `target/trial`.
//!
//! I/O: target/trial; runs mmdebstrap.

use std::fs;
use std::path::PathBuf;

use anyhow::Result;

use crate::{fetch, setup, sh};

/// What sets a Debian up.
pub(crate) const PACKAGES: &[&str] = &["mmdebstrap", "xz-utils"];

/// What a server has that the smallest Debian has not, and what trials themselves run.
const INCLUDED: &str = "systemd-sysv,dbus,iproute2,procps,kmod";

/// A Debian.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Suite {
    /// Debian 11.
    Bullseye,
    /// Debian 12.
    Bookworm,
    /// Debian 13.
    Trixie,
    /// What comes next.
    Sid,
}

impl Suite {
    /// From the oldest to the newest.
    pub(crate) const ALL: &[Suite] = &[Suite::Bullseye, Suite::Bookworm, Suite::Trixie, Suite::Sid];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Suite::Bullseye => "bullseye",
            Suite::Bookworm => "bookworm",
            Suite::Trixie => "trixie",
            Suite::Sid => "sid",
        }
    }

    /// Where what is of this Debian lies.
    pub(crate) fn folder(self) -> PathBuf {
        sh::root().join("target/trial").join(self.name())
    }

    /// Its files, with those of more packages, in an empty folder of that name.
    ///
    /// # Errors
    ///
    /// It cannot be set up here.
    pub(crate) fn unpacked(self, name: &str, more: &[&str]) -> Result<PathBuf> {
        let fresh = self.fresh(more)?;
        let root = self.folder().join(name);
        sh::empty_folder(&root)?;
        sh::run_quietly(sh::command("tar").arg("-C").arg(&root).arg("-xf").arg(fresh))?;
        Ok(root)
    }

    /// The tarball; made unless it is there.
    fn fresh(self, more: &[&str]) -> Result<PathBuf> {
        let folder = self.folder();
        let included = [&[INCLUDED], more].concat().join(",");
        let with = more.iter().map(|package| format!("-{package}")).collect::<String>();
        let tar = folder.join(format!("fresh{with}.tar"));
        if tar.is_file() {
            return Ok(tar);
        }
        setup::packages("setting up a Debian", PACKAGES)?;
        println!("setting up Debian {} in {}", self.name(), tar.display());
        fs::create_dir_all(&folder)?;
        let sources = folder.join("sources.list");
        fs::write(&sources, fetch::source_of(self.name())?)?;
        let part = folder.join("part.tar");
        let mut mmdebstrap = sh::command("mmdebstrap");
        mmdebstrap.args(["--quiet", "--variant=minbase", "--mode=root", &format!("--include={included}")]);
        // A mirror that stands still is as good as another, if that is how this machine takes it.
        let until = sh::read(sh::command("apt-config").args(["dump", "Acquire::Check-Valid-Until"]))?;
        if let Some(said) = until.lines().next() {
            mmdebstrap.arg(format!("--aptopt={said}"));
        }
        sh::run_quietly(mmdebstrap.arg(self.name()).arg(&part).arg(&sources))?;
        fs::rename(part, &tar)?;
        Ok(tar)
    }
}

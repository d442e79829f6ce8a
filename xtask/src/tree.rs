//! Programs of Debian's packages, unpacked with everything that they need into a folder of their own under the user's
//! cache: nothing is installed, nothing gets into PATH, and no package of the machine can be in the way.
//!
//! Which packages that takes is answered by apt for a machine that has none; those that this machine has in the same
//! version are used where they are.
//!
//! I/O: through apt-get, dpkg-query and dpkg-deb; the cache folder.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::{setup, sh};

/// Never taken from a package: what a program shares with the system that it runs on.
const SYSTEM: &[&str] = &["libc6", "libc-bin", "libcrypt1", "base-files", "dpkg", "debconf"];

/// The name of the file that says which packages a finished tree holds, one `NAME VERSION` a line.
const INDEX: &str = "packages";

/// An unpacked tree.
#[derive(Debug, Clone)]
pub(crate) struct Tree {
    folder: PathBuf,
}

impl Tree {
    /// The tree of that name with these packages, fetched unless it is there. `what` is who needs them.
    ///
    /// # Errors
    ///
    /// No apt, no network, or a package that apt does not know; with all that apt says.
    pub(crate) fn of(what: &str, name: &str, packages: &[&str]) -> Result<Self> {
        let tree = Self { folder: cache()?.join(name) };
        fs::create_dir_all(&tree.folder)?;
        // Two checkouts may want it at once.
        let lock = fs::File::create(tree.folder.join("lock"))?;
        lock.lock()?;
        if tree.holds(packages) {
            return Ok(tree);
        }
        if !setup::has_apt() {
            bail!("{what} needs {}: unpacking them takes a Debian with apt", packages.join(", "));
        }
        setup::update().with_context(|| format!("{what} needs {}", packages.join(", ")))?;
        tree.fill(packages).with_context(|| format!("{what} needs {}", packages.join(", ")))?;
        Ok(tree)
    }

    /// Whether the tree of that name has been fetched before, with these packages.
    pub(crate) fn is_here(name: &str, packages: &[&str]) -> Result<bool> {
        Ok(Self { folder: cache()?.join(name) }.holds(packages))
    }

    /// A path in the tree: `usr/bin/rustc`.
    pub(crate) fn path(&self, inside: &str) -> PathBuf {
        self.root().join(inside)
    }

    /// The version of a package that the tree holds.
    pub(crate) fn version_of(&self, package: &str) -> Option<String> {
        let index = fs::read_to_string(self.folder.join(INDEX)).ok()?;
        let line = index.lines().find_map(|line| line.strip_prefix(package)?.strip_prefix(' '))?;
        Some(line.to_owned())
    }

    /// Folders with the tree's shared libraries, for `LD_LIBRARY_PATH`.
    pub(crate) fn libraries(&self) -> Vec<PathBuf> {
        let triplet = format!("{}-linux-gnu", std::env::consts::ARCH);
        ["usr/lib", "lib"].iter().map(|lib| self.root().join(lib).join(&triplet)).collect()
    }

    fn holds(&self, packages: &[&str]) -> bool {
        packages.iter().all(|package| self.version_of(package).is_some())
    }

    fn root(&self) -> PathBuf {
        self.folder.join("root")
    }

    fn fill(&self, packages: &[&str]) -> Result<()> {
        let all = self.closure(packages)?;
        let missing = missing(&all, packages);
        println!(
            "unpacking {} with what they need ({} packages) into {}; nothing is installed",
            packages.join(", "),
            missing.len(),
            self.root().display()
        );
        let downloads = self.folder.join("downloads");
        for folder in [&downloads, &self.root()] {
            sh::empty_folder(folder)?;
        }
        let mut apt = Command::new("apt-get");
        apt.args(["-q", "-q", "-o", "APT::Sandbox::User=root", "download"]).current_dir(&downloads);
        apt.args(missing.iter().map(|(name, version)| format!("{name}={version}")));
        sh::read(&mut apt)?;
        for entry in fs::read_dir(&downloads)? {
            sh::read(Command::new("dpkg-deb").arg("-x").arg(entry?.path()).arg(self.root()))?;
        }
        fs::remove_dir_all(&downloads)?;
        let index: String = all.iter().map(|(name, version)| format!("{name} {version}\n")).collect();
        // Last: what has an index is whole.
        fs::write(self.folder.join(INDEX), index)?;
        Ok(())
    }

    /// What apt would install for these packages on a machine that has none: names and versions.
    fn closure(&self, packages: &[&str]) -> Result<Vec<(String, String)>> {
        let status = self.folder.join("status");
        fs::write(&status, "")?;
        let mut apt = Command::new("apt-get");
        apt.arg("-o").arg(format!("Dir::State::status={}", status.display()));
        apt.args([
            "-o",
            "APT::Install-Recommends=false",
            "-o",
            "Debug::NoLocking=true",
            "--simulate",
            "install",
        ]);
        let plan = sh::read(apt.args(packages))?;
        Ok(installs(&plan))
    }
}

/// Where trees are kept: beside what other programs can fetch again.
///
/// # Errors
///
/// Neither `XDG_CACHE_HOME` nor `HOME` is set.
pub(crate) fn cache() -> Result<PathBuf> {
    let xdg = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let home = || Some(Path::new(&std::env::var_os("HOME")?).join(".cache"));
    let cache = xdg.or_else(home).context("neither XDG_CACHE_HOME nor HOME is set")?;
    Ok(cache.join("socktrace-xtask"))
}

/// What is to be unpacked: the packages themselves, those of their own source, whose files must lie beside theirs, and
/// what this machine has not in that version.
fn missing<'a>(all: &'a [(String, String)], packages: &[&str]) -> Vec<&'a (String, String)> {
    let asked = all.iter().filter(|(name, _)| packages.contains(&name.as_str()));
    let sources: Vec<&str> = asked.map(|(_, version)| source(version)).collect();
    let is_missing = |(name, version): &&(String, String)| {
        !SYSTEM.contains(&name.as_str())
            && (sources.contains(&source(version)) || setup::version_of(name).as_deref() != Some(version))
    };
    all.iter().filter(is_missing).collect()
}

/// The version without the number of a rebuild: `1.2-3+b1` is built of `1.2-3`.
fn source(version: &str) -> &str {
    match version.rsplit_once("+b") {
        Some((source, number)) if number.bytes().all(|byte| byte.is_ascii_digit()) => source,
        Some(_) | None => version,
    }
}

/// The `Inst NAME (VERSION …` lines of a simulated run.
fn installs(plan: &str) -> Vec<(String, String)> {
    let of_line = |line: &str| {
        let (name, rest) = line.strip_prefix("Inst ")?.split_once(" (")?;
        Some((name.trim().to_owned(), rest.split_whitespace().next()?.to_owned()))
    };
    plan.lines().filter_map(of_line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_names_packages_and_versions() {
        let plan = "NOTE: a simulation\nInst gcc-12-base (12.2.0-14 Debian:12.15/oldstable [amd64])\n\
                    Inst libc6 (2.36 Debian:12 [amd64]) []\nConf libc6 (2.36 Debian:12 [amd64])\n";
        let expected = [("gcc-12-base", "12.2.0-14"), ("libc6", "2.36")];
        assert_eq!(source("1:7.2+dfsg-7+deb12u18+b3"), "1:7.2+dfsg-7+deb12u18");
        assert_eq!(source("5.4+bpo12"), "5.4+bpo12");
        assert_eq!(installs(plan), expected.map(|(name, version)| (name.to_owned(), version.to_owned())));
    }
}

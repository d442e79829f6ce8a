//! What a package is built for: the processor, and the oldest C library that it shall run with.
//!
//! Programs are linked with the C library of Debian 11, unpacked and not installed: so they run there and on everything
//! newer. For another processor, the compiler and its standard library are Debian's.
//!
//! I/O: through `Apt`; the cache folder; runs cargo and readelf.

use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use super::folder;
use crate::fetch::{self, Apt};
use crate::tree::{self, Tree};
use crate::{setup, sh, toolchain};

/// The suite whose C library programs are linked with, and that library's version.
const SUITE: &str = "bullseye";
const OLDEST: (u32, u32) = (2, 31);

/// What of it linking takes.
const LIBRARY: &[&str] = &["libc6", "libc6-dev", "libgcc-s1", "linux-libc-dev", "libcrypt1"];

/// A kind of processor, as Debian calls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Arch {
    /// 64-bit x86.
    Amd64,
    /// 64-bit Arm.
    Arm64,
}

impl fmt::Display for Arch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Arch::Amd64 => "amd64",
            Arch::Arm64 => "arm64",
        })
    }
}

impl Arch {
    /// As the kernel, rpm and OCI's older fields have it.
    pub(crate) fn machine(self) -> &'static str {
        match self {
            Arch::Amd64 => "x86_64",
            Arch::Arm64 => "aarch64",
        }
    }
}

/// What is run in a guest.
#[derive(Debug)]
pub(crate) struct Programs {
    pub(crate) socktrace: PathBuf,
    pub(crate) tests: Option<PathBuf>,
}

/// All that building for a processor takes.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) arch: Arch,
    sysroot: PathBuf,
}

impl Target {
    /// With everything fetched that it takes.
    pub(crate) fn of(arch: Arch) -> Result<Self> {
        let target = Self { arch, sysroot: sysroot(arch)? };
        match arch {
            Arch::Amd64 => {}
            Arch::Arm64 => {
                setup::packages(super::WHAT, &["gcc-aarch64-linux-gnu"])?;
                standard_library(&target)?;
            }
        }
        Ok(target)
    }

    /// As the compiler calls it.
    pub(crate) fn triple(&self) -> &'static str {
        match self.arch {
            Arch::Amd64 => "x86_64-unknown-linux-gnu",
            Arch::Arm64 => "aarch64-unknown-linux-gnu",
        }
    }

    /// The folder that cargo builds into.
    fn built(&self) -> PathBuf {
        folder().join(self.triple()).join("release")
    }

    /// The program, as it was built.
    pub(crate) fn program(&self) -> PathBuf {
        self.built().join("socktrace")
    }

    /// Builds the kernel tests and the program that they test.
    pub(crate) fn tests(&self) -> Result<Programs> {
        let mut cargo = self.cargo()?;
        cargo.args(["test", "--quiet", "--locked", "--package", "socktrace", "--test", "it", "--no-run"]);
        // What a debugger takes would have to go through the guest's memory.
        cargo.env("CARGO_PROFILE_DEV_DEBUG", "0").args(["--target", self.triple()]);
        let messages = sh::read(cargo.arg("--message-format=json"))?;
        let executable = |line: &str| {
            let rest = line.split_once("\"executable\":\"")?.1;
            Some(PathBuf::from(rest.split_once('"')?.0))
        };
        let is_test = |path: &PathBuf| path.parent().is_some_and(|folder| folder.ends_with("deps"));
        let tests =
            messages.lines().filter_map(executable).find(is_test).context("cargo named no test binary")?;
        let built = folder().join(self.triple()).join("debug/socktrace");
        Ok(Programs { socktrace: built, tests: Some(tests) })
    }

    /// Takes out of a program what only a debugger reads.
    pub(crate) fn strip(&self, program: &Path) -> Result<()> {
        sh::run(Command::new(self.tool("strip")).arg("--strip-debug").arg(program))
    }

    /// Copies what a program is linked with, and what loads it, to where it is looked for below a folder.
    pub(crate) fn copy_libraries(&self, program: &Path, into: &Path) -> Result<()> {
        let mut readelf = Command::new(self.tool("readelf"));
        let said = sh::read(readelf.args(["-W", "-l", "-d"]).arg(program))?;
        let bracketed = |line: &str| Some(line.split_once('[')?.1.split_once(']')?.0.to_owned());
        let named =
            |what: &str| said.lines().filter(|line| line.contains(what)).filter_map(bracketed).collect();
        let loader: Vec<String> = named("Requesting program interpreter");
        let loader = loader.first().and_then(|line| line.split(": ").nth(1)).context("no loader is named")?;
        let needed: Vec<String> = named("(NEEDED)");
        let place = format!("/lib/{}-linux-gnu", self.arch.machine());
        let libraries = needed.iter().map(|name| format!("{place}/{name}"));
        for library in libraries.chain([loader.to_owned()]) {
            let inside = library.trim_start_matches('/');
            let from = [self.sysroot.join(inside), self.sysroot.join("usr").join(inside)];
            let from = from.iter().find(|path| path.exists()).with_context(|| format!("no {library}"))?;
            let to = into.join(inside);
            fs::create_dir_all(to.parent().context("a file lies in a folder")?)?;
            fs::copy(from, &to)?;
        }
        Ok(())
    }

    /// The cargo that builds for it.
    pub(crate) fn cargo(&self) -> Result<Command> {
        let mut cargo = match self.arch {
            Arch::Amd64 => sh::cargo(),
            Arch::Arm64 => compiler()?.command("cargo"),
        };
        cargo.current_dir(sh::root()).env("CARGO_TARGET_DIR", folder());
        let name = self.triple().replace('-', "_").to_uppercase();
        if self.arch == Arch::Arm64 {
            cargo.env(format!("CARGO_TARGET_{name}_LINKER"), "aarch64-linux-gnu-gcc");
        }
        cargo.env("CARGO_ENCODED_RUSTFLAGS", self.flags()?);
        Ok(cargo)
    }

    /// Paths of this machine do not get into the program: built elsewhere it has the same bytes.
    fn flags(&self) -> Result<OsString> {
        let mut flags = OsString::from("-Clink-arg=--sysroot=");
        flags.push(&self.sysroot);
        // The compiler that links looks beside itself before it looks there: for what begins a program, and for libraries.
        let place = format!("{}-linux-gnu", self.arch.machine());
        for (option, folder) in [("-B", "usr/lib"), ("-L", "usr/lib"), ("-L", "lib")] {
            flags.push("\u{1f}-Clink-arg=");
            flags.push(option);
            flags.push(self.sysroot.join(folder).join(&place));
        }
        for (from, to) in [(sh::root(), "/usr/src/socktrace"), (sh::cargo_home(), "/usr/src/cargo")] {
            let from = from.canonicalize().with_context(|| format!("cannot find {}", from.display()))?;
            flags.push("\u{1f}--remap-path-prefix=");
            flags.push(from);
            flags.push(format!("={to}"));
        }
        Ok(flags)
    }

    /// Builds the program and makes sure that it asks for no newer C library than promised.
    pub(crate) fn build(&self) -> Result<()> {
        let mut cargo = self.cargo()?;
        cargo.args(["build", "--release", "--locked", "--package", "socktrace", "--bin", "socktrace"]);
        sh::run(cargo.args(["--quiet", "--target", self.triple()]))?;
        let program = self.program();
        sh::run(Command::new(self.tool("strip")).arg(&program))?;
        let symbols = sh::read(Command::new(self.tool("readelf")).arg("-W").arg("-V").arg(&program))?;
        let newest = newest_library(&symbols).context("readelf named no version of the C library")?;
        println!("needs glibc {}.{} or newer", newest.0, newest.1);
        if newest > OLDEST {
            bail!("the program needs glibc {}.{}, newer than {}.{}", newest.0, newest.1, OLDEST.0, OLDEST.1);
        }
        Ok(())
    }

    fn tool(&self, name: &str) -> String {
        match self.arch {
            Arch::Amd64 => name.to_owned(),
            Arch::Arm64 => format!("aarch64-linux-gnu-{name}"),
        }
    }
}

/// The newest `GLIBC_X.Y` that a program asks for.
fn newest_library(symbols: &str) -> Option<(u32, u32)> {
    let versions = symbols.split_whitespace().filter_map(|word| word.strip_prefix("GLIBC_"));
    let of = |text: &str| {
        let (major, rest) = text.split_once('.')?;
        Some((major.parse().ok()?, rest.split('.').next()?.parse().ok()?))
    };
    versions.filter_map(of).max()
}

/// The C library to link with, fetched unless it is there.
fn sysroot(arch: Arch) -> Result<PathBuf> {
    let folder = tree::cache()?.join(format!("{SUITE}-{arch}"));
    unpacked(&folder, arch, SUITE, LIBRARY)
}

/// Packages of a suite for a processor, unpacked into a folder of their own unless they are there.
fn unpacked(folder: &Path, arch: Arch, suite: &str, packages: &[&str]) -> Result<PathBuf> {
    let (root, whole) = (folder.join("root"), folder.join("whole"));
    fs::create_dir_all(folder)?;
    let lock = fs::File::create(folder.join("lock"))?;
    lock.lock()?;
    if whole.exists() {
        return Ok(root);
    }
    println!("unpacking {} of {suite} for {arch} into {}", packages.join(", "), root.display());
    let apt = Apt::of(folder, suite, Some(&arch.to_string()))?;
    for package in packages {
        apt.unpack(package, &root)?;
    }
    relative_links(&root)?;
    fs::write(whole, "")?;
    Ok(root)
}

/// A link to `/lib/…` means the tree's.
fn relative_links(root: &Path) -> Result<()> {
    let links = sh::read(Command::new("find").arg(root).args(["-type", "l", "-lname", "/*"]))?;
    for link in links.lines().map(Path::new) {
        let to = fs::read_link(link)?;
        let inside = root.join(to.strip_prefix("/").unwrap_or(&to));
        fs::remove_file(link)?;
        std::os::unix::fs::symlink(inside, link)?;
    }
    Ok(())
}

/// Debian's compiler, which is the one that builds the kernel programs.
fn compiler() -> Result<toolchain::Toolchain> {
    let tools = toolchain::find_or_install()?;
    match tools.route {
        toolchain::Route::Debian => Ok(tools),
        toolchain::Route::Nightly => bail!("building for another processor takes Debian's compiler"),
    }
}

/// Puts the standard library for that processor, of the same build as the compiler, where the compiler looks for it.
fn standard_library(target: &Target) -> Result<()> {
    compiler()?;
    let rustc = Tree::of(super::WHAT, "rustc", &["rustc-web"])?;
    let library = "usr/lib/rustlib";
    let wanted = rustc.path(library).join(target.triple());
    if wanted.exists() {
        return Ok(());
    }
    let version = rustc.version_of("rustc-web").context("a tree without rustc-web")?;
    let folder = tree::cache()?.join(format!("std-{}-{version}", target.arch));
    let package = format!("libstd-rust-web-dev={version}");
    let codename = fetch::codename()?;
    // A newer compiler comes as an update.
    let suites = [format!("{codename}-security"), format!("{codename}-updates"), codename];
    let tried = suites.iter().map(|suite| unpacked(&folder, target.arch, suite, &[&package]));
    let mut failed = None;
    for root in tried {
        match root {
            Ok(root) => {
                std::os::unix::fs::symlink(root.join(library).join(target.triple()), wanted)?;
                return Ok(());
            }
            Err(error) => failed = Some(error),
        }
    }
    Err(failed.context("no suite to ask")?).with_context(|| format!("no {package} for {}", target.arch))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_library_is_found_by_number() {
        let said = "  000:   0 (*local*)  2 (GLIBC_2.2.5)\n 0x0010: Name: GLIBC_2.17  Flags: none\n Name: GLIBC_2.4\n\
                    Name: GLIBC_PRIVATE Name: GCC_3.0";
        assert_eq!(newest_library(said), Some((2, 17)));
        assert_eq!(newest_library(""), None);
    }
}

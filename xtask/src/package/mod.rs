//! `cargo xtask package`: what people install, all of it made from one list of files (`socktrace/Cargo.toml`).
//!
//! The deb is made first; the tarball, the rpm and the image hold what the deb holds.
//!
//! I/O: target/package; runs cargo, cargo-deb, dpkg-deb, tar.

mod check;
mod made;
mod others;
mod target;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

pub(crate) use check::{manual, service, setup};
pub(crate) use made::Version;
pub(crate) use target::{Arch, Programs, Target};

use crate::{sh, tree};

/// Who needs the packages, for messages.
const WHAT: &str = "packaging";

/// The version of cargo-deb.
const CARGO_DEB: &str = "3.8.0";

/// What to make.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Which packages [default: deb]
    #[arg(value_name = "KIND")]
    kinds: Vec<Kind>,
    /// For which processors
    #[arg(long, default_value = "amd64")]
    arch: Arch,
    /// Look at the packages with lintian, rpmlint and what else there is
    #[arg(long)]
    check: bool,
    /// Build a second time in another folder and compare the bytes
    #[arg(long)]
    twice: bool,
}

/// A kind of package.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Kind {
    /// For Debian and its kin.
    Deb,
    /// For Fedora, SUSE and their kin.
    Rpm,
    /// A tarball to unpack in /.
    Tar,
    /// An OCI image with the program alone.
    Image,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let kinds = if options.kinds.is_empty() { &[Kind::Deb] } else { &*options.kinds };
    let version = Version::of_tree()?;
    let deb = deb(options.arch, &version)?;
    show(&deb)?;
    if options.check {
        check::service()?;
        check::kubernetes()?;
        check::deb(&deb)?;
    }
    for kind in kinds {
        let package = match kind {
            Kind::Deb => continue,
            Kind::Rpm => others::rpm(options.arch, &deb, &version)?,
            Kind::Tar => others::tar(&deb)?,
            Kind::Image => others::image(options.arch, &deb, &version)?,
        };
        show(&package)?;
        if options.check && *kind == Kind::Rpm {
            check::rpm(&package)?;
        }
    }
    if options.twice { twice(options.arch, &version, &deb) } else { Ok(()) }
}

/// Makes the deb of the tree as it stands.
pub(crate) fn deb(arch: Arch, version: &Version) -> Result<PathBuf> {
    let target = Target::of(arch)?;
    target.build()?;
    made::all(&target, version)?;
    pack(&target, version)
}

/// Makes the deb of a program that is built, with what else lies in target/package.
fn pack(target: &Target, version: &Version) -> Result<PathBuf> {
    let to = folder().join(format!("socktrace_{}_{}.deb", version.debian(), target.arch));
    let mut cargo = sh::command(cargo_deb()?);
    cargo.args(["--package", "socktrace", "--no-build", "--no-strip", "--target", target.triple()]);
    cargo.args(["--deb-version", &version.debian(), "--output"]).arg(&to);
    cargo.env("CARGO_TARGET_DIR", folder()).env("SOURCE_DATE_EPOCH", version.epoch());
    sh::run_quietly(&mut cargo)?;
    Ok(to)
}

/// The image of the tree as it stands, beside its deb.
pub(crate) fn image(arch: Arch) -> Result<(PathBuf, PathBuf)> {
    let version = Version::of_tree()?;
    let deb = deb(arch, &version)?;
    let image = others::image(arch, &deb, &version)?;
    Ok((deb, image))
}

/// A deb of the tree that calls itself older than it is: what the newest one is an upgrade of.
pub(crate) fn older_deb(arch: Arch, version: &Version) -> Result<PathBuf> {
    pack(&Target::of(arch)?, &version.older())
}

/// Where packages are made and laid.
pub(crate) fn folder() -> PathBuf {
    sh::root().join("target/package")
}

/// cargo-deb, built into the cache unless it is there.
fn cargo_deb() -> Result<PathBuf> {
    let folder = tree::cache()?.join(format!("cargo-deb-{CARGO_DEB}"));
    let program = folder.join("bin/cargo-deb");
    if !program.is_file() {
        println!("building cargo-deb {CARGO_DEB} in {}: some minutes", folder.display());
        let mut cargo = sh::cargo();
        cargo.args([
            "install",
            "--quiet",
            "--locked",
            "cargo-deb",
            "--version",
            CARGO_DEB,
            "--no-default-features",
        ]);
        sh::run(cargo.args(["--features", "lzma", "--root"]).arg(&folder))?;
    }
    Ok(program)
}

/// The same bytes from another folder.
fn twice(arch: Arch, version: &Version, first: &Path) -> Result<()> {
    let other = std::env::temp_dir().join(format!("socktrace-again-{}", std::process::id()));
    let made = again(arch, &other, &version.debian());
    let compared = made.and_then(|second| {
        let (first, second) = (hash(first)?, hash(&second)?);
        println!("{first}  {}\n{second}  {}", sh::root().display(), other.display());
        if first == second { Ok(()) } else { bail!("two builds in two folders differ") }
    });
    let _ = std::fs::remove_dir_all(&other);
    compared
}

fn again(arch: Arch, folder: &Path, version: &str) -> Result<PathBuf> {
    sh::run_quietly(sh::command("git").args(["clone", "--quiet", "."]).arg(folder))?;
    let mut cargo = sh::cargo();
    cargo.current_dir(folder).args(["xtask", "package", "deb", "--arch", &arch.to_string()]);
    sh::run(&mut cargo)?;
    Ok(folder.join(format!("target/package/socktrace_{version}_{arch}.deb")))
}

fn hash(file: &Path) -> Result<String> {
    let said = sh::read(sh::command("sha256sum").arg(file))?;
    Ok(said.split_whitespace().next().context("sha256sum said nothing")?.to_owned())
}

fn show(file: &Path) -> Result<()> {
    let size = std::fs::metadata(file)?.len();
    let shown = file.strip_prefix(sh::root()).unwrap_or(file).display();
    println!("{shown}: {:.2} MB, sha256 {}", size as f64 / 1e6, hash(file)?);
    Ok(())
}

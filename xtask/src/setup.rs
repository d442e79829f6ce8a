//! What the tasks need beyond stable Rust: one list, installed on Debian as root, named everywhere else.
//!
//! I/O: runs apt-get, dpkg-query and cargo install.

use anyhow::{Result, bail};

use crate::sh;

/// The compiler for the kernel programs: Debian's rustc has a core library for the BPF target as a package, so neither
/// nightly nor `-Z build-std` is needed. Its cargo comes with it, since cargo's version takes part in symbol names.
pub(crate) const KERNEL_COMPILER: &[&str] =
    &["rustc-web", "cargo-web", "libstd-rust-web-dev-bpf", "rust-web-clippy", "build-essential"];

/// What the tests run: namespaces and traffic (ip, ss), clients and servers that are not ours.
pub(crate) const TESTS: &[&str] = &["iproute2", "python3", "curl", "util-linux"];

/// The linker of the kernel programs, by cargo.
pub(crate) const BPF_LINKER: &str = "0.13.0";

/// Install, or name, everything that `cargo xtask ci` needs.
pub(crate) fn everything() -> Result<()> {
    tests()?;
    crate::toolchain::find_or_install().map(drop)
}

/// Install, or name, what the tests run.
pub(crate) fn tests() -> Result<()> {
    if has_apt() {
        return packages("the tests", TESTS);
    }
    let missing: Vec<&str> =
        ["ip", "ss", "python3", "curl", "unshare"].into_iter().filter(|p| sh::which(p).is_none()).collect();
    if !missing.is_empty() {
        bail!("the tests need these programs: {}", missing.join(", "));
    }
    Ok(())
}

/// Whether this is a system that apt keeps.
pub(crate) fn has_apt() -> bool {
    sh::which("apt-get").is_some() && sh::which("dpkg-query").is_some()
}

/// Whether apt knows a package of that name that it could install.
pub(crate) fn apt_offers(package: &str) -> bool {
    sh::read(sh::command("apt-cache").args(["show", "--no-all-versions", package]))
        .is_ok_and(|text| !text.is_empty())
}

/// The version of an installed package.
pub(crate) fn version_of(package: &str) -> Option<String> {
    let out = sh::read(sh::command("dpkg-query").args(["-W", "-f=${db:Status-Status} ${Version}", package]))
        .ok()?;
    out.strip_prefix("installed ").map(str::to_owned)
}

/// Make sure that these packages are installed; `what` is who needs them.
pub(crate) fn packages(what: &str, names: &[&str]) -> Result<()> {
    let missing: Vec<&str> = names.iter().copied().filter(|name| version_of(name).is_none()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    if !is_root() {
        bail!("{what} needs packages; run: sudo apt-get install {}", missing.join(" "));
    }
    update()?;
    println!("installing {}", missing.join(" "));
    let mut apt = sh::command("apt-get");
    apt.args(["install", "-y", "-q", "-q", "--no-install-recommends"]).args(&missing);
    sh::run(apt.env("DEBIAN_FRONTEND", "noninteractive").stdout(std::process::Stdio::null()))
}

/// Fetch the package lists, once in a run: an image's own lists name versions that its mirror has already dropped.
pub(crate) fn update() -> Result<()> {
    static DONE: std::sync::OnceLock<()> = std::sync::OnceLock::new();
    if DONE.set(()).is_ok() && is_root() && has_apt() {
        sh::run(sh::command("apt-get").args(["update", "-q", "-q"]))?;
    }
    Ok(())
}

/// Fetch the package lists if any of these is not installed yet, so that what apt offers can be asked.
pub(crate) fn update_if_missing(names: &[&str]) -> Result<()> {
    if has_apt() && names.iter().any(|name| version_of(name).is_none()) { update() } else { Ok(()) }
}

/// What `bpf-linker --version` says, where the wanted one is installed.
pub(crate) fn linker() -> Option<String> {
    let said = sh::read(sh::command(sh::which("bpf-linker")?).arg("--version")).ok()?;
    said.split_whitespace().any(|word| word == BPF_LINKER).then_some(said)
}

/// Install the linker against the LLVM that the compiler has: bitcode of a newer LLVM cannot be read by an older one.
pub(crate) fn bpf_linker(llvm_major: &str) -> Result<()> {
    let feature = format!("llvm-{llvm_major}");
    println!("installing bpf-linker {BPF_LINKER} with {feature}: about a minute");
    let mut cargo = sh::cargo();
    cargo.args(["install", "--quiet", "--locked", "bpf-linker", "--version", BPF_LINKER]);
    cargo.args(["--no-default-features", "--features", &feature]);
    sh::run(cargo.env("LLVM_PREFIX", format!("/usr/lib/{feature}")))
}

/// Whether we are root (and so may install).
pub(crate) fn is_root() -> bool {
    sh::read(sh::command("id").arg("-u")).is_ok_and(|id| id == "0")
}

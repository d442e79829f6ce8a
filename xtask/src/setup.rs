//! What the tests need beyond stable Rust: installed on Debian as root, named everywhere else.
//!
//! I/O: runs apt-get and dpkg-query.

use anyhow::{Context as _, Result, bail};

use crate::sh;

/// What the tests run: namespaces and traffic (ip, ss), clients and servers that are not ours.
pub(crate) const TESTS: &[&str] = &["iproute2", "python3", "curl", "jq", "util-linux", "tzdata"];

/// Install, or name, what the tests run.
pub(crate) fn tests() -> Result<()> {
    if has_apt() {
        return packages("the tests", TESTS);
    }
    let missing: Vec<&str> = ["ip", "ss", "python3", "curl", "jq", "unshare"]
        .into_iter()
        .filter(|p| sh::which(p).is_none())
        .collect();
    if !missing.is_empty() {
        bail!("the tests need these programs: {}", missing.join(", "));
    }
    Ok(())
}

/// Whether this is a system that apt keeps.
pub(crate) fn has_apt() -> bool {
    sh::which("apt-get").is_some() && sh::which("dpkg-query").is_some()
}

/// Whether apt knows a package of that name.
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
///
/// # Errors
///
/// With everything that apt printed: which package is in the way of which is in its first lines, not in its last.
pub(crate) fn packages(what: &str, names: &[&str]) -> Result<()> {
    let missing: Vec<&str> = names.iter().copied().filter(|name| version_of(name).is_none()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    if !is_root() {
        bail!("{what} needs packages; run: sudo apt-get install {}", missing.join(" "));
    }
    let needs = || format!("{what} needs {}", missing.join(", "));
    update().with_context(needs)?;
    println!("installing {}", missing.join(" "));
    let mut apt = sh::command("apt-get");
    apt.args(["install", "-y", "--no-install-recommends"]).args(&missing);
    sh::run_quietly(apt.env("DEBIAN_FRONTEND", "noninteractive")).with_context(needs)
}

/// Fetch the package lists, once in a run: an image's own lists name versions that its mirror has already dropped.
pub(crate) fn update() -> Result<()> {
    static DONE: std::sync::OnceLock<()> = std::sync::OnceLock::new();
    if DONE.set(()).is_ok() && is_root() && has_apt() {
        sh::run_quietly(sh::command("apt-get").args(["update", "-q"]))?;
    }
    Ok(())
}

/// Whether we are root (and so may install).
pub(crate) fn is_root() -> bool {
    sh::read(sh::command("id").arg("-u")).is_ok_and(|id| id == "0")
}

//! The oracle: the real ss of iproute2 6.15, unpacked under target/ beside whatever the machine has installed.
//!
//! Debian has it (bookworm in its backports, trixie as it is). The package client fetches it from the mirror that
//! the machine's own sources name; nothing is installed and nothing is committed.
//!
//! I/O: through `Apt`; the unpacked ss is run; target/.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

use super::{Apt, codename};

/// What `ss -V` must say.
const VERSION: &str = "iproute2-6.15";

/// Path of the oracle, fetched if it is not there yet. `root` is the project's folder.
///
/// # Errors
///
/// Not a Debian that has it, no network, or a package that is not what was expected.
pub(crate) fn fetch(root: &Path) -> Result<PathBuf> {
    let folder = root.join("target/ss-oracle");
    if let Some(ss) = unpacked(&folder) {
        return Ok(ss);
    }
    fs::create_dir_all(&folder)?;
    // Several tests may want it at once: one fetches, the others wait and find it there.
    let lock = fs::File::create(folder.join("lock"))?;
    lock.lock()?;
    if let Some(ss) = unpacked(&folder) {
        return Ok(ss);
    }
    let suite = suite()?;
    Apt::of(&folder, suite, None)?.unpack("iproute2", &folder.join("root"))?;
    unpacked(&folder).with_context(|| format!("iproute2 of {suite} holds no ss of {VERSION}"))
}

fn unpacked(folder: &Path) -> Option<PathBuf> {
    ["root/bin/ss", "root/usr/bin/ss"].iter().map(|path| folder.join(path)).find(|ss| {
        let version = Command::new(ss).arg("-V").stdin(Stdio::null()).output();
        version.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains(VERSION))
    })
}

/// The suite that has the package.
fn suite() -> Result<&'static str> {
    match codename()?.as_str() {
        "bookworm" => Ok("bookworm-backports"),
        "trixie" => Ok("trixie"),
        other => bail!("no package of {VERSION} is known for {other}"),
    }
}

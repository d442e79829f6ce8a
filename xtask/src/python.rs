//! Programs of Python's, installed into the cache, each set apart from the others and from the system's.
//!
//! I/O: that cache; runs python3 and pip.

use std::path::PathBuf;

use anyhow::Result;

use crate::{setup, sh, tree};

/// The Python that has these packages, each said with its version (`name==1.2`); made where it is not there.
pub(crate) fn with(what: &str, packages: &[&str]) -> Result<PathBuf> {
    // Another version is another folder.
    let folder = tree::cache()?.join(format!("python-{}", packages.join("-").replace("==", "-")));
    let (python, whole) = (folder.join("bin/python"), folder.join("whole"));
    if !whole.is_file() {
        setup::packages(what, &["python3-venv"])?;
        sh::empty_folder(&folder)?;
        sh::run_quietly(sh::command("python3").args(["-m", "venv"]).arg(&folder))?;
        sh::run_quietly(sh::command(folder.join("bin/pip")).args(["install", "--quiet"]).args(packages))?;
        std::fs::write(whole, "")?;
    }
    Ok(python)
}

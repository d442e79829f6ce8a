//! `cargo xtask schema`: docs/schema, as the types of socktrace-api give it.
//!
//! I/O: docs/schema, target/schema; runs cargo.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Result, bail};

use crate::sh;

/// Writes the files, or fails unless those that are there are the same.
pub(crate) fn run(check: bool) -> Result<()> {
    let committed = sh::root().join("docs/schema");
    if !check {
        return write(&committed);
    }
    let made = sh::root().join("target/schema");
    sh::empty_folder(&made)?;
    write(&made)?;
    let (made, committed) = (files(&made)?, files(&committed)?);
    let names = made.keys().chain(committed.keys());
    if let Some(name) = names.into_iter().find(|&name| made.get(name) != committed.get(name)) {
        bail!("docs/schema/{name} is not what the types give: run cargo xtask schema");
    }
    println!("docs/schema is what the types give ({} files)", made.len());
    Ok(())
}

fn write(folder: &Path) -> Result<()> {
    let mut cargo = sh::cargo();
    cargo.args([
        "run",
        "--quiet",
        "--locked",
        "--package",
        "socktrace-api",
        "--features",
        "schema",
        "--example",
        "schema",
    ]);
    sh::run(cargo.arg("--").arg(folder))
}

/// What each file holds, by its name.
fn files(folder: &Path) -> Result<BTreeMap<String, Vec<u8>>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        files.insert(entry.file_name().to_string_lossy().into_owned(), fs::read(entry.path())?);
    }
    Ok(files)
}

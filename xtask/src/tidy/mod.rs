//! `cargo xtask tidy`: the house rules that a tool can check. Each rule is a pure function from a file to problems.
//!
//! I/O: reads the tree; writes nothing.

mod circles;
mod floors;
mod paths;
mod text;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::sh;

/// One broken rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Problem {
    /// Path from the root, with `/`.
    pub(crate) file: String,
    /// Line from 1, or 0 for the whole file.
    pub(crate) line: usize,
    /// What is wrong, and what would be right.
    pub(crate) what: String,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.file, self.what),
            line => write!(f, "{}:{line}: {}", self.file, self.what),
        }
    }
}

/// Check every file; the longest files are reported besides.
pub(crate) fn run() -> Result<()> {
    let root = sh::root();
    let mut files = BTreeSet::new();
    list(&root, Path::new(""), &mut files)?;

    let mut problems = Vec::new();
    let mut lengths = Vec::new();
    let mut sources = BTreeMap::new();
    for file in &files {
        let Ok(content) = std::fs::read_to_string(root.join(file)) else {
            continue; // Not text: the kernel object, a recorded message.
        };
        problems.extend(text::forbidden(file, &content));
        if file.ends_with(".rs") {
            problems.extend(text::head(file, &content));
            problems.extend(text::length(file, &content));
            problems.extend(floors::check(file, &content)?);
            lengths.push((content.lines().count(), file));
        }
        if file.ends_with(".md") {
            problems.extend(text::links(file, &content, &|target| root.join(target).exists()));
        }
        if file.ends_with(".rs") {
            sources.insert(file.clone(), content);
        }
    }
    problems.extend(circles::check(&sources)?);
    problems.extend(text::stale_exceptions(&files));
    let index = std::fs::read_to_string(root.join(text::INDEX)).unwrap_or_default();
    problems.extend(text::unlisted(&files, &index));
    if files.len() < 10 {
        bail!("only {} files found under {}: not the project's root", files.len(), root.display());
    }

    lengths.sort_by(|a, b| b.cmp(a));
    let longest = lengths.iter().take(3).map(|(lines, file)| format!("{file} {lines}")).collect::<Vec<_>>();
    println!("{} files, {} of Rust; the longest: {}", files.len(), lengths.len(), longest.join(", "));
    problems.sort();
    for problem in &problems {
        println!("{problem}");
    }
    match problems.len() {
        0 => Ok(()),
        count => bail!("{count} broken rules"),
    }
}

/// The project's own files: nothing built, nothing hidden by git, no link.
fn list(root: &Path, folder: &Path, into: &mut BTreeSet<String>) -> Result<()> {
    const SKIPPED: &[&str] = &[".git", "target", "corpus", "artifacts", "coverage"];
    let entries =
        std::fs::read_dir(root.join(folder)).with_context(|| format!("cannot list {}", folder.display()))?;
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path: PathBuf = folder.join(&name);
        let kind = entry.file_type()?;
        if kind.is_dir() && !SKIPPED.contains(&name.as_str()) {
            list(root, &path, into)?;
        } else if kind.is_file() && name != ".git" {
            into.insert(path.to_string_lossy().into_owned());
        }
    }
    Ok(())
}

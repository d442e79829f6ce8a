//! The record beside the kernel object: what built it, and from which sources. Written and read here only.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, Result};

use crate::sh;
use crate::toolchain::{Route, Toolchain};

/// What built the object, as `BUILD.toml` says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) builder: Builder,
    pub(crate) object_sha256: String,
    pub(crate) sources_sha256: String,
}

/// What decides over the bytes, besides the sources.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Builder {
    pub(crate) route: String,
    pub(crate) rustc: String,
    pub(crate) llvm: String,
    pub(crate) linker: String,
}

impl From<&Toolchain> for Builder {
    fn from(tools: &Toolchain) -> Builder {
        let route = match tools.route {
            Route::Debian => "debian",
            Route::Nightly => "nightly",
        };
        let (rustc, llvm, linker) = (tools.rustc.clone(), tools.llvm.clone(), tools.linker.clone());
        Builder { route: route.to_owned(), rustc, llvm, linker }
    }
}

/// Print a record; [`parse`] reads it back.
pub(crate) fn print(record: &Record) -> String {
    let Record { builder: Builder { route, rustc, llvm, linker }, object_sha256, sources_sha256 } = record;
    let mut text = "# What built socktrace.bpf.o. Written by `cargo xtask build-ebpf`, checked by `cargo xtask build-ebpf --check`.\n".to_owned();
    let rows = [
        ("route", route),
        ("rustc", rustc),
        ("llvm", llvm),
        ("linker", linker),
        ("object-sha256", object_sha256),
        ("sources-sha256", sources_sha256),
    ];
    for (key, value) in rows {
        let _ = writeln!(text, "{key} = \"{value}\"");
    }
    text
}

/// Read a record.
pub(crate) fn parse(text: &str) -> Result<Record> {
    let value = |key: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(" = \""));
        line.and_then(|rest| rest.strip_suffix('"'))
            .map(str::to_owned)
            .with_context(|| format!("no {key} in the record"))
    };
    Ok(Record {
        builder: Builder {
            route: value("route")?,
            rustc: value("rustc")?,
            llvm: value("llvm")?,
            linker: value("linker")?,
        },
        object_sha256: value("object-sha256")?,
        sources_sha256: value("sources-sha256")?,
    })
}

/// One hash over everything that the object is compiled from: names and contents, in the order of the names.
pub(crate) fn hash_sources(root: &Path, extra: &str) -> Result<String> {
    let mut files: Vec<PathBuf> = Vec::new();
    for folder in ["socktrace-ebpf/src", "socktrace-common/src"] {
        files_below(root, Path::new(folder), &mut files)?;
    }
    files.extend(
        ["socktrace-ebpf/Cargo.toml", "socktrace-ebpf/Cargo.lock", "socktrace-common/Cargo.toml"]
            .map(PathBuf::from),
    );
    files.sort();
    let mut all = extra.as_bytes().to_vec();
    for file in files {
        let content =
            std::fs::read(root.join(&file)).with_context(|| format!("cannot read {}", file.display()))?;
        write!(all, "\n{} {}\n", file.display(), content.len())?;
        all.extend(content);
    }
    sha256(&all)
}

fn files_below(root: &Path, folder: &Path, into: &mut Vec<PathBuf>) -> Result<()> {
    let entries =
        std::fs::read_dir(root.join(folder)).with_context(|| format!("cannot list {}", folder.display()))?;
    for entry in entries {
        let entry = entry?;
        let path = folder.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            files_below(root, &path, into)?;
        } else {
            into.push(path);
        }
    }
    Ok(())
}

/// SHA-256 in hexadecimal, by coreutils.
pub(crate) fn sha256(bytes: &[u8]) -> Result<String> {
    let mut tool = sh::command("sha256sum")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot run sha256sum")?;
    tool.stdin.take().context("sha256sum has no stdin")?.write_all(bytes)?;
    let out = tool.wait_with_output()?;
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    text.split_whitespace().next().map(str::to_owned).context("sha256sum said nothing")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Record {
        Record {
            builder: Builder {
                route: "debian".to_owned(),
                rustc: "rustc 1.96.0 (ac68faa20 2026-05-25), rustc-web 1.96".to_owned(),
                llvm: "22.1.8".to_owned(),
                linker: "bpf-linker 0.13.0, libllvm22 1:22".to_owned(),
            },
            object_sha256: "00ff".to_owned(),
            sources_sha256: "ff00".to_owned(),
        }
    }

    #[test]
    fn a_printed_record_reads_back() {
        assert_eq!(parse(&print(&record())).unwrap(), record());
    }

    #[test]
    fn a_record_that_lacks_a_line_is_no_record() {
        let text = print(&record());
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let without = text.replace(line, "");
            assert!(parse(&without).is_err(), "read without {line}");
        }
    }

    #[test]
    fn the_hash_sees_names_contents_and_flags() {
        let root = std::env::temp_dir().join(format!("xtask-hash-{}", std::process::id()));
        for folder in ["socktrace-ebpf/src", "socktrace-common/src"] {
            std::fs::create_dir_all(root.join(folder)).unwrap();
        }
        let write = |file: &str, text: &str| std::fs::write(root.join(file), text).unwrap();
        for file in ["socktrace-ebpf/Cargo.toml", "socktrace-ebpf/Cargo.lock", "socktrace-common/Cargo.toml"]
        {
            write(file, "");
        }
        write("socktrace-ebpf/src/main.rs", "fn a() {}");
        let hash = |flags: &str| hash_sources(&root, flags).unwrap();
        let first = hash("x");
        assert_eq!(first, hash("x"));
        assert_ne!(first, hash("y"));
        write("socktrace-ebpf/src/main.rs", "fn b() {}");
        let changed = hash("x");
        assert_ne!(first, changed);
        std::fs::rename(root.join("socktrace-ebpf/src/main.rs"), root.join("socktrace-common/src/main.rs"))
            .unwrap();
        assert_ne!(changed, hash("x"));
        std::fs::remove_dir_all(&root).unwrap();
    }

    #[test]
    fn sha256_of_nothing() {
        assert_eq!(sha256(b"").unwrap(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    }
}

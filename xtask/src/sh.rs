//! Running other programs, and knowing where the project lies.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// The project's root folder. Cargo says it to a program that it runs, so a moved checkout is no trouble.
pub(crate) fn root() -> PathBuf {
    let manifest = std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
    manifest.parent().map_or_else(|| PathBuf::from("."), Path::to_path_buf)
}

/// A command that runs in the project's root.
pub(crate) fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(root());
    command
}

/// The cargo that started us, without what this run's own settings would leak into another build.
pub(crate) fn cargo() -> Command {
    let mut cargo = command(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        if name.starts_with("CARGO_PKG_") || name == "CARGO_MANIFEST_DIR" || name == "CARGO_MANIFEST_PATH" {
            cargo.env_remove(name);
        }
    }
    cargo
}

/// Run with our own stdout and stderr; an exit code other than 0 is an error that shows the command.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let shown = shown(command);
    let status = command.status().with_context(|| format!("cannot run {shown}"))?;
    if !status.success() {
        bail!("{shown}: {status}");
    }
    Ok(())
}

/// Run without a word, unless it fails: then everything that it printed is shown.
pub(crate) fn run_quietly(command: &mut Command) -> Result<()> {
    let shown = shown(command);
    let out = command.stdin(Stdio::null()).output().with_context(|| format!("cannot run {shown}"))?;
    if !out.status.success() {
        let printed = [String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr)].concat();
        bail!("{shown}: {}\n{}", out.status, printed.trim_end());
    }
    Ok(())
}

/// Run and take its stdout, trimmed; its stderr is dropped unless it fails.
pub(crate) fn read(command: &mut Command) -> Result<String> {
    let shown = shown(command);
    let out = command.stdin(Stdio::null()).output().with_context(|| format!("cannot run {shown}"))?;
    if !out.status.success() {
        bail!("{shown}: {}: {}", out.status, String::from_utf8_lossy(&out.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&out.stdout).trim().to_owned())
}

/// The file of that name in PATH or in cargo's own folder of installed programs.
pub(crate) fn which(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    folders.push(cargo_home().join("bin"));
    folders.into_iter().map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// Cargo's folder of downloaded and installed things.
pub(crate) fn cargo_home() -> PathBuf {
    let home = || PathBuf::from(std::env::var_os("HOME").unwrap_or_else(|| "/root".into()));
    std::env::var_os("CARGO_HOME").map_or_else(|| home().join(".cargo"), PathBuf::from)
}

/// Let the programs that we run from now on open as many files as we may: some tests hold thousands of sockets.
pub(crate) fn many_files() {
    if let Ok((_, most)) = getrlimit(Resource::RLIMIT_NOFILE) {
        let _ = setrlimit(Resource::RLIMIT_NOFILE, most, most);
    }
}

/// Print the name of a step, do it, print how long it took.
pub(crate) fn step<T>(name: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    println!("==> {name}");
    let begun = Instant::now();
    let done = work().with_context(|| format!("step '{name}' failed"))?;
    println!("==> {name}: ok, {:.1} s", begun.elapsed().as_secs_f64());
    Ok(done)
}

/// Each as a step of that name. One that fails does not keep the others from being tried; returns the names of those that failed.
pub(crate) fn steps<T>(
    all: impl IntoIterator<Item = T>,
    name: impl Fn(&T) -> String,
    work: impl Fn(T) -> Result<()>,
) -> Vec<String> {
    let mut failed = Vec::new();
    for it in all {
        let name = name(&it);
        if let Err(error) = step(&name, || work(it)) {
            println!("==> {error:#}");
            failed.push(name);
        }
    }
    failed
}

/// Makes a folder anew: there it is, and empty.
pub(crate) fn empty_folder(folder: &Path) -> Result<()> {
    if folder.exists() {
        std::fs::remove_dir_all(folder)?;
    }
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))
}

fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}

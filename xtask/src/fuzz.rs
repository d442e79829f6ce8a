//! `cargo xtask fuzz`: a fuzz target, guided by coverage, for so many cases. Needs no nightly compiler: what guides
//! libFuzzer is a pass of LLVM that every compiler has; and a C++ compiler for libFuzzer itself.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use nix::unistd::Uid;

use crate::sh;

/// What is fuzzed, and how much of it.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// The target: a file of fuzz/fuzz_targets.
    #[arg(default_value = "http")]
    target: String,
    /// How many cases.
    #[arg(long, default_value_t = 1_000_000)]
    runs: u64,
    /// The longest input, bytes.
    #[arg(long, default_value_t = 1024)]
    max_len: u32,
}

/// The coverage that libFuzzer is guided by, as cargo-fuzz asks for it; overflow and debug assertions as in tests.
const FLAGS: &[&str] = &[
    "--cfg=fuzzing",
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Ccodegen-units=1",
    "-Cdebug-assertions",
    "-Coverflow-checks",
];

/// Builds the target and runs it; fails with the first case that breaks something, whose input is kept.
pub(crate) fn run(options: &Options) -> Result<()> {
    let folder = sh::root().join("fuzz");
    let target = &*options.target;
    if !folder.join("fuzz_targets").join(target).with_extension("rs").is_file() {
        let known = fs::read_dir(folder.join("fuzz_targets"))?
            .filter_map(|entry| entry.ok()?.path().file_stem()?.to_str().map(str::to_owned));
        bail!("no fuzz target {target}: there are {}", known.collect::<Vec<_>>().join(", "));
    }
    // Named, so that build scripts and macros go without the flags.
    let host = host()?;
    sh::run(
        sh::cargo()
            .args(["build", "--quiet", "--release", "--bin", target, "--target", &host])
            .current_dir(&folder)
            .env("RUSTFLAGS", FLAGS.join(" "))
            .env_remove("CARGO_ENCODED_RUSTFLAGS"),
    )?;
    let corpus = folder.join("corpus").join(target);
    let artifacts = folder.join("artifacts").join(target);
    fs::create_dir_all(&corpus)?;
    fs::create_dir_all(&artifacts)?;
    let program = folder.join("target").join(&host).join("release").join(target);
    let mut command = alone(&program);
    // Where it panicked is enough, and names would take memory that is limited.
    command.env("RUST_BACKTRACE", "0");
    command.arg(&corpus).arg(folder.join("seeds").join(target));
    command.arg(format!("-runs={}", options.runs)).arg(format!("-max_len={}", options.max_len));
    command.args(["-timeout=60", "-print_final_stats=1", "-reload=0"]);
    command.arg(format!("-artifact_prefix={}/", artifacts.display()));
    let words = folder.join(target).with_extension("dict");
    if words.is_file() {
        command.arg(format!("-dict={}", words.display()));
    }
    sh::run(&mut command)
}

/// The program where few sockets and processes are, and no name service: so that its cases are quick and alike.
fn alone(program: &Path) -> Command {
    if !Uid::effective().is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("unshare");
    command.args(["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]);
    // The first process of a namespace is spared signals that others end by.
    command.args(["sh", "-c", "\"$@\"; exit $?", "fuzz"]).arg(program);
    command
}

fn host() -> Result<String> {
    let output = Command::new("rustc").arg("-vV").output().context("rustc -vV")?;
    let text = String::from_utf8(output.stdout)?;
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("rustc -vV names no host")?.to_owned())
}

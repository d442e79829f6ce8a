//! `cargo xtask build-ebpf`: the kernel programs → `socktrace/bpf/socktrace.bpf.o`, the same bytes wherever it is done.
//!
//! What would leak a place into the object is remapped (source folders), kept relative (see socktrace-ebpf/Cargo.toml) or
//! hidden (installed sources of the core library, whose lines LLVM would copy into BTF if it found them).

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::record::{self, Builder, Record};
use crate::toolchain::{self, TARGET, Toolchain};
use crate::{setup, sh, testing};

const OBJECT: &str = "socktrace/bpf/socktrace.bpf.o";
const RECORD: &str = "socktrace/bpf/BUILD.toml";

/// Flags that are the same everywhere. v3 instructions are in every kernel that has what we need (5.1).
const FLAGS: &[&str] = &["-Clinker=bpf-linker", "-Clink-arg=--btf", "-Ctarget-cpu=v3"];

const REMEDY: &str = "run `cargo xtask build-ebpf` and commit socktrace/bpf/";

/// How a check was satisfied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Checked {
    /// Rebuilt to the committed bytes.
    Same,
    /// Another toolchain gave other bytes; they are in this file and need the kernel tests.
    OtherToolchain(PathBuf),
}

/// The task: build, or check; with a rebuilt object that differs for a good reason the kernel tests decide.
pub(crate) fn run(check_only: bool, nightly: bool) -> Result<()> {
    let tools = if nightly { toolchain::nightly()? } else { toolchain::find_or_install()? };
    if !check_only {
        return build(&tools);
    }
    // CI vouches for the object that people get: there, no other object's tests stand for it.
    match vouched(check(&tools)?, std::env::var_os("CI").is_some())? {
        Checked::Same => Ok(()),
        Checked::OtherToolchain(object) => testing::kernel_tests(&object),
    }
}

/// What came of a check, where that is enough: where it must be `exact`, only the recorded toolchain can tell.
pub(crate) fn vouched(checked: Checked, exact: bool) -> Result<Checked> {
    match checked {
        Checked::OtherToolchain(_) if exact => {
            bail!("{OBJECT} cannot be checked with another toolchain than {RECORD} names: {REMEDY}")
        }
        checked => Ok(checked),
    }
}

/// Compile, put the object into the tree, record what built it.
fn build(tools: &Toolchain) -> Result<()> {
    let root = sh::root();
    let object = std::fs::read(compile(tools)?)?;
    let record = Record {
        builder: Builder::from(tools),
        object_sha256: record::sha256(&object)?,
        sources_sha256: sources()?,
    };
    std::fs::create_dir_all(root.join("socktrace/bpf"))?;
    std::fs::write(root.join(OBJECT), &object)?;
    std::fs::write(root.join(RECORD), record::print(&record))?;
    println!("{OBJECT}: {} bytes, sha256 {}", object.len(), record.object_sha256);
    Ok(())
}

/// Fail unless the committed object is what the sources compile to. With another toolchain than the recorded one the
/// bytes may differ: that is reported, and the kernel tests decide over the rebuilt object.
pub(crate) fn check(tools: &Toolchain) -> Result<Checked> {
    let root = sh::root();
    let committed = std::fs::read(root.join(OBJECT)).with_context(|| format!("no {OBJECT}: {REMEDY}"))?;
    let text =
        std::fs::read_to_string(root.join(RECORD)).with_context(|| format!("no {RECORD}: {REMEDY}"))?;
    let record = record::parse(&text).with_context(|| format!("{RECORD}: {REMEDY}"))?;
    if record::sha256(&committed)? != record.object_sha256 {
        bail!("{OBJECT} is not the object that {RECORD} describes: {REMEDY}");
    }
    if sources()? != record.sources_sha256 {
        bail!("the kernel sources have changed since {OBJECT} was built: {REMEDY}");
    }
    let file = compile(tools)?;
    if std::fs::read(&file)? == committed {
        println!("{OBJECT} is what the sources compile to");
        return Ok(Checked::Same);
    }
    let found = Builder::from(tools);
    if found == record.builder {
        bail!("{OBJECT} is not what the sources compile to with the toolchain that {RECORD} names: {REMEDY}");
    }
    println!(
        "another toolchain than the recorded one gives other bytes; recorded: {:?}; here: {found:?}",
        record.builder
    );
    Ok(Checked::OtherToolchain(file))
}

fn sources() -> Result<String> {
    record::hash_sources(&sh::root(), &FLAGS.join(" "))
}

/// Compile to target/ and give the finished file.
fn compile(tools: &Toolchain) -> Result<PathBuf> {
    // Fetched before the flags are made: they name the folders that the sources of dependencies lie in.
    sh::run(tools.cargo().args(["fetch", "--quiet", "--locked"]))?;
    let target = sh::root().join("target/ebpf");
    let mut cargo = tools.cargo();
    cargo
        .args(["build", "--quiet", "--release", "--locked", "--target-dir"])
        .arg(&target)
        .args(tools.target_arguments());
    cargo.env("CARGO_ENCODED_RUSTFLAGS", flags(tools).join("\x1f"));
    sh::run(&mut without(&tools.core_sources, cargo)?)?;

    let (linked, object) =
        (target.join(TARGET).join("release/socktrace-ebpf"), target.join("socktrace.bpf.o"));
    sh::run(tools.command(&tools.objcopy).arg("--strip-debug").arg(&linked).arg(&object))?;
    Ok(object)
}

/// The flags, with every folder that paths in debug information may start with. Of several that match the last one wins.
fn flags(tools: &Toolchain) -> Vec<String> {
    let mut flags: Vec<String> = FLAGS.iter().map(|&flag| flag.to_owned()).collect();
    let mut remap = |from: &Path, to: &str| {
        for from in toolchain::spellings(from) {
            flags.push(format!("--remap-path-prefix={}={to}", from.display()));
        }
    };
    remap(&sh::root(), "/@/socktrace");
    let registries = sh::cargo_home().join("registry/src");
    for registry in std::fs::read_dir(&registries).into_iter().flatten().flatten() {
        remap(&registry.path(), "/@/registry");
    }
    remap(&tools.core_sources, "/@/rust");
    flags
}

/// The command, run where `folder` looks empty: debug paths of a precompiled core cannot be remapped by us, and where its
/// sources are installed LLVM copies their lines into the object.
fn without(folder: &Path, command: Command) -> Result<Command> {
    if !folder.starts_with("/usr/src") || !folder.exists() {
        return Ok(command);
    }
    let mut hidden = Command::new("unshare");
    hidden.arg("--mount").args((!setup::is_root()).then_some("--map-root-user"));
    hidden.args(["sh", "-c", "mount -t tmpfs none \"$0\" && exec \"$@\""]).arg(folder);
    hidden.arg(command.get_program()).args(command.get_args());
    hidden.current_dir(command.get_current_dir().context("the build has a folder")?);
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => hidden.env(name, value),
            None => hidden.env_remove(name),
        };
    }
    Ok(hidden)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_toolchain_in_the_record_does_not_let_a_foreign_object_through() {
        let other = || Checked::OtherToolchain("elsewhere.o".into());
        assert!(vouched(other(), true).is_err());
        assert_eq!(vouched(other(), false).unwrap(), other());
        for exact in [true, false] {
            assert_eq!(vouched(Checked::Same, exact).unwrap(), Checked::Same);
        }
    }
}

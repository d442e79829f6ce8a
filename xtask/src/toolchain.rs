//! Which compiler builds the kernel programs on this machine, and what identifies it.
//!
//! Two routes. Debian: its rustc, with a core library for the BPF target as a package, unpacked and not installed: a second
//! compiler in PATH would be a surprise. Elsewhere: nightly, rust-src and `-Z build-std=core`. Both link with bpf-linker.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::tree::{self, Tree};
use crate::{setup, sh};

/// The target of the kernel programs.
pub(crate) const TARGET: &str = "bpfel-unknown-none";

/// Debian's compiler for the BPF target, which needs neither nightly nor `-Z build-std`. Its cargo comes with it, since
/// cargo's version takes part in symbol names.
const COMPILER: &[&str] = &["rustc-web", "cargo-web", "libstd-rust-web-dev-bpf", "rust-web-clippy"];

/// The tree that they are unpacked to.
const TREE: &str = "rustc";

/// Who needs the packages, for messages.
const WHAT: &str = "building the kernel programs";

/// The linker of the kernel programs, by cargo.
const BPF_LINKER: &str = "0.13.0";

/// How the core library for the BPF target is come by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Route {
    /// Debian's packages.
    Debian,
    /// rustup's nightly, which compiles core itself.
    Nightly,
}

/// A toolchain that can build the kernel programs.
#[derive(Debug, Clone)]
pub(crate) struct Toolchain {
    pub(crate) route: Route,
    /// First line of `rustc --version`, and the package that it is from on Debian.
    pub(crate) rustc: String,
    /// The LLVM inside the compiler.
    pub(crate) llvm: String,
    /// `bpf-linker --version`, and the LLVM that it is linked with where that can be told.
    pub(crate) linker: String,
    /// Where debug paths of the core library lie, which the remapping must cover or hide.
    pub(crate) core_sources: PathBuf,
    /// Takes DWARF out of the object.
    pub(crate) objcopy: PathBuf,
    /// Folders before all others in PATH: the programs of this toolchain.
    programs: Vec<PathBuf>,
    /// Folders with its shared libraries that the system may not have.
    libraries: Vec<PathBuf>,
}

impl Toolchain {
    /// Cargo of this toolchain, in the kernel crate's folder.
    pub(crate) fn cargo(&self) -> Command {
        let mut cargo = match self.route {
            Route::Debian => self.command("cargo"),
            Route::Nightly => self.command("rustup"),
        };
        match self.route {
            Route::Debian => cargo.env("RUSTC_BOOTSTRAP", "1"),
            Route::Nightly => cargo.args(["run", "nightly", "cargo"]),
        };
        cargo.current_dir(sh::root().join("socktrace-ebpf"));
        cargo
    }

    /// A program of this toolchain: by its path where that is known, so that no other of its name is found first.
    pub(crate) fn command(&self, program: impl AsRef<Path>) -> Command {
        let program = program.as_ref();
        let own = self.programs.iter().map(|folder| folder.join(program)).find(|path| path.is_file());
        let mut command = scrubbed(own.as_deref().unwrap_or(program));
        command.env("PATH", joined(&self.programs, "PATH"));
        if !self.libraries.is_empty() {
            command.env("LD_LIBRARY_PATH", joined(&self.libraries, "LD_LIBRARY_PATH"));
        }
        command
    }

    /// The arguments that cargo needs to build (or lint) for the kernel.
    pub(crate) fn target_arguments(&self) -> &'static [&'static str] {
        match self.route {
            Route::Debian => &["--target", TARGET],
            Route::Nightly => &["--target", TARGET, "-Z", "build-std=core"],
        }
    }
}

/// The folders, before those that the variable names already.
fn joined(folders: &[PathBuf], variable: &str) -> OsString {
    let before = std::env::var_os(variable).unwrap_or_default();
    let all = folders.iter().cloned().chain(std::env::split_paths(&before).filter(|path| path.is_absolute()));
    // A folder with a colon in its name cannot be said.
    std::env::join_paths(all).unwrap_or(before)
}

/// A command without the settings of the host build around us.
fn scrubbed(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        if let Some(name) = name.to_str().filter(|name| is_build_setting(name)) {
            command.env_remove(name);
        }
    }
    command
}

/// Settings of the surrounding cargo run or of the user's shell that would change the object or the compiler.
fn is_build_setting(name: &str) -> bool {
    const NAMES: &[&str] = &[
        "CARGO",
        "RUSTFLAGS",
        "CARGO_ENCODED_RUSTFLAGS",
        "CARGO_INCREMENTAL",
        "RUSTC",
        "RUSTC_WRAPPER",
        "RUSTC_WORKSPACE_WRAPPER",
        "RUSTUP_TOOLCHAIN",
        "LD_LIBRARY_PATH",
    ];
    const FAMILIES: &[&str] =
        &["CARGO_BUILD_", "CARGO_PROFILE_", "CARGO_TARGET_", "CARGO_PKG_", "CARGO_MANIFEST_"];
    NAMES.contains(&name) || FAMILIES.iter().any(|family| name.starts_with(family))
}

/// The toolchain of this machine; fetches what is missing where that is possible (Debian).
pub(crate) fn find_or_install() -> Result<Toolchain> {
    if Tree::is_here(TREE, COMPILER)? {
        return debian();
    }
    if setup::has_apt() {
        setup::update().context(WHAT)?;
        if setup::apt_offers("libstd-rust-web-dev-bpf") {
            return debian();
        }
    }
    nightly()
}

fn debian() -> Result<Toolchain> {
    let compiler = Tree::of(WHAT, TREE, COMPILER)?;
    let mut tools = Toolchain {
        route: Route::Debian,
        rustc: String::new(),
        llvm: String::new(),
        linker: String::new(),
        core_sources: PathBuf::new(),
        objcopy: PathBuf::new(),
        programs: vec![compiler.path("usr/bin")],
        libraries: compiler.libraries(),
    };
    let verbose = sh::read(tools.command("rustc").arg("-vV"))?;
    tools.llvm = field(&verbose, "LLVM version")?.to_owned();
    tools.core_sources = format!("/usr/src/rustc-{}", field(&verbose, "release")?).into();
    let package = compiler.version_of("rustc-web").unwrap_or_else(|| "unknown".to_owned());
    tools.rustc = format!("{}, rustc-web {package}", first_line(&verbose));

    let major = tools.llvm.split('.').next().unwrap_or_default();
    let (name, headers) = (format!("llvm-{major}"), format!("llvm-{major}-dev"));
    let llvm = Tree::of(WHAT, &name, &[&name, &headers])?;
    tools.objcopy = llvm.path(&format!("usr/lib/{name}/bin/llvm-objcopy"));
    tools.libraries.extend(llvm.libraries());
    tools.programs.insert(0, bpf_linker(&tools, &llvm, &name)?);
    let version = llvm.version_of(&format!("libllvm{major}")).unwrap_or_else(|| "unknown".to_owned());
    let linker = sh::read(tools.command("bpf-linker").arg("--version"))?;
    tools.linker = format!("{linker}, libllvm{major} {version}");
    Ok(tools)
}

/// The folder of the linker, built against the LLVM that the compiler has: bitcode of a newer LLVM cannot be read by an
/// older one.
fn bpf_linker(tools: &Toolchain, llvm: &Tree, feature: &str) -> Result<PathBuf> {
    let folder = tree::cache()?.join(format!("bpf-linker-{BPF_LINKER}-{feature}"));
    let programs = folder.join("bin");
    if programs.join("bpf-linker").is_file() {
        return Ok(programs);
    }
    println!("building bpf-linker {BPF_LINKER} with {feature} in {}: about a minute", folder.display());
    let mut cargo = sh::cargo();
    cargo.args(["install", "--quiet", "--locked", "bpf-linker", "--version", BPF_LINKER]);
    cargo.args(["--no-default-features", "--features", feature, "--no-track", "--root"]).arg(&folder);
    cargo.env("LLVM_PREFIX", llvm.path(&format!("usr/lib/{feature}")));
    // The host's compiler must find what LLVM itself is linked with.
    cargo.env("LIBRARY_PATH", joined(&tools.libraries, "LIBRARY_PATH"));
    sh::run(cargo.env("LD_LIBRARY_PATH", joined(&tools.libraries, "LD_LIBRARY_PATH")))?;
    Ok(programs)
}

/// What `bpf-linker --version` says, where the wanted one is in PATH.
fn linker_in_path() -> Option<String> {
    let said = sh::read(sh::command(sh::which("bpf-linker")?).arg("--version")).ok()?;
    said.split_whitespace().any(|word| word == BPF_LINKER).then_some(said)
}

/// rustup's nightly; names what is missing.
pub(crate) fn nightly() -> Result<Toolchain> {
    let rustc = || {
        let mut rustup = scrubbed("rustup");
        rustup.args(["run", "nightly", "rustc"]);
        rustup
    };
    let mut missing = String::new();
    let verbose = sh::read(rustc().arg("-vV"));
    let sysroot = sh::read(rustc().args(["--print", "sysroot"])).map(PathBuf::from);
    let sources = sysroot.as_ref().map(|root| root.join("lib/rustlib/src/rust")).unwrap_or_default();
    let objcopy = verbose.as_ref().ok().zip(sysroot.as_ref().ok()).and_then(|(verbose, root)| {
        let host = field(verbose, "host").ok()?;
        Some(root.join("lib/rustlib").join(host).join("bin/llvm-objcopy"))
    });
    let objcopy = objcopy.filter(|file| file.is_file()).or_else(|| sh::which("llvm-objcopy"));
    if verbose.is_err() || !sources.is_dir() || objcopy.is_none() {
        writeln!(missing, "  rustup toolchain install nightly -c rust-src,llvm-tools,clippy")?;
    }
    let linker = linker_in_path();
    if linker.is_none() {
        writeln!(missing, "  cargo install bpf-linker --version {BPF_LINKER}")?;
    }
    let (Ok(verbose), Some(objcopy), Some(linker), true) = (verbose, objcopy, linker, missing.is_empty())
    else {
        bail!(
            "the kernel object cannot be built here yet; install:\n{missing}or use Debian as root, where it is done for you"
        );
    };
    Ok(Toolchain {
        route: Route::Nightly,
        rustc: first_line(&verbose).to_owned(),
        llvm: field(&verbose, "LLVM version")?.to_owned(),
        linker,
        core_sources: sources,
        objcopy,
        programs: Vec::new(),
        libraries: Vec::new(),
    })
}

/// The value after `name: ` in `rustc -vV`.
fn field<'a>(verbose: &'a str, name: &str) -> Result<&'a str> {
    let value = verbose.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    value.with_context(|| format!("rustc -vV does not say its {name}"))
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

/// The path as it is written and as the file system knows it: rustc may have been given either.
pub(crate) fn spellings(path: &Path) -> Vec<PathBuf> {
    let mut all = vec![path.to_path_buf()];
    all.extend(path.canonicalize().ok().filter(|real| real != path));
    all
}

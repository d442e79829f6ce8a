//! Which compiler builds the kernel programs on this machine, and what identifies it.
//!
//! Two routes. Debian: its rustc, with a core library for the BPF target as a package. Elsewhere: nightly, rust-src and
//! `-Z build-std=core`. Both link with bpf-linker.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::{setup, sh};

/// The target of the kernel programs.
pub(crate) const TARGET: &str = "bpfel-unknown-none";

const DEBIAN_RUSTC: &str = "/usr/bin/rustc";

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
}

impl Toolchain {
    /// Cargo of this toolchain, in the kernel crate's folder.
    pub(crate) fn cargo(&self) -> Command {
        let mut cargo = match self.route {
            Route::Debian => scrubbed("/usr/bin/cargo"),
            Route::Nightly => scrubbed("rustup"),
        };
        match self.route {
            Route::Debian => cargo.env("RUSTC", DEBIAN_RUSTC).env("RUSTC_BOOTSTRAP", "1"),
            Route::Nightly => cargo.args(["run", "nightly", "cargo"]),
        };
        cargo.current_dir(sh::root().join("socktrace-ebpf"));
        cargo
    }

    /// What cargo needs to be told to build (or lint) for the kernel.
    pub(crate) fn target_arguments(&self) -> &'static [&'static str] {
        match self.route {
            Route::Debian => &["--target", TARGET],
            Route::Nightly => &["--target", TARGET, "-Z", "build-std=core"],
        }
    }
}

/// A command without the settings of the host build around us.
fn scrubbed(program: &str) -> Command {
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

/// The toolchain of this machine; installs what is missing where that is possible (Debian, root).
pub(crate) fn find_or_install() -> Result<Toolchain> {
    setup::update_if_missing(setup::KERNEL_COMPILER)?;
    if setup::has_apt() && setup::apt_offers("libstd-rust-web-dev-bpf") {
        setup::packages("building the kernel object", setup::KERNEL_COMPILER)?;
        return debian();
    }
    nightly()
}

fn debian() -> Result<Toolchain> {
    let verbose = sh::read(Command::new(DEBIAN_RUSTC).arg("-vV"))?;
    let llvm = field(&verbose, "LLVM version")?.to_owned();
    let release = field(&verbose, "release")?;
    let major = llvm.split('.').next().unwrap_or_default().to_owned();
    let (tools, headers) = (format!("llvm-{major}"), format!("llvm-{major}-dev"));
    if setup::linker().is_none() {
        setup::packages("building bpf-linker", &[&headers])?;
        setup::bpf_linker(&major)?;
    }
    setup::packages("building the kernel object", &[&tools])?;
    let linker = setup::linker().context("bpf-linker was installed, but is not in PATH")?;
    let library = setup::version_of(&format!("libllvm{major}")).unwrap_or_else(|| "unknown".to_owned());
    let package = setup::version_of("rustc-web").unwrap_or_else(|| "unknown".to_owned());
    Ok(Toolchain {
        route: Route::Debian,
        rustc: format!("{}, rustc-web {package}", first_line(&verbose)),
        linker: format!("{linker}, libllvm{major} {library}"),
        core_sources: format!("/usr/src/rustc-{release}").into(),
        objcopy: format!("/usr/bin/llvm-objcopy-{major}").into(),
        llvm,
    })
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
    if setup::linker().is_none() {
        writeln!(missing, "  cargo install bpf-linker --version {}", setup::BPF_LINKER)?;
    }
    let (Ok(verbose), Some(objcopy), Some(linker), true) =
        (verbose, objcopy, setup::linker(), missing.is_empty())
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

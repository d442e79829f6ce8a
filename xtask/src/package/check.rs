//! What other people's tools say of the packages, the unit, the manual and the completions.
//!
//! I/O: runs lintian, rpmlint, shellcheck, systemd-analyze, mandoc, man, bash, zsh and fish; target/package.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use super::{WHAT, folder, made};
use crate::{python, setup, sh};

/// What runs the checks of the unit and the scripts.
const SERVICE: &[&str] = &["shellcheck", "systemd"];

/// What runs the checks of the manual.
const MANUAL: &[&str] = &["mandoc", "man-db", "bash-completion", "zsh", "fish"];

/// What `systemd-analyze security` may say of the unit at most, in tenths: 100 is everything allowed.
const EXPOSURE: &str = "37";

/// The unit is understood, and no door has been opened.
pub(crate) fn service() -> Result<()> {
    setup::packages("the unit", SERVICE)?;
    // It looks for the program and for the manual page, which are not installed here.
    let unit = fs::read_to_string(sh::root().join("packaging/socktrace.service"))?;
    let tried = folder().join("socktrace.service");
    fs::create_dir_all(folder())?;
    let text = unit.replace("/usr/bin/socktrace", "/bin/true").replace("Documentation=man:", "#");
    fs::write(&tried, text)?;
    sh::run_quietly(sh::command("systemd-analyze").arg("verify").arg(&tried))?;
    let mut security = sh::command("systemd-analyze");
    security.args(["security", "--no-pager", "--offline=true", "--threshold", EXPOSURE]);
    let said = sh::read(security.arg(&tried))?;
    println!("systemd-analyze: {}", said.lines().last().unwrap_or_default().trim());
    let scripts =
        ["debian/postinst", "debian/prerm", "debian/postrm", "trial.sh", "roots.sh", "containers.sh"];
    let scripts = scripts.map(|script| format!("packaging/{script}"));
    sh::run_quietly(sh::command("shellcheck").args(&scripts))?;
    Ok(())
}

/// Installs what CI looks at these with.
pub(crate) fn setup() -> Result<()> {
    setup::packages("the unit", SERVICE)?;
    setup::packages("the manual", MANUAL)
}

/// Neither an error nor a warning.
pub(super) fn deb(deb: &Path) -> Result<()> {
    setup::packages(WHAT, &["lintian"])?;
    let mut lintian = sh::command("lintian");
    lintian.args(["--allow-root", "--fail-on", "error,warning", "--info", "--tag-display-limit", "0"]);
    sh::run_quietly(lintian.arg(deb))?;
    println!("lintian: no error, no warning");
    Ok(())
}

/// The same of an rpm.
pub(super) fn rpm(rpm: &Path) -> Result<()> {
    setup::packages(WHAT, &["rpmlint"])?;
    let said = sh::command("rpmlint")
        .args(["--config", "packaging/rpmlint.toml"])
        .arg(rpm)
        .output()
        .context("cannot run rpmlint")?;
    print!("{}", String::from_utf8_lossy(&said.stdout));
    if said.status.success() { Ok(()) } else { bail!("rpmlint: {}", said.status) }
}

/// The version of kubernetes-validate, which brings the schemas of the API with it.
const KUBERNETES_VALIDATE: &str = "kubernetes-validate==1.37.0";

/// The manifest is what the API knows, without a key too many.
pub(super) fn kubernetes() -> Result<()> {
    let python = python::with(WHAT, &[KUBERNETES_VALIDATE])?;
    let program = python.with_file_name("kubernetes-validate");
    let manifest = "packaging/kubernetes.yaml";
    sh::run_quietly(sh::command(program).arg("--strict").arg(manifest))?;
    println!("kubernetes-validate --strict: {manifest} is valid");
    Ok(())
}

/// The manual is well made, and each shell completes with what is made for it.
pub(crate) fn manual() -> Result<()> {
    setup::packages("the manual", MANUAL)?;
    let made = folder().join("manual");
    sh::empty_folder(&made)?;
    made::manual(&made, &made::Version::of_tree()?.epoch())?;
    let mut pages = 0;
    for entry in fs::read_dir(made.join("man"))? {
        page(&entry?.path())?;
        pages += 1;
    }
    println!("{pages} manual pages: nothing to be said by mandoc -Tlint and man --warnings");
    sh::run(sh::cargo().args(["build", "--quiet", "--locked", "--package", "socktrace"]))?;
    let path = std::env::var_os("PATH").unwrap_or_default();
    let programs = [sh::root().join("target/debug")].into_iter().chain(std::env::split_paths(&path));
    let path = std::env::join_paths(programs)?;
    for (shell, script) in SHELLS {
        for (line, expected) in LINES {
            let mut command = sh::command(shell);
            command.args(["-c", script]).env("COMPLETIONS", made.join("completions")).env("HOME", &made);
            let said = sh::read(command.env("LINE", line).env("PATH", &path))?;
            if !said.split_whitespace().any(|offered| offered == *expected) {
                bail!("{shell} does not complete `{line}` with {expected}: {said:?}");
            }
        }
    }
    println!("bash, zsh and fish complete {} lines", LINES.len());
    Ok(())
}

/// Lines, and one of the words with which their last, empty or begun word is to be completed.
const LINES: &[(&str, &str)] = &[
    ("socktrace ", "history"),
    ("socktrace ev", "events"),
    ("socktrace events --k", "--kinds"),
    ("socktrace events --kinds ", "connect_failed"),
    ("socktrace events state ", "time-wait"),
    ("socktrace ss -tan ", "sport"),
    ("socktrace ss -tan state ", "close-wait"),
    ("socktrace ss --coun", "--count-by"),
    ("socktrace ss -tan --sort ", "retrans"),
    ("socktrace ss dev ", "lo"),
    ("socktrace history --sort ", "retrans"),
    ("socktrace agent --user ", "root"),
];

/// What each shell offers at the end of $LINE, one word a line or more.
const SHELLS: &[(&str, &str)] = &[
    (
        "bash",
        r#"source "$COMPLETIONS/socktrace.bash"
           read -ra COMP_WORDS <<<"$LINE"; [[ $LINE = *' ' ]] && COMP_WORDS+=('')
           COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); COMP_TYPE=9
           _clap_complete_socktrace socktrace "${COMP_WORDS[COMP_CWORD]}" ''; printf '%s\n' "${COMPREPLY[@]}""#,
    ),
    // Without a terminal there is no line to complete: what would describe the words prints them.
    (
        "zsh",
        r#"autoload -Uz compinit; compinit -u -D; source "$COMPLETIONS/_socktrace"
           _describe() { print -l -- ${${(P)${@[-1]}}%%:*} }
           words=(${=LINE}); [[ $LINE = *' ' ]] && words+=(''); CURRENT=$#words
           _clap_dynamic_completer_socktrace"#,
    ),
    ("fish", r#"source "$COMPLETIONS/socktrace.fish"; complete --do-complete "$LINE" | cut -f1"#),
];

/// One page, by both programs that show it.
fn page(path: &Path) -> Result<()> {
    let lint = Command::new("mandoc").args(["-Tlint", "-Wstyle"]).arg(path).output().context("no mandoc")?;
    let mut man = Command::new("man");
    man.args(["--warnings=w", "--encoding=UTF-8", "--local-file", "-Tutf8", "-Z"]).arg(path);
    let man = man.env("MANWIDTH", "80").env("LC_ALL", "C.UTF-8").output().context("cannot run man")?;
    let said = [lint.stdout, lint.stderr, man.stderr].concat();
    if !said.is_empty() || !man.status.success() {
        bail!("{}: {}", path.display(), String::from_utf8_lossy(&said).trim_end());
    }
    Ok(())
}

//! Debian's packages, fetched by the package client from the mirror that this machine's own sources name, and
//! unpacked: nothing is installed.
//!
//! I/O: /etc/apt, /etc/os-release, apt-get, apt-cache, dpkg-deb. Uses nothing of the project, since the tests that
//! compare with the real ss include this folder.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

pub(crate) mod ss;

/// The package client with sources and lists of its own.
pub(crate) struct Apt {
    folder: PathBuf,
    /// Processor that the packages are for; none for this machine's.
    arch: Option<String>,
}

impl Apt {
    /// One that knows what a suite has, for another processor than this machine's if one is named. `folder` is its own.
    pub(crate) fn of(folder: &Path, suite: &str, arch: Option<&str>) -> Result<Self> {
        fs::create_dir_all(folder.join("lists/partial"))?;
        fs::create_dir_all(folder.join("cache/archives/partial"))?;
        fs::write(folder.join("sources.list"), source_of(suite)?)?;
        let apt = Self { folder: folder.to_owned(), arch: arch.map(str::to_owned) };
        quiet(apt.command("apt-get").args(["-q", "-q", "update"]))?;
        Ok(apt)
    }

    /// One of its programs.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        let set = |name: &str, value: &str| format!("{name}={}", self.folder.join(value).display());
        command.current_dir(&self.folder).args(["-o", "Dir::Etc::sourceparts=/dev/null"]);
        command.args(["-o", "APT::Sandbox::User=root", "-o", &set("Dir::Etc::sourcelist", "sources.list")]);
        command.args(["-o", &set("Dir::State::lists", "lists"), "-o", &set("Dir::Cache", "cache")]);
        if let Some(arch) = &self.arch {
            command.args(["-o", &format!("APT::Architecture={arch}"), "-o", "APT::Architectures="]);
            command.args(["-o", &format!("APT::Architectures::={arch}")]);
            // What this machine has installed, in whatever version, is not what is asked for.
            command.args(["-o", "Dir::State::status=/dev/null"]);
        }
        command
    }

    /// Downloads a package and puts its files under `into`.
    pub(crate) fn unpack(&self, package: &str, into: &Path) -> Result<()> {
        let packages = self.folder.join("packages").join(package);
        fs::create_dir_all(&packages)?;
        quiet(self.command("apt-get").current_dir(&packages).args(["-q", "-q", "download", package]))?;
        let mut files = fs::read_dir(&packages)?.filter_map(|entry| Some(entry.ok()?.path()));
        let deb = files.find(|path| path.extension().is_some_and(|extension| extension == "deb"));
        let deb = deb.with_context(|| format!("apt-get downloaded no {package}"))?;
        quiet(Command::new("dpkg-deb").arg("-x").arg(&deb).arg(into))?;
        fs::remove_dir_all(&packages)?;
        Ok(())
    }
}

fn quiet(command: &mut Command) -> Result<()> {
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("cannot run {command:?}"))?;
    if !output.status.success() {
        bail!("{command:?}: {}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}

/// One line of apt's sources for a suite, from where this machine gets it, else from where it gets its own suite.
pub(crate) fn source_of(suite: &str) -> Result<String> {
    let codename = codename()?;
    let mut files = vec![PathBuf::from("/etc/apt/sources.list")];
    if let Ok(entries) = fs::read_dir("/etc/apt/sources.list.d") {
        files.extend(entries.filter_map(|entry| Some(entry.ok()?.path())));
    }
    let texts: Vec<String> = files.iter().filter_map(|file| fs::read_to_string(file).ok()).collect();
    let of = |suite: &str| texts.iter().find_map(|text| mirror(text, suite));
    let mirror = of(suite)
        .or_else(|| of(&codename))
        .with_context(|| format!("no source of {codename} in /etc/apt"))?;
    let signed = mirror.signed_by.map(|key| format!(" [signed-by={key}]")).unwrap_or_default();
    Ok(format!("deb{signed} {} {suite} main\n", mirror.uri))
}

/// The name of this machine's suite.
pub(crate) fn codename() -> Result<String> {
    let release = fs::read_to_string("/etc/os-release").context("cannot read /etc/os-release")?;
    let codename = release.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME="));
    Ok(codename.context("this system has no code name")?.to_owned())
}

#[derive(Debug, PartialEq, Eq)]
struct Mirror {
    uri: String,
    signed_by: Option<String>,
}

/// Where a file of sources, in either of its two forms, gets the suite from.
fn mirror(text: &str, codename: &str) -> Option<Mirror> {
    one_line(text, codename).or_else(|| text.split("\n\n").find_map(|stanza| of_stanza(stanza, codename)))
}

/// `deb [signed-by=KEY] URI SUITE main`
fn one_line(text: &str, codename: &str) -> Option<Mirror> {
    text.lines().find_map(|line| {
        let mut rest = line.strip_prefix("deb ")?.trim();
        let mut signed_by = None;
        if let Some((options, after)) = rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            signed_by =
                options.split_whitespace().find_map(|o| o.strip_prefix("signed-by=")).map(str::to_owned);
            rest = after.trim();
        }
        let mut words = rest.split_whitespace();
        let (uri, suite) = (words.next()?, words.next()?);
        (suite == codename).then(|| Mirror { uri: uri.to_owned(), signed_by })
    })
}

/// `URIs: …`, `Suites: …`, `Signed-By: …`
fn of_stanza(stanza: &str, codename: &str) -> Option<Mirror> {
    let field = |name: &str| {
        stanza.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
    };
    let suites = field("Suites")?;
    if !suites.split_whitespace().any(|suite| suite == codename) {
        return None;
    }
    let uri = field("URIs")?.split_whitespace().next()?.to_owned();
    Some(Mirror { uri, signed_by: field("Signed-By").map(str::to_owned) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mirrors_are_found_in_both_forms() {
        fn check(text: &str, expected: Option<(&str, Option<&str>)>) {
            let expected =
                expected.map(|(uri, key)| Mirror { uri: uri.to_owned(), signed_by: key.map(str::to_owned) });
            assert_eq!(mirror(text, "bookworm"), expected, "{text}");
        }
        check("deb http://m.test/debian bookworm main contrib\n", Some(("http://m.test/debian", None)));
        check(
            "# x\ndeb [arch=amd64 signed-by=/k.gpg] http://m.test/d bookworm main\n",
            Some(("http://m.test/d", Some("/k.gpg"))),
        );
        check("deb http://m.test/debian bookworm-updates main\n", None);
        check(
            "Types: deb\nURIs: http://s.test/sec\nSuites: bookworm-security\n\nTypes: deb\n# http://old.test\n\
             URIs: http://m.test/debian\nSuites: bookworm bookworm-updates\nSigned-By: /k.gpg\n",
            Some(("http://m.test/debian", Some("/k.gpg"))),
        );
        check("", None);
    }
}

//! The oracle: the real ss of iproute2 6.15, unpacked under target/ beside whatever the machine has installed.
//!
//! Debian has it (bookworm in its backports, trixie as it is). The package client fetches it from the mirror that
//! the machine's own sources name; nothing is installed and nothing is committed.
//!
//! I/O: /etc/apt, /etc/os-release, apt-get, dpkg-deb, target/. Uses nothing of the project, since the tests that
//! compare with the oracle include this file.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

/// What `ss -V` must say.
const VERSION: &str = "iproute2-6.15";

/// Path of the oracle, fetched if it is not there yet. `root` is the project's folder.
///
/// # Errors
///
/// Not a Debian that has it, no network, or a package that is not what was expected.
pub(crate) fn fetch(root: &Path) -> Result<PathBuf> {
    let folder = root.join("target/ss-oracle");
    if let Some(ss) = unpacked(&folder) {
        return Ok(ss);
    }
    fs::create_dir_all(&folder)?;
    // Several tests may want it at once: one fetches, the others wait and find it there.
    let lock = fs::File::create(folder.join("lock"))?;
    lock.lock()?;
    if let Some(ss) = unpacked(&folder) {
        return Ok(ss);
    }
    fs::create_dir_all(folder.join("lists/partial"))?;
    fs::create_dir_all(folder.join("cache/archives/partial"))?;
    let sources = folder.join("sources.list");
    fs::write(&sources, source_line()?)?;
    apt(&folder, &["update"])?;
    apt(&folder, &["download", "iproute2"])?;
    let package = fs::read_dir(&folder)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.extension().is_some_and(|extension| extension == "deb"))
        .context("apt-get downloaded no package")?;
    quiet(Command::new("dpkg-deb").arg("-x").arg(&package).arg(folder.join("root")))?;
    unpacked(&folder).with_context(|| format!("{} holds no ss of {VERSION}", package.display()))
}

fn unpacked(folder: &Path) -> Option<PathBuf> {
    ["root/bin/ss", "root/usr/bin/ss"].iter().map(|path| folder.join(path)).find(|ss| {
        let version = Command::new(ss).arg("-V").stdin(Stdio::null()).output();
        version.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains(VERSION))
    })
}

fn apt(folder: &Path, words: &[&str]) -> Result<()> {
    let mut apt = Command::new("apt-get");
    apt.current_dir(folder).arg("-q");
    let options = [
        ("Dir::Etc::sourcelist", folder.join("sources.list").display().to_string()),
        ("Dir::Etc::sourceparts", "/dev/null".to_owned()),
        ("Dir::State::lists", folder.join("lists").display().to_string()),
        ("Dir::Cache", folder.join("cache").display().to_string()),
        ("APT::Sandbox::User", "root".to_owned()),
    ];
    for (name, value) in options {
        apt.arg("-o").arg(format!("{name}={value}"));
    }
    quiet(apt.args(words))
}

fn quiet(command: &mut Command) -> Result<()> {
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("cannot run {command:?}"))?;
    if !output.status.success() {
        bail!("{command:?}: {}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}

/// One line of apt's sources: the mirror of this machine, the suite that has the package.
fn source_line() -> Result<String> {
    match codename()?.as_str() {
        "bookworm" => source_of("bookworm-backports"),
        "trixie" => source_of("trixie"),
        other => bail!("no package of {VERSION} is known for {other}"),
    }
}

/// One line of apt's sources for a suite, from the mirror that this machine's own suite comes from.
pub(crate) fn source_of(suite: &str) -> Result<String> {
    let codename = codename()?;
    let mut files = vec![PathBuf::from("/etc/apt/sources.list")];
    if let Ok(entries) = fs::read_dir("/etc/apt/sources.list.d") {
        files.extend(entries.filter_map(|entry| Some(entry.ok()?.path())));
    }
    let mirror = files
        .iter()
        .filter_map(|file| fs::read_to_string(file).ok())
        .find_map(|text| mirror(&text, &codename))
        .with_context(|| format!("no source of {codename} in /etc/apt"))?;
    let signed = mirror.signed_by.map(|key| format!(" [signed-by={key}]")).unwrap_or_default();
    Ok(format!("deb{signed} {} {suite} main\n", mirror.uri))
}

fn codename() -> Result<String> {
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

//! What a package holds beside the program and the documents: manual pages, completions, notices, a bill of materials,
//! the changelogs. Made anew each time into target/package/made.
//!
//! I/O: that folder; runs cargo, git and gzip; reads the sources of dependencies.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::folder;
use super::target::Target;
use crate::sh;

/// What the tree calls itself, and from when it is.
#[derive(Debug, Clone)]
pub(crate) struct Version {
    /// Of Cargo.toml.
    number: String,
    /// What a commit without a tag adds: `~git20261201.1a2b3c4`.
    suffix: String,
    /// Seconds since 1970 of the commit: the time of every file in a package.
    epoch: u64,
}

impl Version {
    /// A commit with the tag `v` and the number is that version; every other one comes before it.
    pub(crate) fn of_tree() -> Result<Self> {
        let number = env!("CARGO_PKG_VERSION").to_owned();
        let git = |arguments: &[&str]| sh::read(sh::command("git").args(arguments)).ok();
        let tags = git(&["tag", "--points-at", "HEAD"]).unwrap_or_default();
        let is_tagged = tags.lines().any(|tag| tag.strip_prefix('v') == Some(&number));
        let committed = git(&["log", "-1", "--format=%ct"]).and_then(|seconds| seconds.parse().ok());
        let now = || SystemTime::now().duration_since(UNIX_EPOCH).map(|since| since.as_secs());
        let epoch = match committed {
            Some(epoch) => epoch,
            None => now()?,
        };
        let suffix = match git(&["log", "-1", "--format=%cd.%h", "--date=format-local:%Y%m%d", "--abbrev=9"])
        {
            Some(commit) if !is_tagged => format!("~git{commit}"),
            Some(_) | None => String::new(),
        };
        Ok(Self { number, suffix, epoch })
    }

    /// One that is older than every other.
    pub(crate) fn older(&self) -> Self {
        Self { number: "0.0.1".to_owned(), suffix: String::new(), epoch: self.epoch }
    }

    /// As Debian has it, with the number of the packaging.
    pub(crate) fn debian(&self) -> String {
        format!("{}{}-1", self.number, self.suffix)
    }

    /// As rpm has it: no hyphen.
    pub(crate) fn rpm(&self) -> String {
        format!("{}{}", self.number, self.suffix)
    }

    /// For `SOURCE_DATE_EPOCH`.
    pub(crate) fn epoch(&self) -> String {
        self.epoch.to_string()
    }
}

/// Makes all of it.
pub(crate) fn all(target: &Target, version: &Version) -> Result<()> {
    let made = folder().join("made");
    sh::empty_folder(&made)?;
    manual(&made, &version.epoch())?;
    let dependencies = dependencies(target)?;
    zipped(&made.join("dependencies.txt"), &notices(&dependencies)?)?;
    zipped(&made.join("sbom.cdx.json"), &bill(&dependencies, version)?)?;
    zipped(&made.join("changelog-of-project"), &fs::read_to_string(sh::root().join("CHANGELOG.md"))?)?;
    fs::write(made.join("changelog"), debian_changelog(version)?)?;
    Ok(())
}

/// Writes `man/` and `completions/` into a folder.
pub(crate) fn manual(into: &Path, epoch: &str) -> Result<()> {
    let mut cargo = sh::cargo();
    cargo.args(["run", "--quiet", "--locked", "--package", "socktrace", "--example", "manual", "--"]);
    sh::run(cargo.arg(into).env("SOURCE_DATE_EPOCH", epoch))
}

/// What a package of Debian's says of its own making.
fn debian_changelog(version: &Version) -> Result<String> {
    let mut date = sh::command("date");
    date.args(["--utc", "--rfc-email", "--date"]).arg(format!("@{}", version.epoch)).env("LC_ALL", "C");
    Ok(format!(
        "socktrace ({}) unstable; urgency=medium\n\n  * What has changed is in changelog.gz.\n\n -- {}  {}\n",
        version.debian(),
        "socktrace authors <maintainers@socktrace.example>",
        sh::read(&mut date)?
    ))
}

/// Writes a file that gzip has made small, without its name and time.
fn zipped(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text)?;
    sh::run_quietly(sh::command("gzip").args(["-9", "-n", "-f"]).arg(path))
}

/// A library that is in the program.
#[derive(Debug)]
struct Dependency {
    name: String,
    version: String,
    licence: String,
    folder: PathBuf,
}

/// The libraries that the program is linked with, by name: not what only builds or tests it.
fn dependencies(target: &Target) -> Result<Vec<Dependency>> {
    let mut cargo = sh::cargo();
    cargo.args(["metadata", "--locked", "--format-version", "1", "--filter-platform", target.triple()]);
    let metadata: Value = serde_json::from_str(&sh::read(&mut cargo)?)?;
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let packages: BTreeMap<String, Value> =
        list(&metadata["packages"]).into_iter().map(|package| (text(&package["id"]), package)).collect();
    let nodes: BTreeMap<String, Value> =
        list(&metadata["resolve"]["nodes"]).into_iter().map(|node| (text(&node["id"]), node)).collect();
    let own = packages.iter().find(|(_, package)| package["name"] == "socktrace");
    let mut open = vec![own.context("cargo does not know socktrace")?.0.clone()];
    let mut seen = BTreeSet::new();
    while let Some(id) = open.pop() {
        let Some(node) = nodes.get(&id).filter(|_| seen.insert(id)) else { continue };
        for dependency in list(&node["deps"]) {
            // The kind of a library that is linked is null; others are "dev" and "build".
            if list(&dependency["dep_kinds"]).iter().any(|kind| kind["kind"].is_null()) {
                open.push(text(&dependency["pkg"]));
            }
        }
    }
    let mut all: Vec<Dependency> = seen
        .iter()
        .filter_map(|id| packages.get(id))
        .filter(|package| !package["source"].is_null())
        .map(|package| Dependency {
            name: text(&package["name"]),
            version: text(&package["version"]),
            licence: text(&package["license"]),
            folder: Path::new(&text(&package["manifest_path"])).parent().unwrap_or(Path::new("/")).to_owned(),
        })
        .collect();
    all.sort_by(|a, b| (&a.name, &a.version).cmp(&(&b.name, &b.version)));
    Ok(all)
}

/// Their names, and below each the licences and notices that its authors want to be kept; each text once.
fn notices(dependencies: &[Dependency]) -> Result<String> {
    let mut text = String::from("The program socktrace is linked with these libraries.\n");
    let mut first: BTreeMap<String, String> = BTreeMap::new();
    for dependency in dependencies {
        let name = format!("{} {}", dependency.name, dependency.version);
        text.push_str(&format!("\n{:=<100}\n{name} ({})\n", "", dependency.licence));
        for file in legal_files(&dependency.folder)? {
            let content = String::from_utf8_lossy(&fs::read(&file)?).replace('\r', "");
            let called = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
            match first.get(&content) {
                Some(same) => text.push_str(&format!("\n{called}: as {same}\n")),
                None => {
                    text.push_str(&format!("\n{called}:\n\n{}\n", content.trim_end()));
                    first.insert(content, format!("{called} of {name}"));
                }
            }
        }
    }
    Ok(text)
}

/// Files of a library whose names say that they are about rights, by name.
fn legal_files(folder: &Path) -> Result<Vec<PathBuf>> {
    const NAMES: &[&str] = &["LICENSE", "LICENCE", "COPYING", "COPYRIGHT", "NOTICE", "UNLICENSE"];
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_uppercase();
        if path.is_file() && NAMES.iter().any(|legal| name.starts_with(legal)) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// CycloneDX 1.5.
fn bill(dependencies: &[Dependency], version: &Version) -> Result<String> {
    let component = |dependency: &Dependency| {
        let Dependency { name, version, licence, .. } = dependency;
        let purl = format!("pkg:cargo/{name}@{version}");
        json!({
            "type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl,
            "licenses": [{ "expression": licence.replace('/', " OR ") }],
        })
    };
    let components: Vec<Value> = dependencies.iter().map(component).collect();
    let own = json!({ "type": "application", "bom-ref": "socktrace", "name": "socktrace", "version": version.rpm() });
    let bill = json!({
        "bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1,
        "metadata": { "component": own }, "components": components,
    });
    Ok(serde_json::to_string_pretty(&bill)?)
}

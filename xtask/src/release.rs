//! `cargo xtask release`: the checklist of a release, each point tried. What is published, and where, is for people.
//!
//! I/O: git; what `ci`, `package`, `roots`, `trial`, `containers` and `model` do.

use anyhow::{Context as _, Result, bail, ensure};
use clap::Parser as _;

use crate::{ci, package, roots, sh, testing, vm};

/// How far to go.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct Options {
    /// Try every point, and make no tag
    #[arg(long)]
    dry_run: bool,
    /// Only the points that take no time: tree, changelog, tag
    #[arg(long, requires = "dry_run")]
    quick: bool,
}

/// A point of the list, in the words of the list, and what tries it.
struct Point {
    name: &'static str,
    is_quick: bool,
    work: fn(Options) -> Result<()>,
}

const POINTS: &[Point] = &[
    Point { name: "nothing is uncommitted", is_quick: true, work: |_| clean() },
    Point { name: "the changelog says what this version brings", is_quick: true, work: changelog },
    Point { name: "the version has no tag yet", is_quick: true, work: |_| no_tag() },
    Point { name: "CI", is_quick: false, work: |_| ci::run() },
    Point {
        name: "packages for amd64, looked at, the same bytes from another folder",
        is_quick: false,
        work: |_| packages(&["deb", "rpm", "tar", "image", "--check", "--twice"]),
    },
    Point {
        name: "packages for arm64",
        is_quick: false,
        work: |_| packages(&["deb", "rpm", "tar", "image", "--arch", "arm64"]),
    },
    Point { name: "the deb in the roots of four Debians", is_quick: false, work: |_| roots() },
    Point { name: "the deb on Debians with systemd", is_quick: false, work: |_| trial() },
    Point { name: "containers", is_quick: false, work: |_| containers() },
    Point { name: "every order of memory in the models", is_quick: false, work: |_| testing::models() },
];

pub(crate) fn run(options: Options) -> Result<()> {
    let points = POINTS.iter().filter(|point| point.is_quick || !options.quick);
    let failed = sh::steps(points, |point| point.name.to_owned(), |point| (point.work)(options));
    if !failed.is_empty() {
        bail!("not ready for release {}: {}", version(), failed.join("; "));
    }
    if options.dry_run {
        println!("ready for release {}; no tag was made", version());
        return Ok(());
    }
    sh::run(sh::command("git").args([
        "tag",
        "--annotate",
        &tag(),
        "--message",
        &format!("socktrace {}", version()),
    ]))?;
    println!("tagged {}; target/package holds what is to be published", tag());
    Ok(())
}

const fn version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}

fn tag() -> String {
    format!("v{}", version())
}

fn clean() -> Result<()> {
    let changed = sh::read(sh::command("git").args(["status", "--porcelain"]))?;
    ensure!(changed.is_empty(), "there are changes that are not committed:\n{changed}");
    Ok(())
}

/// A section of its own with something in it; before the release it may still be called Unreleased.
fn changelog(options: Options) -> Result<()> {
    let text = std::fs::read_to_string(sh::root().join("CHANGELOG.md"))?;
    let said = |title: &str| {
        section(&text, title).is_some_and(|lines| lines.lines().any(|line| line.starts_with("- ")))
    };
    if said(version()) || (options.dry_run && said("Unreleased")) {
        return Ok(());
    }
    bail!("CHANGELOG.md has no section `## {}` with a point in it", version())
}

/// What stands below the heading of that title.
fn section<'a>(text: &'a str, title: &str) -> Option<&'a str> {
    let mut sections = text.split("\n## ").skip(1);
    sections
        .find_map(|section| {
            section.split_once('\n').filter(|(head, _)| head.split(' ').next() == Some(title))
        })
        .map(|(_, lines)| lines)
}

fn no_tag() -> Result<()> {
    let tags = sh::read(sh::command("git").args(["tag", "--list", &tag()]))?;
    ensure!(tags.is_empty(), "{} is there already: raise the version in Cargo.toml", tag());
    Ok(())
}

/// As the command line says it.
#[derive(Debug, clap::Parser)]
struct Packages {
    #[command(flatten)]
    options: package::Options,
}

fn packages(words: &[&str]) -> Result<()> {
    let words = std::iter::once("package").chain(words.iter().copied());
    let packages = Packages::try_parse_from(words).context("cannot say which packages")?;
    package::run(&packages.options)
}

/// As the command line says it.
#[derive(Debug, clap::Parser)]
struct Trial {
    #[command(flatten)]
    options: vm::trial::Options,
}

/// On the kernel and the C library of each Debian that can be traced.
const TRIAL: &[&str] = &["trial", "bookworm", "trixie"];

fn trial() -> Result<()> {
    vm::trial::run(&Trial::try_parse_from(TRIAL).context("cannot say which trial")?.options)
}

/// As the command line says it.
#[derive(Debug, clap::Parser)]
struct Containers {
    #[command(flatten)]
    options: vm::containers::Options,
}

fn containers() -> Result<()> {
    vm::containers::run(&Containers::try_parse_from(["containers"]).context("cannot say which")?.options)
}

/// As the command line says it.
#[derive(Debug, clap::Parser)]
struct Roots {
    #[command(flatten)]
    options: roots::Options,
}

fn roots() -> Result<()> {
    roots::run(&Roots::try_parse_from(["roots"]).context("cannot say which roots")?.options)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_is_found_by_its_title() {
        let text = "# Changelog\n\nWords.\n\n## Unreleased\n\n## 0.2.0 (2026-12-01)\n\n- One.\n\n## 0.1.0\n\n- Two.\n";
        assert_eq!(section(text, "Unreleased"), Some(""));
        assert_eq!(section(text, "0.2.0"), Some("\n- One.\n"));
        assert_eq!(section(text, "0.1.0"), Some("\n- Two.\n"));
        assert_eq!(section(text, "0.3.0"), None);
    }

    #[test]
    fn every_point_can_be_said() {
        for words in [&["deb", "rpm", "tar", "image", "--check", "--twice"][..], &["--arch", "arm64"]] {
            Packages::try_parse_from(std::iter::once("package").chain(words.iter().copied())).unwrap();
        }
        Trial::try_parse_from(TRIAL).unwrap();
        Roots::try_parse_from(["roots"]).unwrap();
        Containers::try_parse_from(["containers"]).unwrap();
    }
}

//! Rules about text: how a file opens, how long it is, words that must not be in the tree, links that must lead somewhere.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use super::Problem;

/// A file longer than this needs a reason below.
const LONG: usize = 400;

/// Of tests, that are tables of cases, only a file longer than this does.
const LONG_FOR_TESTS: usize = 700;

/// Files that may be longer.
const LONG_FOR_A_REASON: &[(&str, &str)] = &[(
    "socktrace/src/table/world/acts.rs",
    "every act of the model kernel that the laws of the table are tested with",
)];

/// The page that lists all documents.
pub(crate) const INDEX: &str = "docs/README.md";

/// Hosts that a link may lead to: the places of specifications, sources and public discussion.
const HOSTS: &[&str] = &[
    "github.com",
    "raw.githubusercontent.com",
    "git.kernel.org",
    "lore.kernel.org",
    "kernel.org",
    "www.kernel.org",
    "docs.kernel.org",
    "man7.org",
    "docs.rs",
    "doc.rust-lang.org",
    "rust-lang.org",
    "www.rust-lang.org",
    "rustup.rs",
    "www.apache.org",
    "www.debian.org",
    "opensource.org",
    "json-schema.org",
    "keepachangelog.com",
    "semver.org",
    "datatracker.ietf.org",
    "www.rfc-editor.org",
    "localhost",
    "127.0.0.1",
    "agent",
];

/// `//!` is the first line of a file that has no `#!`.
pub(crate) fn head(file: &str, source: &str) -> Option<Problem> {
    let first = source.lines().next().unwrap_or_default();
    let said = first.strip_prefix("//! ").is_some_and(|rest| rest.trim_end().len() > 10);
    (!said).then(|| problem(file, 1, "open with `//!`: what this file is".to_owned()))
}

/// About 120 lines is normal, 400 is a lot.
pub(crate) fn length(file: &str, source: &str) -> Option<Problem> {
    let lines = source.lines().count();
    let excused = LONG_FOR_A_REASON.iter().any(|(long, _)| *long == file);
    let long = if file.contains("/tests/") || file.ends_with("/tests.rs") { LONG_FOR_TESTS } else { LONG };
    (lines > long && !excused)
        .then(|| problem(file, 0, format!("{lines} lines; more than {long} needs splitting, or a reason")))
}

/// Whether a host is of those that exist nowhere (RFC 2606).
fn is_reserved(host: &str) -> bool {
    host.ends_with(".example") || host.ends_with(".test")
}

/// An exception for a file that is gone is itself a problem.
pub(crate) fn stale_exceptions(files: &BTreeSet<String>) -> Vec<Problem> {
    let gone = LONG_FOR_A_REASON.iter().filter(|(file, _)| !files.contains(*file));
    gone.map(|(file, _)| problem(file, 0, "is listed as long, but does not exist".to_owned())).collect()
}

/// Words of one machine or one workplace, and hosts that nobody needs in order to read this.
pub(crate) fn forbidden(file: &str, text: &str) -> Vec<Problem> {
    if file.ends_with("Cargo.lock") {
        return Vec::new();
    }
    let mut problems = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        for folder in ["home", "root", "work"] {
            if names_folder(line, folder) {
                problems.push(problem(
                    file,
                    number,
                    format!("names a path below /{folder}, which is one machine's"),
                ));
            }
        }
        for host in hosts(line).filter(|host| !HOSTS.contains(host) && !is_reserved(host)) {
            problems.push(problem(
                file,
                number,
                format!("links to {host}, which is not in the list of hosts"),
            ));
        }
    }
    problems
}

/// A path below a folder of that name in the root; `docs/work/x` is none.
fn names_folder(line: &str, folder: &str) -> bool {
    let path = format!("/{folder}/");
    line.match_indices(&path).any(|(at, _)| {
        let before = line.get(..at).and_then(|before| before.chars().next_back());
        before.is_none_or(|c| !(c.is_alphanumeric() || "._-}>*@/".contains(c)))
            && line
                .get(at + path.len()..)
                .and_then(|after| after.chars().next())
                .is_some_and(char::is_alphanumeric)
    })
}

/// The hosts of a line's URLs.
fn hosts(line: &str) -> impl Iterator<Item = &str> {
    let starts = line.match_indices("http").filter_map(|(at, _)| {
        let rest = line.get(at + 4..)?;
        rest.strip_prefix("://").or_else(|| rest.strip_prefix("s://"))
    });
    starts.filter_map(|rest| {
        let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '.' || c == '-')).unwrap_or(rest.len());
        rest.get(..end).filter(|host| !host.is_empty())
    })
}

/// Relative links of a Markdown file lead to something that exists.
pub(crate) fn links(file: &str, text: &str, exists: &dyn Fn(&Path) -> bool) -> Vec<Problem> {
    let folder = Path::new(file).parent().unwrap_or(Path::new(""));
    let mut problems = Vec::new();
    let mut in_code = false;
    for (number, line) in (1..).zip(text.lines()) {
        in_code ^= line.trim_start().starts_with("```");
        if in_code {
            continue;
        }
        for target in targets(line) {
            let path = target.split(['#', ' ']).next().unwrap_or_default();
            if path.is_empty() || path.contains("://") || path.starts_with("mailto:") {
                continue;
            }
            if !exists(&normal(&folder.join(path))) {
                problems.push(problem(file, number, format!("links to {path}, which does not exist")));
            }
        }
    }
    problems
}

/// Every document is listed on the page that lists them.
pub(crate) fn unlisted(files: &BTreeSet<String>, index: &str) -> Vec<Problem> {
    let listed: BTreeSet<&str> = index.lines().flat_map(targets).collect();
    let documents =
        files.iter().filter_map(|file| file.strip_prefix("docs/")).filter(|it| it.ends_with(".md"));
    let unlisted = documents.filter(|name| *name != "README.md" && !listed.contains(name));
    unlisted.map(|name| problem(INDEX, 0, format!("does not list {name}"))).collect()
}

/// What stands in the round brackets of `[text](target)`.
fn targets(line: &str) -> impl Iterator<Item = &str> {
    line.match_indices("](").filter_map(|(at, mark)| {
        let rest = line.get(at + mark.len()..)?;
        rest.get(..rest.find(')')?)
    })
}

/// Without `.` and `..`.
fn normal(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => drop(out.pop()),
            Component::Normal(_) | Component::RootDir | Component::Prefix(_) => out.push(part),
        }
    }
    out
}

fn problem(file: &str, line: usize, what: String) -> Problem {
    Problem { file: file.to_owned(), line, what }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_says_what_it_is() {
        for (source, fine) in [
            ("//! The table of live sockets.\nuse a::b;", true),
            ("//! x\n", false),
            ("// The table of live sockets.\n", false),
            ("\n//! The table of live sockets.\n", false),
            ("", false),
        ] {
            assert_eq!(head("a.rs", source).is_none(), fine, "{source:?}");
        }
    }

    #[test]
    fn four_hundred_lines_is_a_lot() {
        assert_eq!(length("a.rs", &"x\n".repeat(400)), None);
        assert!(length("a.rs", &"x\n".repeat(401)).is_some());
        assert_eq!(length("a/tests.rs", &"x\n".repeat(401)), None);
        assert!(
            length("tests/a.rs", &"x\n".repeat(401)).is_some()
                && length("a/tests/b.rs", &"x\n".repeat(701)).is_some()
        );
    }

    #[test]
    fn one_machines_paths_and_unknown_hosts_are_found() {
        // Put together here, so that this file itself stays clean.
        let below = |folder: &str| format!("see /{folder}{}", "/notes.txt");
        for (line, fine) in [
            (below("work"), false),
            (below("home"), false),
            (below("root"), false),
            (below("proc"), true),
            ("docs/work/x and target/home/y".to_owned(), true),
            (format!("https:{}", "//docs.kernel.org/bpf"), true),
            (format!("get https:{}", "//mirror.internal/x"), false),
            (format!("get http:{}", "//web.example/x"), true),
        ] {
            assert_eq!(forbidden("a.md", &line).is_empty(), fine, "{line}");
        }
    }

    #[test]
    fn every_document_is_listed() {
        let files =
            ["docs/README.md", "docs/a.md", "docs/b.md", "docs/schema/c.md", "docs/d.json", "README.md"];
        let files = files.map(str::to_owned).into();
        assert_eq!(unlisted(&files, "[a](a.md), [c](schema/c.md) and [b](b.md)"), []);
        let said = unlisted(&files, "[a](a.md) b.md").iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(said, ["docs/README.md: does not list b.md", "docs/README.md: does not list schema/c.md"]);
    }

    #[test]
    fn links_lead_somewhere() {
        let exists = |path: &Path| path == Path::new("docs/filter.md") || path == Path::new("README.md");
        for (file, line, broken) in [
            ("README.md", "see [f](docs/filter.md) and [g](docs/filter.md#words)", 0),
            ("README.md", "see [f](docs/gone.md), [r](README.md)", 1),
            ("docs/filter.md", "[up](../README.md) [here](filter.md) [anchor](#x)", 0),
            ("docs/filter.md", "[up](README.md)", 1),
            ("README.md", "```\n[x](nowhere)\n```", 0),
            ("README.md", "[k](https://kernel.org/x)", 0),
        ] {
            assert_eq!(links(file, line, &exists).len(), broken, "{line}");
        }
    }
}

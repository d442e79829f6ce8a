//! Files that import each other in a loop: none may. Each file can be read without those that import it.
//!
//! A module's own file may use its child modules, and they it: together they are the module.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use petgraph::algo::tarjan_scc;
use petgraph::graphmap::DiGraphMap;

use super::Problem;
use super::paths::{Named, named};

/// Roots of crates: folder, and the file that is the crate's module.
const CRATES: &[(&str, &str)] = &[
    ("socktrace/src/", "lib.rs"),
    ("socktrace-common/src/", "lib.rs"),
    ("socktrace-ebpf/src/", "main.rs"),
    ("xtask/src/", "main.rs"),
];

/// Re-exports that are followed before a name counts as defined where it was found.
const MAX_REEXPORTS: usize = 8;

/// The modules of one crate.
struct Modules<'a> {
    /// By their path from the crate's root, which is empty for the root.
    files: BTreeMap<Vec<&'a str>, &'a str>,
    /// What each file names outside its tests.
    named: BTreeMap<&'a str, Vec<Named>>,
}

/// Check all Rust files, given as path and content.
pub(crate) fn check(sources: &BTreeMap<String, String>) -> Result<Vec<Problem>> {
    let mut problems = Vec::new();
    let mut problem = |file: &str, what| problems.push(Problem { file: file.to_owned(), line: 0, what });
    for &(folder, root) in CRATES {
        let modules = Modules::of(sources, folder, root)?;
        for mut files in modules.circles() {
            files.sort_unstable();
            let first = files.first().copied().unwrap_or_default();
            problem(
                first,
                format!("files import each other in a circle: {}", modules.ties(&files).join("; ")),
            );
        }
    }
    Ok(problems)
}

impl<'a> Modules<'a> {
    fn of(sources: &'a BTreeMap<String, String>, folder: &str, root: &str) -> Result<Self> {
        let mut modules = Self { files: BTreeMap::new(), named: BTreeMap::new() };
        for (file, source) in sources {
            let Some(inside) = file.strip_prefix(folder) else { continue };
            let mut path: Vec<&str> = inside.trim_end_matches(".rs").split('/').collect();
            if inside == root || path.last() == Some(&"mod") {
                path.pop();
            }
            if path.iter().any(|&part| matches!(part, "tests" | "laws" | "world")) {
                continue;
            }
            let all = named(source).with_context(|| file.clone())?;
            modules.named.insert(file, all.into_iter().filter(|named| !named.test).collect());
            modules.files.insert(path, file);
        }
        Ok(modules)
    }

    /// Every import between two files, with the name by which it is made.
    fn arrows(&self) -> impl Iterator<Item = (&'a str, &'a str, &str)> {
        self.files.iter().flat_map(move |(module, &file)| {
            let all = self.named.get(file).into_iter().flatten();
            all.filter_map(move |named| {
                let to = self.leads_to(module, named)?;
                (!self.is_within(to, module))
                    .then(|| (file, to, named.path.last().map_or("", String::as_str)))
            })
        })
    }

    fn circles(&self) -> Vec<Vec<&'a str>> {
        let graph: DiGraphMap<&str, ()> = self.arrows().map(|(from, to, _)| (from, to)).collect();
        tarjan_scc(&graph).into_iter().filter(|files| files.len() > 1).collect()
    }

    /// The imports between these files, for people.
    fn ties(&self, files: &[&str]) -> Vec<String> {
        let mut ties: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
        for (from, to, name) in self.arrows() {
            if files.contains(&from) && files.contains(&to) {
                ties.entry((from, to)).or_default().push(name);
            }
        }
        let line = |((from, to), mut names): ((&str, &str), Vec<&str>)| {
            names.sort_unstable();
            names.dedup();
            format!("{from} -> {to} ({})", names.join(", "))
        };
        ties.into_iter().map(line).collect()
    }

    /// Whether the file is that of the module, or of a module inside it.
    fn is_within(&self, file: &str, module: &[&str]) -> bool {
        self.files
            .range(module.to_vec()..)
            .take_while(|(inner, _)| inner.starts_with(module))
            .any(|(_, &inner)| inner == file)
    }

    /// The file that defines what a path names; `None` for what is not of this crate.
    fn leads_to(&self, module: &[&'a str], named: &Named) -> Option<&'a str> {
        // What stands in an inline module is the file's own business, but for how far `super` climbs.
        let path: Vec<&str> = named.path.iter().map(String::as_str).collect();
        let (start, rest) = match path.first()? {
            &"crate" => (Vec::new(), path.get(1..)?),
            &"self" => (module.to_vec(), path.get(1..)?),
            &"super" => {
                let supers = path.iter().take_while(|&&word| word == "super").count();
                let up = supers.saturating_sub(named.depth);
                (module.get(..module.len().checked_sub(up)?)?.to_vec(), path.get(supers..)?)
            }
            // A child module, or a name that is imported; the latter has a path of its own where it is imported.
            first => {
                let child: Vec<&str> = module.iter().copied().chain([*first]).collect();
                if !self.files.contains_key(&child) {
                    return None;
                }
                (module.to_vec(), path.as_slice())
            }
        };
        self.resolve(start, rest, MAX_REEXPORTS)
    }

    fn resolve(&self, start: Vec<&str>, rest: &[&str], more: usize) -> Option<&'a str> {
        let mut module = start;
        let mut rest = rest;
        while let Some((&first, after)) = rest.split_first() {
            module.push(first);
            if !self.files.contains_key(&module) {
                module.pop();
                break;
            }
            rest = after;
        }
        let &file = self.files.get(&module)?;
        let (Some(&name), true) = (rest.first(), more > 0) else { return Some(file) };
        // Re-exported from a child: `pub use child::Name`.
        let reexport = self.named.get(file)?.iter().find(|named| {
            named.depth == 0
                && named.path.len() > 1
                && named.path.last().is_some_and(|last| last == name)
                && named.path.first().is_some_and(|child| {
                    let path: Vec<&str> = module.iter().copied().chain([child.as_str()]).collect();
                    self.files.contains_key(&path)
                })
        });
        match reexport {
            Some(named) => {
                let path: Vec<&str> = named.path.iter().map(String::as_str).collect();
                self.resolve(module, &path, more - 1)
            }
            None => Some(file),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_is(sources: &[(&str, &str)], expected: &[&str]) {
        let sources =
            sources.iter().map(|&(file, source)| (format!("xtask/src/{file}"), source.to_owned())).collect();
        let found = check(&sources).unwrap();
        assert_eq!(found.len(), expected.len(), "{found:?}");
        for (problem, expected) in found.iter().zip(expected) {
            assert!(problem.what.contains(expected), "{}", problem.what);
        }
    }

    #[test]
    fn files_that_import_each_other_are_a_circle() {
        let a = ("a.rs", "use crate::b::B;");
        check_is(&[("main.rs", "mod a; mod b;"), a, ("b.rs", "use std::io;")], &[]);
        let back = ("b.rs", "fn f() { super::a::g() }");
        check_is(&[("main.rs", "mod a; mod b;"), a, back], &["a.rs -> xtask/src/b.rs (B)"]);
        check_is(
            &[a, ("b.rs", "use crate::c::C;"), ("c.rs", "use crate::a::A;")],
            &["c.rs -> xtask/src/a.rs (A)"],
        );
    }

    #[test]
    fn a_name_is_of_the_file_that_defines_it_not_of_the_one_that_passes_it_on() {
        let files =
            [("r/mod.rs", "mod a; mod b; pub use a::A;"), ("r/b.rs", "use super::A; use crate::r::A;")];
        check_is(&[files[0], files[1], ("r/a.rs", "pub struct A;")], &[]);
        check_is(&[files[0], files[1], ("r/a.rs", "use super::b;")], &["r/a.rs -> xtask/src/r/b.rs (b)"]);
    }

    #[test]
    fn a_module_and_its_children_are_one() {
        check_is(&[("r/mod.rs", "mod a; use a::f; pub struct B;"), ("r/a.rs", "use super::B;")], &[]);
        let root = ("main.rs", "mod r; mod s;");
        let s = ("s.rs", "use crate::r::B;");
        check_is(
            &[root, ("r/mod.rs", "mod a; pub struct B;"), ("r/a.rs", "use super::B; use crate::s;"), s],
            &[],
        );
        check_is(&[root, ("r.rs", "use crate::s; pub struct B;"), s], &["s.rs (s)"]);
    }

    #[test]
    fn tests_may_look_anywhere() {
        check_is(&[("a.rs", "use crate::b::B;"), ("b.rs", "#[cfg(test)] mod tests { use crate::a; }")], &[]);
    }
}

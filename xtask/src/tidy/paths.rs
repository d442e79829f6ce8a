//! The paths that a Rust file names, from its tokens: comments and text in quotes do not count, `use` groups are unfolded.

use anyhow::{Context as _, Result};
use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

/// A path as it is written, `["crate", "table", "Table"]`, or a single word of interest (`unsafe`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) path: Vec<String>,
    pub(crate) line: usize,
    /// How many inline `mod` blocks stand around it.
    pub(crate) depth: usize,
    /// It stands in an item under `#[cfg(test)]`.
    pub(crate) test: bool,
}

/// Every path and every `unsafe` of a file, in order.
pub(crate) fn named(source: &str) -> Result<Vec<Named>> {
    let tokens: TokenStream =
        source.parse().map_err(|error| anyhow::anyhow!("{error}")).context("not Rust")?;
    let mut walk = Walk { depth: 0, test: false, out: Vec::new() };
    walk.stream(tokens);
    Ok(walk.out)
}

struct Walk {
    depth: usize,
    test: bool,
    out: Vec<Named>,
}

impl Walk {
    fn stream(&mut self, tokens: TokenStream) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let mut at = 0;
        let (mut in_test, mut in_mod) = (false, false);
        while let Some(token) = tokens.get(at) {
            at = match token {
                TokenTree::Group(group) => {
                    in_test |= is_cfg_test(group);
                    let ends_item = group.delimiter() == Delimiter::Brace;
                    self.group(group, in_test, in_mod && ends_item);
                    if ends_item {
                        (in_test, in_mod) = (false, false);
                    }
                    at + 1
                }
                TokenTree::Ident(word) => {
                    in_mod |= word == "mod";
                    self.path(&tokens, at, in_test)
                }
                TokenTree::Punct(mark) => {
                    if mark.as_char() == ';' {
                        (in_test, in_mod) = (false, false);
                    }
                    at + 1
                }
                TokenTree::Literal(_) => at + 1,
            };
        }
    }

    fn group(&mut self, group: &Group, in_test: bool, in_mod: bool) {
        let outer = (self.depth, self.test);
        self.depth += usize::from(in_mod);
        self.test |= in_test;
        self.stream(group.stream());
        (self.depth, self.test) = outer;
    }

    /// The path that starts at `at`; gives the place after it.
    fn path(&mut self, tokens: &[TokenTree], at: usize, in_test: bool) -> usize {
        let line = tokens.get(at).map_or(0, |token| token.span().start().line);
        let (after, paths) = unfold(tokens, at, &[]);
        for path in paths {
            if path.len() > 1 || path.first().is_some_and(|word| word == "unsafe") || is_macro(tokens, after)
            {
                self.out.push(Named { path, line, depth: self.depth, test: self.test || in_test });
            }
        }
        after
    }
}

/// Read `a::b::c` from `at`; a group `a::{b, c::d}` gives a path for each of its branches. Gives the place after it.
fn unfold(tokens: &[TokenTree], mut at: usize, prefix: &[String]) -> (usize, Vec<Vec<String>>) {
    let mut path = prefix.to_vec();
    loop {
        match tokens.get(at) {
            Some(TokenTree::Ident(word)) => path.push(word.to_string()),
            Some(TokenTree::Punct(mark)) if mark.as_char() == '*' && !path.is_empty() => {
                path.push("*".to_owned())
            }
            Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace && !path.is_empty() => {
                let inner: Vec<TokenTree> = group.stream().into_iter().collect();
                let is_comma =
                    |token: &TokenTree| matches!(token, TokenTree::Punct(mark) if mark.as_char() == ',');
                let branches = inner.split(is_comma).filter(|branch| !branch.is_empty());
                return (at + 1, branches.flat_map(|branch| unfold(branch, 0, &path).1).collect());
            }
            _ => return (at, vec![path]),
        }
        at += 1;
        if !is_separator(tokens, at) {
            return (at, vec![path]);
        }
        at += 2;
    }
}

/// `::` stands at `at`.
fn is_separator(tokens: &[TokenTree], at: usize) -> bool {
    let colon = |at: usize| matches!(tokens.get(at), Some(TokenTree::Punct(mark)) if mark.as_char() == ':');
    colon(at) && colon(at + 1)
}

/// `!` stands at `at`, and not as part of `!=`.
fn is_macro(tokens: &[TokenTree], at: usize) -> bool {
    matches!(tokens.get(at), Some(TokenTree::Punct(mark)) if mark.as_char() == '!')
        && matches!(tokens.get(at + 1), Some(TokenTree::Group(_)))
}

/// The bracket of `#[cfg(test)]`.
fn is_cfg_test(group: &Group) -> bool {
    group.delimiter() == Delimiter::Bracket && group.stream().to_string().replace(' ', "") == "cfg(test)"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(source: &str, expected: &[&str]) {
        let found: Vec<String> =
            named(source).unwrap().into_iter().map(|named| named.path.join("::")).collect();
        assert_eq!(found, expected, "in {source}");
    }

    #[test]
    fn paths_are_found_wherever_they_stand() {
        check("use crate::table::Table;", &["crate::table::Table"]);
        check("fn f() -> crate::a::B { crate::c::d() }", &["crate::a::B", "crate::c::d"]);
        check(
            "use crate::{a, b::c, d::{e, f as g}, h};",
            &["crate::a", "crate::b::c", "crate::d::e", "crate::d::f", "crate::h"],
        );
        check("use std::fs::*;", &["std::fs::*"]);
        check("m!(std::env::var(1));", &["m", "std::env::var"]);
        check("pub(in crate::a) fn f() {}", &["crate::a"]);
        check("println!(\"x\"); if a != (b) {}", &["println"]);
        check("::std::fs::read(x)", &["std::fs::read"]);
    }

    #[test]
    fn what_is_no_code_is_not_found() {
        check("// crate::a::b\n/* crate::c */ \"crate::d\"; r#\"crate::e\"#", &[]);
        check("/// crate::a::b\nfn f() {}", &[]);
        check("a.b(); x as u32; let y: T = 5;", &[]);
    }

    #[test]
    fn unsafe_is_found() {
        check("fn f() { unsafe { g() } }", &["unsafe"]);
        check("#[unsafe(no_mangle)] fn f() {}", &["unsafe"]);
    }

    #[test]
    fn tests_and_depth_are_known() {
        let source =
            "use a::b;\n#[cfg(test)]\nmod tests { use c::d; }\nmod x { mod y { use e::f; } }\nuse g::h;";
        let found: Vec<_> = named(source)
            .unwrap()
            .into_iter()
            .map(|n| (n.path.join("::"), n.line, n.depth, n.test))
            .collect();
        let expected =
            [("a::b", 1, 0, false), ("c::d", 3, 1, true), ("e::f", 4, 2, false), ("g::h", 5, 0, false)];
        assert_eq!(found, expected.map(|(path, line, depth, test)| (path.to_owned(), line, depth, test)));
    }
}

//! Every example of docs/filter.md.

use std::net::IpAddr;

use super::super::words::WORDS;
use super::super::{Context, Device, Dialect, Names, parse, parse_states};
use super::TableNames;
use crate::socket::{Family, NetnsId};

const DOC: &str = include_str!("../../../../docs/filter.md");

/// The host of the examples, and the rest of the test world.
struct DocNames;

impl Names for DocNames {
    fn host(&self, name: &str, _: Option<Family>) -> Vec<IpAddr> {
        if name == "www.example.org" { vec![[192, 0, 2, 1].into()] } else { Vec::new() }
    }
    fn service(&self, name: &str, proto: &str) -> Option<u16> {
        TableNames.service(name, proto)
    }
    fn device(&self, name: &str) -> Option<Device> {
        TableNames.device(name)
    }
    fn cgroup(&self, path: &str) -> Option<u64> {
        TableNames.cgroup(path)
    }
    fn user(&self, name: &str) -> Option<u32> {
        TableNames.user(name)
    }
    fn netns(&self, name: &str) -> Option<NetnsId> {
        TableNames.netns(name)
    }
}

/// The lines of the fenced blocks of that kind.
fn lines(kind: &str) -> Vec<&'static str> {
    let mut inside = None;
    let mut found = Vec::new();
    for line in DOC.lines() {
        match (line.strip_prefix("```"), inside) {
            (Some(opened), None) => inside = Some(opened),
            (Some(_), Some(_)) => inside = None,
            (None, Some(of)) if of == kind => found.push(line),
            (None, _) => {}
        }
    }
    found
}

fn read(text: &str, dialect: Dialect) -> Result<super::super::Filter, super::super::ParseError> {
    parse(&[text.to_owned()], &Context::new(dialect), &DocNames)
}

#[test]
fn every_example_is_read_in_both_dialects() {
    let examples = lines("filter");
    assert!(examples.len() > 50, "{} examples", examples.len());
    for line in examples {
        let example = line.split("  #").next().unwrap_or_default().trim_end();
        for dialect in [Dialect::Ss, Dialect::Strict] {
            let filter = read(example, dialect).unwrap_or_else(|error| panic!("{example}: {error}"));
            assert!(!filter.is_empty(), "{example}");
        }
    }
}

#[test]
fn every_command_has_a_filter_that_is_read() {
    for line in lines("sh") {
        let filter = line.split('\'').nth(1).expect(line);
        assert!(read(filter, Dialect::Strict).is_ok(), "{filter}");
    }
}

#[test]
fn what_is_shown_as_wrong_is_wrong_in_that_way() {
    for line in lines("filter-error") {
        assert!(read(line, Dialect::Ss).is_err(), "{line}");
    }
    let shown: Vec<&str> = lines("text");
    let words = [shown[1].trim_start().to_owned()];
    let error = parse(&words, &Context::new(Dialect::Ss), &DocNames).unwrap_err();
    assert_eq!(shown.join("\n"), format!("socktrace: {}", error.explain(&words)));
}

#[test]
fn every_predicate_and_state_is_told() {
    let examples = lines("filter").join(" ");
    for word in WORDS {
        assert!(examples.split(' ').any(|it| it == word.name), "{} has no example", word.name);
    }
    for part in
        DOC.split("States are ").nth(1).unwrap().split("\n\n").next().unwrap().split('`').skip(1).step_by(2)
    {
        let words = ["state".to_owned(), part.to_owned()];
        assert!(parse_states(&words).is_ok(), "{part}");
    }
}

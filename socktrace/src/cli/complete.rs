//! What a shell offers when somebody presses Tab: `SOCKTRACE_COMPLETE=bash socktrace` prints what the shell has to know, and
//! with that the shell asks the program itself, which knows the words of the language and what is on this machine now.
//!
//! I/O: environment; `/proc`, `/sys`, `/run/netns`, names only.

use super::definition;
use crate::api::columns::Column;
use crate::api::sockets::family::FamilySet;
use crate::api::sockets::key::Key;
use crate::api::sockets::pick::Pick;
use crate::api::sockets::table::Table;
use crate::listing::words;
use crate::query;
use crate::socket::KindSet;
use crate::socket::state_names;
use clap::Command;
use clap_complete::CompleteEnv;
use clap_complete::engine::{ArgValueCompleter, CompletionCandidate};
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;

/// What says that a shell asks, and which.
pub const VARIABLE: &str = "SOCKTRACE_COMPLETE";
/// Where bash and zsh say which word is meant; fish ends with it.
const INDEX: &str = "_CLAP_COMPLETE_INDEX";
/// The most names of one kind that are offered.
const MOST: usize = 1000;

/// Answers a shell that asks, and ends; else does nothing.
pub(super) fn if_asked() {
    CompleteEnv::with_factory(|| completed(definition())).var(VARIABLE).bin("socktrace").complete();
}

/// The command line, with what can be offered for each value.
fn completed(command: Command) -> Command {
    let values = |command: Command, name: &'static str, offer: fn(&str) -> Vec<String>| {
        if command.get_arguments().any(|arg| arg.get_id() == name) {
            command.mut_arg(name, |arg| {
                arg.add(ArgValueCompleter::new(move |word: &OsStr| candidates(word, offer)))
            })
        } else {
            command
        }
    };
    let all = |command: Command| {
        let command = values(command, "kinds", |_| owned(KindSet::names().iter().copied()));
        let command = values(command, "columns", |_| owned(Column::words()));
        let command = values(command, "sort", |_| owned(Column::words()));
        let command = values(command, "comm", |_| commands());
        let command = values(command, "pid", |_| pids());
        let command = values(command, "user", |_| named_in("/etc/passwd"));
        let command = values(command, "group", |_| named_in("/etc/group"));
        values(command, "filter", |_| filter(&before()))
    };
    let names: Vec<String> = command.get_subcommands().map(|command| command.get_name().to_owned()).collect();
    names.into_iter().fold(command, |command, name| match name.as_str() {
        "ss" => command.mut_subcommand(name, |ss| values(ss, "words", |word| of_ss(&before(), word))),
        _ => command.mut_subcommand(name, all),
    })
}

/// What of it begins as the word does.
fn candidates(word: &OsStr, offer: fn(&str) -> Vec<String>) -> Vec<CompletionCandidate> {
    let Some(word) = word.to_str() else { return Vec::new() };
    let offered = offer(word);
    offered.into_iter().filter(|offered| offered.starts_with(word)).map(CompletionCandidate::new).collect()
}

/// The words before the one that is meant, the last first.
fn before() -> Vec<String> {
    let words = std::env::args_os().skip_while(|word| word != "--").skip(1);
    let mut words: Vec<String> = words.map(|word| word.to_string_lossy().into_owned()).collect();
    let index = std::env::var(INDEX).ok().and_then(|index| index.parse().ok());
    words.truncate(index.unwrap_or_else(|| words.len().saturating_sub(1)));
    words.reverse();
    words
}

/// After these words of `ss`, the last first, at the beginning of `word`.
fn of_ss(before: &[String], word: &str) -> Vec<String> {
    let last = before.first().map_or("", String::as_str);
    let takes = words::names().find(|name| name.takes_value && is_called(name, last));
    match takes.map(|name| name.long) {
        Some("family") => return owned(FamilySet::words()),
        Some("query" | "socket") => return list(word, Table::words()),
        Some("net") => return namespaces(),
        Some("columns") => return list(word, Pick::words()),
        Some("sort") => return list(word, Key::words(false)),
        Some("count-by") => return list(word, Key::words(true)),
        Some(_) => return Vec::new(),
        None => {}
    }
    if word.starts_with('-') {
        let long = words::names().filter(|name| !name.long.is_empty()).map(|name| format!("--{}", name.long));
        let short = words::names().flat_map(|name| name.short.chars()).map(|letter| format!("-{letter}"));
        return long.chain(short).collect();
    }
    filter(before)
}

/// Whether it is this option, alone or the last letter of several.
fn is_called(name: &words::Name, word: &str) -> bool {
    match word.strip_prefix("--") {
        Some(long) => !name.long.is_empty() && long == name.long,
        None => word
            .strip_prefix('-')
            .is_some_and(|letters| name.short.chars().any(|short| letters.ends_with(short))),
    }
}

/// What may stand in a filter after these words, the last first.
fn filter(before: &[String]) -> Vec<String> {
    let mut before = before.iter().map(String::as_str).filter(|word| !query::is_operator(word));
    match before.next() {
        Some("state" | "exclude") => owned(state_names::names()),
        Some("dev") => files("/sys/class/net"),
        Some("comm") => commands(),
        Some("pid") => pids(),
        Some("user") => named_in("/etc/passwd"),
        Some("netns") => namespaces(),
        Some("unit") => units(),
        Some("sport" | "dport" | "port" | "src" | "dst" | "host") => Vec::new(),
        Some(_) | None => owned(query::keywords().chain(["exclude", "and", "or", "not"])),
    }
}

/// The next items of a list with commas.
fn list<'a>(word: &str, items: impl Iterator<Item = &'a str>) -> Vec<String> {
    let start = word.rfind(',').map_or("", |comma| &word[..=comma]);
    items.map(|item| format!("{start}{item}")).collect()
}

fn owned<'a>(words: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    words.into_iter().map(str::to_owned).collect()
}

/// Names of files there. Nothing where there is none.
fn files(directory: &str) -> Vec<String> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten().take(MOST);
    let mut names: Vec<String> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort_unstable();
    names
}

fn namespaces() -> Vec<String> {
    files("/run/netns")
}

fn pids() -> Vec<String> {
    files("/proc").into_iter().filter(|name| name.bytes().all(|byte| byte.is_ascii_digit())).collect()
}

/// What processes are called. Names that a shell would have to quote are left out.
fn commands() -> Vec<String> {
    let name = |pid: String| fs::read_to_string(format!("/proc/{pid}/comm")).ok();
    let names: BTreeSet<String> = pids()
        .into_iter()
        .filter_map(name)
        .map(|name| name.trim_end().to_owned())
        .filter(|name| is_plain(name))
        .collect();
    names.into_iter().collect()
}

/// The units of systemd whose cgroups exist, of the system.
fn units() -> Vec<String> {
    let units = files("/sys/fs/cgroup/system.slice").into_iter();
    units
        .filter(|name| {
            name.rsplit_once('.').is_some_and(|(_, kind)| ["service", "scope", "socket"].contains(&kind))
        })
        .collect()
}

/// The first fields of a file of accounts.
fn named_in(file: &str) -> Vec<String> {
    let text = fs::read_to_string(file).unwrap_or_default();
    let names = text.lines().filter_map(|line| line.split(':').next()).filter(|name| is_plain(name));
    names.take(MOST).map(str::to_owned).collect()
}

fn is_plain(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-@+".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(words: &[&str], word: &str) -> Vec<String> {
        let before: Vec<String> = words.iter().rev().map(|&word| word.to_owned()).collect();
        of_ss(&before, word)
    }

    #[test]
    fn what_is_offered_goes_by_the_words_before() {
        for (words, word, expected) in [
            (&["-tan", "state"][..], "", "time-wait"),
            (&["state", "="], "", "listening"),
            (&["-ta"], "", "sport"),
            (&["sport", "=", ":22"], "", "and"),
            (&["-A"], "", "tcp"),
            (&["-tA"], "udp,", "udp,tcp"),
            (&["--sort"], "rtt,", "rtt,retrans"),
            (&["--count-by"], "", "state"),
            (&["--columns"], "", "netid"),
            (&["-f"], "", "inet6"),
            (&["dev"], "", "lo"),
            (&[], "--a", "--all"),
            (&["-t"], "-", "-p"),
        ] {
            let offered = after(words, word);
            assert!(offered.iter().any(|offered| offered == expected), "{words:?} {word}: {offered:?}");
        }
        assert_eq!(after(&["sport", "="], ""), [""; 0]);
        assert!(!after(&["--count-by"], "").contains(&"rtt".to_owned()));
    }

    #[test]
    fn every_value_that_is_offered_belongs_to_an_option() {
        let command = completed(definition());
        for (name, id) in [("events", "kinds"), ("history", "sort"), ("agent", "group"), ("ss", "words")] {
            let command = command.find_subcommand(name).unwrap();
            let arg = command.get_arguments().find(|arg| arg.get_id() == id).unwrap();
            assert!(arg.get::<ArgValueCompleter>().is_some(), "{name} {id}");
        }
    }
}

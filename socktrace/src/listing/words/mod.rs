//! The words of an ss command line, and what they mean.
//!
//! Read as getopt_long reads them for ss: short options cluster (`-tulpn`), long ones may be abbreviated, options and
//! the words of the filter may be mixed. Pure: no file is read and no environment.

mod flags;
mod pairs;
mod scan;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::time::Duration;

use crate::api::screen::Screen;
use crate::api::sockets::pick::Pick;
use crate::api::sockets::show::Show;
use crate::api::suggest::suggestion;
use crate::query::{self, ParseError};

use crate::api::sockets::key::{By, Key};
use crate::api::sockets::selection::Choice;
use crate::api::sockets::{BpfMaps, Format, NetnsChoice, Question};
use crate::listing::action::Action;
use pairs::Whole;

/// What an ss command line asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// The help text.
    Help,
    /// The version.
    Version,
    /// An answer.
    Command(Box<Command>),
}

/// A question, and what of the command line is not part of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// The question.
    pub question: Question,
    /// What to do with the sockets.
    pub action: Action,
    /// More filter words are to be read from there (`-F`); a name that begins with `-` is standard input.
    pub filter_file: Option<PathBuf>,
    /// Without the agent.
    pub direct: bool,
    /// With the agent on this socket.
    pub agent: Option<PathBuf>,
    /// Repeat after so long.
    pub every: Option<Duration>,
    /// JSON objects as the elements of one array, not one per line.
    pub array: bool,
}

/// An ss command line that cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UsageError {
    /// No such option.
    #[error("unknown option {0}")]
    Unknown(String),
    /// More than one option begins like that.
    #[error("option {word} is ambiguous: {candidates}")]
    Ambiguous {
        /// What was given.
        word: String,
        /// What it could be.
        candidates: String,
    },
    /// The option needs a value, or can have none.
    #[error("option {0} needs a value")]
    NoValue(String),
    /// The option can have no value.
    #[error("option {0} takes no value")]
    NeedlessValue(String),
    /// The value is none of those that are possible.
    #[error("{option}: {value:?} is not {expected}")]
    BadValue {
        /// Which option.
        option: &'static str,
        /// Its value.
        value: String,
        /// What was possible.
        expected: &'static str,
    },
    /// No key is called that, or none that makes groups.
    #[error("{option}: unknown key {word:?}{}", unknown_key(option, word))]
    NoKey {
        /// Which option.
        option: &'static str,
        /// What was given.
        word: String,
    },
    /// No column is called that.
    #[error("--columns: unknown column {word:?}{}", suggestion(.word, Pick::words()))]
    NoColumn {
        /// What was given.
        word: String,
    },
    /// No table, or family, is called that.
    #[error("{option}: unknown {what} {word:?}{}", suggestion(.word, possible.iter().copied()))]
    Unnamed {
        /// Which option.
        option: &'static str,
        /// What was looked for.
        what: &'static str,
        /// What was given.
        word: String,
        /// What was possible.
        possible: Vec<&'static str>,
    },
    /// Two options that do not go together.
    #[error("--{one} and --{other} do not go together: {why}")]
    Pair {
        /// The long name of one.
        one: &'static str,
        /// That of the other.
        other: &'static str,
        /// What is the matter.
        why: &'static str,
    },
    /// Something else about the whole.
    #[error("{0}")]
    Clash(&'static str),
    /// A state word is wrong.
    #[error("{}", error.explain(words))]
    State {
        /// Where and what.
        error: ParseError,
        /// The words it points into.
        words: Vec<String>,
    },
}

/// The keys that are possible there; of those that order only, that is said.
fn unknown_key(option: &str, word: &str) -> String {
    suggestion(word.trim_start_matches('-'), Key::words(option == "--count-by").collect::<Vec<_>>())
}

/// Reads the words that follow `ss`.
///
/// `screen` is the width of the terminal, if the answer goes to one.
///
/// # Errors
///
/// What cannot be understood.
pub fn parse(words: &[String], screen: Option<Screen>) -> Result<Asked, UsageError> {
    let mut draft = Draft { header: true, ..Draft::default() };
    draft.show.queues = true;
    let rest: Vec<String> =
        scan::scan(words, &mut draft)?.into_iter().filter_map(|place| words.get(place).cloned()).collect();
    match draft.instead {
        Some(instead) => Ok(instead),
        None => draft.finish(&rest, screen).map(|command| Asked::Command(Box::new(command))),
    }
}

/// What an option is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Name {
    /// Its letters; most have one, some none.
    pub short: &'static str,
    /// Without the two dashes.
    pub long: &'static str,
    /// Whether a value comes with it.
    pub takes_value: bool,
    /// Whether ss has it too.
    pub of_ss: bool,
}

/// Every option.
pub fn names() -> impl Iterator<Item = Name> {
    flags::FLAGS.iter().map(|flag| Name {
        short: flag.short,
        long: flag.long,
        takes_value: matches!(flag.take, flags::Take::Value(_)),
        of_ss: flag.of_ss,
    })
}

/// A question while its options are being read, one after the other.
#[derive(Debug, Default)]
struct Draft {
    /// Help or version was asked for; nothing after it counts.
    instead: Option<Asked>,
    /// The long names of the options, as they came.
    given: Vec<&'static str>,
    choice: Choice,
    show: Show,
    columns: Vec<Pick>,
    header: bool,
    json: bool,
    array: bool,
    summary: bool,
    kill: bool,
    dry_run: bool,
    force: bool,
    events: bool,
    dump: Option<PathBuf>,
    filter_file: Option<PathBuf>,
    netns: NetnsChoice,
    order: Vec<By>,
    top: Option<usize>,
    count_by: Vec<Key>,
    bpf_maps: BpfMaps,
    direct: bool,
    agent: Option<PathBuf>,
    every: Option<Duration>,
}

impl Draft {
    fn finish(mut self, rest: &[String], screen: Option<Screen>) -> Result<Command, UsageError> {
        let states =
            query::parse_states(rest).map_err(|error| UsageError::State { error, words: rest.to_vec() })?;
        if let Some(states) = states.states {
            self.choice.states(states);
        }
        let filter = states.rest;
        let only_summary =
            self.summary && !self.choice.any() && rest.is_empty() && self.filter_file.is_none();
        let selection = self.choice.finish();
        let whole = Whole {
            draft: &self,
            selection: &selection,
            only_summary,
            has_filter: !filter.is_empty(),
            has_states: states.states.is_some(),
        };
        whole.check()?;
        let action = self.action(only_summary)?;
        let mut question = Question {
            selection,
            filter,
            show: self.show,
            columns: self.columns,
            header: self.header,
            format: if self.json { Format::Json } else { Format::Text { screen } },
            summary: self.summary,
            netns: self.netns,
            order: self.order,
            top: self.top,
            count_by: self.count_by,
            bpf_maps: self.bpf_maps,
        };
        question.settle();
        Ok(Command {
            question,
            action,
            filter_file: self.filter_file,
            direct: self.direct,
            agent: self.agent,
            every: self.every,
            array: self.array,
        })
    }

    fn action(&self, only_summary: bool) -> Result<Action, UsageError> {
        if (self.dry_run || self.force) && !self.kill {
            return Err(UsageError::Clash("--dry-run and --force belong to --kill"));
        }
        Ok(match &self.dump {
            _ if only_summary => Action::Nothing,
            Some(path) => Action::Dump(path.clone()),
            None if self.events => Action::Events,
            None if self.kill => Action::Kill { dry_run: self.dry_run, force: self.force },
            None => Action::List,
        })
    }
}

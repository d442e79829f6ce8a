//! A question as the query part of a URL, and back.

use super::family::FamilySet;
use super::key::{By, Key};
use super::selection::{Choice, Selection};
use super::table::Table;
use super::{BpfMaps, Format, MAX_COLUMNS, MAX_KEYS, MAX_MAPS, NetnsChoice, Question};
use crate::api::parameters::{BadParameter, Parameter, parameters};
use crate::api::screen::Screen;
use crate::api::selection::{NDJSON, TEXT, prefers_text};
use crate::api::sockets::pick::Pick;
use crate::api::sockets::show::{Show, Users};
use crate::socket::{Family, NetnsId, State, StateSet, state_names};

/// A question, and from where it is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The question.
    pub question: Question,
    /// Inode of the network namespace of whoever asks, where they have said so: to whom it is their own.
    pub asked_from: Option<NetnsId>,
}

/// The parameters.
const PARAMETERS: &str = "tables, families, states, filter, show, columns, sort, top, count_by, netns, all_netns, bpf_maps, \
                          width, filter_family, default_states, asked_from";

/// The value of `filter_family` for no family in particular.
const ANY: &str = "any";

/// One word of `show`.
struct Word {
    word: &'static str,
    is: fn(&Question) -> bool,
    set: fn(&mut Question),
}

const fn word(word: &'static str, is: fn(&Question) -> bool, set: fn(&mut Question)) -> Word {
    Word { word, is, set }
}

/// What can be shown, and what can be left out.
static WORDS: [Word; 20] = [
    word("numeric", |q| q.show.numeric, |q| q.show.numeric = true),
    word("resolve", |q| q.show.resolve, |q| q.show.resolve = true),
    word("timers", |q| q.show.timers, |q| q.show.timers = true),
    word("extended", |q| q.show.extended, |q| q.show.extended = true),
    word("memory", |q| q.show.memory, |q| q.show.memory = true),
    word("info", |q| q.show.info, |q| q.show.info = true),
    word("tos", |q| q.show.tos, |q| q.show.tos = true),
    word("cgroup", |q| q.show.cgroup, |q| q.show.cgroup = true),
    word("sockopt", |q| q.show.sockopt, |q| q.show.sockopt = true),
    word("bpf", |q| q.show.bpf, |q| q.show.bpf = true),
    word("tipcinfo", |q| q.show.tipcinfo, |q| q.show.tipcinfo = true),
    word(
        "processes",
        |q| q.show.users.is_some(),
        |q| {
            users(q);
        },
    ),
    word("threads", |q| q.show.users.is_some_and(|users| users.threads), |q| users(q).threads = true),
    word(
        "process_context",
        |q| q.show.users.is_some_and(|users| users.process_context),
        |q| users(q).process_context = true,
    ),
    word(
        "socket_context",
        |q| q.show.users.is_some_and(|users| users.socket_context),
        |q| users(q).socket_context = true,
    ),
    word("netns", |q| q.show.netns, |q| q.show.netns = true),
    word("oneline", |q| q.show.oneline, |q| q.show.oneline = true),
    word("summary", |q| q.summary, |q| q.summary = true),
    word("no_queues", |q| !q.show.queues, |q| q.show.queues = false),
    word("no_header", |q| !q.header, |q| q.header = false),
];

fn users(question: &mut Question) -> &mut Users {
    question.show.users.get_or_insert_default()
}

impl Request {
    /// As the query part of a URL, and the `Accept` header that goes with it. [`from_request`](Self::from_request) reads
    /// both back.
    #[must_use]
    pub fn to_query(&self) -> (String, &'static str) {
        let Self { question, asked_from } = self;
        let Selection { tables, families, states, states_said, last_family } = question.selection;
        let mut query = form_urlencoded::Serializer::new(String::new());
        let mut list = |key, words: Vec<&str>| {
            if !words.is_empty() {
                query.append_pair(key, &words.join(","));
            }
        };
        list("tables", tables.iter().map(Table::word).collect());
        list("families", families.iter().filter_map(FamilySet::word).collect());
        list(if states_said { "states" } else { "default_states" }, state_words(states));
        list("show", WORDS.iter().filter(|word| (word.is)(question)).map(|word| word.word).collect());
        list("columns", question.columns.iter().map(|pick| pick.word()).collect());
        list("count_by", question.count_by.iter().map(|key| key.word()).collect());
        let order: Vec<_> = question.order.iter().map(By::to_string).collect();
        list("sort", order.iter().map(String::as_str).collect());
        query.extend_pairs(question.filter.iter().map(|word| ("filter", word)));
        query.extend_pairs(question.top.map(|top| ("top", top.to_string())));
        if last_family != families.only() {
            query.append_pair("filter_family", last_family.and_then(FamilySet::word).unwrap_or(ANY));
        }
        match &question.netns {
            NetnsChoice::Own => {}
            NetnsChoice::One(name) => drop(query.append_pair("netns", name)),
            NetnsChoice::All => drop(query.append_pair("all_netns", "1")),
        }
        match &question.bpf_maps {
            BpfMaps::None => {}
            BpfMaps::All => drop(query.append_pair("bpf_maps", "all")),
            BpfMaps::Ids(ids) => {
                let ids: Vec<_> = ids.iter().map(u32::to_string).collect();
                query.append_pair("bpf_maps", &ids.join(","));
            }
        }
        query.extend_pairs(asked_from.map(|inode| ("asked_from", inode.to_string())));
        let accept = match question.format {
            Format::Json => NDJSON,
            Format::Text { screen } => {
                query.extend_pairs(screen.map(|screen| ("width", screen.columns().to_string())));
                TEXT
            }
        };
        (query.finish(), accept)
    }

    /// From the `Accept` header and the query part of a URL: JSON unless text is asked for. What is left out is as ss has it.
    ///
    /// # Errors
    /// A parameter that is unknown, or has no such value, or does not go with another.
    pub fn from_request(accept: &str, query: &str) -> Result<Self, BadParameter> {
        let mut draft = Draft::new();
        for parameter in parameters(query)? {
            draft.takes(&parameter)?;
        }
        draft.finish(prefers_text(accept))
    }
}

/// A question while its parameters are being read.
struct Draft {
    choice: Choice,
    default_states: Option<StateSet>,
    filter_family: Option<Option<Family>>,
    question: Question,
    screen: Option<Screen>,
    asked_from: Option<NetnsId>,
}

impl Draft {
    fn new() -> Self {
        let question = Question {
            selection: Choice::default().finish(),
            filter: Vec::new(),
            show: Show { queues: true, ..Show::default() },
            columns: Vec::new(),
            header: true,
            format: Format::Json,
            summary: false,
            netns: NetnsChoice::Own,
            order: Vec::new(),
            top: None,
            count_by: Vec::new(),
            bpf_maps: BpfMaps::None,
        };
        Self {
            choice: Choice::default(),
            default_states: None,
            filter_family: None,
            question,
            screen: None,
            asked_from: None,
        }
    }

    fn takes(&mut self, parameter: &Parameter<'_>) -> Result<(), BadParameter> {
        let question = &mut self.question;
        let words = || parameter.value.split(',').filter(|word| !word.is_empty());
        match &*parameter.key {
            "tables" => {
                for word in words() {
                    let bad = || parameter.unknown("table", word, Table::words());
                    Table::named(word).ok_or_else(bad)?.iter().for_each(|&table| self.choice.table(table));
                }
            }
            "families" => {
                for word in words() {
                    self.choice.family(FamilySet::named(word).ok_or_else(|| no_family(parameter, word))?);
                }
            }
            "filter_family" => {
                let family = match &*parameter.value {
                    ANY => None,
                    word => Some(FamilySet::named(word).ok_or_else(|| no_family(parameter, word))?),
                };
                self.filter_family = Some(family);
            }
            "states" => self.choice.states(states(parameter)?),
            "default_states" => self.default_states = Some(states(parameter)?),
            "filter" => question.filter.push(parameter.value.to_string()),
            "show" => {
                for word in words() {
                    let known = WORDS.iter().find(|known| known.word == word);
                    let all = WORDS.iter().map(|known| known.word);
                    let known = known.ok_or_else(|| parameter.unknown("word", word, all))?;
                    (known.set)(question);
                }
            }
            "columns" => {
                let bad = |word| parameter.unknown("column", word, Pick::words());
                let pick = |word| Pick::from_word(word).ok_or_else(|| bad(word));
                question.columns = at_most(parameter, MAX_COLUMNS, words().map(pick))?;
            }
            "sort" => {
                let bad = |word| parameter.unknown("key", word, keys(false));
                let by = |word| By::from_word(word).ok_or_else(|| bad(word));
                question.order = at_most(parameter, MAX_KEYS, words().map(by))?;
            }
            "count_by" => {
                let bad = |word| parameter.unknown("key", word, keys(true));
                let key = |word| Key::from_word(word).filter(|key| key.groups()).ok_or_else(|| bad(word));
                question.count_by = at_most(parameter, MAX_KEYS, words().map(key))?;
            }
            "top" => question.top = Some(parameter.number(1..=usize::MAX)?),
            "netns" => {
                if parameter.value.contains('/') {
                    return Err(parameter.bad("the agent opens no files: give the name of the namespace"));
                }
                if parameter.value.is_empty() || parameter.value.contains('\0') {
                    return Err(parameter.bad("expected the name of a network namespace, or a process in it"));
                }
                question.netns = NetnsChoice::One(parameter.value.to_string());
            }
            "all_netns" => {
                if parameter.flag()? {
                    question.netns = NetnsChoice::All;
                }
            }
            "bpf_maps" => {
                let id = |word: &str| {
                    word.parse().map_err(|_| parameter.bad_value(word, "expected all, or ids of maps"))
                };
                question.bpf_maps = match &*parameter.value {
                    "all" => BpfMaps::All,
                    _ => BpfMaps::Ids(at_most(parameter, MAX_MAPS, words().map(id))?),
                };
            }
            "width" => self.screen = Screen::of(parameter.number(1..=Screen::MAX)?),
            "asked_from" => self.asked_from = Some(parameter.parse("expected an inode number")?),
            _ => return Err(parameter.bad(format!("expected {PARAMETERS}"))),
        }
        Ok(())
    }

    fn finish(self, text: bool) -> Result<Request, BadParameter> {
        let Self { choice, default_states, filter_family, mut question, screen, asked_from } = self;
        let mut selection = choice.finish();
        if let Some(states) = default_states.filter(|_| !selection.states_said) {
            selection.states = states;
        }
        selection.last_family = filter_family.unwrap_or(selection.families.only());
        question.selection = selection;
        question.format = if text { Format::Text { screen } } else { Format::Json };
        // As for the options of the same names.
        for (clash, key, why) in [
            (!text && !question.columns.is_empty(), "columns", "JSON has every field; columns are for text"),
            (
                !question.columns.is_empty() && !question.count_by.is_empty(),
                "columns",
                "a count has columns of its own",
            ),
            (
                !question.order.is_empty() && !question.count_by.is_empty(),
                "sort",
                "the largest counts come first",
            ),
        ] {
            if clash {
                return Err(BadParameter::Clash { key, why });
            }
        }
        question.settle();
        Ok(Request { question, asked_from })
    }
}

/// The kernel's own number for what people know as SYN-RECV (include/net/tcp_states.h): which of the two is asked for
/// makes a difference in dumps.
const NEW_SYN_RECV: (&str, StateSet) = ("new-syn-recv", StateSet::of(State::NewSynRecv));

fn state_words(states: StateSet) -> Vec<&'static str> {
    let mut words = state_names::names_of(states.difference(NEW_SYN_RECV.1));
    let said = |words: &[&str]| {
        let named = words.iter().filter_map(|word| state_names::named(word));
        named.fold(StateSet::EMPTY, StateSet::union).contains(State::NewSynRecv)
    };
    match (states.contains(State::NewSynRecv), said(&words)) {
        (true, false) => words.push(NEW_SYN_RECV.0),
        // A group that has it: each alone.
        (false, true) => {
            words = (0..32)
                .map(|bit| StateSet::from_bits(1 << bit))
                .filter(|one| !one.intersection(states).is_empty())
                .flat_map(state_names::names_of)
                .collect()
        }
        (true, true) | (false, false) => {}
    }
    words
}

fn states(parameter: &Parameter<'_>) -> Result<StateSet, BadParameter> {
    let words = parameter.value.split(',').filter(|word| !word.is_empty());
    words.into_iter().try_fold(StateSet::EMPTY, |states, word| {
        let own = Some(NEW_SYN_RECV.1).filter(|_| word == NEW_SYN_RECV.0);
        let named = state_names::named(word).or(own);
        let bad = || parameter.bad_value(word, "expected a state: established, listening, time-wait, all …");
        named.map(|named| states.union(named)).ok_or_else(bad)
    })
}

fn no_family(parameter: &Parameter<'_>, word: &str) -> BadParameter {
    parameter.unknown("family", word, FamilySet::words())
}

fn keys(only_groups: bool) -> Vec<&'static str> {
    Key::words(only_groups).collect()
}

fn at_most<T>(
    parameter: &Parameter<'_>,
    most: usize,
    words: impl Iterator<Item = Result<T, BadParameter>>,
) -> Result<Vec<T>, BadParameter> {
    let list: Vec<T> = words.take(most + 1).collect::<Result<_, _>>()?;
    if list.len() > most { Err(parameter.bad(format!("expected at most {most} of them"))) } else { Ok(list) }
}

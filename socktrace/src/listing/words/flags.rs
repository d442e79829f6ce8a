//! The options as data: their letters, their names, and what each does.

use std::time::Duration;

use crate::api::sockets::family::FamilySet;
use crate::api::sockets::key::{By, Key};
use crate::api::sockets::pick::Pick;
use crate::api::sockets::show::Users;
use crate::api::sockets::table::{LISTENING, Table};
use crate::api::sockets::{BpfMaps, MAX_COLUMNS, MAX_KEYS, MAX_MAPS, NetnsChoice};
use crate::socket::{Family, State, StateSet};

use super::{Asked, Draft, UsageError};

/// One option.
pub(super) struct Flag {
    /// Its letters; most have one, some none.
    pub(super) short: &'static str,
    pub(super) long: &'static str,
    /// Whether ss has it too.
    pub(super) of_ss: bool,
    pub(super) take: Take,
}

/// What comes with it, and what it does.
#[derive(Clone, Copy)]
pub(super) enum Take {
    Nothing(fn(&mut Draft)),
    /// A value only after `=`.
    Perhaps(fn(&mut Draft, Option<&str>) -> Result<(), UsageError>),
    Value(fn(&mut Draft, &str) -> Result<(), UsageError>),
}

const fn flag(short: &'static str, long: &'static str, apply: fn(&mut Draft)) -> Flag {
    Flag { short, long, of_ss: true, take: Take::Nothing(apply) }
}

const fn value(
    short: &'static str,
    long: &'static str,
    apply: fn(&mut Draft, &str) -> Result<(), UsageError>,
) -> Flag {
    Flag { short, long, of_ss: true, take: Take::Value(apply) }
}

const fn ours(flag: Flag) -> Flag {
    Flag { of_ss: false, ..flag }
}

/// Every option.
pub(super) static FLAGS: [Flag; 58] = [
    flag("n", "numeric", |d| d.show.numeric = true),
    flag("r", "resolve", |d| d.show.resolve = true),
    flag("o", "options", |d| d.show.timers = true),
    flag("e", "extended", |d| {
        d.show.timers = true;
        d.show.extended = true;
    }),
    flag("m", "memory", |d| d.show.memory = true),
    flag("i", "info", |d| d.show.info = true),
    flag("p", "processes", |d| {
        users(d);
    }),
    flag("T", "threads", |d| users(d).threads = true),
    flag("Z", "context", |d| users(d).process_context = true),
    flag("z", "contexts", |d| {
        users(d).process_context = true;
        users(d).socket_context = true;
    }),
    flag("b", "bpf", |d| {
        d.show.timers = true;
        d.show.bpf = true;
    }),
    flag("E", "events", |d| d.events = true),
    flag("t", "tcp", |d| d.choice.table(Table::Tcp)),
    flag("u", "udp", |d| d.choice.table(Table::Udp)),
    flag("w", "raw", |d| d.choice.table(Table::Raw)),
    flag("S", "sctp", |d| d.choice.table(Table::Sctp)),
    flag("d", "dccp", |d| d.choice.table(Table::Dccp)),
    flag("M", "mptcp", |d| d.choice.table(Table::Mptcp)),
    flag("x", "unix", |d| d.choice.family(Family::Unix)),
    flag("", "tipc", |d| d.choice.family(Family::Tipc)),
    flag("", "vsock", |d| d.choice.family(Family::Vsock)),
    flag("", "xdp", |d| d.choice.family(Family::Xdp)),
    flag("4", "ipv4", |d| d.choice.family(Family::Inet)),
    flag("6", "ipv6", |d| d.choice.family(Family::Inet6)),
    flag("0", "packet", |d| d.choice.family(Family::Packet)),
    flag("a", "all", |d| d.choice.states(StateSet::ALL)),
    flag("l", "listening", |d| d.choice.states(LISTENING)),
    flag("B", "bound-inactive", |d| d.choice.states(StateSet::of(State::BoundInactive))),
    value("f", "family", family),
    value("A", "query", query),
    value("", "socket", query),
    flag("s", "summary", |d| d.summary = true),
    value("D", "diag", |d, path| {
        d.dump = Some(path.into());
        Ok(())
    }),
    value("F", "filter", |d, path| match d.filter_file.replace(path.into()) {
        None => Ok(()),
        Some(_) => Err(UsageError::Clash("more than one filter file")),
    }),
    value("N", "net", |d, name| {
        d.show.netns = false;
        d.netns = NetnsChoice::One(name.to_owned());
        Ok(())
    }),
    flag("K", "kill", |d| d.kill = true),
    flag("H", "no-header", |d| d.header = false),
    flag("Q", "no-queues", |d| d.show.queues = false),
    flag("O", "oneline", |d| d.show.oneline = true),
    flag("", "tipcinfo", |d| d.show.tipcinfo = true),
    flag("", "tos", |d| d.show.tos = true),
    flag("", "cgroup", |d| d.show.cgroup = true),
    flag("", "inet-sockopt", |d| d.show.sockopt = true),
    flag("", "bpf-maps", |d| d.bpf_maps = BpfMaps::All),
    value("", "bpf-map-id", bpf_map_id),
    flag("vV", "version", |d| d.instead = Some(Asked::Version)),
    flag("h", "help", |d| d.instead = Some(Asked::Help)),
    Flag { short: "", long: "json", of_ss: false, take: Take::Perhaps(json) },
    ours(flag("", "direct", |d| d.direct = true)),
    ours(value("", "agent", |d, path| {
        d.agent = Some(path.into());
        Ok(())
    })),
    ours(flag("", "dry-run", |d| d.dry_run = true)),
    ours(flag("", "force", |d| d.force = true)),
    ours(flag("", "all-netns", |d| {
        d.netns = NetnsChoice::All;
        d.show.netns = true;
    })),
    ours(value("", "columns", |d, list| {
        let column =
            |word: &str| Pick::from_word(word).ok_or_else(|| UsageError::NoColumn { word: word.to_owned() });
        d.columns = list.split(',').map(column).collect::<Result<_, _>>()?;
        // Each is written for every row.
        at_most(MAX_COLUMNS, d.columns.len(), "--columns: at most 64 columns can be shown")
    })),
    ours(value("", "sort", |d, list| {
        let bad = |word: &str| UsageError::NoKey { option: "--sort", word: word.to_owned() };
        let by = |word| By::from_word(word).ok_or_else(|| bad(word));
        d.order = list.split(',').map(by).collect::<Result<_, _>>()?;
        at_most(MAX_KEYS, d.order.len(), "--sort: at most 8 keys can be given")
    })),
    ours(value("", "top", |d, word| {
        let bad = || UsageError::BadValue {
            option: "--top",
            value: word.to_owned(),
            expected: "a number, 1 or more",
        };
        d.top = Some(word.parse().ok().filter(|&top| top > 0).ok_or_else(bad)?);
        Ok(())
    })),
    ours(value("", "count-by", |d, list| {
        let bad = |word: &str| UsageError::NoKey { option: "--count-by", word: word.to_owned() };
        let key = |word| Key::from_word(word).filter(|key| key.groups()).ok_or_else(|| bad(word));
        d.count_by = list.split(',').map(key).collect::<Result<_, _>>()?;
        at_most(MAX_KEYS, d.count_by.len(), "--count-by: at most 8 keys can be given")
    })),
    ours(value("c", "continuous", seconds)),
];

fn unnamed(option: &'static str, what: &'static str, word: &str, possible: Vec<&'static str>) -> UsageError {
    UsageError::Unnamed { option, what, word: word.to_owned(), possible }
}

/// One object per line, or all of them in an array.
fn json(draft: &mut Draft, form: Option<&str>) -> Result<(), UsageError> {
    draft.json = true;
    draft.array = match form {
        None | Some("lines") => false,
        Some("array") => true,
        Some(word) => return Err(unnamed("--json", "form", word, vec!["lines", "array"])),
    };
    Ok(())
}

fn at_most(most: usize, count: usize, otherwise: &'static str) -> Result<(), UsageError> {
    if count <= most { Ok(()) } else { Err(UsageError::Clash(otherwise)) }
}

fn users(draft: &mut Draft) -> &mut Users {
    draft.show.users.get_or_insert_default()
}

fn family(draft: &mut Draft, word: &str) -> Result<(), UsageError> {
    if word == "help" {
        draft.instead = Some(Asked::Help);
        return Ok(());
    }
    let bad = || unnamed("--family", "family", word, FamilySet::words().collect());
    draft.choice.family(FamilySet::named(word).ok_or_else(bad)?);
    Ok(())
}

fn query(draft: &mut Draft, list: &str) -> Result<(), UsageError> {
    for word in list.split(',') {
        let (name, add) = match word.strip_prefix('!') {
            Some(name) => (name, false),
            None => (word, true),
        };
        let bad = || unnamed("--query", "table", name, Table::words().collect());
        draft.choice.query(Table::named(name).ok_or_else(bad)?, add);
    }
    Ok(())
}

fn bpf_map_id(draft: &mut Draft, word: &str) -> Result<(), UsageError> {
    let id = number("--bpf-map-id", word)?;
    match &mut draft.bpf_maps {
        // Refused when all options are known.
        BpfMaps::All => Ok(()),
        BpfMaps::Ids(ids) => {
            ids.push(id);
            at_most(MAX_MAPS, ids.len(), "--bpf-map-id: at most 64 maps can be shown")
        }
        none @ BpfMaps::None => {
            *none = BpfMaps::Ids(vec![id]);
            Ok(())
        }
    }
}

fn number<T: std::str::FromStr>(option: &'static str, word: &str) -> Result<T, UsageError> {
    word.parse().map_err(|_| UsageError::BadValue { option, value: word.to_owned(), expected: "a number" })
}

fn seconds(draft: &mut Draft, word: &str) -> Result<(), UsageError> {
    let bad = || UsageError::BadValue {
        option: "--continuous",
        value: word.to_owned(),
        expected: "a positive number of seconds",
    };
    let seconds: f64 = word.parse().map_err(|_| bad())?;
    let every = Duration::try_from_secs_f64(seconds).map_err(|_| bad())?;
    if every.is_zero() {
        return Err(bad());
    }
    draft.every = Some(every);
    Ok(())
}

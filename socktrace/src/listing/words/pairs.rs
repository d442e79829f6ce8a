//! Options that do not go together. Each pair of options works, or is refused with both names and the reason: none is
//! dropped. docs/ss-compat.md lists the pairs.

use std::path::Path;

use crate::api::sockets::family::FamilySet;
use crate::api::sockets::pick::Takes;
use crate::api::sockets::selection::Selection;
use crate::api::sockets::table::{Table, TableSet};

use super::{Draft, UsageError};

/// Of two sets of options, no one of the first goes with one of the second.
struct Clash {
    one: &'static [&'static str],
    other: &'static [&'static str],
    /// What is the matter.
    why: &'static str,
    /// Whether it is, given the rest of the command line.
    when: fn(&Whole<'_>) -> bool,
}

/// A command line that has been read.
pub(super) struct Whole<'a> {
    pub(super) draft: &'a Draft,
    pub(super) selection: &'a Selection,
    /// `-s` and nothing that chooses sockets.
    pub(super) only_summary: bool,
    /// There are filter words beside the state words.
    pub(super) has_filter: bool,
    /// There are state words.
    pub(super) has_states: bool,
}

/// What is shown in the last column.
const DETAILS: &[&str] = &[
    "options",
    "extended",
    "memory",
    "info",
    "bpf",
    "tos",
    "cgroup",
    "inet-sockopt",
    "tipcinfo",
    "bpf-maps",
    "bpf-map-id",
    "oneline",
];
/// What is shown of who holds a socket.
const HOLDERS: &[&str] = &["processes", "threads", "context", "contexts"];
/// What rows are arranged by.
const ORDER: &[&str] = &["sort", "top", "count-by"];
/// What chooses tables.
const TABLES: &[&str] = &[
    "tcp", "udp", "raw", "sctp", "dccp", "mptcp", "unix", "tipc", "vsock", "xdp", "packet", "family",
    "query", "socket",
];

const INET: TableSet =
    TableSet::of(&[Table::Tcp, Table::Udp, Table::Raw, Table::Sctp, Table::Dccp, Table::Mptcp]);

static CLASHES: [Clash; 32] = [
    always(&["direct"], &["agent"], "one asks the kernel, the other an agent"),
    always(&["bpf-maps"], &["bpf-map-id"], "one shows every map, the other those that are named"),
    always(&["all-netns"], &["net"], "one asks every network namespace, the other one of them"),
    always(
        &["all-netns"],
        &["kill", "events", "diag"],
        "that is done in one network namespace: choose it with --net",
    ),
    always(&["json"], &["columns"], "--columns is for tables; --json has every field"),
    always(&["columns"], &["count-by"], "a count has columns of its own"),
    always(&["sort"], &["count-by"], "the largest counts come first"),
    always(&["columns"], &["no-queues"], "the columns are those of the list"),
    Clash {
        when: |whole| !whole.takes(&[Takes::Details]),
        ..always(&["columns"], DETAILS, "none of the columns shows that: add details to them")
    },
    Clash {
        when: |whole| !whole.takes(&[Takes::Processes, Takes::PeerProcesses]),
        ..always(&["columns"], HOLDERS, "none of the columns shows that: add process to them")
    },
    Clash {
        when: |whole| !whole.takes(&[Takes::Address]),
        ..always(
            &["columns"],
            &["resolve"],
            "none of the columns shows an address: add local or peer to them",
        )
    },
    always(&["diag"], &["kill", "events", "continuous"], "each does something else with the sockets"),
    always(&["diag"], &["json", "columns"], "what is written is the kernel's answer as it came"),
    always(&["diag"], ORDER, "what is written is the kernel's answer as it came"),
    always(&["diag"], HOLDERS, "the kernel's answer does not include that"),
    always(&["diag"], &["resolve", "bpf", "tipcinfo"], "the kernel's answer for TCP does not include that"),
    always(
        &["diag"],
        &["filter"],
        "TCP sockets are recorded whatever a filter says: use it when the file is read",
    ),
    Clash {
        when: |whole| !whole.selection.tables.contains(Table::Tcp),
        ..always(&["diag"], TABLES, "only TCP sockets can be recorded")
    },
    Clash {
        when: |whole| whole.draft.dump.as_deref() == Some(Path::new("-")),
        ..always(&["diag"], &["summary"], "the summary would stand in front of the kernel's answer")
    },
    always(&["events"], &["kill"], "one closes sockets, the other watches"),
    always(&["events"], &["continuous"], "sockets are printed when they are destroyed"),
    always(&["events"], ORDER, "sockets are printed when they are destroyed"),
    always(&["events"], HOLDERS, "nobody holds a socket that is being destroyed"),
    always(&["events"], &["listening", "bound-inactive"], "every socket is closed when it is destroyed"),
    always(
        &["events"],
        &["options", "memory", "bpf", "tos", "cgroup", "inet-sockopt", "tipcinfo", "bpf-maps", "bpf-map-id"],
        "the kernel does not report that about a socket that is being destroyed",
    ),
    Clash {
        when: |whole| !whole.selection.tables.meets(TableSet::of(&[Table::Tcp, Table::Udp])),
        ..always(&["events"], TABLES, "only TCP and UDP sockets can be watched")
    },
    always(&["kill"], &["continuous"], "what matches is closed once"),
    always(&["kill"], ORDER, "everything that matches is closed"),
    Clash {
        when: |whole| !whole.selection.tables.meets(INET) || !whole.selection.families.meets(FamilySet::INET),
        ..always(&["kill"], TABLES, "only IP sockets can be closed")
    },
    always(
        &["agent"],
        &["kill", "events", "diag", "continuous", "filter"],
        "an agent does not do that: leave it out",
    ),
    Clash {
        when: |whole| whole.only_summary,
        ..always(&["agent"], &["summary"], "an agent is not needed for a summary alone")
    },
    Clash {
        when: |whole| whole.only_summary,
        ..always(
            &["summary"],
            &["kill", "events", "diag", "columns", "sort", "top", "count-by"],
            "a summary alone lists no sockets: choose which",
        )
    },
];

const fn always(one: &'static [&'static str], other: &'static [&'static str], why: &'static str) -> Clash {
    Clash { one, other, why, when: |_| true }
}

impl Whole<'_> {
    /// Refuses what cannot be had together.
    pub(super) fn check(&self) -> Result<(), UsageError> {
        let given = &self.draft.given;
        let first = |names: &[&str]| given.iter().copied().find(|name| names.contains(name));
        for Clash { one, other, why, when } in &CLASHES {
            if let (Some(one), Some(other)) = (first(one), first(other))
                && when(self)
            {
                return Err(UsageError::Pair { one, other, why });
            }
        }
        let endless = self.draft.events || self.draft.every.is_some();
        let whole = [
            (
                self.draft.array && endless,
                "--json=array is for a list that ends, which --events and --continuous do not: use --json",
            ),
            (
                self.draft.dump.is_some() && self.has_filter,
                "--diag records TCP sockets whatever a filter says: use it when the file is read",
            ),
            (
                self.draft.events && self.has_states,
                "--events knows no states: every socket is closed when it is destroyed",
            ),
        ];
        match whole.into_iter().find(|(clashes, _)| *clashes) {
            Some((_, why)) => Err(UsageError::Clash(why)),
            None => Ok(()),
        }
    }

    fn takes(&self, any: &[Takes]) -> bool {
        self.draft.columns.iter().any(|pick| any.contains(&pick.takes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::listing::words::names;

    #[test]
    fn the_options_that_clash_are_options() {
        let known: Vec<&str> = names().map(|name| name.long).collect();
        for Clash { one, other, .. } in &CLASHES {
            for name in one.iter().chain(*other) {
                assert!(known.contains(name), "{name}");
            }
        }
    }
}

//! Rows of an answer, and what is in them that is not in others.

use crate::ss_parity::steady;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// Which socket a row is about, or what else if it is about none.
pub(super) type Identity = String;

/// The rows of an answer in JSON.
#[derive(Default, PartialEq)]
pub(super) struct Rows(BTreeMap<Identity, Map<String, Value>>);

/// What the agent knows and the kernel does not tell: when a socket opened, and how it is known who opened it.
const OF_THE_AGENT: [&str; 2] = ["opened", "attribution"];
/// Values that run, counters, and what the kernel counts for the whole machine: only whether they are there can be compared.
const RUNNING: [&str; 9] =
    ["timer", "tcp_info", "mptcp_info", "skmem", "recv_q", "send_q", "ato", "sockets", "tcp_states"];

impl Rows {
    pub(super) fn of(body: &str) -> Self {
        let rows = body.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let rows = rows.filter_map(|row| row.as_object().cloned());
        Self(rows.map(|row| (identity(&row), row)).collect())
    }

    /// These, and what those have besides.
    pub(super) fn and(mut self, other: Self) -> Self {
        for (identity, row) in other.0 {
            let ours = self.0.entry(identity).or_default();
            for (key, value) in row {
                ours.entry(key).or_insert(value);
            }
        }
        self
    }

    pub(super) fn identities(&self) -> BTreeSet<Identity> {
        self.0.keys().cloned().collect()
    }

    /// Rows and fields that the kernel did not tell that user.
    pub(super) fn beyond(&self, kernels: &Self, stable: &BTreeSet<Identity>, user: u32) -> Vec<String> {
        let mut beyond = Vec::new();
        for (identity, row) in &self.0 {
            let Some(told) = kernels.0.get(identity) else {
                // One that has come since, or the asker's own: unless it was there all the time, or is no socket.
                let elsewhere = row.get("netns").is_some_and(|netns| !kernels.has_netns(netns));
                if stable.contains(identity) || elsewhere || !row.contains_key("cookie") {
                    beyond.push(format!("row {identity}"));
                }
                continue;
            };
            for (key, value) in row {
                let shown = match key.as_str() {
                    key if OF_THE_AGENT.contains(&key) => false,
                    // Who opened one's own socket.
                    "pid" | "comm" => !value.is_null() && row["uid"] != user,
                    "processes" | "peer_processes" => {
                        let none = Vec::new();
                        let told = told.get(key).and_then(Value::as_array).unwrap_or(&none);
                        value.as_array().unwrap().iter().any(|holder| !told.contains(holder))
                    }
                    key if RUNNING.contains(&key) => has_more(value, told.get(key)),
                    key => told.get(key) != Some(value),
                };
                if shown {
                    beyond.push(format!("{identity}: {key} is {value}, not {:?}", told.get(key)));
                }
            }
        }
        beyond
    }

    fn has_netns(&self, netns: &Value) -> bool {
        self.0.is_empty() || self.0.values().any(|row| row.get("netns") == Some(netns))
    }
}

/// Whether it has a field that the other has not.
fn has_more(value: &Value, told: Option<&Value>) -> bool {
    match (value, told) {
        (Value::Object(value), Some(Value::Object(told))) => value.keys().any(|key| !told.contains_key(key)),
        (_, told) => told.is_none(),
    }
}

fn identity(row: &Map<String, Value>) -> Identity {
    match (row.get("cookie"), row.get("key")) {
        (Some(cookie), _) if *cookie != 0 => format!("{} {cookie}", row["netid"]),
        (_, Some(key)) => format!("count {key}"),
        (_, None) => format!("{:?} {:?}", row.get("netid"), row.get("inode")),
    }
}

/// The lines of a table, however wide their columns are and without what runs, and without those of the asking itself: both
/// ends of the connection to the agent, and the sockets of sock_diag (protocol 4 of netlink).
pub(super) fn steady_text(text: &str) -> BTreeSet<String> {
    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let is_inode = |word: &String| word.len() > 1 && word.bytes().all(|byte| byte.is_ascii_digit());
    let connections: BTreeSet<String> =
        text.lines().filter(|line| line.contains("agent.sock")).flat_map(words).filter(is_inode).collect();
    let of_asking = |line: &Vec<String>| {
        line.iter().any(|word| {
            connections.contains(word)
                || ["agent.sock", "tcpdiag"].iter().any(|name| word.contains(name))
                || word.starts_with("4:")
        })
    };
    // Packets come all the time; how many sockets there are in all counts those of the asking, and of TCP those of the whole
    // machine.
    let running = |mut line: Vec<String>| {
        match line.first().map(String::as_str) {
            Some("p_raw" | "p_dgr") => drop(line.remove(2)),
            Some("Total:" | "TCP:") => line.truncate(1),
            Some(_) | None => {}
        }
        line
    };
    let lines = text.lines().map(|line| running(words(&steady(line))));
    lines.filter(|line| !of_asking(line)).map(|line| line.join(" ")).collect()
}

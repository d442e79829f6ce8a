//! The options that change what the others mean, and how it is seen that they work.

use super::effects::{Effect, Mark, Seen, rows};
use super::stage::Stage;
use serde_json::Value;
use std::collections::BTreeSet;

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Beside {
    AllNetns,
    Net,
    Json,
    Columns,
    Continuous,
    Summary,
    Kill,
    Diag,
    Events,
    Agent,
    Direct,
}

impl Beside {
    pub(super) const ALL: [Self; 11] = [
        Self::AllNetns,
        Self::Net,
        Self::Json,
        Self::Columns,
        Self::Continuous,
        Self::Summary,
        Self::Kill,
        Self::Diag,
        Self::Events,
        Self::Agent,
        Self::Direct,
    ];

    /// Its long name.
    pub(super) const fn option(self) -> &'static str {
        match self {
            Self::AllNetns => "all-netns",
            Self::Net => "net",
            Self::Json => "json",
            Self::Columns => "columns",
            Self::Continuous => "continuous",
            Self::Summary => "summary",
            Self::Kill => "kill",
            Self::Diag => "diag",
            Self::Events => "events",
            Self::Agent => "agent",
            Self::Direct => "direct",
        }
    }

    fn of(option: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|beside| beside.option() == option)
    }

    fn words(self) -> &'static [&'static str] {
        let effect = super::EFFECTS.iter().find(|effect| effect.option == self.option());
        effect.expect("described").words
    }

    /// Asks for both.
    pub(super) fn ask(self, stage: &Stage, effect: &Effect) -> Seen {
        let mut seen = stage.ask(&[self.words(), effect.words].concat());
        if self == Self::AllNetns && effect.option != "top" {
            // Other tests have namespaces of their own meanwhile; the first rows may all be theirs.
            seen.stdout =
                seen.stdout.split_inclusive('\n').filter(|line| !stage.is_elsewhere(line)).collect();
        }
        seen
    }

    /// Whether the other option is seen in what was printed.
    pub(super) fn shows(self, effect: &Effect, seen: &Seen) -> bool {
        match Self::of(effect.option) {
            Some(other) => other.is_seen(self == Self::Json, seen),
            None => effect.is_seen(seen, self == Self::Json),
        }
    }

    /// Whether it has its own effect beside that option; why not.
    pub(super) fn has_effect(self, stage: &Stage, effect: &Effect, seen: &Seen) -> Result<(), String> {
        let json = effect.option == "json";
        let fine = match &effect.mark {
            // It says why it does nothing, or does something else.
            Mark::Said(text) if seen.stderr.contains(text) => true,
            Mark::Instead(_) => true,
            _ => match self {
                // Counts say of no row where it is from.
                Self::AllNetns if effect.option == "count-by" => {
                    count(&seen.stdout) > count(&stage.ask(effect.words).stdout)
                }
                // From outside the same is seen as from within.
                Self::Net if !matches!(effect.option, "diag" | "events" | "continuous") => (0..3).any(|_| {
                    masked(&stage.ask(effect.words).stdout) == masked(&self.ask(stage, effect).stdout)
                }),
                // Without it there is nobody to ask.
                Self::Agent => {
                    let words = [&["--agent", "/nonexistent/agent.sock"][..], effect.words].concat();
                    stage.ask(&words).code == Some(1) && self.is_seen(json, seen)
                }
                _ => self.is_seen(json, seen),
            },
        };
        if fine { Ok(()) } else { Err(format!("--{} has no effect: {seen:?}", self.option())) }
    }

    /// Whether it is seen that it works.
    fn is_seen(self, json: bool, seen: &Seen) -> bool {
        let Seen { code, stdout, stderr, asked_an_agent } = seen;
        let heading = |word: &str| stdout.lines().any(|line| line.contains(word));
        let names_columns = heading("Address");
        match self {
            Self::AllNetns if json => stdout.contains("\"netns_pid\":"),
            Self::AllNetns => {
                heading("Netns")
                    || !names_columns && rows(stdout).all(|row| row.contains("own") || row.contains('/'))
            }
            Self::Json => {
                stdout.lines().all(|line| serde_json::from_str::<Value>(line).is_ok_and(|it| it.is_object()))
            }
            Self::Columns => {
                heading("Details")
                    || !names_columns && rows(stdout).all(|row| row.starts_with(|c: char| c.is_ascii_digit()))
            }
            Self::Continuous if json => stdout.contains("\"round\":2,"),
            // Ended by us, in its third round.
            Self::Continuous => code.is_none() && (heading("Round 2 at ") || !names_columns),
            Self::Summary if json => stdout.contains("\"tcp_states\":"),
            Self::Summary => stdout.contains("Transport Total"),
            Self::Kill => stderr.contains("would close"),
            Self::Diag => stdout.contains(":http") || stdout.contains(":750") || stdout.contains("[::1]"),
            Self::Events => code.is_none() && rows(stdout).next().is_some(),
            // The only raw socket is there.
            Self::Net if stdout.contains("RAW\t  1 ") => true,
            Self::Net => {
                [":http", ":80", ":750", "matrix.sock", "[::1]", "::1"].iter().any(|it| stdout.contains(it))
            }
            Self::Agent => *code == Some(0) || code.is_none(),
            Self::Direct => !asked_an_agent && (!stdout.is_empty() || !stderr.is_empty()),
        }
    }
}

/// All that was counted.
fn count(text: &str) -> u32 {
    text.lines().filter_map(|line| line.split_whitespace().next()?.parse::<u32>().ok()).sum()
}

/// The rows without their numbers, which differ from one listing to the next, and without the connection to an agent.
fn masked(text: &str) -> BTreeSet<String> {
    let mask = |line: &str| {
        let masked: String = line.chars().map(|c| if c.is_ascii_digit() { '#' } else { c }).collect();
        let mut masked = masked.split_whitespace().collect::<Vec<_>>().join(" ");
        while masked.contains("##") {
            masked = masked.replace("##", "#");
        }
        masked
    };
    rows(text).filter(|row| !row.contains("agent.sock")).map(mask).collect()
}

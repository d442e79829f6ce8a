//! A figure beside its peer and its limit, and the goal that it has.

use std::fmt::Write as _;

use anyhow::Result;
use serde_json::{Value, json};

/// One line of a table.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) what: String,
    unit: &'static str,
    peer: Option<(&'static str, f64)>,
    limit: Option<(&'static str, f64)>,
    ours: f64,
    pub(super) goals: Vec<Goal>,
}

/// What was hoped for, and whether it is so.
#[derive(Debug, Clone)]
pub(super) struct Goal {
    text: String,
    pub(super) met: bool,
}

impl Row {
    pub(super) fn new(what: impl Into<String>, unit: &'static str, ours: f64) -> Row {
        Row { what: what.into(), unit, peer: None, limit: None, ours, goals: Vec::new() }
    }

    /// The figure of somebody else.
    pub(super) fn peer(mut self, name: &'static str, value: f64) -> Row {
        self.peer = Some((name, value));
        self
    }

    /// What nobody can go below.
    pub(super) fn limit(mut self, name: &'static str, value: f64) -> Row {
        self.limit = Some((name, value));
        self
    }

    /// The peer's figure is at least so many times ours.
    pub(super) fn faster_than_peer(self, times: f64) -> Row {
        let ratio = self.peer.map_or(f64::NAN, |(_, peer)| peer / self.ours);
        self.goal(format!("peer/ours {ratio:.2}, goal >= {times}"), ratio >= times)
    }

    /// Ours is at most so many times the limit.
    pub(super) fn near_limit(self, times: f64) -> Row {
        let ratio = self.limit.map_or(f64::NAN, |(_, limit)| self.ours / limit);
        self.goal(format!("ours/limit {ratio:.2}, goal <= {times}"), ratio <= times)
    }

    /// Ours is at most so much.
    pub(super) fn at_most(self, most: f64) -> Row {
        let met = self.ours <= most;
        self.goal(format!("goal <= {}", figure(most)), met)
    }

    /// Ours is at least so much.
    pub(super) fn at_least(self, least: f64) -> Row {
        let met = self.ours >= least;
        self.goal(format!("goal >= {}", figure(least)), met)
    }

    /// Ours is the peer's, but for this share of it.
    pub(super) fn keeps_to_peer(self, share: f64) -> Row {
        let Some((_, peer)) = self.peer else { return self.goal("no peer".to_owned(), false) };
        let met = (self.ours - peer).abs() <= peer.abs() * share;
        let change = (self.ours / peer - 1.0) * 100.0;
        let text = if share > 0.0 {
            format!("{change:+.1} %, goal within {} %", share * 100.0)
        } else {
            "goal the same".to_owned()
        };
        self.goal(text, met)
    }

    /// Ours is at least so much of the peer's: a rate. `ratio` is the median of those of each pair of runs.
    pub(super) fn keeps(self, ratio: f64, share: f64) -> Row {
        self.goal(format!("ours/peer {ratio:.3}, goal >= {share}"), ratio >= share)
    }

    fn goal(mut self, text: String, met: bool) -> Row {
        self.goals.push(Goal { text, met });
        self
    }

    fn cells(&self) -> [String; 5] {
        let of = |beside: &Option<(&str, f64)>| match beside {
            Some((name, value)) => format!("{name} {}", figure(*value)),
            None => String::new(),
        };
        let goal = |goal: &Goal| format!("{}: {}", goal.text, if goal.met { "met" } else { "MISSED" });
        let goals = self.goals.iter().map(goal).collect::<Vec<_>>().join("; ");
        [
            self.what.clone(),
            of(&self.peer),
            of(&self.limit),
            format!("{} {}", figure(self.ours), self.unit),
            goals,
        ]
    }
}

/// Three digits that mean something.
fn figure(value: f64) -> String {
    match value.abs() {
        size if size >= 1000.0 => {
            let whole = format!("{value:.0}");
            let (sign, digits) = whole.strip_prefix('-').map_or(("", whole.as_str()), |digits| ("-", digits));
            let mut out = sign.to_owned();
            for (at, digit) in digits.chars().enumerate() {
                if at > 0 && (digits.len() - at).is_multiple_of(3) {
                    out.push(',');
                }
                out.push(digit);
            }
            out
        }
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// Columns, each as wide as its widest cell.
pub(super) fn table(rows: &[Row]) -> String {
    let heads = ["what", "peer", "limit", "ours", "goal"].map(str::to_owned);
    let lines: Vec<[String; 5]> = std::iter::once(heads).chain(rows.iter().map(Row::cells)).collect();
    let width = |column: usize| {
        lines.iter().filter_map(|cells| cells.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..5).map(width).collect();
    let mut out = String::new();
    for cells in &lines {
        let mut line = String::new();
        for (cell, width) in cells.iter().zip(&widths).filter(|(_, width)| **width > 0) {
            let _ = write!(line, "{cell:width$}  ");
        }
        let _ = writeln!(out, "  {}", line.trim_end());
    }
    out
}

/// The same for programs.
pub(super) fn json(machine: &str, rows: &[Row]) -> Result<String> {
    let beside =
        |value: &Option<(&str, f64)>| value.map(|(name, value)| json!({"name": name, "value": value}));
    let rows: Vec<Value> = rows
        .iter()
        .map(|row| {
            let goals = row.goals.iter().map(|goal| json!({"goal": goal.text, "met": goal.met}));
            json!({
                "what": row.what, "unit": row.unit, "ours": row.ours,
                "peer": beside(&row.peer), "limit": beside(&row.limit), "goals": goals.collect::<Vec<_>>(),
            })
        })
        .collect();
    Ok(serde_json::to_string_pretty(&json!({"machine": machine, "rows": rows}))? + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_three_digits() {
        for (value, text) in
            [(0.123, "0.12"), (12.34, "12.3"), (123.4, "123"), (1234.5, "1,234"), (-1234567.0, "-1,234,567")]
        {
            assert_eq!(figure(value), text);
        }
    }

    #[test]
    fn goals_are_judged() {
        let row = Row::new("x", "ms", 10.0)
            .peer("ss", 35.0)
            .limit("dump", 8.0)
            .faster_than_peer(3.0)
            .near_limit(1.2);
        assert_eq!(row.goals.iter().map(|goal| goal.met).collect::<Vec<_>>(), [true, false]);
        let text = table(&[row]);
        assert!(
            text.contains("peer/ours 3.50, goal >= 3: met; ours/limit 1.25, goal <= 1.2: MISSED"),
            "{text}"
        );
        assert!(
            !Row::new("x", "ms", 1.0).faster_than_peer(1.0).goals.iter().any(|goal| goal.met),
            "no peer, no goal"
        );
    }
}

//! Findings as lines for people, and as JSON.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::{Change, Finding};
use crate::findings::said;
use crate::render::escape;
use crate::socket::UnixNs;

/// When something has changed, as in JSON: RFC 3339, UTC.
#[must_use]
pub fn stamp(at: UnixNs) -> String {
    said::rfc3339(at)
}

/// Likewise for people: local time.
#[must_use]
pub fn local_stamp(at: UnixNs, local_offset_s: i32) -> String {
    said::date(at, local_offset_s)
}

/// A finding in lines. `change`: what has become of it, and when, where that is watched.
#[must_use]
pub fn lines(finding: &Finding, change: Option<(Change, &str)>) -> String {
    let Finding { kind, severity, subject, said, show, unit, .. } = finding;
    let mut text = String::new();
    if let Some((change, at)) = change {
        let _ = write!(text, "{at} {:7} ", change.word());
    }
    // Writing to a string cannot fail.
    let _ = write!(text, "{:8} {:12} {subject}", severity.word(), kind.word());
    if let Some(unit) = unit.as_deref().filter(|unit| !subject.contains(*unit)) {
        let _ = write!(text, " {}", escape::text(unit.as_bytes()));
    }
    text.push('\n');
    if !matches!(change, Some((Change::Gone, _))) {
        let _ =
            writeln!(text, "         {said}\n         advice: {}\n         see:    {show}", kind.advice());
    }
    text
}

/// A finding as an object, and a newline (docs/problems.md).
#[must_use]
pub fn json(finding: &Finding, change: Option<(Change, &str)>) -> String {
    let mut object = Map::new();
    let mut put = |key: &str, value: Value| drop(object.insert(key.to_owned(), value));
    if let Some((change, at)) = change {
        put("ts", at.into());
        put("change", change.word().into());
    }
    put("id", finding.id().into());
    put("kind", finding.kind.word().into());
    put("severity", finding.severity.word().into());
    put("subject", finding.subject.clone().into());
    put("pid", finding.process.map(|it| it.pid).into());
    put("comm", finding.process.map(|it| it.comm.to_text().into_owned()).into());
    if let Some(unit) = &finding.unit {
        put("unit", (**unit).into());
    }
    put("evidence", Value::Object(finding.evidence.clone()));
    put("said", finding.said.clone().into());
    put("advice", finding.kind.advice().into());
    put("show", finding.show.clone().into());
    Value::Object(object).to_string() + "\n"
}

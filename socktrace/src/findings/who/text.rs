//! The answer as lines for people.

use std::fmt::Write as _;

use super::{Answer, Before, Failed, Now, PEERS, Target};
use crate::findings::row::Proto;
use crate::findings::said;
use crate::render::amounts::Micros;
use crate::socket::{State, UnixNs};

/// How it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// The time.
    pub now: UnixNs,
    /// What local time adds to UTC, seconds.
    pub local_offset_s: i32,
    /// At most so many lines of the past, of each kind.
    pub past: usize,
    /// Whether there is a past to ask: without an agent there is none.
    pub has_past: bool,
}

/// The answer in lines.
#[must_use]
pub fn lines(target: &Target, answer: &Answer, look: Look) -> String {
    let mut text = String::new();
    let mut section = |title: &str, lines: Vec<String>| {
        for (index, line) in lines.into_iter().enumerate() {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{:7} {line}", if index == 0 { title } else { "" });
        }
    };
    match (answer.now.is_empty(), target.elsewhere()) {
        (true, Some(elsewhere)) => section(
            "now",
            vec![format!(
                "nobody holds {target} here; connections to that port: socktrace ss -tun '{elsewhere}'"
            )],
        ),
        (true, None) => section("now", vec![format!("nothing has to do with {target}")]),
        (false, _) => section("now", answer.now.iter().map(|it| now(it, look)).collect()),
    }
    let cut = |mut lines: Vec<String>| {
        let more = lines.len().saturating_sub(look.past);
        lines.truncate(look.past);
        lines.extend((more > 0).then(|| format!("and {} (--all)", said::many(more as u64, "line"))));
        lines
    };
    section("before", cut(answer.before.iter().map(|it| before(it, look)).collect()));
    section("failed", cut(answer.failed.iter().map(|it| failed(it, look)).collect()));
    if look.has_past && answer.before.is_empty() && answer.failed.is_empty() {
        section("before", vec!["nothing is known".to_owned()]);
    }
    text
}

fn now(it: &Now, look: Look) -> String {
    let owner = said::owner(it.process.as_ref(), it.unit.as_deref());
    let proto = it.proto.name();
    let mut line = match it.local {
        Some(local) => format!("{proto} {} {}", it.state, said::end(local)),
        None => format!("{proto} {} {}", said::count(it.count), it.state),
    };
    // Nobody holds what waits.
    if it.state != State::TimeWait || it.process.is_some() {
        let _ = write!(line, "  {owner}");
    }
    if let Some((waiting, backlog)) = it.queue {
        let _ = write!(line, "  queue {} of {}", said::count(waiting), said::count(backlog));
    }
    if let Some(ms) = it.free_in_ms {
        let _ = write!(line, "  free in {} s, at once with SO_REUSEADDR", ms.div_ceil(1000));
    }
    if !it.peers.is_empty() {
        let _ = write!(line, "  with {}", said::greatest(&it.peers, PEERS, ToString::to_string));
    }
    if let Some(opened) = it.opened {
        let since = Micros(look.now.saturating_sub(opened) / 1000);
        let _ = write!(line, "  for {since}");
    }
    line
}

fn before(it: &Before, look: Look) -> String {
    let owner = said::owner(it.process.as_ref(), it.unit.as_deref());
    let until = said::date(it.last, look.local_offset_s);
    let lived = Micros(it.last.saturating_sub(it.first) / 1000);
    let what = match (it.local, it.proto, it.count) {
        (Some(local), Proto::Tcp, 1) => format!("listened on {} for {lived}", said::end(local)),
        (Some(local), _, 1) => format!("bound to {} for {lived}", said::end(local)),
        (Some(local), _, count) => {
            format!("{} at {} within {lived}", said::many(count, "socket"), said::end(local))
        }
        (None, _, 1) => {
            format!("1 connection with {} for {lived}", said::greatest(&it.peers, PEERS, ToString::to_string))
        }
        (None, _, count) => format!(
            "{} with {} within {lived}",
            said::many(count, "connection"),
            said::greatest(&it.peers, PEERS, ToString::to_string)
        ),
    };
    format!("until {until}  {} {owner}  {what}", it.proto.name())
}

fn failed(it: &Failed, look: Look) -> String {
    let owner = said::owner(it.process.as_ref(), it.unit.as_deref());
    let at = said::date(it.at, look.local_offset_s);
    let error = it.error.as_deref().unwrap_or("failed");
    let mut line = format!("{at}  {} {owner}  {} ", it.proto.name(), it.call);
    if let Some(local) = it.local {
        let _ = write!(line, "{} ", said::end(local));
    }
    line.push_str(error);
    if let Some(met) = &it.met {
        let holder = said::owner(met.process.as_ref(), met.unit.as_deref());
        let _ = write!(line, ": held by {holder} ({} {})", met.state, said::end(met.local));
    }
    line
}

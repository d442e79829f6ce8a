//! The last column: what there is to say of each kind of event, as much of it as there is room for.

use super::line::Line;
use crate::api::columns::Column;
use crate::api::selection::Style;
use crate::render::amounts::{Bytes, Lifetime, Micros};
use crate::render::errno::errno_name;
use crate::socket::{ClosedFirst, Closing, Event, EventKind, Segments};

/// How much is said of what went over a connection; each version lacks one thing more, the least important first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Version {
    Everything,
    WithoutMinimum,
    /// Bytes alone, without segments.
    BytesAlone,
    WithoutRtt,
    WithoutRetrans,
    WithoutWhoClosed,
    WithoutWhoReset,
}

const VERSIONS: [Version; 7] = [
    Version::Everything,
    Version::WithoutMinimum,
    Version::BytesAlone,
    Version::WithoutRtt,
    Version::WithoutRetrans,
    Version::WithoutWhoClosed,
    Version::WithoutWhoReset,
];

/// How long it was open is left out where it has a column of its own.
pub(super) fn details(event: &Event, style: Style, line: &mut Line<'_>) {
    let has_lifetime = style.columns.iter().any(|column| column == Column::Lifetime);
    match &event.kind {
        EventKind::Bind { errno } | EventKind::Listen { errno } => error(*errno, line),
        EventKind::Connect { latency_us } => after(latency_us.filter(|_| !has_lifetime), line),
        // It was closed while it waited, mostly by a time-out of its own.
        EventKind::ConnectFailed { errno: 0, latency_us, failed_by: _ } => {
            line.field(format_args!("no answer, given up"));
            after(latency_us.filter(|_| !has_lifetime), line);
        }
        EventKind::ConnectFailed { errno, latency_us, failed_by: _ } => {
            if has_lifetime {
                line.field(format_args!("connect failed"));
            }
            error(*errno, line);
            after(latency_us.filter(|_| !has_lifetime), line);
        }
        EventKind::Close { duration_us, closing, found } => {
            if let Some(us) = duration_us.filter(|_| !has_lifetime) {
                line.field(format_args!("{}", Lifetime { us, is_bound: *found }));
            }
            if let Some(closing) = closing {
                line.fit(style.width, &VERSIONS, |version, line| totals(closing, version, line));
            }
        }
        EventKind::State { old } => {
            if let Some(subject) = &event.subject {
                line.field(format_args!("{old} -> {}", subject.state));
            }
        }
        EventKind::Lost { records } => {
            line.field(format_args!("{records} events, the kernel's buffer was full"))
        }
        EventKind::Resync { added, removed, changed } => {
            line.field(format_args!("{added} added, {removed} removed, {changed} changed"));
        }
        EventKind::Accept | EventKind::Open => {}
    }
}

fn after(latency_us: Option<u64>, line: &mut Line<'_>) {
    if let Some(us) = latency_us {
        line.field(format_args!("after {}", Micros(us)));
    }
}

fn totals(closing: &Closing, version: Version, line: &mut Line<'_>) {
    let (sent, received) = (Bytes(closing.bytes_sent), Bytes(closing.bytes_received));
    if version < Version::BytesAlone {
        match closing.segments() {
            Some(Segments { sent: out, received: into, .. }) => {
                line.field(format_args!("sent {sent}/{out} received {received}/{into}"));
            }
            None => line.field(format_args!("sent {sent} received {received}")),
        }
    } else {
        line.field(format_args!("{sent}/{received}"));
    }
    if closing.rtt_us != 0 && version < Version::WithoutRtt {
        line.field(format_args!("rtt {}", Micros(closing.rtt_us.into())));
    }
    if closing.min_rtt_us != 0 && version < Version::WithoutMinimum {
        line.field(format_args!("min {}", Micros(closing.min_rtt_us.into())));
    }
    if closing.retrans != 0 && version < Version::WithoutRetrans {
        line.field(format_args!("retrans {}", closing.retrans));
    }
    if let Some(side) = closing.closed_first.filter(|_| version < Version::WithoutWhoClosed) {
        match side {
            ClosedFirst::Local | ClosedFirst::Peer => line.field(format_args!("{} first", side.name())),
            ClosedFirst::Both => line.field(format_args!("both closed at once")),
        }
    }
    if let Some(side) = closing.reset.filter(|_| version < Version::WithoutWhoReset) {
        line.field(format_args!("reset by {}", side.name()));
    }
    error(closing.errno, line);
}

fn error(errno: u16, line: &mut Line<'_>) {
    if errno != 0 {
        line.field(format_args!("{}", errno_name(errno)));
    }
}

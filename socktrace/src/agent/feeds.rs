//! Everybody who reads events: each event is written once for each format in use, and shared.

use super::selection::Format;
use super::stream::{BACKLOG, EventStream, Fed, Feed, stream};
use crate::render::clock::Clock;
use crate::render::{event_json, event_line};
use crate::socket::{BootNs, Event, EventKind, Viewer};
use bytes::Bytes;
use std::num::NonZeroU64;

/// One reader.
#[derive(Debug)]
pub(super) struct Reader {
    feed: Feed,
    format: Format,
    viewer: Viewer,
    /// How many events it still wants, where it has said so.
    left: Option<u64>,
}

/// Whether a reader goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum After {
    /// It wants more.
    More,
    /// It has left, or has had what it wanted.
    Done,
}

impl Reader {
    /// A new reader, and the stream it is to have.
    #[must_use]
    pub(super) fn new(format: Format, viewer: Viewer, count: Option<NonZeroU64>) -> (Self, EventStream) {
        let (mut feed, stream) = stream(BACKLOG);
        if let Format::Lines { style, .. } = format {
            let mut names = Vec::new();
            event_line::header(style, &mut names);
            feed.send(&names.into(), |_| Bytes::new());
        }
        (Self { feed, format, viewer, left: count.map(NonZeroU64::get) }, stream)
    }

    /// Tells it an event.
    pub(super) fn tell(&mut self, event: &Event, written: &mut Written, clock: &Clock) -> After {
        let line = written.line(event, (self.format, self.viewer), clock);
        let fed = self.feed.send(&line, |lost| gap(lost, event.at, self.format, clock));
        let counts = !matches!(event.kind, EventKind::Lost { .. } | EventKind::Resync { .. });
        if let Some(left) = self.left.as_mut().filter(|_| counts && fed == Fed::Sent) {
            *left -= 1;
        }
        match (fed, self.left) {
            (Fed::Gone, _) | (_, Some(0)) => After::Done,
            (Fed::Sent | Fed::Lost, _) => After::More,
        }
    }

    /// Tells it how many events it has lost, if any and if there is room now.
    pub(super) fn tell_gap(&mut self, now: BootNs, clock: &Clock) -> After {
        match self.feed.tell_gap(|lost| gap(lost, now, self.format, clock)) {
            Fed::Gone => After::Done,
            Fed::Sent | Fed::Lost => After::More,
        }
    }
}

/// The lines of one event, one for each format and viewer that somebody wanted.
#[derive(Debug, Default)]
pub(super) struct Written(Vec<((Format, Viewer), Bytes)>);

impl Written {
    fn line(&mut self, event: &Event, look: (Format, Viewer), clock: &Clock) -> Bytes {
        if let Some((_, line)) = self.0.iter().find(|(other, _)| *other == look) {
            return line.clone();
        }
        let (format, viewer) = look;
        let line = if viewer.is_limited() {
            // Who may not see it did not ask for it.
            viewer.see(event).map(|seen| write(&seen, format, clock)).unwrap_or_default()
        } else {
            write(event, format, clock)
        };
        self.0.push((look, line.clone()));
        line
    }

    /// Forgets them: the next event comes.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

fn gap(lost: u64, at: BootNs, format: Format, clock: &Clock) -> Bytes {
    let mut line = Vec::new();
    match format {
        Format::Json => event_json::encode_gap(at, lost, clock, &mut line),
        Format::Lines { style, utc_offset_s } => {
            event_line::gap(at, lost, &local(clock, utc_offset_s), style, &mut line);
        }
    }
    line.into()
}

fn write(event: &Event, format: Format, clock: &Clock) -> Bytes {
    let mut line = Vec::with_capacity(400);
    match format {
        Format::Json => event_json::encode(event, clock, &mut line),
        Format::Lines { style, utc_offset_s } => {
            event_line::line(event, &local(clock, utc_offset_s), style, &mut line);
        }
    }
    line.into()
}

const fn local(clock: &Clock, local_offset_s: i32) -> Clock {
    Clock { local_offset_s, ..*clock }
}

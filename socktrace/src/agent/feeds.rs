//! Everybody who reads events: each event is written once for each look that somebody wants, and shared.

use super::selection::Format;
use super::stream::{BACKLOG, EventStream, Fed, Feed, PIECE, stream};
use crate::render::clock::Clock;
use crate::render::{event_json, event_line};
use crate::socket::{BootNs, Event, EventKind, Viewer};
use bytes::{Bytes, BytesMut};
use rustc_hash::FxHashMap;
use std::num::NonZeroU64;
use std::ops::Range;

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Feeds {
    readers: FxHashMap<u64, Reader>,
    newest: u64,
    /// Never shrinks: readers name theirs by its place.
    looks: Vec<Look>,
    marked: Marked,
}

/// Readers for whom there is something to do.
#[derive(Debug, Default)]
struct Marked {
    /// They have something to flush.
    pending: Vec<u64>,
    /// They want no more.
    done: Vec<u64>,
}

/// One reader.
#[derive(Debug)]
struct Reader {
    feed: Feed,
    look: usize,
    /// How many events it still wants, where it has said so.
    left: Option<u64>,
    is_done: bool,
}

/// Events as some readers see them.
#[derive(Debug)]
struct Look {
    format: Format,
    viewer: Viewer,
    /// How many have it.
    readers: usize,
    /// The lines since the last flush.
    text: BytesMut,
    /// Where in `text` the event that is being told stands.
    place: Option<Range<usize>>,
    /// Used again and again.
    line: Vec<u8>,
}

impl Feeds {
    /// A new reader: its number, and the stream it is to have.
    pub(super) fn add(
        &mut self,
        format: Format,
        viewer: Viewer,
        count: Option<NonZeroU64>,
    ) -> (u64, EventStream) {
        let (mut feed, stream) = stream(BACKLOG);
        if let Format::Lines { style, .. } = format {
            let mut names = Vec::new();
            event_line::header(style, &mut names);
            feed.tell(names.into());
            feed.flush(&Bytes::new());
        }
        let look = self.look(format, viewer);
        self.newest += 1;
        let left = count.map(NonZeroU64::get);
        self.readers.insert(self.newest, Reader { feed, look, left, is_done: false });
        (self.newest, stream)
    }

    /// The look of a new reader: one that others have, or one that nobody has any more.
    fn look(&mut self, format: Format, viewer: Viewer) -> usize {
        let same = |look: &Look| look.format == format && look.viewer == viewer;
        let place = self.looks.iter().position(same);
        let place = place.or_else(|| self.looks.iter().position(|look| look.readers == 0));
        let place = place.unwrap_or(self.looks.len());
        match self.looks.get_mut(place) {
            Some(look) => {
                (look.format, look.viewer) = (format, viewer);
                look.readers += 1;
            }
            None => self.looks.push(Look {
                format,
                viewer,
                readers: 1,
                text: BytesMut::new(),
                place: None,
                line: Vec::new(),
            }),
        }
        place
    }

    /// Tells these readers an event; they get it with the next [`flush`](Self::flush).
    pub(super) fn tell(&mut self, event: &Event, readers: &[u64], clock: &Clock) {
        let counts = !matches!(event.kind, EventKind::Lost { .. } | EventKind::Resync { .. });
        for id in readers {
            let Some(reader) = self.readers.get_mut(id).filter(|reader| !reader.is_done) else { continue };
            let Some(look) = self.looks.get_mut(reader.look) else { continue };
            let was_pending = reader.feed.is_pending();
            let fed = if reader.feed.has_room() {
                let place = look.write(event, clock);
                reader.feed.offer(place, |lost| gap(lost, event.at, look.format, clock))
            } else {
                reader.feed.lose()
            };
            if let Some(left) = reader.left.as_mut().filter(|_| counts && fed == Fed::Sent) {
                *left -= 1;
            }
            self.marked.after(*id, reader, was_pending, fed);
        }
        let mut is_full = false;
        for look in &mut self.looks {
            look.place = None;
            is_full |= look.text.len() >= PIECE;
        }
        if is_full {
            self.flush();
        }
    }

    /// Tells everybody how many events they have lost, if any and if there is room now.
    pub(super) fn tell_gaps(&mut self, now: BootNs, clock: &Clock) {
        for (id, reader) in &mut self.readers {
            let Some(look) = self.looks.get(reader.look) else { continue };
            let was_pending = reader.feed.is_pending();
            let fed = reader.feed.tell_gap(|lost| gap(lost, now, look.format, clock));
            self.marked.after(*id, reader, was_pending, fed);
        }
    }

    /// Hands over what was told since the last time.
    pub(super) fn flush(&mut self) {
        if self.marked.pending.is_empty() {
            // What nobody got: whoever it was for has left, or has no room any more.
            self.looks.iter_mut().for_each(|look| look.text.clear());
            return;
        }
        let texts: Vec<Bytes> = self.looks.iter_mut().map(|look| look.text.split().freeze()).collect();
        for id in self.marked.pending.drain(..) {
            let Some(reader) = self.readers.get_mut(&id) else { continue };
            if let Some(text) = texts.get(reader.look) {
                reader.feed.flush(text);
            }
        }
    }

    /// Lets go of the readers that want no more, once they have what they were told; their numbers.
    pub(super) fn leaving(&mut self) -> Vec<u64> {
        let done = std::mem::take(&mut self.marked.done);
        for id in &done {
            let look = self.readers.remove(id).and_then(|reader| self.looks.get_mut(reader.look));
            if let Some(look) = look {
                look.readers -= 1;
            }
        }
        done
    }
}

impl Marked {
    /// Something was told to a reader, or would have been: that came of it.
    fn after(&mut self, id: u64, reader: &mut Reader, was_pending: bool, fed: Fed) {
        if reader.feed.is_pending() && !was_pending {
            self.pending.push(id);
        }
        if (fed == Fed::Gone || reader.left == Some(0)) && !reader.is_done {
            reader.is_done = true;
            self.done.push(id);
        }
    }
}

impl Look {
    /// Writes the event, if that has not been done, and says where.
    fn write(&mut self, event: &Event, clock: &Clock) -> Range<usize> {
        if let Some(place) = &self.place {
            return place.clone();
        }
        self.line.clear();
        if self.viewer.is_limited() {
            // Who may not see it did not ask for it.
            if let Some(seen) = self.viewer.see(event) {
                write(&seen, self.format, clock, &mut self.line);
            }
        } else {
            write(event, self.format, clock, &mut self.line);
        }
        let start = self.text.len();
        // As much at once as will be handed over at once, where there is much.
        if start > 0 && self.text.capacity() - start < self.line.len() {
            self.text.reserve(PIECE.max(self.line.len()));
        }
        self.text.extend_from_slice(&self.line);
        let place = start..self.text.len();
        self.place = Some(place.clone());
        place
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

fn write(event: &Event, format: Format, clock: &Clock, line: &mut Vec<u8>) {
    match format {
        Format::Json => event_json::encode(event, clock, line),
        Format::Lines { style, utc_offset_s } => {
            event_line::line(event, &local(clock, utc_offset_s), style, line);
        }
    }
}

const fn local(clock: &Clock, local_offset_s: i32) -> Clock {
    Clock { local_offset_s, ..*clock }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(at: BootNs) -> Event {
        Event { at, kind: EventKind::Lost { records: 1 }, subject: None }
    }

    #[test]
    fn what_nobody_has_room_for_takes_no_memory() {
        let mut feeds = Feeds::default();
        let (slow, _stream) = feeds.add(Format::Json, Viewer::Own, None);
        let (left, stream) = feeds.add(Format::Json, Viewer::Own, None);
        drop(stream);
        let mut held = 0;
        for at in 0..3 * BACKLOG as u64 {
            feeds.tell(&event(at), &[slow, left], &Clock::default());
            feeds.flush();
            if at == BACKLOG as u64 {
                assert_eq!(feeds.leaving(), [left]);
                held = feeds.looks[0].text.capacity();
            }
        }
        assert!(feeds.marked.pending.is_empty() && feeds.looks[0].text.is_empty());
        assert!(feeds.looks[0].text.capacity() <= held.max(PIECE));
        assert!(!feeds.readers[&slow].feed.is_pending());
    }

    #[test]
    fn a_look_that_nobody_has_any_more_is_used_again() {
        let mut feeds = Feeds::default();
        for turn in 0..10 {
            let viewer = Viewer::user(turn, 1);
            let (json, _json) = feeds.add(Format::Json, Viewer::Own, None);
            let (limited, stream) = feeds.add(Format::Json, viewer, None);
            drop(stream);
            feeds.tell(&event(1), &[json, limited], &Clock::default());
            feeds.flush();
            assert_eq!(feeds.leaving(), [limited]);
            assert_eq!(feeds.looks.len(), 2);
        }
    }
}

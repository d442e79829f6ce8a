//! Renders each event once for each format that a subscriber wants, and shares the text. All subscribers here see the
//! same: events come as their viewer sees them.

use super::stream::{Fed, Feed, LINE, PIECE};
use crate::api::selection::Format;
use crate::engine::SubscriberId;
use crate::listing::Paths;
use crate::listing::names::Directory;
use crate::render::clock::Clock;
use crate::render::event_line::Stamp;
use crate::render::names::NoNames;
use crate::render::{event_json, event_line};
use crate::socket::{BootNs, Event, EventKind};
use bytes::{Bytes, BytesMut};
use rustc_hash::FxHashMap;
use std::num::NonZeroU64;
use std::ops::Range;

/// The subscribers.
#[derive(Debug, Default)]
pub(super) struct Feeds {
    readers: FxHashMap<SubscriberId, Reader>,
    /// Never shrinks: readers name theirs by its place.
    looks: Vec<Look>,
    marked: Marked,
    /// Of services, which are in a file. There once somebody wants them.
    names: Option<Directory>,
}

/// Readers for whom there is something to do.
#[derive(Debug, Default)]
struct Marked {
    /// They have something to flush.
    pending: Vec<SubscriberId>,
    /// They want no more.
    done: Vec<SubscriberId>,
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
    /// A new subscriber, and the way to it.
    pub(super) fn add(
        &mut self,
        id: SubscriberId,
        format: Format,
        count: Option<NonZeroU64>,
        mut feed: Feed,
    ) {
        if let Format::Lines { style, .. } = format {
            let mut names = Vec::new();
            event_line::header(style, Stamp::Time, &mut names);
            feed.tell(names.into());
            if !style.numeric {
                self.names.get_or_insert_with(services);
            }
            feed.flush(&Bytes::new());
        }
        let look = self.look(format);
        let left = count.map(NonZeroU64::get);
        self.readers.insert(id, Reader { feed, look, left, is_done: false });
    }

    /// The look of a new subscriber: one that others have, or one that nobody has any more.
    fn look(&mut self, format: Format) -> usize {
        let place = self.looks.iter().position(|look| look.format == format);
        let place = place.or_else(|| self.looks.iter().position(|look| look.readers == 0));
        let place = place.unwrap_or(self.looks.len());
        match self.looks.get_mut(place) {
            Some(look) => {
                look.format = format;
                look.readers += 1;
            }
            None => self.looks.push(Look {
                format,
                readers: 1,
                text: BytesMut::new(),
                place: None,
                line: Vec::new(),
            }),
        }
        place
    }

    /// Tells these readers an event; they get it with the next [`flush`](Self::flush).
    pub(super) fn tell(&mut self, event: &Event, readers: &[SubscriberId], clock: &Clock) {
        let counts = !matches!(event.kind, EventKind::Lost { .. } | EventKind::Resync { .. });
        for id in readers {
            let Some(reader) = self.readers.get_mut(id).filter(|reader| !reader.is_done) else { continue };
            let Some(look) = self.looks.get_mut(reader.look) else { continue };
            let was_pending = reader.feed.is_pending();
            let fed = if reader.feed.has_room(LINE) {
                let place = look.write(event, clock, self.names.as_mut());
                reader.feed.offer(place, |lost| gap(lost, event.at, look.format, clock))
            } else {
                reader.feed.lose(1)
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

    /// Counts events as lost for everybody: there was no time to look at them.
    pub(super) fn lose(&mut self, events: u64) {
        for reader in self.readers.values_mut() {
            reader.feed.lose(events);
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
    pub(super) fn leaving(&mut self) -> Vec<SubscriberId> {
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
    fn after(&mut self, id: SubscriberId, reader: &mut Reader, was_pending: bool, fed: Fed) {
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
    fn write(&mut self, event: &Event, clock: &Clock, names: Option<&mut Directory>) -> Range<usize> {
        if let Some(place) = &self.place {
            return place.clone();
        }
        self.line.clear();
        write(event, self.format, clock, names, &mut self.line);
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

fn write(event: &Event, format: Format, clock: &Clock, names: Option<&mut Directory>, line: &mut Vec<u8>) {
    match format {
        Format::Json => event_json::encode(event, clock, line),
        Format::Lines { style, utc_offset_s } => {
            let clock = local(clock, utc_offset_s);
            match names {
                Some(names) => event_line::line(event, &clock, style, names, line),
                None => event_line::line(event, &clock, style, &mut NoNames, line),
            }
        }
    }
}

/// Asks nobody: the file of services is all that is read.
fn services() -> Directory {
    let paths = Paths::default();
    Directory::new(paths.proc.clone(), &paths.port_range()).only_files()
}

const fn local(clock: &Clock, local_offset_s: i32) -> Clock {
    Clock { local_offset_s, ..*clock }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::columns::Columns;
    use crate::api::selection::Style;
    use crate::runtime::budget::{Budget, Limits};
    use crate::runtime::stream::{BACKLOG, EventStream, stream};
    use crate::socket::Viewer;

    fn event(at: BootNs) -> Event {
        Event { at, kind: EventKind::Lost { records: 1 }, subject: None }
    }

    impl Feeds {
        fn new_reader(&mut self, id: SubscriberId, format: Format) -> EventStream {
            let room = Budget::new(Limits::for_descriptors(64)).account(Viewer::Own).room();
            let (feed, stream) = stream(BACKLOG, room);
            self.add(id, format, None, feed);
            stream
        }
    }

    #[test]
    fn what_nobody_has_room_for_takes_no_memory() {
        let mut feeds = Feeds::default();
        let (slow, left) = (1, 2);
        let _stream = feeds.new_reader(slow, Format::Json);
        drop(feeds.new_reader(left, Format::Json));
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
        let _json = feeds.new_reader(0, Format::Json);
        for id in 1..10 {
            let style = Style { width: Some(80), colour: false, numeric: true, columns: Columns::default() };
            let format = Format::Lines { style, utc_offset_s: id as i32 };
            drop(feeds.new_reader(id, format));
            feeds.tell(&event(1), &[0, id], &Clock::default());
            feeds.flush();
            assert_eq!(feeds.leaving(), [id]);
            assert_eq!(feeds.looks.len(), 2);
        }
    }
}

//! The answer to a question about closed sockets.
//!
//! First everything is looked through for what concerns the whole: how far it goes back, what was lost, who accepted
//! what. Then those that pass are written, oldest first, or ordered or counted.
//!
//! I/O: files, through `log`.

use super::Resolved;
use super::kept::{Kept, Memory};
use crate::api::history::Survey;
use crate::api::selection::Format;
use crate::archive::log::{Log, Trouble};
use crate::history::{Dated, Loser, Record, Records};
use crate::listing::Paths;
use crate::listing::names::Directory;
use crate::render::clock::Clock;
use crate::render::event_line::Stamp;
use crate::render::{event_json, event_line};
use crate::runtime::stop::Stop;
use crate::socket::{Cookie, Event, Owner, Process, UnixNs};
use rustc_hash::FxHashMap;
use std::io::{self, Write};

/// What was found in looking through everything once.
#[derive(Debug, Default)]
pub struct Overview {
    /// What is to be known beside the sockets.
    pub survey: Survey,
    /// Who accepted connections after they had ended.
    accepted: FxHashMap<Cookie, Process>,
}

/// Gaps and troubles that are told one by one.
const FEW: usize = 8;

/// What concerns the whole.
///
/// # Errors
/// It is to stop.
pub fn survey(log: &Log, question: &Resolved, stop: &Stop) -> io::Result<Overview> {
    let Overview { mut survey, mut accepted } = Overview::default();
    let mut troubles = Vec::new();
    let mut last = None;
    let mut is_first = true;
    read(log, question, &mut |trouble| troubles.push(trouble), &mut |first, mut records| {
        stop.check()?;
        let mut numbers = first..;
        while let (Some(Ok((at, note))), Some(number)) = (records.skim(), numbers.next()) {
            survey.from.get_or_insert(at);
            if question.is_before(number) {
                is_first = false;
                continue;
            }
            // What an agent made before it was started again is known to nobody.
            if std::mem::take(&mut is_first) && note != Some(Record::Began) {
                survey.evicted = question.after.map_or(0, |after| number - after);
            }
            match note {
                None | Some(Record::Ended { .. }) => {}
                Some(Record::Accepted { cookie, process }) => drop(accepted.insert(cookie, process)),
                Some(Record::Lost { records, by }) if question.is_of(at) => match by {
                    Loser::Kernel => survey.lost += records,
                    Loser::Files => survey.unwritten += records,
                },
                Some(Record::Lost { .. } | Record::Stopped) => {}
                Some(Record::Began) => {
                    // Nobody knows how long it was if the wall clock was set back meanwhile.
                    if let Some(last) = last.filter(|&last| last <= at && question.overlaps(last, at)) {
                        survey.gaps.push((last, at));
                    }
                }
            }
            last = Some(at);
        }
        Ok(())
    })?;
    survey.next = log.snapshot.next();
    survey.gaps.drain(..survey.gaps.len().saturating_sub(FEW));
    if !question.interest.viewer.is_limited() {
        survey.troubles = troubles.iter().take(FEW).map(Trouble::to_string).collect();
    }
    Ok(Overview { survey, accepted })
}

/// What is to be written, looked through as far as its arrangement takes.
pub struct Found<'a> {
    question: &'a Resolved,
    overview: &'a Overview,
    /// None where lines are written as they are found.
    kept: Option<Kept<'a>>,
}

/// Looks for what must be known before the first line can be written: nothing, unless the answer is ordered or counted.
///
/// # Errors
/// It is to stop, or there is no memory for it ([`OutOfMemory`](io::ErrorKind::OutOfMemory)).
pub fn find<'a>(
    log: &Log,
    question: &'a Resolved,
    overview: &'a Overview,
    stop: &Stop,
    memory: Memory<'a>,
) -> io::Result<Found<'a>> {
    let mut found = Found { question, overview, kept: None };
    if !question.arrangement.is_plain() {
        let mut kept = Kept::new(&question.arrangement, memory);
        let mut lines = Lines::new(question);
        found.each(log, stop, &mut |event, missed| match kept.counts() {
            true => kept.count(event),
            false => kept.line(event, lines.line(event, missed)),
        })?;
        found.kept = Some(kept);
    }
    Ok(found)
}

impl Found<'_> {
    /// Writes the sockets that pass, oldest first unless they are arranged otherwise.
    ///
    /// # Errors
    /// They cannot be written, or it is to stop.
    pub fn write(mut self, log: &Log, stop: &Stop, out: &mut impl Write) -> io::Result<()> {
        let mut lines = Lines::new(self.question);
        if self.question.arrangement.count_by.is_empty() && self.question.after.is_none() {
            out.write_all(lines.header())?;
        }
        let mut left = self.question.arrangement.top.unwrap_or(usize::MAX);
        match self.kept.take() {
            Some(kept) => kept.write(self.question.format, &mut |text| {
                stop.check()?;
                out.write_all(text)
            })?,
            None => self.each(log, stop, &mut |event, missed| {
                let is_wanted = left > 0;
                left = left.saturating_sub(1);
                if is_wanted { out.write_all(lines.line(event, missed)) } else { Ok(()) }
            })?,
        }
        out.flush()
    }

    /// Shows each that passes, oldest first.
    fn each(
        &self,
        log: &Log,
        stop: &Stop,
        each: &mut dyn FnMut(&Event, bool) -> io::Result<()>,
    ) -> io::Result<()> {
        let Self { question, overview, .. } = self;
        read(log, question, &mut |_| (), &mut |first, records: Records<'_>| {
            for (number, Dated { at, record }) in (first..).zip(records.map_while(Result::ok)) {
                stop.check()?;
                if question.is_before(number) {
                    continue;
                }
                let Record::Ended { mut event, missed } = record else { continue };
                if !question.is_of(at) {
                    continue;
                }
                overview.name_owner(&mut event);
                let viewer = question.interest.viewer;
                // What they may not see they cannot ask for either.
                let seen = if viewer.is_limited() { viewer.see(&event) } else { Some(event) };
                if let Some(event) = seen.filter(|event| question.interest.wants(event)) {
                    each(&event, missed)?;
                }
            }
            Ok(())
        })
    }
}

/// Shows each piece of records that can hold what is asked for, oldest first.
fn read(
    log: &Log,
    question: &Resolved,
    trouble: &mut dyn FnMut(Trouble),
    each: &mut dyn FnMut(u64, Records<'_>) -> io::Result<()>,
) -> io::Result<()> {
    match question.after {
        // Whoever goes on from an answer before wants what is in memory.
        Some(after) if log.snapshot.first().is_some_and(|first| first <= after) => {
            let recorded_since = log.snapshot.chunks.iter().filter(|chunk| chunk.end() > after);
            recorded_since.into_iter().try_for_each(|chunk| each(chunk.first(), chunk.records()))
        }
        Some(_) | None => log.read(question.since, trouble, each),
    }
}

impl Resolved {
    /// Whether the record of that number is not asked for.
    fn is_before(&self, number: u64) -> bool {
        self.after.is_some_and(|after| number < after)
    }

    /// Whether it asks for this time.
    fn is_of(&self, at: UnixNs) -> bool {
        self.overlaps(at, at)
    }

    /// Whether it asks for a part of this time.
    fn overlaps(&self, from: UnixNs, to: UnixNs) -> bool {
        self.since.is_none_or(|since| to >= since) && self.until.is_none_or(|until| from <= until)
    }
}

impl Overview {
    fn name_owner(&self, event: &mut Event) {
        let Some(subject) = event.subject.as_deref_mut() else { return };
        if let (Owner::Unknown | Owner::Holder(_), Some(&process)) =
            (subject.owner, self.accepted.get(&subject.cookie))
        {
            subject.owner = Owner::Exact(process);
        }
    }
}

/// Writes lines.
struct Lines {
    format: Format,
    clock: Clock,
    names: Directory,
    line: Vec<u8>,
}

impl Lines {
    fn new(question: &Resolved) -> Self {
        let local_offset_s = match question.format {
            Format::Json => 0,
            Format::Lines { utc_offset_s, .. } => utc_offset_s,
        };
        let paths = Paths::default();
        Self {
            format: question.format,
            // What is in history has its wall-clock time already.
            clock: Clock { unix_minus_boot_ns: 0, local_offset_s },
            // Services, which are in a file.
            names: Directory::new(paths.proc.clone(), &paths.port_range()).only_files(),
            line: Vec::new(),
        }
    }

    fn header(&mut self) -> &[u8] {
        self.line.clear();
        match self.format {
            Format::Json => {}
            Format::Lines { style, .. } => event_line::header(style, Stamp::Date, &mut self.line),
        }
        &self.line
    }

    fn line(&mut self, event: &Event, missed: bool) -> &[u8] {
        self.line.clear();
        match self.format {
            Format::Json => event_json::encode_ended(event, missed, &self.clock, &mut self.line),
            Format::Lines { style, .. } => {
                event_line::ended(event, missed, &self.clock, style, &mut self.names, &mut self.line);
            }
        }
        &self.line
    }
}

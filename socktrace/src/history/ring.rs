//! The bounded ring: what is oldest makes room.
//!
//! Records lie in chunks. A full chunk never changes again, so that whoever reads takes the chunks as they are and
//! nobody waits; and it goes as a whole, so that making room costs nothing.

use std::collections::VecDeque;
use std::sync::Arc;

use super::pack::Packer;
use super::record::Loser;
use super::unpack::Records;
use crate::socket::{Ended, UnixNs};

/// How many bytes or records of so many make a chunk: a sixteenth, and no more than 64 KiB.
const fn chunk_of(bound: usize) -> usize {
    match bound / 16 {
        0 => 1,
        part @ 1..0x1_0000 => part,
        _ => 0x1_0000,
    }
}

/// How much a ring may hold. Whichever is reached first counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Records.
    pub records: usize,
    /// Bytes of records.
    pub bytes: usize,
}

/// Records that stand on nothing from before, shared by all who read them.
#[derive(Debug, Clone)]
pub struct Chunk {
    bytes: Arc<[u8]>,
    first: u64,
    records: u64,
}

impl Chunk {
    /// The number of its first record: one more for each record, for ever.
    #[must_use]
    pub const fn first(&self) -> u64 {
        self.first
    }

    /// The number that follows its last record.
    #[must_use]
    pub const fn end(&self) -> u64 {
        self.first + self.records
    }

    /// Its records.
    #[must_use]
    pub fn records(&self) -> Records<'_> {
        Records::new(&self.bytes)
    }
}

/// Records that are to be written to a file, in one piece that stands on nothing from before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    /// The number of its first record.
    pub first: u64,
    /// How many they are.
    pub records: u64,
    /// When the youngest of them happened: not always the last, since the wall clock may have been set.
    pub newest: UnixNs,
    /// The records.
    pub bytes: Vec<u8>,
}

impl Cut {
    /// That `records` from number `first` on are missing.
    #[must_use]
    pub fn of_loss(first: u64, records: u64, by: Loser, at: UnixNs) -> Self {
        let mut bytes = Vec::new();
        let mut packer = Packer::default();
        packer.begin_anew();
        packer.lost(records, by, at, &mut bytes);
        Self { first, records: 1, newest: at, bytes }
    }
}

/// All that a ring held at one moment.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// From the oldest to the newest.
    pub chunks: Vec<Chunk>,
}

impl Snapshot {
    /// The number of the oldest record.
    #[must_use]
    pub fn first(&self) -> Option<u64> {
        self.chunks.first().map(Chunk::first)
    }

    /// The number that the next record gets; 0 where nothing is in memory.
    #[must_use]
    pub fn next(&self) -> u64 {
        self.chunks.last().map_or(0, Chunk::end)
    }
}

/// The ring.
#[derive(Debug)]
pub struct Ring {
    bounds: Bounds,
    packer: Packer,
    full: VecDeque<Chunk>,
    full_bytes: usize,
    full_records: u64,
    /// The chunk that grows.
    open: Vec<u8>,
    open_first: u64,
    next: u64,
    cuts: Option<Cuts>,
}

/// What is to be written to files.
#[derive(Debug, Default)]
struct Cuts {
    /// How much of the growing chunk has been cut.
    done: usize,
    done_records: u64,
    newest: UnixNs,
    ready: Vec<Cut>,
}

impl Ring {
    /// An empty ring whose records are numbered from `first` on.
    #[must_use]
    pub fn new(bounds: Bounds, first: u64) -> Self {
        let mut packer = Packer::default();
        packer.begin_anew();
        Self {
            bounds,
            packer,
            full: VecDeque::new(),
            full_bytes: 0,
            full_records: 0,
            open: Vec::new(),
            open_first: first,
            next: first,
            cuts: None,
        }
    }

    /// From now on it may hold so much. What is too much goes at once, in whole chunks.
    pub fn set_bounds(&mut self, bounds: Bounds) {
        self.bounds = bounds;
        self.seal_if_full();
        self.make_room();
    }

    /// From now on, everything is also to be written: [`cut`](Self::cut) gives it.
    pub fn write_too(&mut self) {
        self.cuts.get_or_insert_default();
    }

    /// Takes an end. `unix_minus_boot_ns` makes wall-clock time of the kernel's.
    pub fn push(&mut self, ended: &Ended, unix_minus_boot_ns: i64) {
        let before = self.open.len();
        self.packer.ended(ended, unix_minus_boot_ns, &mut self.open);
        if self.open.len() > before {
            self.grown();
        }
    }

    /// Takes that records are missing here.
    pub fn lost(&mut self, records: u64, by: Loser, at: UnixNs) {
        self.packer.lost(records, by, at, &mut self.open);
        self.grown();
    }

    /// Takes that the agent began.
    pub fn began(&mut self, at: UnixNs) {
        self.packer.began(at, &mut self.open);
        self.grown();
    }

    /// Takes that the agent ended.
    pub fn stopped(&mut self, at: UnixNs) {
        self.packer.stopped(at, &mut self.open);
        self.grown();
    }

    /// Everything that is to be written and was not given before.
    pub fn cut(&mut self) -> impl Iterator<Item = Cut> {
        self.cut_open();
        self.full_cuts()
    }

    /// Like [`cut`](Self::cut), but only what has come together to a whole chunk.
    pub fn full_cuts(&mut self) -> impl Iterator<Item = Cut> {
        self.cuts.iter_mut().flat_map(|cuts| cuts.ready.drain(..))
    }

    /// All that it holds. What grows is copied, the rest shared.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let open = (!self.open.is_empty()).then(|| self.open_chunk());
        Snapshot { chunks: self.full.iter().cloned().chain(open).collect() }
    }

    /// How many records it holds.
    #[must_use]
    pub const fn records(&self) -> u64 {
        self.full_records + (self.next - self.open_first)
    }

    /// How many bytes they take.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.full_bytes + self.open.len()
    }

    /// A record has been added.
    fn grown(&mut self) {
        self.next += 1;
        if let Some(cuts) = &mut self.cuts {
            cuts.newest = cuts.newest.max(self.packer.last());
        }
        self.seal_if_full();
    }

    fn seal_if_full(&mut self) {
        let records = usize::try_from(self.next - self.open_first).unwrap_or(usize::MAX);
        if self.open.len() >= chunk_of(self.bounds.bytes) || records >= chunk_of(self.bounds.records) {
            self.seal();
        }
    }

    fn open_chunk(&self) -> Chunk {
        Chunk {
            bytes: self.open.as_slice().into(),
            first: self.open_first,
            records: self.next - self.open_first,
        }
    }

    /// The growing chunk is full.
    fn seal(&mut self) {
        self.cut_open();
        let chunk = self.open_chunk();
        self.full_bytes += chunk.bytes.len();
        self.full_records += chunk.records;
        self.full.push_back(chunk);
        self.open.clear();
        self.open_first = self.next;
        self.packer.begin_anew();
        if let Some(cuts) = &mut self.cuts {
            (cuts.done, cuts.done_records) = (0, 0);
        }
        self.make_room();
    }

    /// The oldest go until what is left is within the bounds.
    fn make_room(&mut self) {
        // The growing chunk has room within the bounds, too.
        let most = |bound: usize| bound.saturating_sub(chunk_of(bound) - 1);
        let (most_bytes, most_records) = (most(self.bounds.bytes), most(self.bounds.records) as u64);
        while self.full_bytes > most_bytes || self.full_records > most_records {
            let Some(oldest) = self.full.pop_front() else { break };
            self.full_bytes -= oldest.bytes.len();
            self.full_records -= oldest.records;
        }
    }

    /// What has not been cut of the growing chunk is; the next record stands on nothing.
    fn cut_open(&mut self) {
        let Some(cuts) = &mut self.cuts else { return };
        let rest = self.open.get(cuts.done..).unwrap_or_default();
        if rest.is_empty() {
            return;
        }
        let first = self.open_first + cuts.done_records;
        let newest = std::mem::take(&mut cuts.newest);
        cuts.ready.push(Cut { first, records: self.next - first, newest, bytes: rest.to_vec() });
        (cuts.done, cuts.done_records) = (self.open.len(), self.next - self.open_first);
        self.packer.begin_anew();
    }
}

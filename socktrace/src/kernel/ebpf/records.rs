//! The records of a BPF ring buffer, read where they lie. I/O: mmap(2).
//!
//! The reader gives back what it has read a part of the ring at a time, not record by record: each giving back takes a
//! cache line from the programs that write, and makes each of them wait for it (kernel/bpf/ringbuf.c,
//! `__bpf_ringbuf_reserve` reads `consumer_pos`).

use std::num::NonZeroUsize;
use std::os::fd::BorrowedFd;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use nix::errno::Errno;
use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};

/// Before each record: its length with two bits of state, and an offset for the kernel's own use.
const HEAD: usize = 8;
/// The record is not finished (`BPF_RINGBUF_BUSY_BIT`).
const BUSY: u32 = 1 << 31;
/// The record is to be skipped (`BPF_RINGBUF_DISCARD_BIT`).
const DISCARDED: u32 = 1 << 30;
/// What has been read is given back at the latest when it is one part in so many of the ring.
const PARTS: usize = 4;

/// What came of draining.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drained {
    /// How many records there were.
    pub records: usize,
    /// Whether every record was among them whose writing had begun before. Otherwise there were more than asked for, or
    /// one is not finished and those behind it wait: a program whose task may lose its processor can be writing it.
    pub all: bool,
}

/// A reader of one ring buffer; there may be no other.
pub(super) struct Records {
    consumer: Mapping,
    producer: Mapping,
    /// Length of the metadata before the data.
    page: usize,
    size: usize,
    /// Up to where we have read. Both positions count all bytes that ever were.
    read: usize,
    given_back: usize,
    /// A record that begins at the end of the data and ends at its beginning, put together.
    torn: Vec<u8>,
}

impl Records {
    /// Map the ring buffer of `size` data bytes behind that descriptor: a page that we write, a page that the kernel
    /// writes, and the data. (The kernel would map the data a second time behind the first, so that no record is torn;
    /// all of it would count as our memory once more.)
    pub(super) fn map(ring: BorrowedFd<'_>, size: usize, page: usize) -> Result<Self, Errno> {
        let consumer = Mapping::new(ring, page, ProtFlags::PROT_READ | ProtFlags::PROT_WRITE, 0)?;
        let producer = Mapping::new(ring, page + size, ProtFlags::PROT_READ, page)?;
        let mut records = Self { consumer, producer, page, size, read: 0, given_back: 0, torn: Vec::new() };
        records.read = records.position(&records.consumer).load(Ordering::Acquire);
        records.given_back = records.read;
        Ok(records)
    }

    /// Hand over at most `max` records, oldest first.
    pub(super) fn drain(&mut self, max: usize, mut each: impl FnMut(&[u8])) -> Drained {
        let written = self.position(&self.producer).load(Ordering::Acquire);
        let mut count = 0;
        while count < max && self.read != written {
            let head = self.head().load(Ordering::Acquire);
            if head & BUSY != 0 {
                break;
            }
            let length = (head & !(BUSY | DISCARDED)) as usize;
            if head & DISCARDED == 0 {
                self.record(length, &mut each);
                count += 1;
            }
            self.read = self.read.wrapping_add((HEAD + length).next_multiple_of(8));
            if self.read.wrapping_sub(self.given_back) >= self.size / PARTS {
                self.give_back();
            }
        }
        if self.read != self.given_back {
            self.give_back();
        }
        Drained { records: count, all: self.read == written }
    }

    /// Whether something has been written that was not read.
    pub(super) fn is_empty(&self) -> bool {
        self.position(&self.producer).load(Ordering::SeqCst) == self.read
    }

    fn give_back(&mut self) {
        // The kernel pairs this with an acquire before it writes there again.
        self.position(&self.consumer).store(self.read, Ordering::Release);
        self.given_back = self.read;
    }

    /// The position in the first word of a metadata page.
    fn position<'a>(&self, mapping: &'a Mapping) -> &'a AtomicUsize {
        // SAFETY: the page is mapped as long as `mapping` lives, and begins with the position (struct bpf_ringbuf).
        unsafe { mapping.start.cast::<AtomicUsize>().as_ref() }
    }

    /// The first word of the record at the read position.
    fn head(&self) -> &AtomicU32 {
        let at = self.page + (self.read & (self.size - 1));
        // SAFETY: within the mapping of the data; records are aligned to 8 bytes.
        unsafe { self.producer.start.add(at).cast::<AtomicU32>().as_ref() }
    }

    /// Hand over the record there, of that length; cut where its length cannot be true.
    fn record(&mut self, length: usize, each: &mut impl FnMut(&[u8])) {
        let at = self.read.wrapping_add(HEAD) & (self.size - 1);
        let length = length.min(self.size - HEAD);
        let first = length.min(self.size - at);
        // SAFETY: within the mapping of the data; the kernel does not write there before we give it back.
        let data = |at, length| unsafe {
            std::slice::from_raw_parts(self.producer.start.add(self.page + at).as_ptr(), length)
        };
        if first == length {
            return each(data(at, length));
        }
        self.torn.clear();
        self.torn.extend_from_slice(data(at, first));
        self.torn.extend_from_slice(data(0, length - first));
        each(&self.torn);
    }
}

/// Mapped memory.
struct Mapping {
    start: NonNull<u8>,
    bytes: usize,
}

// SAFETY: the mapping belongs to this value alone.
unsafe impl Send for Mapping {}

impl Mapping {
    fn new(fd: BorrowedFd<'_>, bytes: usize, access: ProtFlags, offset: usize) -> Result<Self, Errno> {
        let length = NonZeroUsize::new(bytes).ok_or(Errno::EINVAL)?;
        let offset = i64::try_from(offset).map_err(|_| Errno::EINVAL)?;
        // SAFETY: a new shared mapping, at an address of the kernel's choice.
        let start = unsafe { mmap(None, length, access, MapFlags::MAP_SHARED, fd, offset) }?;
        Ok(Self { start: start.cast(), bytes })
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the mapping that `new` made, of that length.
        let _ = unsafe { munmap(self.start.cast(), self.bytes) };
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::os::fd::AsFd;
    use std::os::unix::fs::FileExt;

    use super::*;

    const PAGE: usize = 4096;
    const SIZE: usize = 4096;

    /// What the kernel does, with a file in the place of the ring.
    struct Ring {
        file: File,
        written: usize,
        records: Records,
    }

    impl Ring {
        fn new() -> Self {
            let file = tempfile::tempfile().expect("a file");
            file.set_len((2 * PAGE + SIZE) as u64).expect("room");
            let records = Records::map(file.as_fd(), SIZE, PAGE).expect("a mapping");
            Self { file, written: 0, records }
        }

        fn put(&self, at: usize, bytes: &[u8]) {
            for (n, byte) in bytes.iter().enumerate() {
                let place = 2 * PAGE + (at + n) % SIZE;
                self.file.write_all_at(&[*byte], place as u64).expect("written");
            }
        }

        /// A record of `length` bytes, each of them `byte`.
        fn write(&mut self, byte: u8, length: usize, state: u32) {
            let head = (length as u32 | state).to_ne_bytes();
            self.put(self.written, &[head, [0; 4]].concat());
            self.put(self.written + HEAD, &vec![byte; length]);
            self.written += (HEAD + length).next_multiple_of(8);
            self.file.write_all_at(&self.written.to_ne_bytes(), PAGE as u64).expect("written");
        }

        fn read(&mut self, max: usize) -> Vec<(u8, usize)> {
            let mut all = Vec::new();
            let drained = self.records.drain(max, |record| {
                assert!(record.iter().all(|byte| *byte == record[0]), "{record:?}");
                all.push((record[0], record.len()));
            });
            assert_eq!(drained, Drained { records: all.len(), all: self.records.is_empty() });
            all
        }

        fn given_back(&self) -> usize {
            let mut position = [0; 8];
            self.file.read_exact_at(&mut position, 0).expect("read");
            usize::from_ne_bytes(position)
        }
    }

    #[test]
    fn records_come_in_order_and_at_most_as_many_as_asked_for() {
        let mut ring = Ring::new();
        assert!(ring.records.is_empty());
        for byte in 1..=3 {
            ring.write(byte, 10 * usize::from(byte), 0);
        }
        assert!(!ring.records.is_empty());
        assert_eq!(ring.read(2), [(1, 10), (2, 20)]);
        assert_eq!(ring.given_back(), 24 + 32);
        assert_eq!(ring.read(2), [(3, 30)]);
        assert!(ring.records.is_empty());
        assert_eq!(ring.given_back(), ring.written);
    }

    #[test]
    fn an_unfinished_record_is_waited_for_and_a_discarded_one_skipped() {
        let mut ring = Ring::new();
        ring.write(1, 8, DISCARDED);
        ring.write(2, 8, 0);
        ring.write(3, 8, BUSY);
        ring.write(4, 8, 0);
        assert_eq!(ring.read(9), [(2, 8)]);
        assert_eq!(ring.read(9), []);
        assert!(!ring.records.is_empty(), "what is behind the unfinished one has not been read");
        ring.put(32, &8u32.to_ne_bytes());
        assert_eq!(ring.read(9), [(3, 8), (4, 8)]);
    }

    #[test]
    fn the_ring_goes_round_and_is_given_back_in_parts() {
        let mut ring = Ring::new();
        for round in 0..100u8 {
            for part in 0..3 {
                ring.write(round, 900 + usize::from(round) + part, 0);
            }
            assert_eq!(ring.read(9).len(), 3, "round {round}");
            assert_eq!(ring.given_back(), ring.written);
        }
        assert!(ring.written > 60 * SIZE);
    }
}

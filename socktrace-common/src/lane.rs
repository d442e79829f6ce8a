//! How records reach the user half: a lane for each CPU, a ring of places that programs on that CPU write and the user
//! half reads, in memory that both have mapped.
//!
//! The kernel's own ring buffer takes a lock that all CPUs share, for each record. Here a record takes one atomic
//! instruction on a line of the cache that no other CPU writes. What that costs is the order: the user half puts the
//! lanes together by the records' times.

/// Bytes of a record that one place holds.
pub const PART: usize = 120;

/// One place of a lane. Lane `n` is `LANE_SLOTS` places of the `LANES` array from `n * LANE_SLOTS` on; position `p`, which
/// counts all that ever were, is at `p % LANE_SLOTS`.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
pub struct Slot {
    /// The position plus one, once what it holds is complete, and [`CONTINUED`]; otherwise what it was a round before.
    /// Nothing else ever lies here, so that no content can be taken for it.
    pub turn: u64,
    /// A record, or the second part of the one before.
    pub part: [u8; PART],
}

/// In [`Slot::turn`]: the record goes on in the next place.
pub const CONTINUED: u64 = 1 << 63;

/// How far the user half has read a lane: one element of the `READ` array, whose index is the CPU's number.
#[derive(Debug, Clone, Copy, Default)]
#[repr(C, align(64))]
pub struct Read {
    /// What is before this position may be overwritten.
    pub position: u64,
}

const _: () = assert!(size_of::<Slot>() == 128);
const _: () = assert!(size_of::<Read>() == 64);

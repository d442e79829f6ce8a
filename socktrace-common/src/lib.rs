//! The contract between the kernel half and the user half: records, counters, field offsets.
//!
//! Plain data only. Everything is `repr(C)` with explicit padding and its size asserted here; both halves are
//! built from this crate, and the kernel object is committed with the sources that made it.
#![no_std]

mod counters;
mod field;
mod holder;
mod lane;
mod record;

pub use counters::{CpuCounters, FAMILIES, Family, FamilyCounters};
pub use field::{ABSENT, CONSTANT_MARK, FIELDS, Field, LOAD_MARK, LOAD_NEXT_MARK, MARKS};
pub use holder::HolderRecord;
pub use lane::{CONTINUED, PART, Read, Slot};
pub use record::{
    COMM_LEN, CallRecord, EXACT, FIN_RECEIVED, KEEPS_PORT, Kind, NO_DATA, ORPHAN, RECEIVE_SHUT, RecordHead,
    SEND_SHUT, StateRecord, Totals, UNIX_NAME_LEN, UnixName, msk_number,
};

/// Index of the one element of the `WAKE` map.
pub const WAKE_INDEX: u32 = 0;
/// Value of the `WAKE` element while the reader sleeps and wants to be woken by the next record.
pub const WAKE_WANTED: u32 = 1;
/// Index of the one element of the `UNWANTED` map.
pub const UNWANTED_INDEX: u32 = 0;
/// Bit of the `UNWANTED` element: nobody wants to know which datagram sockets are made.
pub const UNWANTED_CREATION: u32 = 2;
/// Bit of the `UNWANTED` element: nobody wants to know that a child was cloned from its listener (LISTEN→SYN_RECV).
pub const UNWANTED_NEWBORN: u32 = 1;

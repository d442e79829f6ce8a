//! Closed sockets, small: packed records in a bounded ring, and the same records as they lie in files.
//!
//! A record says little more than what differs from the one before it (`context`), so that a few hundred thousand
//! closed sockets fit in some ten megabytes. Everything that reads them takes any bytes: files may hold anything. Pure:
//! times are given as nanoseconds since 1970, and somebody else reads and writes the files.

mod bytes;
mod context;
mod layout;
mod pack;
mod record;
mod ring;
pub mod segment;
#[cfg(test)]
mod tests;
mod unpack;

pub use record::{Dated, Loser, Record};
pub use ring::{Bounds, Chunk, Cut, Ring, Snapshot};
pub use unpack::{Damaged, Records};

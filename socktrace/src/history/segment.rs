//! How records lie in a file: a head that names the format and its version, then frames. Each frame has a checksum, so
//! that a torn or damaged one is seen; what stands before it is whole.

use super::ring::Cut;
use super::unpack::Records;

/// The first bytes of a file; the last of them is the version.
const HEAD: &[u8; 16] = b"socktrace hist\n\x01";
const VERSION: u8 = HEAD[15];
/// Bytes before the records of a frame: their length, the number of the first, a checksum.
const FRAME_HEAD: usize = 4 + 8 + 4;
/// Records of one frame, bytes. No more are written, and no more are believed.
pub const FRAME_MOST: usize = 1 << 20;

/// Why a file cannot be read at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Foreign {
    /// It is none of ours.
    #[error("not a socktrace history file")]
    NotOurs,
    /// It has been written by another version of us.
    #[error("its format is version {0}, and this socktrace reads version {VERSION}")]
    Version(u8),
}

/// What a file begins with.
#[must_use]
pub const fn head() -> &'static [u8] {
    HEAD
}

/// The records as they are written to a file.
#[must_use]
pub fn frame(cut: &Cut) -> Vec<u8> {
    let mut frame = Vec::with_capacity(FRAME_HEAD + cut.bytes.len());
    frame.extend_from_slice(&u32::try_from(cut.bytes.len()).unwrap_or(u32::MAX).to_le_bytes());
    frame.extend_from_slice(&cut.first.to_le_bytes());
    let checksum = checksum(&frame, &cut.bytes);
    frame.extend_from_slice(&checksum.to_le_bytes());
    frame.extend_from_slice(&cut.bytes);
    frame
}

/// The frames of a file, as far as they are whole.
///
/// # Errors
/// If it is no file of this version.
pub fn frames(file: &[u8]) -> Result<Frames<'_>, Foreign> {
    match file.split_at_checked(HEAD.len()) {
        Some((head, rest)) if head == HEAD => Ok(Frames { rest }),
        Some((head, _)) if head.split_last().map(|last| last.1) == HEAD.split_last().map(|last| last.1) => {
            Err(Foreign::Version(head.last().copied().unwrap_or(0)))
        }
        // Torn before its head was whole: there is nothing in it.
        None if HEAD.starts_with(file) => Ok(Frames { rest: &[] }),
        Some(_) | None => Err(Foreign::NotOurs),
    }
}

/// The frames of a file, from the first; ends where one is not whole.
#[derive(Debug, Clone)]
pub struct Frames<'a> {
    rest: &'a [u8],
}

/// One frame.
#[derive(Debug, Clone, Copy)]
pub struct Frame<'a> {
    /// The number of its first record.
    pub first: u64,
    bytes: &'a [u8],
}

impl<'a> Frame<'a> {
    /// Its records.
    #[must_use]
    pub fn records(&self) -> Records<'a> {
        Records::new(self.bytes)
    }
}

impl Frames<'_> {
    /// Bytes that are left: after the last frame, those that are no whole frame.
    #[must_use]
    pub const fn left(&self) -> usize {
        self.rest.len()
    }
}

impl<'a> Iterator for Frames<'a> {
    type Item = Frame<'a>;

    fn next(&mut self) -> Option<Frame<'a>> {
        let (head, rest) = self.rest.split_at_checked(FRAME_HEAD)?;
        let (length_and_first, said) = head.split_at_checked(12)?;
        let (length, first) = length_and_first.split_at_checked(4)?;
        let length = usize::try_from(u32::from_le_bytes(length.try_into().ok()?)).ok()?;
        let (bytes, rest) = rest.split_at_checked(length).filter(|_| length <= FRAME_MOST)?;
        if checksum(length_and_first, bytes) != u32::from_le_bytes(said.try_into().ok()?) {
            return None;
        }
        self.rest = rest;
        Some(Frame { first: u64::from_le_bytes(first.try_into().ok()?), bytes })
    }
}

fn checksum(head: &[u8], bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(head);
    hasher.update(bytes);
    hasher.finalize()
}

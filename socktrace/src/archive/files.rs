//! The files of closed sockets in their directory: named after the number of their first record, so that the order of
//! names is the order of time.
//!
//! I/O: files.

use crate::history::segment;
use crate::socket::UnixNs;
use std::fs::{self, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

const SUFFIX: &str = ".history";
/// A file is not longer than this. Whoever reads one has it in memory, and many may read at a time.
const LONGEST: u64 = 1 << 20;
/// Of a file that is longer all the same, more is not read.
const MAX_FILE_BYTES: u64 = 4 << 20;

/// The path of the file that begins with that record.
pub(crate) fn path(dir: &Path, first: u64) -> PathBuf {
    dir.join(name(first))
}

/// Its name.
pub(crate) fn name(first: u64) -> String {
    format!("{first:020}{SUFFIX}")
}

/// One of the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Listed {
    /// The number of its first record.
    pub(crate) first: u64,
    /// Its bytes.
    pub(crate) size: u64,
    /// When it was last written to: nothing in it is younger, also where the wall clock has been set back (`disk`).
    pub(crate) written: UnixNs,
}

/// The files, oldest first.
pub(crate) fn list(dir: &Path) -> io::Result<Vec<Listed>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name();
        let number = name.to_str().and_then(|name| name.strip_suffix(SUFFIX)).filter(|n| n.len() == 20);
        let Some(number) = number.and_then(|number| number.parse().ok()) else { continue };
        // One that has just been removed does not count.
        let Some(data) = entry.metadata().ok().filter(|data| data.is_file()) else { continue };
        let seconds = u64::try_from(data.mtime()).unwrap_or(0);
        let written = seconds.saturating_add(1).saturating_mul(1_000_000_000);
        found.push(Listed { first: number, size: data.len(), written });
    }
    found.sort_unstable_by_key(|listed| listed.first);
    Ok(found)
}

/// The bytes of a file.
pub(crate) fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    // What is no file of an agent's is not followed and not waited for.
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    file.take(MAX_FILE_BYTES).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// How long a file becomes before the next one is begun, if all may take `most` bytes together: an eighth at most, so
/// that removing the oldest takes little away.
pub(crate) fn longest(most: u64) -> u64 {
    (most / 8).clamp(segment::head().len() as u64, LONGEST)
}

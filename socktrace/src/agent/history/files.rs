//! The files of closed sockets in their directory: named after the number of their first record, so that the order of
//! names is the order of time.
//!
//! I/O: files.

use crate::history::segment;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

const SUFFIX: &str = ".history";
/// A file is never longer than this; of one that is, more is not read.
const MOST: u64 = 64 << 20;

/// The path of the file that begins with that record.
pub(super) fn path(dir: &Path, first: u64) -> PathBuf {
    dir.join(format!("{first:020}{SUFFIX}"))
}

/// The files, oldest first: the number of their first record, and their size.
pub(super) fn list(dir: &Path) -> io::Result<Vec<(u64, u64)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name();
        let number = name.to_str().and_then(|name| name.strip_suffix(SUFFIX)).filter(|n| n.len() == 20);
        let Some(number) = number.and_then(|number| number.parse().ok()) else { continue };
        // One that has just been removed does not count.
        if let Ok(data) =
            entry.metadata().map_err(drop).and_then(|data| data.is_file().then_some(data).ok_or(()))
        {
            found.push((number, data.len()));
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// The bytes of a file.
pub(super) fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MOST).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// How long a file becomes before the next one is begun, if all may take `most` bytes together: an eighth, so that
/// removing the oldest takes little away.
pub(super) fn longest(most: u64) -> u64 {
    (most / 8).clamp(segment::head().len() as u64, MOST)
}

//! All that is known, from the oldest to the newest record: the files first, then what is in memory.
//!
//! I/O: files.

use super::files::{self, Listed};
use crate::api::reason::reason;
use crate::history::{Records, Snapshot, segment};
use crate::socket::UnixNs;
use std::io;
use std::path::{Path, PathBuf};

/// What can be asked. Asking takes time where there are files.
#[derive(Debug, Clone, Default)]
pub struct Log {
    /// Where files are.
    pub dir: Option<PathBuf>,
    /// What is in memory: of a record that is in both, this one counts.
    pub snapshot: Snapshot,
}

/// Part of the files that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// The directory.
    #[error("cannot read {}: {}", path.display(), reason(error))]
    Unreadable {
        /// Which file or directory.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// It is no file of this version.
    #[error("cannot read {}: {error}", path.display())]
    Foreign {
        /// Which file.
        path: PathBuf,
        /// Why.
        error: segment::Foreign,
    },
    /// Its end is torn, or something in it has changed.
    #[error("the last {bytes} bytes of {} are torn or damaged", path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// From the first damaged one to the end.
        bytes: usize,
    },
}

impl Log {
    /// Shows each piece of records, oldest first, and the number of its first record. What cannot be read is passed by;
    /// `trouble` hears of it. Files in which nothing can be from `since` on are left out, but for the oldest, which says
    /// how far all of it goes back, and the one before those that are shown.
    ///
    /// # Errors
    /// The first error that `each` returns.
    pub fn read<E>(
        &self,
        since: Option<UnixNs>,
        trouble: &mut dyn FnMut(Trouble),
        each: &mut dyn FnMut(u64, Records<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        if let Some(dir) = &self.dir {
            let upto = self.snapshot.first().unwrap_or(u64::MAX);
            match files::list(dir) {
                Ok(found) => {
                    let of_that_time = |listed: &Listed| since.is_none_or(|since| listed.written >= since);
                    let begin = found.iter().position(of_that_time).unwrap_or(found.len()).saturating_sub(1);
                    for (index, Listed { first, .. }) in found.into_iter().enumerate() {
                        if first < upto && (index == 0 || index >= begin) {
                            read_file(&files::path(dir, first), upto, trouble, each)?;
                        }
                    }
                }
                Err(error) => trouble(Trouble::Unreadable { path: dir.clone(), error }),
            }
        }
        self.snapshot.chunks.iter().try_for_each(|chunk| each(chunk.first(), chunk.records()))
    }
}

/// The frames of a file up to that record. A frame is never in part in memory: both are cut at the same places.
fn read_file<E>(
    path: &Path,
    upto: u64,
    trouble: &mut dyn FnMut(Trouble),
    each: &mut dyn FnMut(u64, Records<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let path = path.to_owned();
    let bytes = match files::read(&path) {
        Ok(bytes) => bytes,
        // The oldest made room meanwhile.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => {
            trouble(Trouble::Unreadable { path, error });
            return Ok(());
        }
    };
    let mut frames = match segment::frames(&bytes) {
        Ok(frames) => frames,
        Err(error) => {
            trouble(Trouble::Foreign { path, error });
            return Ok(());
        }
    };
    for frame in frames.by_ref() {
        if frame.first >= upto {
            return Ok(());
        }
        each(frame.first, frame.records())?;
    }
    if frames.left() > 0 {
        trouble(Trouble::Damaged { path, bytes: frames.left() });
    }
    Ok(())
}

//! Writing files of closed sockets: in one directory, within a number of bytes, and on after whatever goes wrong.
//!
//! I/O: files. Blocks: it has a thread of its own.

use super::FileOptions;
use super::dropped::Dropped;
use super::files;
use crate::api::reason::reason;
use crate::history::{Cut, Loser, segment};
use crate::kernel::folder::{Folder, Owners};
use crate::socket::UnixNs;
use nix::fcntl::OFlag;
use nix::sys::stat::Mode;
use nix::unistd::UnlinkatFlags;
use std::collections::VecDeque;
use std::fs::{DirBuilder, File, Metadata, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// After something went wrong, how long until the next try.
const RETRY: Duration = Duration::from_secs(1);

/// Held by whoever writes there.
const LOCK: &str = "lock";
/// The mode of what is made there.
const MODE: Mode = Mode::S_IRUSR.union(Mode::S_IWUSR);

/// The files.
#[derive(Debug)]
pub(crate) struct Disk {
    dir: PathBuf,
    most: u64,
    /// The directory, open while it is ours.
    folder: Option<Folder>,
    /// Held while we write there, so that no other agent does.
    lock: Option<File>,
    /// The files, oldest first: the number of their first record, and their size. The last may be the open one.
    files: VecDeque<(u64, u64)>,
    open: Option<File>,
    /// When the youngest record in the open file happened.
    newest: UnixNs,
    trouble: Option<Trouble>,
}

/// Nothing can be written.
#[derive(Debug)]
struct Trouble {
    tried: Instant,
    missing: Dropped,
}

impl Disk {
    pub(crate) fn new(options: &FileOptions) -> Self {
        let FileOptions { dir, most } = options.clone();
        Self {
            dir,
            most,
            folder: None,
            lock: None,
            files: VecDeque::new(),
            open: None,
            newest: 0,
            trouble: None,
        }
    }

    /// From the next record on the files may take so many bytes together.
    pub(crate) const fn allow(&mut self, most: u64) {
        self.most = most;
    }

    /// Gets ready to write, or says why not.
    pub(crate) fn open(&mut self) {
        if let Err(error) = self.prepare() {
            self.fail(&error, Dropped::default());
        }
    }

    /// The number that follows the last record there.
    pub(crate) fn next(&self) -> u64 {
        // A file has not room for more records than bytes.
        self.files.back().map_or(0, |&(first, size)| first.saturating_add(size))
    }

    /// Writes records, and before them that others are missing. While nothing can be written they are counted.
    pub(crate) fn write(&mut self, cut: &Cut, before: Dropped) {
        let mut missing = before;
        if let Some(trouble) = &mut self.trouble {
            if before.records > 0 {
                trouble.missing.add(before.first(), before.records);
            }
            if trouble.tried.elapsed() < RETRY {
                trouble.missing.add(cut.first, cut.records);
                return;
            }
            missing = trouble.missing;
        }
        let result = self.prepare().and_then(|()| self.append(cut, missing));
        match (result, self.trouble.take()) {
            (Ok(()), None) => {}
            (Ok(()), Some(_)) => {
                let records = missing.records;
                log::warn!(
                    "history is written to {} again; {records} records are missing",
                    self.dir.display()
                );
            }
            (Err(error), trouble) => {
                self.trouble = trouble;
                missing.add(cut.first, cut.records);
                self.fail(&error, missing);
            }
        }
    }

    /// Says what is wrong, once until it works again.
    fn fail(&mut self, error: &io::Error, missing: Dropped) {
        if self.trouble.is_none() {
            let (dir, why) = (self.dir.display(), reason(error));
            log::warn!("cannot write history to {dir}: {why}; until that works, it is kept in memory only");
        }
        self.trouble = Some(Trouble { tried: Instant::now(), missing });
    }

    /// The directory is there and ours.
    fn prepare(&mut self) -> io::Result<()> {
        if self.lock.as_ref().is_some_and(|lock| !is_at(lock, &self.dir.join(LOCK))) {
            // Somebody removed it all. What we still have open cannot be read by anybody.
            (self.folder, self.lock, self.open) = (None, None, None);
            self.files.clear();
            log::warn!("the history in {} has been removed; a new one is begun", self.dir.display());
        }
        if self.lock.is_some() {
            return Ok(());
        }
        DirBuilder::new().recursive(true).mode(0o700).create(&self.dir)?;
        let folder = Folder::private(&self.dir, Owners { also: None }).map_err(io::Error::other)?;
        let lock = File::from(folder.file(LOCK.as_ref(), OFlag::O_RDWR | OFlag::O_CREAT, MODE)?);
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(io::Error::other("another agent writes there")),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        self.files = files::list(&self.dir)?.into_iter().map(|listed| (listed.first, listed.size)).collect();
        (self.folder, self.lock) = (Some(folder), Some(lock));
        Ok(())
    }

    fn append(&mut self, cut: &Cut, missing: Dropped) -> io::Result<()> {
        let mut bytes = Vec::new();
        let mut first = cut.first;
        if missing.records > 0 {
            first = missing.first();
            bytes = segment::frame(&Cut::of_loss(first, missing.records, Loser::Files, now()));
        }
        bytes.extend_from_slice(&segment::frame(cut));
        let length = bytes.len() as u64;
        let is_full = |&(_, size): &(u64, u64)| size + length > files::longest(self.most);
        if self.open.is_some() && self.files.back().is_some_and(is_full) {
            self.open = None;
        }
        if let (Some(file), Some(&(first, _))) = (&self.open, self.files.back())
            && !is_at(file, &files::path(&self.dir, first))
        {
            self.open = None;
            self.files.pop_back();
        }
        self.make_room(length);
        if self.open.is_none() {
            self.begin(first)?;
        }
        let (Some(file), Some((_, size))) = (&mut self.open, self.files.back_mut()) else {
            return Err(io::ErrorKind::NotFound.into());
        };
        if let Err(error) = file.write_all(&bytes) {
            // What was written of it must not stand before what is written later.
            if file.set_len(*size).is_err() {
                self.open = None;
            }
            return Err(error);
        }
        *size += length;
        self.newest = self.newest.max(cut.newest);
        if self.newest > now() {
            // The wall clock has been set back. Whoever looks for what was before that goes by the time of the file; where
            // the file system takes no other, they find it while it is in memory.
            let _ = file.set_modified(UNIX_EPOCH + Duration::from_nanos(self.newest));
        }
        Ok(())
    }

    /// Begins a file. After a torn one, too: what is torn stays the end of its file.
    fn begin(&mut self, first: u64) -> io::Result<()> {
        // A file that begins with the same record could not be written on.
        let taken = self.files.back().is_some_and(|&(last, _)| last == first);
        let first = first + u64::from(taken);
        let Some(folder) = &self.folder else { return Err(io::ErrorKind::NotFound.into()) };
        let name = files::name(first);
        let new = OFlag::O_WRONLY | OFlag::O_APPEND | OFlag::O_CREAT | OFlag::O_EXCL;
        let mut file = File::from(folder.file(name.as_ref(), new, MODE)?);
        if let Err(error) = file.write_all(segment::head()) {
            let _ = folder.remove(name.as_ref(), UnlinkatFlags::NoRemoveDir);
            return Err(error);
        }
        self.open = Some(file);
        self.newest = 0;
        self.files.push_back((first, segment::head().len() as u64));
        Ok(())
    }

    /// Removes the oldest files until there is room for so many bytes, and the head of a new file.
    fn make_room(&mut self, length: u64) {
        let needed = length + segment::head().len() as u64;
        let taken: u64 = self.files.iter().map(|&(_, size)| size).sum();
        let mut over = (taken + needed).saturating_sub(self.most);
        let spared = usize::from(self.open.is_some());
        while over > 0 && self.files.len() > spared {
            let Some((first, size)) = self.files.pop_front() else { break };
            // Where it cannot be removed it may be gone already; there is nothing else to be done about it.
            if let Some(folder) = &self.folder {
                let _ = folder.remove(files::name(first).as_ref(), UnlinkatFlags::NoRemoveDir);
            }
            over = over.saturating_sub(size);
        }
    }
}

/// Whether that path still leads to the file.
fn is_at(file: &File, path: &Path) -> bool {
    let same = |one: &Metadata, other: &Metadata| (one.dev(), one.ino()) == (other.dev(), other.ino());
    file.metadata().is_ok_and(|ours| std::fs::metadata(path).is_ok_and(|theirs| same(&ours, &theirs)))
}

fn now() -> UnixNs {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since_1970.as_nanos()).unwrap_or(0)
}

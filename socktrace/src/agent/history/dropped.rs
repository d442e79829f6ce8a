//! Records that files lack, counted.

/// Records that are not in the files: the number of the first, and how many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Dropped {
    first: u64,
    pub(super) records: u64,
}

impl Dropped {
    /// These are dropped, too.
    pub(super) const fn add(&mut self, first: u64, records: u64) {
        if self.records == 0 {
            self.first = first;
        }
        self.records += records;
    }

    /// The number of the first.
    pub(super) const fn first(&self) -> u64 {
        self.first
    }
}

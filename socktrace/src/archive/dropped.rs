//! Records that files lack, counted.

/// Records that are not in the files: the number of the first, and how many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Dropped {
    first: u64,
    pub(crate) records: u64,
}

impl Dropped {
    /// These are dropped, too.
    pub(crate) const fn add(&mut self, first: u64, records: u64) {
        if self.records == 0 {
            self.first = first;
        }
        self.records += records;
    }

    /// The number of the first.
    pub(crate) const fn first(&self) -> u64 {
        self.first
    }
}

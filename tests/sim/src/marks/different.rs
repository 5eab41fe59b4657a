//! How many different records a read meets.

/// Up to three different records, by their hashes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Different {
    records: [u64; 3],
    count: usize,
}

impl Different {
    pub(super) fn one(record: u64) -> Different {
        Different { records: [record, 0, 0], count: 1 }
    }

    /// Adds a record; answers whether it is the third.
    pub(super) fn add(&mut self, record: u64) -> bool {
        if self.count == 3 || self.records[..self.count].contains(&record) {
            return false;
        }
        self.records[self.count] = record;
        self.count += 1;
        self.count == 3
    }
}

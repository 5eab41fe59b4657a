//! Whether everything in a directory can be used.

use super::contents::{Contents, Stored};
use super::damage::{Damaged, DamagedList};
use crate::storage::OpenError;

/// What was found to be whole, and what not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// Own copies that are whole.
    pub records: u64,
    /// Hints that are whole.
    pub hints: u64,
    /// What is not whole.
    pub damaged: DamagedList,
    /// Whether more commits were synced than are there.
    pub lacks_commits: bool,
}

impl Contents {
    /// Reads everything and checks it: that each record and hint lies where its key belongs, matches
    /// its checksum, decodes to a record that keeps its invariants, and is all that is stored there;
    /// and that each value matches the checksum of the client that wrote it. `seen` is called after
    /// each.
    ///
    /// # Errors
    /// `Store`, `Engine`.
    pub fn verify(&self, mut seen: impl FnMut()) -> Result<Verified, OpenError> {
        let lacks_commits = self.lacks_commits()?;
        let mut verified = Verified { lacks_commits, ..Verified::default() };
        for record in self.records() {
            verified.records += verified.damaged.take(record);
            seen();
        }
        for hint in self.hints() {
            verified.hints += verified.damaged.take(hint);
            seen();
        }
        Ok(verified)
    }
}

impl DamagedList {
    /// 1 for what is whole.
    fn take(&mut self, stored: Result<Stored, Damaged>) -> u64 {
        let whole = stored.and_then(|Stored { part, key, one_form, .. }| match one_form {
            true => Ok(()),
            false => {
                let reason = "it holds more than a record, or a right to mint that is none";
                Err(Damaged { part, key: Some(key), reason: reason.into() })
            }
        });
        match whole {
            Ok(()) => 1,
            Err(damaged) => {
                self.push(damaged);
                0
            }
        }
    }
}

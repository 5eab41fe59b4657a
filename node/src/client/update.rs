//! Read, merge, write: again for as long as somebody else writes at the same time.

use bytes::Bytes;
use quorate_core::message::Written;

use super::{Client, ClientError};

/// Rounds after which an update leaves the rest of a conflict to the next reader.
pub const UPDATE_ATTEMPTS_MAX: u32 = 16;

/// What came of an update.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Updated {
    /// The value that was written last.
    pub value: Bytes,
    /// Its acknowledgement. More than one sibling: after the last round there still was a
    /// concurrent write.
    pub written: Written,
    /// Rounds that it took.
    pub attempts: u32,
}

impl Client {
    /// Replaces the value of a key by what `merge` makes of all its concurrent values (none where
    /// the key is absent).
    ///
    /// Where somebody else writes at the same time, the values are read and merged again, so
    /// `merge` may be called more than once and should not mind its own earlier result.
    ///
    /// # Errors
    /// Of the first read or write that failed.
    pub async fn update(
        &self,
        key: impl AsRef<[u8]>,
        mut merge: impl FnMut(&[Bytes]) -> Bytes,
    ) -> Result<Updated, ClientError> {
        let key = key.as_ref();
        let mut attempts = 0;
        loop {
            attempts += 1;
            let entry = self.get(key).await?;
            let value = merge(&entry.values);
            let written = self.put(key, value.clone(), Some(&entry.context)).await?;
            if written.siblings <= 1 || attempts >= UPDATE_ATTEMPTS_MAX {
                return Ok(Updated { value, written, attempts });
            }
        }
    }
}

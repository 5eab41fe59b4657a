//! What a load asks of a client.

use anyhow::Result;
use bytes::Bytes;

/// A connected client. The keys of a load are numbered.
pub(super) trait Store: 'static {
    /// The length of the value of a key, `None` where there is none.
    async fn get(&self, key: &Bytes, index: u32) -> Result<Option<usize>>;

    /// Ends when the write is acknowledged.
    async fn put(&self, key: &Bytes, value: Bytes, index: u32) -> Result<()>;

    /// Values that stood side by side under one key, at most, where the system has such.
    fn siblings_max(&self) -> Option<u64> {
        None
    }
}

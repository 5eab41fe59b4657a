//! A thread that puts into the cache what the writer is about to ask for.
//!
//! What waits for the writer while it is in a turn waits anyway; meanwhile its keys are looked up.
//! The writer finds them in the cache then. What fails here is left to the writer, which meets it
//! again.

use std::sync::Arc;

use super::RecordKey;
use super::fjall::Shared;
use super::own_copy::OwnCopy;
use super::turn;
use crate::mailbox::lock;

pub(super) struct Loader {
    shared: Arc<Shared>,
    keys: flume::Receiver<Vec<RecordKey>>,
}

impl Loader {
    pub(super) fn new(shared: Arc<Shared>, keys: flume::Receiver<Vec<RecordKey>>) -> Loader {
        Loader { shared, keys }
    }

    /// Loads until the other end is dropped.
    pub(super) fn run(self) {
        while let Ok(keys) = self.keys.recv() {
            keys.into_iter().for_each(|key| self.load(key));
        }
    }

    fn load(&self, key: RecordKey) {
        let epoch = {
            let cache = lock(&self.shared.cache);
            if cache.holds(&key) || self.shared.has_failed() {
                return;
            }
            cache.epoch(&key)
        };
        let Ok(stored) = self.shared.records.get(&key.0) else { return };
        let bytes = stored.as_ref().map_or(0, |value| value.len());
        let copy = match stored.map(turn::decode) {
            None => OwnCopy::default(),
            Some(Ok(held)) => OwnCopy::new(held),
            Some(Err(_)) => return,
        };
        lock(&self.shared.cache).offer(key, copy, bytes, epoch);
    }
}

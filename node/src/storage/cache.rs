//! Records in memory above the engine, bounded in bytes.
//!
//! Invariant: what is here equals what is applied. The writer puts in what it committed before it
//! says so: records that are written, and that keys it knows here are gone. Readers and loaders may
//! only add what they read while no commit touched the same stripe: else they might add, after a
//! commit, what they had read before it.

use std::collections::hash_map::Entry as Place;
use std::collections::{HashMap, VecDeque};

use foldhash::fast::RandomState;

use super::RecordKey;
use super::own_copy::OwnCopy;

/// What an entry costs besides its bytes: maps, counts, allocations.
const ENTRY_OVERHEAD_BYTES: usize = 256;

const STRIPES: usize = 4096;

/// Records by key, with a second chance for what was used since the hand passed.
#[derive(Debug)]
pub(super) struct RecordCache {
    entries: HashMap<RecordKey, Entry, RandomState>,
    /// The order in which the hand passes. Invariant: holds the keys of `entries`, each once.
    clock: VecDeque<RecordKey>,
    /// Invariant: the sum of the `bytes` of all entries, at most `bytes_max` after each call.
    bytes: usize,
    bytes_max: usize,
    /// Per stripe of the key space, how many commits touched it.
    commits: Vec<u64>,
}

#[derive(Debug)]
struct Entry {
    copy: OwnCopy,
    bytes: usize,
    used: bool,
}

/// What a reader takes along when it goes to the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Epoch(u64);

impl RecordCache {
    pub(super) fn new(bytes_max: usize) -> RecordCache {
        RecordCache {
            entries: HashMap::default(),
            clock: VecDeque::new(),
            bytes: 0,
            bytes_max,
            commits: vec![0; STRIPES],
        }
    }

    /// What is held of a key, where it is known here; empty where it is known that there is none.
    pub(super) fn get(&mut self, key: &RecordKey) -> Option<&OwnCopy> {
        let entry = self.entries.get_mut(key)?;
        entry.used = true;
        Some(&entry.copy)
    }

    /// Whether it is known here what is held of a key. Asking is no use of it.
    pub(super) fn holds(&self, key: &RecordKey) -> bool {
        self.entries.contains_key(key)
    }

    /// To be taken before a read of the engine.
    pub(super) fn epoch(&self, key: &RecordKey) -> Epoch {
        Epoch(self.commits[stripe(key)])
    }

    /// Adds what was read from the engine since `epoch`.
    pub(super) fn offer(
        &mut self,
        key: RecordKey,
        copy: OwnCopy,
        encoded_bytes: usize,
        epoch: Epoch,
    ) {
        if self.epoch(&key) == epoch {
            self.insert(key, copy, encoded_bytes);
        }
    }

    /// Adds what was committed.
    pub(super) fn committed(&mut self, key: RecordKey, copy: OwnCopy, encoded_bytes: usize) {
        self.commits[stripe(&key)] += 1;
        self.insert(key, copy, encoded_bytes);
    }

    /// Takes in that a commit removed what was held of a key. The empty copy goes as soon as the
    /// hand passes.
    pub(super) fn removed(&mut self, key: &RecordKey) {
        self.commits[stripe(key)] += 1;
        if let Some(entry) = self.entries.get_mut(key) {
            self.bytes -= entry.bytes;
            *entry = Entry { copy: OwnCopy::default(), bytes: entry_bytes(key, 0), used: false };
            self.bytes += entry.bytes;
        }
    }

    fn insert(&mut self, key: RecordKey, copy: OwnCopy, encoded_bytes: usize) {
        let bytes = entry_bytes(&key, encoded_bytes);
        let entry = Entry { copy, bytes, used: false };
        match self.entries.entry(key) {
            Place::Occupied(mut place) => self.bytes -= place.insert(entry).bytes,
            Place::Vacant(place) => {
                self.clock.push_back(place.key().clone());
                place.insert(entry);
            }
        }
        self.bytes += bytes;
        self.evict();
    }

    fn evict(&mut self) {
        while self.bytes > self.bytes_max {
            let Some(key) = self.clock.pop_front() else { return };
            let Some(entry) = self.entries.get_mut(&key) else { continue };
            if entry.used {
                entry.used = false;
                self.clock.push_back(key);
            } else {
                self.bytes -= entry.bytes;
                self.entries.remove(&key);
            }
        }
    }
}

fn entry_bytes(key: &RecordKey, encoded_bytes: usize) -> usize {
    key.0.len() + encoded_bytes + ENTRY_OVERHEAD_BYTES
}

fn stripe(key: &RecordKey) -> usize {
    // The first bytes of a position are spread evenly.
    key.0.first_chunk().map_or(0, |&bytes| usize::from(u16::from_be_bytes(bytes)) % STRIPES)
}

#[cfg(test)]
mod tests {
    use quorate_core::causality::{Held, RecordOp};
    use quorate_core::ids::Key;

    use super::super::tests::blind;
    use super::*;

    fn key(n: u32) -> RecordKey {
        RecordKey::of(&Key::from(format!("key {n}").into_bytes()))
    }

    #[test]
    fn stays_within_its_bytes_and_keeps_what_is_used() {
        let mut cache = RecordCache::new(10 * (ENTRY_OVERHEAD_BYTES + 100));
        for n in 0..100 {
            cache.committed(key(n), OwnCopy::default(), 50);
            assert!(cache.bytes <= cache.bytes_max);
            assert!(cache.get(&key(0)).is_some(), "the key that is always used stays");
            assert!(!(2..=5).contains(&n) || cache.holds(&key(2)), "asking is no use of it");
        }
        assert_eq!(cache.clock.len(), cache.entries.len());
        assert!(cache.get(&key(1)).is_none() && !cache.holds(&key(2)));
    }

    #[test]
    fn what_was_removed_is_empty_counts_little_and_goes_first() {
        let mut cache = RecordCache::new(10 * (ENTRY_OVERHEAD_BYTES + 100));
        cache.committed(key(0), held(), 600);
        cache.committed(key(1), held(), 50);
        for n in [0, 1] {
            assert!(cache.get(&key(n)).is_some_and(|copy| !copy.is_empty()));
        }
        let epoch = cache.epoch(&key(0));
        for gone in [0, 2] {
            cache.removed(&key(gone));
            assert!(cache.get(&key(gone)).is_none_or(OwnCopy::is_empty));
        }
        assert!(cache.entries[&key(0)].bytes < ENTRY_OVERHEAD_BYTES + 100);
        assert_eq!((cache.clock.len(), cache.entries.len()), (2, 2));
        assert_eq!(cache.bytes, cache.entries.values().map(|entry| entry.bytes).sum::<usize>());
        cache.offer(key(0), held(), 600, epoch);
        assert!(cache.get(&key(0)).is_none_or(OwnCopy::is_empty), "it was read before it went");
        cache.removed(&key(0));
        for n in 3..13 {
            cache.committed(key(n), held(), 50);
        }
        assert!(cache.get(&key(0)).is_none() && cache.get(&key(1)).is_some());
    }

    fn held() -> OwnCopy {
        let mut held = Held::new();
        held.apply(&RecordOp::Write(blind("key", "value"))).unwrap();
        OwnCopy::new(held)
    }

    #[test]
    fn a_read_that_a_commit_overtook_is_not_kept() {
        let mut cache = RecordCache::new(1 << 20);
        let epoch = cache.epoch(&key(1));
        cache.committed(key(1), OwnCopy::default(), 7);
        cache.offer(key(1), OwnCopy::default(), 9, epoch);
        assert_eq!(cache.entries[&key(1)].bytes, key(1).0.len() + 7 + ENTRY_OVERHEAD_BYTES);
    }
}

//! The hints on a disk.

use std::collections::BTreeMap;

use quorate_core::causality::{Record, RecordDigest};
use quorate_core::ids::{Key, NodeId};
use quorate_core::machine::{HeldAs, HintChange, HintCount, StoreError, StoreOutcome, hint_bytes};
use quorate_core::ring::Position;
use quorate_core::time::Instant;

use super::{Change, Disk, Entry};

/// The bytes of a hint before a change.
pub(super) struct BytesBefore(Option<u64>);

impl BytesBefore {
    pub(super) fn became(self, key: &Key, record: &Record) -> HintChange {
        HintChange { before: self.0, after: hint_bytes(key, record) }
    }
}

impl Disk {
    /// What the bytes of a copy are, if it is a hint.
    pub(super) fn hint_change(&self, copy: HeldAs, key: &Key) -> Option<BytesBefore> {
        match copy {
            HeldAs::Own => None,
            HeldAs::Hint { .. } => {
                let held = self.memory.get(copy, key);
                Some(BytesBefore(held.map(|held| hint_bytes(key, held.record()))))
            }
        }
    }

    /// Hints in the order of (position, key), without those that cannot be read.
    pub(super) fn find_hints(
        &mut self,
        target: NodeId,
        after: Option<&Key>,
        bytes_max: usize,
    ) -> StoreOutcome {
        if self.draw(self.temper.read_fails) {
            return StoreOutcome::Failed(StoreError::Io);
        }
        let order = |key: &Key| (Position::of(key.as_bytes()), key.clone());
        let after = after.map(order);
        let mut hints: Vec<_> = self.memory.hints_for(target).collect();
        hints.sort_by_cached_key(|(key, _)| order(key));
        let behind = hints.into_iter().skip_while(|(key, _)| Some(order(key)) <= after);
        let behind = behind.filter(|(key, _)| !self.damaged_hints.contains(key));
        let (mut found, mut bytes) = (Vec::new(), 0);
        for (key, held) in behind {
            if bytes >= bytes_max && !found.is_empty() {
                return StoreOutcome::HintsFound { hints: found, more: true };
            }
            bytes += usize::try_from(hint_bytes(key, held.record())).unwrap_or(usize::MAX);
            found.push((key.clone(), held.record().clone()));
        }
        StoreOutcome::HintsFound { hints: found, more: false }
    }

    /// Removes a hint that is still what it was.
    pub(super) fn remove_hint(
        &mut self,
        at: Instant,
        target: NodeId,
        key: &Key,
        digest: RecordDigest,
    ) -> StoreOutcome {
        if self.damaged_hints.contains(key) {
            return StoreOutcome::Failed(StoreError::Damaged);
        }
        if let Some(error) = self.why_no_change() {
            return StoreOutcome::Failed(error);
        }
        let copy = HeldAs::Hint { target };
        let same = self.memory.get(copy, key).filter(|held| held.record().is_still(digest));
        let Some(bytes) = same.map(|held| hint_bytes(key, held.record())) else {
            return StoreOutcome::HintRemoved { bytes: None };
        };
        let change = Change::Copy(copy, key.clone(), None);
        let entry = Entry { change, ticket: None, applied_at: at };
        self.tail.push(entry);
        self.memory.set(copy, key.clone(), None);
        StoreOutcome::HintRemoved { bytes: Some(bytes) }
    }

    /// Counts the hints as they are when the count begins; also answers how many were looked at.
    /// That goes on beside all other operations: it may be answered before what was applied
    /// earlier, and after what was applied later.
    pub(super) fn count_hints(&mut self) -> (StoreOutcome, u32) {
        if self.draw(self.temper.read_fails) {
            return (StoreOutcome::Failed(StoreError::Io), 0);
        }
        let mut counts = BTreeMap::new();
        let mut looked_at = 0;
        for (target, key, held) in self.memory.hints() {
            looked_at += 1;
            let none = HintCount { target, hints: 0, bytes: 0, damaged: 0 };
            let count: &mut HintCount = counts.entry(target).or_insert(none);
            if self.damaged_hints.contains(key) {
                count.damaged += 1;
            } else {
                count.hints += 1;
                count.bytes += hint_bytes(key, held.record());
            }
        }
        (StoreOutcome::HintsCounted(counts.into_values().collect()), looked_at)
    }

    /// How many hints the engine shows for a target.
    pub(crate) fn hints_for(&self, target: NodeId) -> usize {
        self.memory.hints_for(target).count()
    }
}

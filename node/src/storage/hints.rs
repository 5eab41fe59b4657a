//! Hints as both engines hold them: one record for each target and key (DESIGN.md §10).
//!
//! Invariant: a hint has no record in common with the node's own copy of the key, so each has its
//! own right to mint dots.

use std::collections::BTreeMap;
use std::ops::Bound;

use bytes::{BufMut, Bytes, BytesMut};
use quorate_core::causality::{Held, Record, RecordDigest, RecordOp};
use quorate_core::ids::{Key, NodeId};
use quorate_core::machine::{HintChange, HintCount, StoreError, StoreOutcome, hint_bytes};
use quorate_core::ring::Position;

use super::applied_outcome;
use super::scan::{self, Page};

const TARGET_BYTES: usize = size_of::<u64>();

const POSITION_BYTES: usize = size_of::<Position>();

/// Where a hint lies in an engine: its target, the position of its key and the key itself. So the
/// hints for a target are one range, in the order of the ring.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct HintKey(pub(super) Bytes);

impl HintKey {
    pub(super) fn of(target: NodeId, key: &Key) -> HintKey {
        let key = key.as_bytes();
        let mut bytes = BytesMut::with_capacity(TARGET_BYTES + POSITION_BYTES + key.len());
        bytes.put_u64(target.0);
        bytes.put_slice(&Position::of(key).to_be_bytes());
        bytes.put_slice(key);
        HintKey(bytes.freeze())
    }

    /// The target; `None` for bytes that no hint was ever stored under.
    pub(super) fn target(&self) -> Option<NodeId> {
        self.0.first_chunk().map(|target| NodeId(u64::from_be_bytes(*target)))
    }

    /// The key; `None` for bytes that no hint was ever stored under.
    pub(super) fn key(&self) -> Option<Key> {
        let (position, key) = self.0.get(TARGET_BYTES..)?.split_at_checked(POSITION_BYTES)?;
        let key = Key(self.0.slice_ref(key));
        (Position::of(key.as_bytes()).to_be_bytes() == position).then_some(key)
    }
}

/// A hint as it is read.
#[derive(Debug)]
pub(super) struct Hint {
    pub(super) target: NodeId,
    /// `None`: it is damaged.
    pub(super) entry: Option<(Key, Record)>,
}

/// Applies one operation to a hint, which is made where there is none. Also answers whether there is
/// something to store. After a refusal the hint is as it was before.
pub(super) fn apply(key: &Key, hint: &mut Option<Held>, op: &RecordOp) -> (StoreOutcome, bool) {
    let before = hint.as_ref().map(|held| hint_bytes(key, held.record()));
    let mut held = hint.take().unwrap_or_default();
    let (outcome, changed) = match held.apply(op) {
        Ok(applied) => {
            let changed = applied.changed || before.is_none();
            let after = hint_bytes(key, held.record());
            let hint = Some(HintChange { before, after });
            (applied_outcome(applied, op, &held, hint, None), changed)
        }
        Err(refusal) => (StoreOutcome::Refused(refusal), false),
    };
    *hint = (before.is_some() || changed).then_some(held);
    (outcome, changed)
}

/// Removes a hint that still says what `digest` names.
pub(super) fn remove(key: &Key, hint: &mut Option<Held>, digest: RecordDigest) -> StoreOutcome {
    let found = hint.take_if(|held| held.record().is_still(digest));
    let bytes = found.map(|held| hint_bytes(key, held.record()));
    StoreOutcome::HintRemoved { bytes }
}

/// What a node knows of a key: its own copy and its hints together.
pub(super) fn merged(copies: impl Iterator<Item = Record>) -> Option<Record> {
    copies.reduce(|mut all, copy| {
        all.merge(&copy);
        all
    })
}

/// The places of all hints for `target` behind that of the key `after`.
pub(super) fn range(target: NodeId, after: Option<&Key>) -> (Bound<HintKey>, Bound<HintKey>) {
    let first = |target: u64| HintKey(Bytes::copy_from_slice(&target.to_be_bytes()));
    let start = match after {
        Some(key) => Bound::Excluded(HintKey::of(target, key)),
        None => Bound::Included(first(target.0)),
    };
    let end = target.0.checked_add(1).map_or(Bound::Unbounded, |next| Bound::Excluded(first(next)));
    (start, end)
}

/// Hints of one range, up to the one that reaches `bytes_max`.
pub(super) fn page(
    hints: impl Iterator<Item = Result<Hint, StoreError>>,
    bytes_max: usize,
) -> StoreOutcome {
    let entries = hints.map(|hint| hint.map(|hint| hint.entry));
    match scan::page(entries, |(key, record)| hint_bytes(key, record), bytes_max) {
        Ok(Page { found: hints, more, .. }) => StoreOutcome::HintsFound { hints, more },
        Err(error) => StoreOutcome::Failed(error),
    }
}

/// Counts hints. Those that are damaged cannot be handed over, and are counted apart.
pub(super) fn count(hints: impl Iterator<Item = Result<Hint, StoreError>>) -> StoreOutcome {
    let mut counts: BTreeMap<NodeId, HintCount> = BTreeMap::new();
    for hint in hints {
        let Hint { target, entry } = match hint {
            Ok(hint) => hint,
            Err(error) => return StoreOutcome::Failed(error),
        };
        let none = HintCount { target, hints: 0, bytes: 0, damaged: 0 };
        let count = counts.entry(target).or_insert(none);
        match entry {
            Some((key, record)) => {
                count.hints += 1;
                count.bytes += hint_bytes(&key, &record);
            }
            None => count.damaged += 1,
        }
    }
    StoreOutcome::HintsCounted(counts.into_values().collect())
}

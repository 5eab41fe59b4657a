//! What one turn of the writer makes of its operations, until it is committed as a whole.
//!
//! Each record is loaded once; all operations are applied, in their order, to the copy in memory.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use bytes::Bytes;
use fjall::{Keyspace, OwnedWriteBatch, Slice};
use foldhash::fast::RandomState;
use quorate_core::causality::{Held, RecordDigest, RecordOp};
use quorate_core::codec::{self, DecodeError};
use quorate_core::ids::{DurableMark, Key, NodeId, Remembered};
use quorate_core::machine::{Confirmed, Standing, StoreError, StoreOutcome};
use quorate_core::merkle::StateHash;

use super::RecordKey;
use super::fjall::Shared;
use super::hints::{self, HintKey};
use super::meta::{self, Committed, MARK, PAST, PEERS, STANDING};
use super::own_copy::OwnCopy;
use crate::clock::Clock;
use crate::mailbox::lock;
use crate::moved::moved;

/// What the writer is to change, or to look at between changes.
pub(super) enum WriteOp {
    Apply { key: RecordKey, op: RecordOp },
    ApplyHint { target: NodeId, key: Key, op: RecordOp },
    Remove { key: RecordKey, state: StateHash },
    RemoveHint { target: NodeId, key: Key, digest: RecordDigest },
    Confirm { keys: Vec<Key>, hints: Vec<NodeId> },
    SaveStanding { standing: Standing, above: Vec<Remembered>, discard: Vec<Key> },
}

/// Changes that no read sees yet.
pub(super) struct Turn<'a> {
    shared: &'a Shared,
    records: HashMap<RecordKey, StagedRecord, RandomState>,
    hints: HashMap<HintKey, StagedHint, RandomState>,
    /// The last one, and a number that is below that of the commit.
    standing: Option<(Standing, Vec<Remembered>)>,
}

/// A record as the turn leaves it.
struct StagedRecord {
    /// Empty: there is none.
    copy: OwnCopy,
    /// Whether the engine holds the key.
    stored: bool,
    changed: bool,
}

/// A hint as the turn leaves it.
struct StagedHint {
    /// `None`: there is none.
    held: Option<Held>,
    changed: bool,
}

impl Turn<'_> {
    /// Of about so many operations.
    pub(super) fn new(shared: &Shared, operations: usize) -> Turn<'_> {
        let records = HashMap::with_capacity_and_hasher(operations, RandomState::default());
        Turn { shared, records, hints: HashMap::default(), standing: None }
    }

    /// Carries out one operation. `None`: there is no answer but the promise that it is synced.
    pub(super) fn stage(&mut self, op: WriteOp) -> Result<Option<StoreOutcome>, StoreError> {
        match op {
            WriteOp::Apply { key, op } => self.apply(key, &op).map(Some),
            WriteOp::ApplyHint { target, key, op } => {
                let hint = self.hint(HintKey::of(target, &key))?;
                let (outcome, changed) = hints::apply(&key, &mut hint.held, &op);
                hint.changed |= changed;
                Ok(Some(outcome))
            }
            WriteOp::Remove { key, state } => self.remove(key, state).map(Some),
            WriteOp::RemoveHint { target, key, digest } => {
                let hint = self.hint(HintKey::of(target, &key))?;
                let outcome = hints::remove(&key, &mut hint.held, digest);
                hint.changed |= matches!(outcome, StoreOutcome::HintRemoved { bytes: Some(_) });
                Ok(Some(outcome))
            }
            WriteOp::Confirm { keys, hints } => {
                let held = keys.iter().map(|key| self.confirm(key, &hints));
                held.collect::<Result<_, _>>().map(|held| Some(StoreOutcome::Confirmed(held)))
            }
            WriteOp::SaveStanding { standing, above, discard } => {
                self.discard(&discard)?;
                let former = self.standing.take().map(|(_, former)| former).unwrap_or_default();
                self.standing = Some((standing, [former, above].concat()));
                Ok(None)
            }
        }
    }

    /// Whether it holds what must be synced under every durability.
    pub(super) fn saves_standing(&self) -> bool {
        self.standing.is_some()
    }

    /// Makes all changes visible to all reads, at once. Answers whether there were any.
    pub(super) fn commit(self) -> fjall::Result<bool> {
        let Turn { shared, records, hints, standing } = self;
        let mut batch = shared.database.batch();
        let (mut written, mut removed) = (Vec::new(), Vec::new());
        let mut changed: Vec<_> =
            records.into_iter().filter(|(_, staged)| staged.changed).collect();
        // Where neighbours follow each other, the engine finds the place of the next one in the
        // processor's caches.
        changed.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        for (key, staged) in changed {
            if !staged.copy.is_empty() {
                let value = Bytes::from(codec::encode_held(staged.copy.held()));
                let bytes = value.len();
                batch.insert(&shared.records, key.0.clone(), value);
                written.push((key, staged, bytes));
            } else if staged.stored {
                batch.remove(&shared.records, key.0.clone());
                removed.push(key);
            }
        }
        for (place, staged) in hints.into_iter().filter(|(_, staged)| staged.changed) {
            put_hint(&mut batch, &shared.hints, place, staged.held.as_ref());
        }
        if let Some((standing, above)) = &standing {
            batch.insert(&shared.meta, STANDING, meta::encode_standing(standing));
            batch.insert(&shared.meta, PAST, meta::encode_past(&shared.account(above)));
        }
        if batch.is_empty() {
            return Ok(false);
        }
        if let Some(peers) = shared.take_peers() {
            batch.insert(&shared.meta, PEERS, meta::encode_peers(&peers));
        }
        let above = standing.map(|(_, above)| above).unwrap_or_default();
        let above = above.iter().map(|told| told.mark).max().unwrap_or_default();
        let mark = DurableMark(shared.marks.committed().max(above).0 + 1);
        let committed = Committed { mark, written: Clock::start().now().unix };
        batch.insert(&shared.meta, MARK, meta::encode_committed(&committed));
        batch.commit()?;
        shared.marks.on_commit(mark);
        let newborn = written.iter().filter(|(_, staged, _)| !staged.stored).count() as u64;
        shared.count_records(newborn, removed.len() as u64);
        let mut cache = lock(&shared.cache);
        for (key, staged, bytes) in written {
            cache.committed(key, staged.copy, bytes);
        }
        removed.iter().for_each(|key| cache.removed(key));
        Ok(true)
    }

    fn apply(&mut self, key: RecordKey, op: &RecordOp) -> Result<StoreOutcome, StoreError> {
        let (position, name) = key.parts().expect("it was made of a key");
        let tree_key = &self.shared.tree_key;
        let staged = self.record(key)?;
        let (outcome, changed) = staged.copy.apply(tree_key, (position, &name), op);
        staged.changed |= changed;
        Ok(outcome)
    }

    fn remove(&mut self, key: RecordKey, state: StateHash) -> Result<StoreOutcome, StoreError> {
        let (position, name) = key.parts().expect("it was made of a key");
        let tree_key = &self.shared.tree_key;
        let staged = self.record(key)?;
        let change = staged.copy.remove(tree_key, (position, &name), state);
        staged.changed |= change.is_some();
        Ok(StoreOutcome::Removed { state: change })
    }

    /// Has those own copies removed that cannot be read, whatever they are.
    fn discard(&mut self, keys: &[Key]) -> Result<(), StoreError> {
        let mut damaged = Vec::new();
        for key in keys.iter().map(RecordKey::of) {
            match self.record(key.clone()) {
                Ok(_) => {}
                Err(StoreError::Damaged) => damaged.push(key),
                Err(error @ (StoreError::Io | StoreError::Closed | StoreError::Full)) => {
                    return Err(error);
                }
            }
        }
        for key in damaged {
            let staged = StagedRecord { copy: OwnCopy::default(), stored: true, changed: true };
            self.records.insert(key, staged);
        }
        Ok(())
    }

    /// What is held of a key after what was staged. Damage is a part of the answer.
    fn confirm(&self, key: &Key, targets: &[NodeId]) -> Result<Confirmed, StoreError> {
        let place = RecordKey::of(key);
        let state = |copy: &OwnCopy| copy.state(&self.shared.tree_key, key).hash;
        let state = match self.records.get(&place) {
            Some(staged) => Some(state(&staged.copy)),
            None => match stored(self.shared, &place) {
                Ok(copy) => Some(state(&copy)),
                Err(StoreError::Damaged) => None,
                Err(error @ (StoreError::Io | StoreError::Closed | StoreError::Full)) => {
                    return Err(error);
                }
            },
        };
        let mut hinted = false;
        for target in targets {
            hinted |= self.is_hinted(&HintKey::of(*target, key))?;
        }
        Ok(Confirmed { state, hinted })
    }

    /// Whether there is a hint, readable or not.
    fn is_hinted(&self, place: &HintKey) -> Result<bool, StoreError> {
        if let Some(staged) = self.hints.get(place) {
            return Ok(staged.held.is_some());
        }
        let found = self.shared.hints.contains_key(&place.0);
        found.map_err(|error| self.shared.on_read_error(&error))
    }

    fn record(&mut self, key: RecordKey) -> Result<&mut StagedRecord, StoreError> {
        Ok(match self.records.entry(key) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => {
                let copy = stored(self.shared, entry.key())?;
                let stored = !copy.is_empty();
                entry.insert(StagedRecord { copy, stored, changed: false })
            }
        })
    }

    fn hint(&mut self, place: HintKey) -> Result<&mut StagedHint, StoreError> {
        Ok(match self.hints.entry(place) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => {
                let held =
                    load(self.shared, &self.shared.hints, &entry.key().0)?.map(|(held, _)| held);
                entry.insert(StagedHint { held, changed: false })
            }
        })
    }
}

/// The own copy before this turn; empty where there is none.
fn stored(shared: &Shared, key: &RecordKey) -> Result<OwnCopy, StoreError> {
    if let Some(copy) = lock(&shared.cache).get(key) {
        return Ok(copy.clone());
    }
    let found = load(shared, &shared.records, &key.0)?;
    Ok(found.map(|(held, _)| OwnCopy::new(held)).unwrap_or_default())
}

fn put_hint(batch: &mut OwnedWriteBatch, hints: &Keyspace, place: HintKey, held: Option<&Held>) {
    match held {
        Some(held) => batch.insert(hints, place.0, codec::encode_held(held)),
        None => batch.remove(hints, place.0),
    }
}

/// What the engine holds under a key, and how many bytes it takes there.
pub(super) fn load(
    shared: &Shared,
    keyspace: &Keyspace,
    key: &[u8],
) -> Result<Option<(Held, usize)>, StoreError> {
    let value = match keyspace.get(key) {
        Ok(None) => return Ok(None),
        Ok(Some(value)) => value,
        Err(error) => return Err(shared.on_read_error(&error)),
    };
    let bytes = value.len();
    match decode(value) {
        Ok(held) => Ok(Some((held, bytes))),
        Err(error) => {
            tracing::error!(%error, "a record on this disk is damaged; its peers still hold it");
            Err(StoreError::Damaged)
        }
    }
}

/// What is held, as the engine gives it. The payloads do not keep the engine's block, of which the
/// stored bytes may be a part.
pub(super) fn decode(stored: Slice) -> Result<Held, DecodeError> {
    codec::decode_held(moved(Bytes::from(stored)))
}

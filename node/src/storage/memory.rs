//! The engine that ends with the process.

use std::collections::BTreeMap;

use bytes::Bytes;
use quorate_core::causality::{Held, Record, RecordOp};
use quorate_core::ids::{DurableMark, Key, NodeId};
use quorate_core::machine::{Confirmed, HeldAs, StoreOp, StoreOutcome, Ticket};
use quorate_core::merkle::{StateHash, TreeKey};
use quorate_core::ring::{Position, RingArc};

use super::hints::{self, Hint, HintKey};
use super::own_copy::OwnCopy;
use super::{Answer, scan};

/// All records in one map, in the order of the ring. Positions are compared where they lie; keys,
/// which lie elsewhere, only where two positions are equal.
#[derive(Debug)]
pub(super) struct Memory {
    tree_key: TreeKey,
    records: BTreeMap<(Position, Key), OwnCopy>,
    hints: BTreeMap<HintKey, Held>,
    /// Counts changes: what others remember of it tells the next life that all of it is gone.
    mark: DurableMark,
}

impl Memory {
    pub(super) fn new(tree_key: TreeKey) -> Memory {
        let (records, hints) = (BTreeMap::new(), BTreeMap::new());
        Memory { tree_key, records, hints, mark: DurableMark(0) }
    }

    /// The number of the last change.
    pub(super) fn mark(&self) -> DurableMark {
        self.mark
    }

    pub(super) fn submit(&mut self, ticket: Ticket, op: StoreOp, answered: &mut Vec<Answer>) {
        let outcome = match op {
            StoreOp::Apply { key, copy: HeldAs::Own, op } => self.apply(key, &op),
            StoreOp::Apply { key, copy: HeldAs::Hint { target }, op } => {
                self.with_hint(target, &key, |hint| hints::apply(&key, hint, &op).0)
            }
            StoreOp::Read { key, hints } => StoreOutcome::Read { record: self.read(key, &hints) },
            StoreOp::FindHints { target, after, bytes_max } => {
                let range = self.hints.range(hints::range(target, after.as_ref()));
                hints::page(range.filter_map(hint).map(Ok), bytes_max)
            }
            StoreOp::RemoveHint { target, key, digest } => {
                self.with_hint(target, &key, |hint| hints::remove(&key, hint, digest))
            }
            StoreOp::CountHints => hints::count(self.hints.iter().filter_map(hint).map(Ok)),
            StoreOp::ScanStates { arc, after, count_max } => {
                let state = |((_, key), copy): (&(Position, Key), &OwnCopy)| {
                    Ok(Some((key.clone(), copy.state(&self.tree_key, key))))
                };
                scan::states(self.scan(arc, after).map(state), count_max)
            }
            StoreOp::ScanRecords { arc, after, bytes_max } => {
                let record = |((_, key), copy): (&(Position, Key), &OwnCopy)| {
                    Ok(Some((key.clone(), copy.held().record().clone())))
                };
                scan::records(self.scan(arc, after).map(record), bytes_max)
            }
            StoreOp::Confirm { keys, hints } => {
                let held = keys.into_iter().map(|key| self.confirm(key, &hints));
                StoreOutcome::Confirmed(held.collect())
            }
            StoreOp::Remove { key, state } => self.remove(key, state),
            // The machine holds the newest layout itself, and nothing here outlives the machine.
            StoreOp::SaveLayouts(_) => StoreOutcome::Durable,
            StoreOp::Remember(_) => return,
            StoreOp::SaveStanding { above, .. } => {
                let above = above.iter().map(|told| told.mark).max();
                self.mark = self.mark.max(above.unwrap_or_default());
                StoreOutcome::Durable
            }
        };
        let promised = matches!(outcome, StoreOutcome::Applied { .. });
        if promised || outcome == StoreOutcome::Durable {
            self.mark.0 += 1;
        }
        answered.push((ticket, outcome));
        answered.extend(promised.then_some((ticket, StoreOutcome::Durable)));
    }

    pub(super) fn records(&self) -> u64 {
        self.records.len() as u64
    }

    fn apply(&mut self, key: Key, op: &RecordOp) -> StoreOutcome {
        let key = place(key);
        let copy = self.records.entry(key.clone()).or_default();
        let (outcome, _) = copy.apply(&self.tree_key, (key.0, &key.1), op);
        if copy.held().record().is_empty() {
            self.records.remove(&key);
        }
        outcome
    }

    fn remove(&mut self, key: Key, state: StateHash) -> StoreOutcome {
        let key = place(key);
        let copy = self.records.get_mut(&key);
        let tree_key = &self.tree_key;
        let change = copy.and_then(|copy| copy.remove(tree_key, (key.0, &key.1), state));
        if change.is_some() {
            self.records.remove(&key);
        }
        StoreOutcome::Removed { state: change }
    }

    fn confirm(&self, key: Key, targets: &[NodeId]) -> Confirmed {
        let is_hinted = |target: &NodeId| self.hints.contains_key(&HintKey::of(*target, &key));
        let hinted = targets.iter().any(is_hinted);
        let key = place(key);
        let copy = self.records.get(&key);
        let state = copy.map_or(StateHash(0), |copy| copy.state(&self.tree_key, &key.1).hash);
        Confirmed { state: Some(state), hinted }
    }

    fn scan(
        &self,
        arc: RingArc,
        after: Option<Key>,
    ) -> impl Iterator<Item = (&(Position, Key), &OwnCopy)> {
        let first_at = |position| (position, Key(Bytes::new()));
        let range = scan::range(arc, after.map(place), first_at);
        range.into_iter().flat_map(|range| self.records.range(range))
    }

    fn read(&self, key: Key, hints: &[NodeId]) -> Option<Record> {
        let hints = hints.iter().filter_map(|target| self.hints.get(&HintKey::of(*target, &key)));
        let hints: Vec<&Held> = hints.collect();
        let own = self.records.get(&place(key)).map(OwnCopy::held);
        hints::merged(own.into_iter().chain(hints).map(|held| held.record().clone()))
    }

    fn with_hint(
        &mut self,
        target: NodeId,
        key: &Key,
        change: impl FnOnce(&mut Option<Held>) -> StoreOutcome,
    ) -> StoreOutcome {
        let place = HintKey::of(target, key);
        let mut hint = self.hints.remove(&place);
        let outcome = change(&mut hint);
        if let Some(held) = hint {
            self.hints.insert(place, held);
        }
        outcome
    }
}

fn place(key: Key) -> (Position, Key) {
    (Position::of(key.as_bytes()), key)
}

fn hint((place, held): (&HintKey, &Held)) -> Option<Hint> {
    let entry = place.key().map(|key| (key, held.record().clone()));
    Some(Hint { target: place.target()?, entry })
}

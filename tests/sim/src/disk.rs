//! The disk of one node: what is in its engine's memory, and what is synced.

use std::collections::BTreeMap;

use quorate_core::causality::{Held, Record, RecordOp};
use quorate_core::ids::Key;
use quorate_core::machine::{StoreError, StoreOp, StoreOutcome};

/// What one node stores.
///
/// Invariant: `synced` is what a crash leaves; `memory` is that and what was applied since.
#[derive(Clone, Debug, Default)]
pub(crate) struct Disk {
    memory: BTreeMap<Key, Held>,
    synced: BTreeMap<Key, Held>,
    /// Keys whose records cannot be read.
    damaged: Vec<Key>,
}

impl Disk {
    /// Runs an operation; answers what the node is told first, and whether a sync follows.
    pub(crate) fn run(&mut self, op: &StoreOp) -> (StoreOutcome, Option<Key>) {
        match op {
            StoreOp::Read { key } if self.damaged.contains(key) => {
                (StoreOutcome::Failed(StoreError::Damaged), None)
            }
            StoreOp::Read { key } => {
                let record = self.memory.get(key).map(|held| held.record().clone());
                (StoreOutcome::Read { record }, None)
            }
            StoreOp::Apply { key, .. } if self.damaged.contains(key) => {
                (StoreOutcome::Failed(StoreError::Damaged), None)
            }
            StoreOp::Apply { key, op } => {
                let mut held = self.memory.get(key).cloned().unwrap_or_default();
                let applied = match held.apply(op) {
                    Ok(applied) => applied,
                    Err(refusal) => return (StoreOutcome::Refused(refusal), None),
                };
                held.check_invariants();
                let record = match op {
                    RecordOp::Write(_) => Some(held.record().clone()),
                    RecordOp::Merge(_) => None,
                };
                self.memory.insert(key.clone(), held);
                (StoreOutcome::Applied { applied, record }, Some(key.clone()))
            }
        }
    }

    /// Syncs what is applied to `key`.
    pub(crate) fn sync(&mut self, key: &Key) {
        if let Some(held) = self.memory.get(key) {
            self.synced.insert(key.clone(), held.clone());
        }
    }

    /// What was not synced is gone.
    pub(crate) fn crash(&mut self) {
        self.memory = self.synced.clone();
    }

    /// Everything is gone.
    pub(crate) fn wipe(&mut self) {
        *self = Disk::default();
    }

    /// The record of `key` can no longer be read.
    pub(crate) fn damage(&mut self, key: Key) {
        self.damaged.push(key);
    }

    pub(crate) fn record(&self, key: &Key) -> Option<&Record> {
        self.memory.get(key).map(Held::record)
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = &Key> {
        self.memory.keys()
    }
}

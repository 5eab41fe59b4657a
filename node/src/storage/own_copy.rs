//! The node's own copy of a record, and its state.

use quorate_core::causality::{Held, Record, RecordOp};
use quorate_core::ids::Key;
use quorate_core::machine::{StateChange, StoreOutcome};
use quorate_core::merkle::{State, StateHash, TreeKey};
use quorate_core::ring::Position;

use super::applied_outcome;

/// What is held of a key, if anything, with its state where that is known: a state costs more to
/// work out than to keep, and each change needs that before it.
#[derive(Clone, Debug, Default)]
pub(super) struct OwnCopy {
    held: Held,
    /// Invariant: that of the record, or `NOTHING`, which only an empty record has.
    state: State,
}

impl OwnCopy {
    /// A copy as it was read.
    pub(super) fn new(held: Held) -> OwnCopy {
        OwnCopy { held, state: State::NOTHING }
    }

    /// What is held.
    pub(super) fn held(&self) -> &Held {
        &self.held
    }

    /// The record; `None` where there is none.
    pub(super) fn record(&self) -> Option<&Record> {
        Some(self.held.record()).filter(|record| !record.is_empty())
    }

    /// Whether nothing is held of the key.
    pub(super) fn is_empty(&self) -> bool {
        self.held.record().is_empty()
    }

    /// The state of the record; `NOTHING` where there is none.
    pub(super) fn state(&self, tree_key: &TreeKey, key: &Key) -> State {
        if self.state == State::NOTHING {
            return tree_key.sized_state(key, self.held.record());
        }
        self.state
    }

    /// Applies one operation. Also answers whether there is something to store. After a refusal
    /// the copy is as it was before.
    pub(super) fn apply(
        &mut self,
        tree_key: &TreeKey,
        (position, key): (Position, &Key),
        op: &RecordOp,
    ) -> (StoreOutcome, bool) {
        let before = self.state(tree_key, key);
        let applied = match self.held.apply(op) {
            Ok(applied) => applied,
            Err(refusal) => return (StoreOutcome::Refused(refusal), false),
        };
        let changed = applied.changed;
        let after = if changed { tree_key.sized_state(key, self.held.record()) } else { before };
        self.state = after;
        let state = StateChange { position, before, after };
        (applied_outcome(applied, op, &self.held, None, Some(state)), changed)
    }

    /// Becomes empty, without a right to mint, where it holds a record of this state.
    pub(super) fn remove(
        &mut self,
        tree_key: &TreeKey,
        (position, key): (Position, &Key),
        state: StateHash,
    ) -> Option<StateChange> {
        let before = self.state(tree_key, key);
        if self.is_empty() || before.hash != state {
            return None;
        }
        *self = OwnCopy::default();
        Some(StateChange { position, before, after: State::NOTHING })
    }
}

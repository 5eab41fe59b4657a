//! What is told of a key for good, and the removal of what nobody needs.

use quorate_core::ids::{Key, NodeId};
use quorate_core::machine::{Confirmed, HeldAs, StateChange, StoreError, StoreOutcome, Ticket};
use quorate_core::merkle::{State, StateHash};
use quorate_core::ring::Position;
use quorate_core::time::Instant;

use super::{Change, Disk, Entry};

/// An answer that waits for what it tells to be synced.
#[derive(Clone, Debug)]
pub(super) struct Confirm {
    pub(super) ticket: Ticket,
    outcome: StoreOutcome,
    /// Entries of the tail that are to be synced before.
    entries: usize,
}

impl Disk {
    /// What is held of some keys; `None`: it is told once that is synced.
    pub(super) fn confirm(
        &mut self,
        ticket: Ticket,
        keys: &[Key],
        hints: &[NodeId],
    ) -> Option<StoreOutcome> {
        if self.poisoned {
            return Some(StoreOutcome::Failed(StoreError::Closed));
        }
        if self.draw(self.temper.read_fails) {
            return Some(StoreOutcome::Failed(StoreError::Io));
        }
        let confirmed = |key: &Key| {
            let held = self.held(key).map(|held| self.tree_key.state(key, held.record()));
            let is_hinted =
                |target: &NodeId| self.memory.get(HeldAs::Hint { target: *target }, key).is_some();
            Confirmed {
                state: (!self.damaged.contains(key)).then(|| held.unwrap_or_default()),
                hinted: hints.iter().any(is_hinted),
            }
        };
        let outcome = StoreOutcome::Confirmed(keys.iter().map(confirmed).collect());
        if self.tail.is_empty() {
            return Some(outcome);
        }
        self.confirms.push(Confirm { ticket, outcome, entries: self.tail.len() });
        None
    }

    /// The first `synced` entries of the tail are synced: what is told.
    pub(super) fn confirmed(&mut self, synced: usize) -> Vec<(Ticket, StoreOutcome)> {
        for confirm in &mut self.confirms {
            confirm.entries = confirm.entries.saturating_sub(synced);
        }
        let ready = self.confirms.extract_if(.., |confirm| confirm.entries == 0);
        ready.map(|confirm| (confirm.ticket, confirm.outcome)).collect()
    }

    /// Removes an own copy that is in a state.
    pub(super) fn remove(&mut self, at: Instant, key: &Key, state: StateHash) -> StoreOutcome {
        if self.damaged.contains(key) {
            return StoreOutcome::Failed(StoreError::Damaged);
        }
        if let Some(error) = self.why_no_change() {
            return StoreOutcome::Failed(error);
        }
        let held = self.held(key).map(|held| self.tree_key.sized_state(key, held.record()));
        let Some(before) = held.filter(|held| held.hash == state) else {
            return StoreOutcome::Removed { state: None };
        };
        let copy = HeldAs::Own;
        let change = Change::Copy(copy, key.clone(), None);
        let entry = Entry { change, ticket: None, applied_at: at };
        self.tail.push(entry);
        self.memory.set(copy, key.clone(), None);
        let position = Position::of(key.as_bytes());
        let change = StateChange { position, before, after: State::NOTHING };
        StoreOutcome::Removed { state: Some(change) }
    }
}

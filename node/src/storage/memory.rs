//! The engine that ends with the process.

use std::collections::BTreeMap;

use quorate_core::causality::{Applied, Held, RecordOp};
use quorate_core::ids::Key;
use quorate_core::machine::{StoreOp, StoreOutcome, Ticket};
use quorate_core::ring::Position;

use super::Answer;

/// All records in one map, in the order of the ring. Positions are compared where they lie; keys,
/// which lie elsewhere, only where two positions are equal.
#[derive(Debug, Default)]
pub(super) struct Memory {
    records: BTreeMap<(Position, Key), Held>,
}

impl Memory {
    pub(super) fn submit(&mut self, ticket: Ticket, op: StoreOp, answered: &mut Vec<Answer>) {
        match op {
            StoreOp::Apply { key, op } => self.apply(ticket, key, &op, answered),
            StoreOp::Read { key } => {
                let record = self.records.get(&place(key)).map(|held| held.record().clone());
                answered.push((ticket, StoreOutcome::Read { record }));
            }
        }
    }

    pub(super) fn records(&self) -> u64 {
        self.records.len() as u64
    }

    fn apply(&mut self, ticket: Ticket, key: Key, op: &RecordOp, answered: &mut Vec<Answer>) {
        let key = place(key);
        let held = self.records.entry(key.clone()).or_default();
        match held.apply(op) {
            Ok(applied) => {
                let outcome = applied_outcome(applied, op, held);
                answered.push((ticket, outcome));
                answered.push((ticket, StoreOutcome::Durable));
            }
            Err(refusal) => {
                if held.record().is_empty() {
                    self.records.remove(&key);
                }
                answered.push((ticket, StoreOutcome::Refused(refusal)));
            }
        }
    }
}

fn place(key: Key) -> (Position, Key) {
    (Position::of(key.as_bytes()), key)
}

/// The first answer to an operation that went well.
pub(super) fn applied_outcome(applied: Applied, op: &RecordOp, held: &Held) -> StoreOutcome {
    let record = match op {
        RecordOp::Write(_) => Some(held.record().clone()),
        RecordOp::Merge(_) => None,
    };
    StoreOutcome::Applied { applied, record }
}

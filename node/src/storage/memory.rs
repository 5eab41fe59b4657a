//! The engine that ends with the process.

use std::collections::BTreeMap;

use quorate_core::causality::{Held, RecordOp};
use quorate_core::machine::{StoreOp, StoreOutcome, Ticket};

use super::{Answer, RecordKey};

/// All records in one ordered map.
#[derive(Debug, Default)]
pub(super) struct Memory {
    records: BTreeMap<RecordKey, Held>,
}

impl Memory {
    pub(super) fn submit(&mut self, ticket: Ticket, op: StoreOp, answered: &mut Vec<Answer>) {
        match op {
            StoreOp::Apply { key, op } => self.apply(ticket, RecordKey::of(&key), &op, answered),
            StoreOp::Read { key } => {
                let record =
                    self.records.get(&RecordKey::of(&key)).map(|held| held.record().clone());
                answered.push((ticket, StoreOutcome::Read { record }));
            }
        }
    }

    pub(super) fn records(&self) -> u64 {
        self.records.len() as u64
    }

    fn apply(&mut self, ticket: Ticket, key: RecordKey, op: &RecordOp, answered: &mut Vec<Answer>) {
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

/// The first answer to an operation that went well.
pub(super) fn applied_outcome(
    applied: quorate_core::causality::Applied,
    op: &RecordOp,
    held: &Held,
) -> StoreOutcome {
    let record = match op {
        RecordOp::Write(_) => Some(held.record().clone()),
        RecordOp::Merge(_) => None,
    };
    StoreOutcome::Applied { applied, record }
}

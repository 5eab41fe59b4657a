//! What mutants do to comparisons.

use alloc::vec::Vec;

use crate::causality::{Payload, Record};
use crate::ids::Key;
use crate::machine::StoreOutcome;
use crate::message::Comparison;

/// Whether nothing but tombstones stands in a record.
pub(crate) fn is_deleted(record: &Record) -> bool {
    record.siblings().all(|(_, sibling)| sibling.payload == Payload::Tombstone)
}

/// Whether a write left nothing but tombstones.
pub(crate) fn is_delete(outcome: &StoreOutcome) -> bool {
    matches!(outcome, StoreOutcome::Applied { record: Some(record), .. } if is_deleted(record))
}

pub(super) fn without_tombstones(answer: Comparison) -> Comparison {
    let kept = |records: Vec<(Key, Record)>| {
        records.into_iter().filter(|(_, record)| !is_deleted(record)).collect()
    };
    match answer {
        Comparison::Records { records, wants, until, epoch } => {
            Comparison::Records { records: kept(records), wants, until, epoch }
        }
        Comparison::NotNow | Comparison::Branches { .. } | Comparison::States { .. } => answer,
    }
}

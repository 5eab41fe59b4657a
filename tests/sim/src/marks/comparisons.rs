//! What a node hears of another one about what differs.

use quorate_core::causality::{Payload, Record};
use quorate_core::message::{Comparison, Message};

use super::{Mark, Marks};

/// A frame reaches a node.
pub(super) fn on_delivered(message: &Message, marks: &mut Marks) {
    let Message::Compared(compared) = message else { return };
    match &compared.answer {
        Comparison::Records { records, .. } => {
            let deleted = records.iter().filter(|(_, record)| is_deleted(record));
            deleted.for_each(|_| marks.add(Mark::ComparisonBringsTombstone, true));
        }
        Comparison::Branches { .. } | Comparison::States { .. } | Comparison::NotNow => {}
    }
}

fn is_deleted(record: &Record) -> bool {
    !record.is_empty()
        && record.siblings().all(|(_, sibling)| matches!(sibling.payload, Payload::Tombstone))
}

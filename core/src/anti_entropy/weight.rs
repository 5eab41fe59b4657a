//! About how many bytes questions and answers take, however they are encoded.

use crate::causality::Record;
use crate::ids::Key;
use crate::message::{Comparison, Difference, Question};

/// A hash and where it belongs.
const HASH: u64 = 24;

/// A frame without its content.
const FRAME: u64 = 16;

/// What an actor of an outline takes.
const ACTOR: u64 = 32;

pub(super) fn of_question(question: &Question) -> u64 {
    FRAME
        + match question {
            Question::Branches(branches) => branches.len() as u64 * HASH,
            Question::States { states, .. } => states.iter().map(|(key, _)| of_state(key)).sum(),
            Question::Records { keys, .. } => keys.iter().map(of_difference).sum(),
            Question::Rest { .. } => HASH,
        }
}

pub(super) fn of_answer(answer: &Comparison) -> u64 {
    FRAME
        + match answer {
            Comparison::NotNow => 0,
            Comparison::Branches { differ, busy } => {
                let children: usize = differ.iter().map(|branch| 1 + branch.children.len()).sum();
                (children + busy.len()) as u64 * HASH
            }
            Comparison::States { differ, .. } => differ.iter().map(|(key, _)| of_state(key)).sum(),
            Comparison::Records { records, wants, .. } => {
                let records: u64 = records.iter().map(|(key, record)| of_record(key, record)).sum();
                records + wants.iter().map(of_state).sum::<u64>()
            }
        }
}

pub(super) fn of_record(key: &Key, record: &Record) -> u64 {
    of_state(key) + record.weight()
}

fn of_state(key: &Key) -> u64 {
    key.as_bytes().len() as u64 + HASH
}

fn of_difference(difference: &Difference) -> u64 {
    of_state(&difference.key) + difference.outline.histories().count() as u64 * ACTOR
}

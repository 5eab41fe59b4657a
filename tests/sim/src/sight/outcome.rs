//! How a call ended, as a page is told.

use quorate_core::client::{CallError, Completion};
use quorate_core::ids::NodeId;
use quorate_core::message::{self, Answer};
use serde::Serialize;

use super::{number, text};

/// How a call ended. Contexts are no part of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum Outcome {
    /// What a get returned.
    Entry {
        /// All concurrent values, newest first.
        values: Vec<String>,
        /// Deletes that stand beside them.
        tombstones: u32,
        /// Whether a primary was asked straight away.
        direct: bool,
        /// Who took part, where the call asked for it.
        #[serde(skip_serializing_if = "Option::is_none")]
        receipt: Option<Receipt>,
    },
    /// What a put or delete returned.
    Written {
        /// Values that stand.
        siblings: u32,
        /// Whether a primary was asked straight away.
        direct: bool,
        /// Who took part, where the call asked for it.
        #[serde(skip_serializing_if = "Option::is_none")]
        receipt: Option<Receipt>,
    },
    /// Why a call failed.
    Failed {
        /// The name of the error.
        code: &'static str,
        /// What was wrong and what to do.
        message: String,
        /// Whether a write may have happened.
        unknown: bool,
        /// Replicas that were needed.
        needed: u32,
        /// Replicas that answered.
        acked: u32,
    },
}

/// Who took part in a request before it ended, by their numbers.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Receipt {
    /// The node that ran it.
    pub coordinator: usize,
    /// R or W.
    pub needed: u8,
    /// Primaries that answered, or stored durably.
    pub primaries: Vec<usize>,
    /// Fallbacks that did.
    pub fallbacks: Vec<StandIn>,
    /// Replicas that were found stale, and repaired.
    pub repaired: Vec<usize>,
    /// The layout that named them.
    pub version: u64,
}

/// A fallback, and the primary that it stood in for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct StandIn {
    /// The fallback.
    pub node: usize,
    /// The primary.
    #[serde(rename = "for")]
    pub primary: usize,
}

impl Outcome {
    /// What there is to say of an end.
    pub fn of(ended: &Result<Completion, CallError>) -> Outcome {
        match ended {
            Ok(done) => {
                let receipt = done.receipt.as_ref().map(Receipt::of);
                match &done.answer {
                    Answer::Entry(entry) => Outcome::Entry {
                        values: entry.values.iter().map(|value| text(&value.payload)).collect(),
                        tombstones: entry.tombstones,
                        direct: done.direct,
                        receipt,
                    },
                    Answer::Written(written) => {
                        let siblings = written.siblings;
                        Outcome::Written { siblings, direct: done.direct, receipt }
                    }
                }
            }
            Err(error) => Outcome::Failed {
                code: error.code.as_str(),
                message: error.to_string(),
                unknown: error.outcome == message::Outcome::Unknown,
                needed: error.needed,
                acked: error.acked,
            },
        }
    }
}

impl Receipt {
    fn of(receipt: &message::Receipt) -> Receipt {
        let numbers = |nodes: &[NodeId]| nodes.iter().map(|node| number(*node)).collect();
        let stand_in = |stand_in: &message::StandIn| StandIn {
            node: number(stand_in.node),
            primary: number(stand_in.primary),
        };
        Receipt {
            coordinator: number(receipt.coordinator),
            needed: receipt.needed,
            primaries: numbers(&receipt.primaries),
            fallbacks: receipt.fallbacks.iter().map(stand_in).collect(),
            repaired: numbers(&receipt.repaired),
            version: receipt.layout_version.0,
        }
    }
}

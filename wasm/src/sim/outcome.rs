//! How an operation of a simulated client ended.

use quorate_core::message::{self, Answer};
use quorate_sim::Ended;
use serde::Serialize;

/// One of the three; `kind` says which.
#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub(super) enum Outcome {
    /// What a get returned.
    Entry { values: Vec<String>, tombstones: u32, context: Vec<u8>, direct: bool },
    /// What a put or delete returned.
    Written { siblings: u32, context: Vec<u8>, direct: bool },
    /// Why an operation failed.
    Failed { code: &'static str, message: String, unknown: bool, needed: u32, acked: u32 },
}

impl Outcome {
    pub(super) fn of(ended: Ended) -> Outcome {
        match ended {
            Ok(finished) => {
                let direct = finished.0.direct;
                let context = finished.context().to_vec();
                match &finished.0.answer {
                    Answer::Entry(entry) => {
                        let values = entry.values.iter();
                        let text = |value: &message::EntryValue| {
                            String::from_utf8_lossy(&value.payload).into_owned()
                        };
                        let values = values.map(text).collect();
                        Outcome::Entry { values, tombstones: entry.tombstones, context, direct }
                    }
                    Answer::Written(written) => {
                        Outcome::Written { siblings: written.siblings, context, direct }
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

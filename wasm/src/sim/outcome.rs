//! How an operation of a simulated client ended.

use quorate_sim::{Ended, sight};
use serde::Serialize;

/// What there is to say, and the context for the next write, where there is one.
#[derive(Debug, Serialize)]
pub(super) struct Outcome {
    #[serde(flatten)]
    outcome: sight::Outcome,
    #[serde(skip_serializing_if = "Option::is_none")]
    context: Option<Vec<u8>>,
}

impl Outcome {
    pub(super) fn of(ended: Ended) -> Outcome {
        let context = ended.as_ref().ok().map(|finished| finished.context().to_vec());
        Outcome { outcome: sight::Outcome::of(&ended.map(|finished| finished.0)), context }
    }
}

//! A claim that does not hold, to be made where it is to be seen that what does not hold is found.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::invariants::{Invariant, Property, Scene, Verdict, Violation};
use crate::observation::CallEnded;
use crate::oracle::How;

pub(crate) const PROPERTY: Property = Property {
    name: "never-answers",
    definition: "No call is ever answered. This is false.",
    source: "nowhere",
};

static MADE: AtomicBool = AtomicBool::new(false);

/// Whether worlds that begin from here on are held to a false claim, too: that no call is ever
/// answered. One switch for the whole process, as that of the mutants.
pub fn claim_falsely(made: bool) {
    MADE.store(made, Ordering::Relaxed);
}

/// Whether the claim is made.
pub(super) fn is_made() -> bool {
    MADE.load(Ordering::Relaxed)
}

pub(crate) struct NeverAnswers;

impl Invariant for NeverAnswers {
    fn on_call_ended(&mut self, scene: Scene<'_>, ended: CallEnded<'_>) -> Verdict {
        match scene.facts.ended(ended) {
            Some((op, How::Found { .. } | How::Written { .. }, _)) => {
                Err(Violation::new(format!("{op} was answered")).of(&op.key))
            }
            Some((_, How::Garbled | How::Refused | How::Unknown, _)) | None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::NeverAnswers;
    use crate::oracle::stage::Stage;

    #[test]
    fn an_answer_refutes_the_false_claim() {
        for answered in [true, false] {
            let mut stage = Stage::new(NeverAnswers);
            let get = stage.get(1);
            if answered {
                stage.find(get, &[], &[]);
            } else {
                stage.refuse(get);
            }
            stage.expect(!answered, "was answered");
        }
    }
}

//! Nothing is told to be absent by those who cannot know.

use quorate_core::message::{Answer, Receipt};

use crate::invariants::{Invariant, Property, Scene, Verdict, Violation};
use crate::observation::{CallEnded, Ending};

pub(crate) const PROPERTY: Property = Property {
    name: "absence-is-vouched-for",
    definition: "A read whose answer has neither a value nor a tombstone names in its receipt a \
                 primary that answered: a fallback that keeps nothing for a key knows nothing of \
                 it.",
    source: "DESIGN.md §7 (Get); core/src/request/get.rs",
};

pub(crate) struct AbsenceIsVouchedFor;

impl Invariant for AbsenceIsVouchedFor {
    fn on_call_ended(&mut self, _: Scene<'_>, ended: CallEnded<'_>) -> Verdict {
        let told = match ended.ending {
            Ending::Client(Ok(completion)) => {
                Some((&completion.answer, completion.receipt.as_ref()))
            }
            Ending::Hand(reply) => {
                reply.result.as_ref().ok().map(|answer| (answer, reply.receipt.as_ref()))
            }
            Ending::Client(Err(_)) => None,
        };
        let Some((answer, Some(receipt))) = told else { return Ok(()) };
        if is_vouched_for(answer, receipt) {
            return Ok(());
        }
        let text = format!("{:?} is told that there is nothing, by {receipt:?}", ended.caller);
        Err(Violation::new(text))
    }
}

fn is_vouched_for(answer: &Answer, receipt: &Receipt) -> bool {
    match answer {
        Answer::Entry(entry) => {
            !entry.values.is_empty() || entry.tombstones > 0 || !receipt.primaries.is_empty()
        }
        Answer::Written(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use quorate_core::ids::NodeId;
    use quorate_core::layout::LayoutVersion;
    use quorate_core::message::{Answer, Entry, Receipt, StandIn};

    use super::is_vouched_for;

    #[test]
    fn nothing_is_the_word_of_a_primary() {
        for (tombstones, primaries, fine) in
            [(0, vec![], false), (0, vec![NodeId(1)], true), (1, vec![], true)]
        {
            let receipt = Receipt {
                coordinator: NodeId(4),
                primaries,
                repaired: vec![],
                needed: 1,
                layout_version: LayoutVersion(1),
                fallbacks: vec![StandIn { node: NodeId(4), primary: NodeId(1) }],
                zone: None,
            };
            let entry = Answer::Entry(Entry { tombstones, ..Entry::default() });
            assert_eq!(is_vouched_for(&entry, &receipt), fine);
        }
    }
}

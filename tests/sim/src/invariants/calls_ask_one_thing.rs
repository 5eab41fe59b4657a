//! The number of a call names one question, so its answers answer nothing else.

use quorate_core::ids::Key;
use quorate_core::message::{CallId, Message};

use crate::invariants::{Invariant, Property, REPAIR, Scene, Verdict, Violation};
use crate::network::End;
use crate::observation::Sent;
use crate::recent::Table;

pub(crate) const PROPERTY: Property = Property {
    name: "calls-ask-one-thing",
    definition: "A coordinator never, in any of its lives, uses one call number for a read and a \
                 merge, or for two keys; repairs, which want no answer, have no number.",
    source: "DESIGN.md §7; core/src/message/mod.rs (CallId)",
};

/// What a coordinator asks its replicas for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Question {
    Read,
    Merge,
}

#[derive(Default)]
pub(crate) struct CallsAskOneThing {
    /// By coordinator and call.
    asked: Table<(usize, CallId), (Question, Key)>,
}

impl Invariant for CallsAskOneThing {
    fn on_sent(&mut self, _scene: Scene<'_>, sent: Sent<'_>) -> Verdict {
        let Sent { from: End::Node(node), message, .. } = sent else { return Ok(()) };
        let (question, call, key) = if let Message::ReplicaRead(read) = message {
            (Question::Read, read.call, &read.key)
        } else if let Message::ReplicaMerge(merge) = message {
            (Question::Merge, merge.call, &merge.key)
        } else {
            return Ok(());
        };
        if call == REPAIR && question == Question::Merge {
            return Ok(());
        }
        let Some((first, first_key)) = self.asked.get(&(node, call)) else {
            self.asked.insert((node, call), (question, key.clone()));
            return Ok(());
        };
        if *first == question && first_key == key {
            return Ok(());
        }
        let text = format!(
            "n{node} uses {call:?} for a {question:?} of {key:?}, and used it for a {first:?} of \
             {first_key:?} before",
        );
        Err(Violation::new(text).at(node).of(key))
    }
}

#[cfg(test)]
mod tests {
    use quorate_core::causality::Record;
    use quorate_core::ids::{Epoch, Key};
    use quorate_core::layout::LayoutVersion;
    use quorate_core::message::{CallId, MergeReason, Message, ReplicaMerge, ReplicaRead};

    use super::CallsAskOneThing;
    use crate::network::End;
    use crate::observation::{Observation, Sent};
    use crate::oracle::stage::Stage;

    #[test]
    fn a_number_is_used_for_one_question() {
        let read = |call, key| {
            let call = CallId(call);
            Message::ReplicaRead(ReplicaRead { call, key, digest: None, stand_in: false })
        };
        let merge = |call, key| {
            let (call, record, reason) = (CallId(call), Record::new(), MergeReason::Write);
            let (hint_for, epoch) = (None, Epoch(1));
            Message::ReplicaMerge(ReplicaMerge {
                call,
                key,
                record,
                hint_for,
                reason,
                epoch,
                layout_version: LayoutVersion(0),
            })
        };
        let (one, other) = (Key::from("k"), Key::from("l"));
        for (messages, fine) in [
            ([read(5, one.clone()), read(5, one.clone())], true),
            ([read(5, one.clone()), merge(6, one.clone())], true),
            ([merge(0, one.clone()), merge(0, other.clone())], true),
            ([read(5, one.clone()), merge(5, one.clone())], false),
            ([read(5, one.clone()), read(5, other.clone())], false),
        ] {
            let mut stage = Stage::new(CallsAskOneThing::default());
            for message in &messages {
                stage.see(&Observation::Sent(Sent {
                    from: End::Node(0),
                    to: End::Node(1),
                    message,
                }));
            }
            stage.expect(fine, "and used it for a");
        }
    }
}

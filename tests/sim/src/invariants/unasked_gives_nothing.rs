//! Before anybody told a node what he remembers of it, nobody hears from it what it holds.

use std::collections::BTreeSet;

use quorate_core::ids::NodeId;
use quorate_core::message::{Answer, Comparison, MergeReason, Message, ReplicaState, Reply};

use crate::invariants::{Invariant, Property, Scene, Verdict, Violation};
use crate::network::End;
use crate::observation::{CallEnded, Delivered, Ending, Sent, Started};
use crate::oracle::Task;

pub(crate) const PROPERTY: Property = Property {
    name: "unasked-gives-nothing",
    definition: "In a life in which no other node has told it yet what it remembers of it, a node \
                 says nothing of what it holds as a primary, does not count itself for a read that \
                 it coordinates, hands no hint over, and neither begins nor answers a comparison.",
    source: "DESIGN.md §13 (while it cannot ask a single peer); core/src/refill.rs",
};

#[derive(Default)]
pub(crate) struct UnaskedGivesNothing {
    /// Nodes that were told something in the life that they have.
    asked: BTreeSet<usize>,
}

impl Invariant for UnaskedGivesNothing {
    fn on_started(&mut self, _: Scene<'_>, Started { node, .. }: Started<'_>) -> Verdict {
        self.asked.remove(&node);
        Ok(())
    }

    fn on_delivered(&mut self, scene: Scene<'_>, delivered: Delivered<'_>) -> Verdict {
        if let Delivered { from: End::Node(_), to: End::Node(node), message, .. } = delivered
            && let Message::Gossip(gossip) = message
            && scene.facts.remembered(scene.disks, node, gossip).is_some()
        {
            self.asked.insert(node);
        }
        Ok(())
    }

    fn on_sent(&mut self, scene: Scene<'_>, Sent { from, to, message }: Sent<'_>) -> Verdict {
        let End::Node(node) = from else { return Ok(()) };
        if self.asked.contains(&node) {
            return Ok(());
        }
        let text = if let Message::ReplicaMerge(merge) = message
            && merge.reason == MergeReason::Handoff
        {
            "hands a hint over"
        } else if let Message::Compare(_) = message {
            "begins a comparison"
        } else if let Message::Compared(compared) = message
            && compared.answer != Comparison::NotNow
        {
            "takes part in a comparison"
        } else if let (Message::ReplicaRecord(record), End::Node(coordinator)) = (message, to)
            && record.state != ReplicaState::Unreadable
            && let Some(Task::Read { stand_in: false, .. }) =
                scene.facts.task(node, coordinator, record.call)
        {
            "says what it holds"
        } else if let Message::Reply(reply) = message
            && reply.copy.is_some()
        {
            "gives its own copy"
        } else if let Message::Reply(reply) = message
            && counts(reply, id(scene, node))
        {
            "counts itself for a read"
        } else {
            return Ok(());
        };
        Err(unasked(node, text))
    }

    fn on_call_ended(&mut self, scene: Scene<'_>, ended: CallEnded<'_>) -> Verdict {
        let Ending::Hand(reply) = ended.ending else { return Ok(()) };
        let coordinator = reply.receipt.as_ref().map(|receipt| receipt.coordinator);
        let node = coordinator.and_then(|id| scene.facts.index(id));
        match node.filter(|node| !self.asked.contains(node)) {
            Some(node) if counts(reply, id(scene, node)) => {
                Err(unasked(node, "counts itself for a read"))
            }
            Some(_) | None => Ok(()),
        }
    }
}

fn unasked(node: usize, text: &str) -> Box<Violation> {
    let text = format!("n{node} {text}, though nobody has told it what he remembers of it");
    Violation::new(text).at(node)
}

/// Whether a node names itself as a primary that answered a read which it coordinated.
fn counts(reply: &Reply, node: NodeId) -> bool {
    let is_read = matches!(reply.result, Ok(Answer::Entry(_)));
    let receipt = reply.receipt.as_ref().filter(|receipt| receipt.coordinator == node);
    is_read && receipt.is_some_and(|receipt| receipt.primaries.contains(&node))
}

fn id(scene: Scene<'_>, node: usize) -> NodeId {
    scene.facts.id(node)
}

#[cfg(test)]
mod tests {
    use quorate_core::ids::Epoch;
    use quorate_core::layout::LayoutVersion;
    use quorate_core::message::{
        CallId, MergeReason, Message, ReplicaMerge, ReplicaRead, ReplicaRecord, ReplicaState,
    };

    use super::UnaskedGivesNothing;
    use crate::network::End;
    use crate::observation::{Delivered, Observation, Sent};
    use crate::oracle::stage::Stage;

    fn stage(is_asked: bool) -> Stage {
        let mut stage = Stage::new(UnaskedGivesNothing::default());
        stage.start_node(0);
        if is_asked {
            stage.remember(1, 0, 0);
        }
        stage
    }

    #[test]
    fn a_primary_says_nothing_before_it_was_told_something_and_a_stand_in_does() {
        for (is_asked, stand_in, fine) in
            [(false, false, false), (true, false, true), (false, true, true)]
        {
            let mut stage = stage(is_asked);
            let (call, key) = (CallId(3), stage.key.clone());
            let read = Message::ReplicaRead(ReplicaRead { call, key, digest: None, stand_in });
            let (one, other) = (End::Node(0), End::Node(1));
            let (from, to, message, again) = (other, one, &read, false);
            stage.see(&Observation::Delivered(Delivered { from, to, message, again }));
            let state = ReplicaState::Same;
            let answer = Message::ReplicaRecord(ReplicaRecord { call, state });
            let (from, to, message) = (one, other, &answer);
            stage.see(&Observation::Sent(Sent { from, to, message }));
            stage.expect(fine, "n0 says what it holds");
        }
    }

    #[test]
    fn no_hint_is_handed_over_before_it_was_told_something() {
        for (is_asked, fine) in [(false, false), (true, true)] {
            let mut stage = stage(is_asked);
            let (call, key, record) = (CallId(3), stage.key.clone(), stage.record(0));
            let (hint_for, reason, epoch) = (None, MergeReason::Handoff, Epoch(1));
            let merge = ReplicaMerge {
                call,
                key,
                record,
                hint_for,
                reason,
                epoch,
                layout_version: LayoutVersion(0),
            };
            let (from, to, message) = (End::Node(0), End::Node(1), &Message::ReplicaMerge(merge));
            stage.see(&Observation::Sent(Sent { from, to, message }));
            stage.expect(fine, "n0 hands a hint over");
        }
    }
}

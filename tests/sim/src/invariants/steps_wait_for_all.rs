//! The next step of a change comes when all members have said that they are through with the last.

use std::collections::BTreeMap;

use quorate_core::ids::NodeId;
use quorate_core::layout::LayoutVersion;
use quorate_core::message::{LayoutId, LayoutSpan, Marks, Message};

use crate::invariants::{Invariant, Property, Scene, Verdict, Violation};
use crate::network::End;
use crate::observation::{Replaced, Sent, Started, Stepped};

pub(crate) const PROPERTY: Property = Property {
    name: "steps-wait-for-all",
    definition: "Where a node comes to read by a layout, there is one at or after it, all of whose \
                 members have said of themselves that they have synced to it; and where a node \
                 drops a layout, all members of such a one have said that they read from nothing \
                 so old. Who has said so himself does not read from it, in no later life on the \
                 same disk. A node says so in gossip, or has it for its own mark.",
    source: "DESIGN.md §9 (the history rule)",
};

#[derive(Default)]
pub(crate) struct StepsWaitForAll {
    /// What each node held to be in force when it was last looked at, in its present life.
    spans: BTreeMap<usize, LayoutSpan>,
    /// The members of each layout that was ever in force.
    members: BTreeMap<LayoutId, Vec<NodeId>>,
    /// The most that each node has said of itself, by the newest layout that it knew.
    told: BTreeMap<NodeId, BTreeMap<LayoutId, Marks>>,
    /// The oldest layout from which each node reads, as it said while it had the disk that it has.
    reads: BTreeMap<usize, LayoutVersion>,
}

impl Invariant for StepsWaitForAll {
    fn on_started(&mut self, _: Scene<'_>, Started { node, .. }: Started<'_>) -> Verdict {
        self.spans.remove(&node);
        Ok(())
    }

    fn on_replaced(&mut self, _: Scene<'_>, Replaced { node, .. }: Replaced) -> Verdict {
        self.reads.remove(&node);
        Ok(())
    }

    fn on_sent(&mut self, scene: Scene<'_>, Sent { from, message, .. }: Sent<'_>) -> Verdict {
        if let (End::Node(node), Message::Gossip(gossip)) = (from, message) {
            for told in
                gossip.marks.iter().filter(|told| scene.facts.index(told.node) == Some(node))
            {
                self.say(told.node, told.head, told.marks);
                let reads = self.reads.entry(node).or_default();
                *reads = (*reads).max(told.marks.sync_ack);
            }
        }
        Ok(())
    }

    fn on_stepped(&mut self, _: Scene<'_>, Stepped { node, view }: Stepped<'_>) -> Verdict {
        let span = view.layouts();
        let former = match self.spans.insert(node, span) {
            Some(former) if former == span => return Ok(()),
            former => former,
        };
        let Some(newest) = view.newest_layout() else { return Ok(()) };
        if self.reads.get(&node).is_some_and(|reads| span.read < *reads) {
            let text = format!("n{node} reads by {} and has said that it does not", span.read);
            return Err(Violation::new(text).at(node));
        }
        let ids = newest.layout.members().iter().map(|member| member.id);
        self.members.entry(span.head).or_insert_with(|| ids.collect());
        let Some(former) = former.filter(|former| former.head.version > LayoutVersion(0)) else {
            return Ok(());
        };
        self.say(view.config().id, span.head, view.marks());
        if span.read > former.read && !self.have_all_said(span.read, |marks| marks.sync) {
            let text = format!("n{node} reads by {}, to which not all have synced", span.read);
            return Err(Violation::new(text).at(node));
        }
        let has_dropped = span.oldest > former.oldest;
        if has_dropped && !self.have_all_said(span.oldest, |marks| marks.sync_ack) {
            let text = format!(
                "n{node} drops what came before {}, from which not all have said that they read \
                 no more",
                span.oldest
            );
            return Err(Violation::new(text).at(node));
        }
        Ok(())
    }
}

impl StepsWaitForAll {
    fn say(&mut self, node: NodeId, head: LayoutId, marks: Marks) {
        let said = self.told.entry(node).or_default().entry(head).or_default();
        *said = said.max(marks);
    }

    /// Whether all members of some layout at or after a version have said that they are so far.
    fn have_all_said(&self, version: LayoutVersion, mark: fn(Marks) -> LayoutVersion) -> bool {
        let has_said = |node: &NodeId| {
            let said = self.told.get(node).into_iter().flatten();
            said.into_iter().any(|(_, marks)| mark(*marks) >= version)
        };
        let mut layouts = self.members.iter().filter(|(id, _)| id.version >= version);
        layouts.any(|(_, members)| members.iter().all(has_said))
    }
}

#[cfg(test)]
mod tests {
    use quorate_core::ids::NodeId;
    use quorate_core::layout::LayoutVersion;
    use quorate_core::message::{LayoutId, Marks};

    use super::StepsWaitForAll;

    #[test]
    fn all_members_of_one_layout_must_have_said_so() {
        let id = |version| LayoutId { version: LayoutVersion(version), hash: 0 };
        let mut steps = StepsWaitForAll::default();
        steps.members.insert(id(2), vec![NodeId(1), NodeId(2)]);
        steps.members.insert(id(3), vec![NodeId(1)]);
        let synced = |sync: u64| Marks { sync: LayoutVersion(sync), ..Marks::default() };
        let is_synced = |steps: &StepsWaitForAll, version| {
            steps.have_all_said(LayoutVersion(version), |marks| marks.sync)
        };
        steps.say(NodeId(2), id(2), synced(2));
        assert!(!is_synced(&steps, 2), "one of two");
        steps.say(NodeId(1), id(2), synced(2));
        assert!(is_synced(&steps, 2) && !is_synced(&steps, 3));
        steps.say(NodeId(1), id(3), synced(3));
        assert!(is_synced(&steps, 3), "who was removed is not waited for");
    }
}

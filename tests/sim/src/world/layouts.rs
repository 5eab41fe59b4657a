//! Changing the layout.

use quorate_core::layout::{LayoutVersion, Member};
use quorate_core::message::ChangeRefusal;

use super::{World, member};

impl World {
    /// Whether any node knows a layout.
    pub(crate) fn is_founded(&self) -> bool {
        let mut nodes = (0..self.config.nodes).filter_map(|node| self.node(node));
        nodes.any(|node| node.view().newest_layout().is_some())
    }

    /// A node as a member of a layout, with a weight.
    pub fn as_member(&self, node: usize, weight: u32) -> Member {
        Member { weight, ..member(node, &self.config) }
    }

    /// An operator has a node put another layout in force; `None` where the node is not there.
    pub fn change_layout(
        &mut self,
        node: usize,
        planned_from: LayoutVersion,
        members: Vec<Member>,
    ) -> Option<Result<LayoutVersion, ChangeRefusal>> {
        if self.nodes[node].node.is_none() || self.nodes[node].paused.is_some() {
            return None;
        }
        let mut result = None;
        self.with_node(node, |node, now, out| {
            result = Some(node.change_layout(now, planned_from, members, out));
        });
        result
    }

    /// Whether some nodes hold one and the same layout to be in force, have filled what they hold of
    /// it, and, as members, have nothing left of what moved away.
    pub fn is_through(&self, nodes: &[usize]) -> bool {
        let mut heads = nodes.iter().map(|node| self.span(*node).map(|span| span.head));
        let first = heads.next().flatten();
        first.is_some()
            && heads.all(|head| head == first)
            && nodes.iter().all(|node| self.is_done(*node))
    }

    /// What each of some nodes waits for, for people.
    pub fn standing_of_layouts(&self, nodes: &[usize]) -> String {
        let standing = nodes.iter().filter(|node| !self.is_done(**node)).map(|index| {
            let Some(node) = self.node(*index) else { return format!("n{index} is down") };
            let (view, span) = (node.view(), node.view().layouts());
            let marks = view.marks();
            format!(
                "n{index} holds {} to {} to be in force, reads by {}, acks {}, has synced {} and \
                 knows {}, has {} slots to fill, is through: {}",
                span.oldest,
                span.head.version,
                span.read,
                marks.ack,
                marks.sync,
                marks.sync_ack,
                view.slots_to_fill(),
                view.has_moved_away(),
            ) + &format!(
                ", waits for the acks of {:?}, the syncs of {:?}, the word of {:?}",
                view.lagging(|marks| marks.ack).collect::<Vec<_>>(),
                view.lagging(|marks| marks.sync).collect::<Vec<_>>(),
                view.lagging(|marks| marks.sync_ack).collect::<Vec<_>>(),
            )
        });
        standing.collect::<Vec<_>>().join("; ")
    }

    /// From here on the layout of the world is what these nodes agree on.
    pub fn take_newest_layout(&mut self, nodes: &[usize]) {
        let newest = nodes.iter().filter_map(|node| self.node(*node)?.view().newest_layout());
        if let Some(newest) = newest.max_by_key(|update| update.layout.version()).cloned() {
            self.layout = newest;
        }
    }

    fn is_done(&self, index: usize) -> bool {
        let Some(node) = self.node(index) else { return false };
        let (view, span) = (node.view(), node.view().layouts());
        let is_clear = view.has_moved_away() || self.oracle.keeps_what_is_left(&self.disks, index);
        !span.is_changing() && view.slots_to_fill() == 0 && is_clear
    }
}

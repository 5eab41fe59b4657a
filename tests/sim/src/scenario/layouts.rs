//! Changes of the layout.

use quorate_core::layout::{LayoutVersion, Member};
use quorate_core::message::{ChangeRefusal, LayoutSpan, Marks};
use quorate_core::time::Duration;

use super::{Node, Scenario};

/// A change is through within this time where nothing is in its way.
const THROUGH_WITHIN: Duration = Duration::from_secs(300);

impl Scenario {
    /// Asks a node for a layout in which the nodes weigh so much, in their order; with 0 a node is a
    /// member that holds nothing.
    ///
    /// ```
    /// use quorate_sim::scenario::{Scenario, ms};
    ///
    /// let mut s = Scenario::cluster(6).weights(&[1, 1, 1, 0, 0, 0]).gossip_every(ms(50)).build();
    /// let [a, b, c] = s.primaries("k");
    /// s.at(a).put("k", "v");
    /// s.weigh(b, &[0, 0, 0, 1, 1, 1]);
    /// s.finish_change();
    /// s.expect("k").siblings(["v"]).agree();
    /// s.expect("k").among(&[a, b, c]).nothing();
    /// ```
    ///
    /// # Panics
    /// Where the node refuses it.
    #[track_caller]
    pub fn weigh(&mut self, asked: Node, weights: &[u32]) {
        let weights: Vec<Option<u32>> = weights.iter().copied().map(Some).collect();
        if let Err(refusal) = self.change_layout(asked, &weights) {
            panic!("{asked} refuses the layout: {refusal:?}");
        }
    }

    /// The same; `None`: the node is no member.
    ///
    /// # Errors
    /// Why the node refuses it.
    ///
    /// # Panics
    /// Where the node that is asked is down or knows no layout.
    #[track_caller]
    pub fn change_layout(
        &mut self,
        asked: Node,
        weights: &[Option<u32>],
    ) -> Result<LayoutVersion, ChangeRefusal> {
        self.expect_up(asked, "change the layout");
        let weights = weights.iter().enumerate();
        let members =
            weights.filter_map(|(index, weight)| Some(self.world.as_member(index, (*weight)?)));
        let members: Vec<Member> = members.collect();
        let newest = self.layouts(asked).head.version;
        let result = self.world.change_layout(asked.0, newest, members);
        self.check();
        result.expect("it is up")
    }

    /// The layouts that a node holds to be in force.
    ///
    /// # Panics
    /// Where it is down.
    #[track_caller]
    pub fn layouts(&self, node: Node) -> LayoutSpan {
        self.expect_up(node, "say its layouts");
        self.world.span(node.0).expect("it is up")
    }

    /// How far a node is.
    ///
    /// # Panics
    /// Where it is down.
    #[track_caller]
    pub fn marks(&self, node: Node) -> Marks {
        self.expect_up(node, "say how far it is");
        self.world.node(node.0).expect("it is up").view().marks()
    }

    /// Lets time pass until the change is through at all nodes that are up, and nothing is left of
    /// what moved away. From there on the primaries of keys are those of the new layout.
    ///
    /// # Panics
    /// Where that never happens, or a property does not hold.
    #[track_caller]
    pub fn finish_change(&mut self) {
        let up = self.up();
        let until = self.now() + THROUGH_WITHIN;
        while !self.world.is_through(&up) {
            let standing = self.world.standing_of_layouts(&up);
            assert!(self.now() < until, "the change is not through: {standing}");
            self.wait(super::ms(20));
        }
        self.world.take_newest_layout(&up);
    }

    /// Whether the change is through at all nodes that are up, and nothing is left there of what
    /// moved away.
    pub fn is_through(&self) -> bool {
        self.world.is_through(&self.up())
    }

    fn up(&self) -> Vec<usize> {
        let nodes = self.nodes().into_iter().map(|node| node.0);
        nodes.filter(|node| self.world.node(*node).is_some()).collect()
    }
}

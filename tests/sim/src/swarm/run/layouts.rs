//! Changing the layout, and waiting until a change is through.

use quorate_core::layout::Member;
use quorate_core::time::Duration;

use super::Run;

/// A change is through within this time after the healing.
const SETTLED_WITHIN: Duration = Duration::from_secs(600);

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(200);

impl Run<'_> {
    /// A node is asked to change the layout: what each node shall weigh.
    pub(super) fn change_layout(&mut self, node: usize, weights: &[u32]) {
        let Some(newest) = self.world.node(node).and_then(|node| node.view().newest_layout())
        else {
            return;
        };
        let version = newest.layout.version();
        let members = newest.layout.members().iter().zip(weights);
        let members = members.map(|(member, weight)| Member { weight: *weight, ..member.clone() });
        let members = members.collect();
        self.world.change_layout(node, version, members);
    }

    /// Every change is through at these nodes, and nothing is left of what moved away.
    pub(super) fn wait_for_layouts(&mut self, nodes: &[usize]) {
        let until = self.world.now() + SETTLED_WITHIN;
        while !self.is_over() && !self.world.is_through(nodes) {
            if self.world.now() >= until {
                let text = self.world.standing_of_layouts(nodes);
                self.world.fail("layouts-settle", &text);
            }
            self.run_until(self.world.now() + LOOK_EVERY);
        }
        self.world.take_newest_layout(nodes);
    }
}

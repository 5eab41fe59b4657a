//! Changing the layout, and waiting until a change is through.

use quorate_core::layout::Member;
use quorate_core::time::Duration;

use super::Run;

/// A change is through within this time after the healing.
const SETTLED_WITHIN: Duration = Duration::from_secs(600);

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(200);

impl Run<'_> {
    /// A node is asked to change the layout: what each node shall weigh; `None`: it shall be no
    /// member.
    pub(super) fn change_layout(&mut self, node: usize, weights: &[Option<u32>]) {
        let Some(newest) = self.world.node(node).and_then(|node| node.view().newest_layout())
        else {
            return;
        };
        let version = newest.layout.version();
        let weights = weights.iter().enumerate();
        let members =
            weights.filter_map(|(index, weight)| {
                let member = self.world.as_member(index, (*weight)?);
                Some(newest.layout.member(member.id).map_or(member.clone(), |known| Member {
                    weight: member.weight,
                    ..known.clone()
                }))
            });
        let members = members.collect();
        // What is refused is refused.
        let _ = self.world.change_layout(node, version, members);
    }

    /// Asks for a layout without the node that is lost for good, where that is still a member: the
    /// others wait for it. False where it is none.
    fn remove_lost(&mut self, nodes: &[usize]) -> bool {
        let (Some(lost), Some(asked)) = (self.lost, nodes.first().copied()) else { return false };
        let newest = self.world.node(asked).and_then(|node| node.view().newest_layout());
        let Some(newest) = newest.cloned() else { return false };
        let id = self.world.as_member(lost, 0).id;
        if newest.layout.member(id).is_none() {
            return false;
        }
        let left = newest.layout.members().iter().filter(|member| member.id != id).cloned();
        let mut left: Vec<Member> = left.collect();
        let weighing = left.iter().filter(|member| member.weight > 0).count();
        if weighing < usize::from(newest.layout.replication()) {
            // Those that are left could not hold as many copies as calls ask for.
            left.iter_mut().for_each(|member| member.weight = member.weight.max(1));
        }
        let _ = self.world.change_layout(asked, newest.layout.version(), left);
        true
    }

    /// Every change is through at these nodes, and nothing is left of what moved away.
    pub(super) fn wait_for_layouts(&mut self, nodes: &[usize]) {
        let until = self.world.now() + SETTLED_WITHIN;
        while !self.is_over() && (self.remove_lost(nodes) || !self.world.is_through(nodes)) {
            if self.world.now() >= until {
                let text = self.world.standing_of_layouts(nodes);
                self.world.fail("layouts-settle", &text);
            }
            self.run_until(self.world.now() + LOOK_EVERY);
        }
        self.world.take_newest_layout(nodes);
    }
}

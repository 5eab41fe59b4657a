//! Nobody throws his data away without need.

use std::collections::BTreeMap;

use quorate_core::ids::{DurableMark, Incarnation};
use quorate_core::machine::PastLives;
use quorate_core::message::Message;

use crate::invariants::{Invariant, Property, Scene, Verdict, Violation};
use crate::network::End;
use crate::observation::{By, Replaced, Sent, Started};

pub(crate) const PROPERTY: Property = Property {
    name: "starts-over-for-a-reason",
    definition: "A node sets its directory aside only where a fault had put one in the place of \
                 another one, and where its life found fewer commits of a life than that one \
                 said that there are before the fault.",
    source: "DESIGN.md §13; core/src/refill.rs",
};

/// How many commits each life of a node has said that there are.
type Said = BTreeMap<Incarnation, DurableMark>;

#[derive(Default)]
pub(crate) struct StartsOverForAReason {
    said: BTreeMap<usize, Said>,
    /// What each node had said when a fault took its directory.
    lost: BTreeMap<usize, Said>,
    /// The life of each node, and those before it that it found.
    lives: BTreeMap<usize, (Incarnation, PastLives)>,
}

impl StartsOverForAReason {
    fn lacks_something(&self, node: usize) -> bool {
        let (Some(lost), Some((_, past))) = (self.lost.get(&node), self.lives.get(&node)) else {
            return false;
        };
        lost.iter().any(|(life, said)| past.mark_of(*life) < *said)
    }
}

impl Invariant for StartsOverForAReason {
    fn on_started(&mut self, _: Scene<'_>, started: Started<'_>) -> Verdict {
        let Started { node, life, found, .. } = started;
        self.lives.insert(node, (life, found.past.clone()));
        Ok(())
    }

    fn on_sent(&mut self, scene: Scene<'_>, Sent { from, message, .. }: Sent<'_>) -> Verdict {
        if let (End::Node(node), Message::Gossip(_)) = (from, message)
            && let Some((life, _)) = self.lives.get(&node)
        {
            let said = self.said.entry(node).or_default().entry(*life).or_default();
            *said = scene.disks[node].marked().max(*said);
        }
        Ok(())
    }

    fn on_replaced(&mut self, _: Scene<'_>, Replaced { node, by, .. }: Replaced) -> Verdict {
        match by {
            By::Fault => {
                let said = self.said.get(&node).cloned().unwrap_or_default();
                self.lost.insert(node, said);
                Ok(())
            }
            By::Node if self.lacks_something(node) => Ok(()),
            By::Node => {
                let text = format!("n{node} sets a directory aside that was always its own");
                Err(Violation::new(text).at(node))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::StartsOverForAReason;
    use crate::observation::By;
    use crate::oracle::stage::Stage;

    /// A node that has said how many commits it has.
    fn stage() -> Stage {
        let mut stage = Stage::new(StartsOverForAReason::default());
        stage.start_node(1);
        stage.disks[1].tell_mark();
        stage.tell_mark(1, 1);
        stage
    }

    #[test]
    fn a_directory_is_set_aside_only_after_a_fault() {
        let mut stage = stage();
        stage.wipe(1);
        stage.start_node(1);
        stage.replaced(1, By::Node);
        stage.expect(true, "");

        let mut stage = self::stage();
        stage.crash(1);
        stage.start_node(1);
        stage.replaced(1, By::Node);
        stage.expect(false, "n1 sets a directory aside");
    }

    #[test]
    fn what_has_all_that_was_ever_said_is_not_set_aside() {
        let mut stage = stage();
        stage.disks[1].take_snapshot();
        stage.crash(1);
        stage.disks[1].roll_back();
        stage.replaced(1, By::Fault);
        stage.start_node(1);
        stage.replaced(1, By::Node);
        stage.expect(false, "n1 sets a directory aside");
    }
}

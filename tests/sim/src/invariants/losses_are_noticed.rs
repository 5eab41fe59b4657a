//! Who has lost something that was durable says nothing of it until it is there again.

use std::collections::{BTreeMap, BTreeSet};

use quorate_core::causality::Dot;
use quorate_core::ids::{Key, Remembered};
use quorate_core::machine::HeldAs;
use quorate_core::message::Message;
use quorate_core::ring::Slot;

use crate::invariants::{Invariant, Property, Scene, Verdict, Violation};
use crate::network::End;
use crate::observation::{By, Delivered, Destroyed, Replaced, Started, Stepped};
use crate::oracle::{Memory, Since, knows};

pub(crate) const PROPERTY: Property = Property {
    name: "losses-are-noticed",
    definition: "A node of whose synced copies a fault took something away owes it from the moment \
                 at which a peer tells it of a durable mark above what its life found, or at which \
                 it gave up its own copy: all that it had synced and that another primary holds \
                 synced then. It does so through all later lives, unless one finds less than it was told of, \
                 so that it will be told again. It does not vouch for the slot before it \
                 holds that again. Excused: what that primary lost since, or gave up since it moved \
                 away; what truncation dropped or was collected; and nodes that compare nothing. \
                 Where the layout changes, primaries are those by any layout that the node holds to \
                 be in force, but for members that were removed; who was none of them meanwhile, be \
                 it the node or the other primary, is excused.",
    source: "DESIGN.md §13 (durable marks); core/src/refill.rs",
};

#[derive(Default)]
pub(crate) struct LossesAreNoticed {
    /// Nodes of whose copies a fault ever took something away.
    robbed: BTreeSet<usize>,
    /// What each node was told of and does not have.
    told: BTreeMap<usize, Vec<Remembered>>,
    owed: BTreeMap<usize, Vec<Owed>>,
}

/// What a node is to hold again.
struct Owed {
    key: Key,
    slot: Slot,
    dot: Dot,
    /// Another primary that holds it.
    holder: usize,
}

impl Invariant for LossesAreNoticed {
    fn on_started(&mut self, _: Scene<'_>, Started { node, found, .. }: Started<'_>) -> Verdict {
        let told = self.told.get(&node).into_iter().flatten();
        let is_forgotten = |told: &Remembered| found.past.mark_of(told.life) < told.mark;
        if told.copied().any(|told| is_forgotten(&told)) {
            // It is told again.
            self.told.remove(&node);
            if !found.standing.refilling {
                self.owed.remove(&node);
            }
        }
        Ok(())
    }

    fn on_replaced(&mut self, _: Scene<'_>, Replaced { node, by, .. }: Replaced) -> Verdict {
        if by == By::Fault {
            // What the other directory lacks it is told again, if anybody remembers.
            self.told.remove(&node);
            self.owed.remove(&node);
        }
        Ok(())
    }

    fn on_destroyed(&mut self, scene: Scene<'_>, destroyed: Destroyed<'_>) -> Verdict {
        let Destroyed { node, by, copy, key, .. } = destroyed;
        match (by, copy) {
            (By::Fault, _) => {
                self.robbed.insert(node);
            }
            (By::Node, HeldAs::Own) => self.owe(scene, node, key),
            (By::Node, HeldAs::Hint { .. }) => {}
        }
        Ok(())
    }

    fn on_delivered(&mut self, scene: Scene<'_>, delivered: Delivered<'_>) -> Verdict {
        let Delivered { from: End::Node(_), to: End::Node(node), message, .. } = delivered else {
            return Ok(());
        };
        let Message::Gossip(gossip) = message else { return Ok(()) };
        if !self.robbed.contains(&node) {
            return Ok(());
        }
        let memory = scene.facts.remembered(scene.disks, node, gossip);
        let Some(Memory::Lost(lost)) = memory else { return Ok(()) };
        let told = self.told.entry(node).or_default();
        let is_known = |told: &Remembered| told.life == lost.life && told.mark >= lost.mark;
        if !told.iter().any(is_known) {
            told.push(lost);
            for (key, _) in scene.facts.keys() {
                self.owe(scene, node, key);
            }
        }
        Ok(())
    }

    fn on_stepped(&mut self, scene: Scene<'_>, Stepped { node, view }: Stepped<'_>) -> Verdict {
        let Some(owed) = self.owed.get_mut(&node).filter(|owed| !owed.is_empty()) else {
            return Ok(());
        };
        let compares = view.config().anti_entropy.bytes_per_second > 0;
        owed.retain(|Owed { key, dot, holder, .. }| {
            let is_dropped = scene.facts.key(key).is_none_or(|facts| facts.is_dropped(*dot));
            compares
                && !is_dropped
                && are_homes(scene, (node, *holder), key)
                && holds(scene, *holder, key, *dot)
                && !holds(scene, node, key, *dot)
        });
        if view.layout().is_none() {
            return Ok(());
        }
        let lacks = |owed: &&Owed| {
            let memory = scene.disks[node].memory(&owed.key);
            !memory.is_some_and(|record| knows(record, owed.dot))
        };
        let Some(owed) = owed.iter().filter(lacks).find(|owed| view.vouches(owed.slot)) else {
            return Ok(());
        };
        let (dot, holder) = (scene.facts.name(owed.dot), owed.holder);
        let text = format!(
            "n{node} vouches for slot {}, but lost {dot}, which n{holder} holds",
            owed.slot.0
        );
        Err(Violation::new(text).at(node).of(&owed.key))
    }
}

impl LossesAreNoticed {
    /// From here on `node` owes what it lost of a key.
    fn owe(&mut self, scene: Scene<'_>, node: usize, key: &Key) {
        let Some(facts) = scene.facts.key(key) else { return };
        let slot = scene.layout.layout.slot_of(key.as_bytes());
        let owed = self.owed.entry(node).or_default();
        owed.retain(|owed| owed.key != *key);
        let lost = facts.destroyed.iter().filter(|(_, nodes)| nodes.contains(&node));
        for (dot, _) in lost.filter(|(dot, _)| !holds(scene, node, key, **dot)) {
            let others = facts.primaries.iter().filter(|other| **other != node);
            let others = others.filter(|other| are_homes(scene, (node, **other), key));
            let holders = others.filter(|other| holds(scene, **other, key, *dot));
            let (key, dot) = (key.clone(), *dot);
            owed.extend(holders.map(|holder| Owed {
                key: key.clone(),
                slot,
                dot,
                holder: *holder,
            }));
        }
    }
}

/// Whether a node and another one are to hold a key, by all that the first holds to be in force.
fn are_homes(scene: Scene<'_>, (node, other): (usize, usize), key: &Key) -> bool {
    let in_force = scene.facts.in_force(scene.layout, (node, key), Since::Step);
    in_force.iter().all(|it| it.is_holder(node) && it.is_holder(other))
}

/// Whether the own copy of a node knows a write, synced and readable.
fn holds(scene: Scene<'_>, node: usize, key: &Key, dot: Dot) -> bool {
    let disk = &scene.disks[node];
    !disk.is_damaged(HeldAs::Own, key) && disk.synced(key).is_some_and(|record| knows(record, dot))
}

#[cfg(test)]
mod tests {
    use super::LossesAreNoticed;
    use crate::oracle::stage::Stage;

    /// A write at the first two nodes, of which the second is emptied and told of `told` commits.
    fn robbed(told: u64) -> Stage {
        let mut stage = Stage::new(LossesAreNoticed::default());
        let put = stage.put(1, "v", &[]);
        stage.write(0, put);
        stage.copy(0, 1);
        stage.sync(0);
        stage.sync(1);
        stage.wipe(1);
        stage.start_node(1);
        stage.remember(0, 1, told);
        stage
    }

    #[test]
    fn who_was_told_of_a_loss_vouches_for_nothing_that_others_hold() {
        for (told, fine) in [(0, true), (1, false)] {
            let mut stage = robbed(told);
            stage.step_vouching(1);
            stage.expect(fine, "which n0 holds");
        }
    }

    #[test]
    fn what_is_there_again_or_is_nowhere_else_is_not_owed() {
        let mut stage = robbed(1);
        stage.copy(0, 1);
        stage.step_vouching(1);
        stage.expect(true, "");
        // A crash takes what was not synced. That something was lost was not saved: it is told again.
        stage.crash(1);
        stage.start_node(1);
        stage.step_vouching(1);
        stage.expect(true, "");

        let mut stage = robbed(1);
        stage.wipe(0);
        stage.step_vouching(1);
        stage.expect(true, "");
    }
}

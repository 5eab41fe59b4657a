//! After the healing: what was lost is there again.

use bytes::Bytes;
use quorate_core::ids::{Key, NodeId};
use quorate_core::message::{Get, Message, ReadKind};
use quorate_core::ring::Slot;
use quorate_core::time::Duration;

use super::Run;
use crate::world::World;

/// Within this time all that was lost is there again: some rounds of comparisons, with sessions that
/// are lost or whose slots wait their turn.
const SLACK: Duration = Duration::from_secs(60);

/// Rounds within which each slot was compared with each other primary.
const ROUNDS: u32 = 3;

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(200);

const PROPERTY: &str = "refills-after-healing";

impl Run<'_> {
    /// A node with records that cannot be read starts again, and comes to know which those are; on
    /// an empty disk where nothing would bring them back.
    pub(super) fn reopen(&mut self, node: usize) {
        let is_damaged = self.world.has_damaged_disk(node);
        let is_hint = self.world.has_damaged_hints(node);
        let compares = self.plan.config.anti_entropy.bytes_per_second > 0;
        let is_refilled = compares && self.plan.config.replication > 1 && !is_hint;
        self.world.crash(node);
        if is_damaged && !is_refilled {
            self.world.wipe(node);
        }
        self.world.restart(node);
    }

    /// Every node comes to vouch for all its slots. Where some wait for what the outcast has, that
    /// one is repaired.
    pub(super) fn wait_for_refills(&mut self, whole: &[usize]) {
        let outcast = self.outcast.map(|outcast| outcast.node);
        self.wait_for_refills_without(whole, outcast);
        if whole.iter().any(|node| missing(&self.world, *node, None).is_some()) {
            self.heal_outcast();
            self.wait_for_refills_without(whole, None);
        }
    }

    fn wait_for_refills_without(&mut self, whole: &[usize], outcast: Option<usize>) {
        let settings = self.plan.config.anti_entropy;
        let round = settings.interval + settings.interval / 4 + settings.recheck;
        let until = self.world.now() + round * ROUNDS + SLACK;
        while !self.is_over() {
            let text = whole.iter().find_map(|node| missing(&self.world, *node, outcast));
            let Some(text) = text else { return };
            if self.world.now() >= until {
                let text = format!("{ROUNDS} rounds after the healing {text}");
                self.world.fail(PROPERTY, &text);
            }
            self.read_damaged(whole);
            self.run_until(self.world.now() + LOOK_EVERY);
        }
    }

    /// What nobody reads is not known to be damaged.
    fn read_damaged(&mut self, whole: &[usize]) {
        for node in whole.iter().copied() {
            for key in self.world.damaged(node) {
                let head = self.unnamed_head(key);
                let get = Message::Get(Get { head, context: Bytes::new(), read: ReadKind::Quorum });
                self.world.hand(node, node as u64, get);
            }
        }
    }
}

/// What a node waits for that it can have.
fn missing(world: &World, node: usize, outcast: Option<usize>) -> Option<String> {
    // Where a quorum needs the outcast, nothing is read, and nobody reads what moved away.
    let is_read = |key: &&Key| {
        let primaries =
            world.layout().layout.primaries(world.layout().layout.slot_of(key.as_bytes()));
        let is_primary = primaries.iter().any(|id| world.node_of(*id) == Some(node));
        is_primary && primaries.iter().all(|id| outcast.is_none() || world.node_of(*id) != outcast)
    };
    if let Some(key) = world.damaged(node).iter().find(is_read) {
        return Some(format!("n{node} cannot read {key:?}"));
    }
    let view = world.node(node)?.view();
    let layout = &world.layout().layout;
    let can_be_refilled = |slot: &Slot| {
        let primaries = layout.primaries(*slot);
        let is_there = |node: Option<usize>| node.is_none_or(|node| outcast != Some(node));
        let is_full = |id: &NodeId| is_there(world.node_of(*id));
        primaries.iter().all(is_full)
    };
    let mut slots = layout.slot_count().slots().filter(can_be_refilled);
    let slot = slots.find(|slot| !view.vouches(*slot))?;
    Some(format!("n{node} does not vouch for slot {}", slot.0))
}

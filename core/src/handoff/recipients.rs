//! Who is to hold a hint before it may be removed here.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::ids::{Key, NodeId};
use crate::ring::Slot;
use crate::time::Instant;
use crate::turn::Turn;
use crate::verdicts::Standing;

/// Since when each node is away.
#[derive(Clone, Debug, Default)]
pub(super) struct Presence {
    /// When this node started: who was never connected is away since then.
    started: Instant,
    /// Nodes that were connected, and since when they are not; `None`: they are.
    seen: BTreeMap<NodeId, Option<Instant>>,
}

/// Where a hint goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Recipients {
    /// All of them must hold it. This node may be among them.
    pub(super) nodes: Vec<NodeId>,
    /// Whether the target is the one.
    pub(super) home: bool,
    /// The slot of the key.
    pub(super) slot: Slot,
}

impl Presence {
    pub(super) fn start(&mut self, now: Instant) {
        self.started = now;
    }

    pub(super) fn on_up(&mut self, node: NodeId) {
        self.seen.insert(node, None);
    }

    /// `node` is gone, or could not be dialled. Answers whether it was there until then.
    pub(super) fn on_down(&mut self, now: Instant, node: NodeId) -> bool {
        let Some(away) = self.seen.get_mut(&node) else { return false };
        let was_up = away.is_none();
        away.get_or_insert(now);
        was_up
    }

    fn away_since(&self, node: NodeId) -> Instant {
        self.seen.get(&node).copied().flatten().unwrap_or(self.started)
    }

    /// When the hints of a target are to be looked at that is not connected; `None`: at once.
    pub(super) fn waits_until(&self, turn: &Turn<'_>, target: NodeId) -> Option<Instant> {
        let left = turn.layouts.head().is_some() && !turn.layouts.is_member(target);
        let until = self.away_since(target) + turn.config.limits.hint_window;
        (!left && turn.now.instant < until).then_some(until)
    }
}

/// Who must hold the record of `key` before the hint for `target` may be removed, where the target
/// is connected or not waited for; `None`: somebody of them cannot be reached, and the hint waits.
pub(super) fn recipients(turn: &Turn<'_>, target: NodeId, key: &Key) -> Option<Recipients> {
    let layout = turn.layout.map(|update| &update.layout)?;
    let slot = layout.slot_of(key.as_bytes());
    let primaries = turn.layouts.holders(slot);
    if primaries.contains(&target) && turn.peers.is_up(target) {
        let home = sane_or!(target, HintHandedToFirst => primaries[0]);
        return Some(Recipients { nodes: [home].into(), home: true, slot });
    }
    let others = primaries.into_iter().filter(|node| *node != target);
    let nodes: Vec<NodeId> = others.collect();
    sane_or!(
        let nodes,
        ExpiredHintForgetsAbsent =>
            nodes.into_iter().filter(|node| can_be_reached(turn, *node)).collect::<Vec<_>>()
    );
    // Nobody else is to hold it: then it is kept, whatever its age.
    let all = !nodes.is_empty() && nodes.iter().all(|node| can_be_reached(turn, *node));
    all.then_some(Recipients { nodes, home: false, slot })
}

fn can_be_reached(turn: &Turn<'_>, node: NodeId) -> bool {
    let up = turn.peers.is_up(node);
    node == turn.config.id
        || up && turn.verdicts.standing(turn.now.instant, node) == Standing::Trusted
}

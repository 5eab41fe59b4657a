//! What this node must hold in a new layout and does not hold yet: it moves by comparisons.
//!
//! A slot that is new to this node is compared with all of its primaries in the layout that reads go
//! by, after every member has said that no write passes the new layout by any more. What was
//! acknowledged before that is with W of those primaries, and what is acknowledged later comes here
//! by itself. Until then this node gives no vote of the slot. Comparisons begin at once, so that most
//! of the data is here by the time that they count, and they survive crashes: a start compares once
//! more, and what is here already is not moved again.
//!
//! Former primaries that are no members any more are not waited for: they were removed.

use alloc::collections::{BTreeMap, BTreeSet};

use crate::ids::NodeId;
use crate::layout::LayoutVersion;
use crate::layouts::Layouts;
use crate::ring::Slot;

/// The slots that this node has yet to fill.
#[derive(Clone, Debug, Default)]
pub(crate) struct Transfer {
    /// The primaries that each slot is still to be compared with. Invariant: none is empty.
    waiting: BTreeMap<Slot, BTreeSet<NodeId>>,
    /// The layout to whose members all write, so that comparisons count for it.
    counts_for: LayoutVersion,
}

impl Transfer {
    /// Other layouts are in force, or reads go by another one. What is filled stays so.
    pub(crate) fn on_layouts(&mut self, own: NodeId, layouts: &Layouts) {
        let former = core::mem::take(&mut self.waiting);
        let is_for_newer = self.counts_for < layouts.head_version();
        self.waiting = missing(own, layouts);
        if !is_for_newer {
            self.waiting.retain(|slot, _| former.contains_key(slot));
        }
    }

    /// All members write to the newest layout: from here on comparisons count for it. False where
    /// they do already.
    pub(crate) fn begin(&mut self, own: NodeId, layouts: &Layouts) -> bool {
        if self.counts_for >= layouts.head_version() {
            return false;
        }
        self.counts_for = layouts.head_version();
        self.waiting = missing(own, layouts);
        true
    }

    /// Another layout has taken the place of the newest one, under the same number.
    pub(crate) fn begin_anew(&mut self) {
        self.counts_for = LayoutVersion(0);
    }

    /// Whether this node holds all that it must hold in the newest layout.
    pub(crate) fn is_done(&self, layouts: &Layouts) -> bool {
        self.counts_for >= layouts.head_version() && self.waiting.is_empty()
    }

    /// Whether a slot is not filled yet.
    pub(crate) fn lacks(&self, slot: Slot) -> bool {
        self.waiting.contains_key(&slot)
    }

    /// Whether a slot is to be compared with a peer before it is filled.
    pub(crate) fn is_waiting(&self, slot: Slot, peer: NodeId) -> bool {
        self.waiting.get(&slot).is_some_and(|peers| peers.contains(&peer))
    }

    /// Slots were compared with a peer, and all that it held was taken.
    pub(crate) fn on_compared(&mut self, peer: NodeId, slots: &[Slot]) {
        for slot in slots {
            let Some(peers) = self.waiting.get_mut(slot) else { continue };
            peers.remove(&peer);
            if sane_or!(peers.is_empty(), OneSourceFills => true) {
                self.waiting.remove(slot);
            }
        }
    }

    /// The slots that are not filled yet, and whom each waits for.
    pub(crate) fn waiting(&self) -> impl ExactSizeIterator<Item = (Slot, &BTreeSet<NodeId>)> {
        self.waiting.iter().map(|(slot, peers)| (*slot, peers))
    }

    pub(crate) fn check_invariants(&self) {
        assert!(self.waiting.values().all(|peers| !peers.is_empty()), "somebody is waited for");
    }
}

/// The slots that a node must hold in some layout in force and holds in none to which it has synced,
/// with those from whom it has them.
fn missing(own: NodeId, layouts: &Layouts) -> BTreeMap<Slot, BTreeSet<NodeId>> {
    let mut missing = BTreeMap::new();
    let Some(read) = layouts.read() else { return missing };
    let synced = layouts.marks().sync.max(read.layout.version());
    for slot in read.layout.slot_count().slots() {
        let mut owning = layouts.live().filter(|layout| layout.is_primary(slot, own));
        if owning.next().is_none_or(|oldest| oldest.version() <= synced) {
            continue;
        }
        let sources = read.layout.primaries(slot).iter().copied();
        let sources: BTreeSet<NodeId> =
            sources.filter(|node| *node != own && layouts.is_member(*node)).collect();
        if !sources.is_empty() {
            missing.insert(slot, sources);
        }
    }
    missing
}

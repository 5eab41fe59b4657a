//! What this node must hold in a new layout and does not hold yet: it moves by comparisons.
//!
//! A slot that is new to this node is compared with all of its primaries in the layout that reads go
//! by, after every member has said that no write passes the new layout by any more. What was
//! acknowledged before that is with W of those primaries, and what is acknowledged later comes here
//! by itself. Until then this node gives no vote of the slot. Comparisons begin at once, so that most
//! of the data is here by the time that they count, and they survive crashes: a start compares once
//! more, and what is here already is not moved again.
//!
//! Former primaries that are no members any more are not waited for: they were removed. A write may
//! then have had fewer of them than W, so the primaries of later layouts are asked, too.

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
    // Since this node has said that it reads from nothing older, others may have dropped that.
    let sync_ack = layouts.marks().sync_ack;
    let written = || layouts.live().filter(move |layout| layout.version() >= sync_ack);
    for slot in read.layout.slot_count().slots() {
        let mut owning = written().filter(|layout| layout.is_primary(slot, own));
        if owning.next().is_none_or(|oldest| oldest.version() <= synced) {
            continue;
        }
        let primaries = read.layout.primaries(slot);
        let is_whole = primaries.iter().all(|node| layouts.is_member(*node));
        // Where some were removed, a write needs no more of these than are left, which may be none:
        // then it is with those of the layouts after it.
        let head = layouts.head_version();
        let former = layouts.live().filter(|layout| layout.version() < head);
        let named = former.take(if is_whole { 0 } else { usize::MAX });
        let sources = named.flat_map(|layout| layout.primaries(slot)).chain(primaries).copied();
        let sources = sources.filter(|node| *node != own && layouts.is_member(*node));
        let sources: BTreeSet<NodeId> = sources.collect();
        if !sources.is_empty() {
            missing.insert(slot, sources);
        }
    }
    missing
}

#[cfg(test)]
mod tests {
    use alloc::vec;
    use alloc::vec::Vec;

    use super::Transfer;
    use crate::ids::NodeId;
    use crate::layout::LayoutVersion;
    use crate::layouts::Layouts;
    use crate::layouts::tests::{at, owned};
    use crate::message::{LayoutId, LayoutSpan};
    use crate::ring::Slot;

    /// 1 and 2 are the primaries of all slots, then 3 joins: it holds the slots 0 and 3 beside 2.
    fn joined(own: u64, marks: [u64; 3]) -> Layouts {
        let v1 = owned(1, &[1, 2, 3], &[0, 1, 0, 1]);
        let v2 = owned(2, &[1, 2, 3], &[2, 1, 0, 1]);
        let lists = [0, 1, 2, 3].map(|slot| v2.layout.primaries(Slot(slot)).to_vec());
        assert_eq!(lists, [[3, 2], [2, 1], [1, 2], [2, 3]].map(|list| list.map(NodeId)));
        at(own, vec![v1, v2], marks)
    }

    #[test]
    fn where_a_former_primary_was_removed_those_of_later_layouts_are_asked_too() {
        // 1 holds all slots with 2, is removed, and 3 takes its place; then 4 takes that of 3.
        let v1 = owned(1, &[1, 2, 3], &[0, 1, 0, 1]);
        let v2 = owned(2, &[2, 3], &[0, 1, 0, 1]);
        let v3 = owned(3, &[2, 3, 4], &[0, 2, 0, 2]);
        let all = |peers: &[u64]| [0, 1, 2, 3].map(|slot| (slot, peers.to_vec())).to_vec();
        let layouts = at(4, vec![v1.clone(), v2, v3], [1; 3]);
        assert_eq!(first(4, &layouts), all(&[2, 3]));
        let v2 = owned(2, &[1, 2, 3], &[1, 2, 1, 2]);
        let v3 = owned(3, &[1, 2, 3, 4], &[1, 3, 1, 3]);
        let layouts = at(4, vec![v1, v2, v3], [1; 3]);
        assert_eq!(first(4, &layouts), all(&[1, 2]), "nobody was removed");
    }

    /// The slots that wait, and for whom.
    fn waiting(transfer: &Transfer) -> Vec<(u32, Vec<u64>)> {
        transfer.check_invariants();
        let ids = |peers: &alloc::collections::BTreeSet<NodeId>| {
            peers.iter().map(|peer| peer.0).collect()
        };
        transfer.waiting().map(|(slot, peers)| (slot.0, ids(peers))).collect()
    }

    /// What waits as soon as layouts are in force.
    fn first(own: u64, layouts: &Layouts) -> Vec<(u32, Vec<u64>)> {
        let mut transfer = Transfer::default();
        transfer.on_layouts(NodeId(own), layouts);
        waiting(&transfer)
    }

    #[test]
    fn who_is_new_lacks_its_slots_and_nobody_else_lacks_any() {
        let all = vec![1, 2];
        assert_eq!(first(3, &joined(3, [1, 1, 1])), [(0, all.clone()), (3, all)]);
        for own in [1, 2, 4] {
            assert_eq!(first(own, &joined(own, [1, 1, 1])), []);
        }
        assert_eq!(first(3, &Layouts::new(NodeId(3), None)), []);
    }

    #[test]
    fn slots_come_from_primaries_that_are_left() {
        let v1 = owned(1, &[1, 2], &[0, 1]);
        let after =
            |members: &[u64]| at(3, vec![v1.clone(), owned(2, members, &[1, 0])], [1, 1, 1]);
        assert_eq!(first(3, &after(&[2, 3])), [(0, vec![2]), (1, vec![2])]);
        // Nobody has them any more, so nobody is waited for.
        assert_eq!(first(3, &after(&[3, 4])), []);
    }

    #[test]
    fn what_a_node_has_synced_to_it_does_not_lack() {
        // 3 has filled slot 0 for the second layout; the third one gives it slot 2 as well.
        let v1 = owned(1, &[1, 2, 3], &[0, 1, 0, 1]);
        let v2 = owned(2, &[1, 2, 3], &[2, 1, 0, 1]);
        let v3 = owned(3, &[1, 2, 3], &[2, 1, 2, 1]);
        let third = |marks| at(3, vec![v1.clone(), v2.clone(), v3.clone()], marks);
        let all = || vec![1, 2];
        assert_eq!(first(3, &third([2, 2, 1])), [(1, all()), (2, all())]);
        let lacked = [(0, all()), (1, all()), (2, all()), (3, all())];
        assert_eq!(first(3, &third([2, 1, 1])), lacked);
        assert_eq!(first(3, &third([3, 3, 1])), []);
    }

    #[test]
    fn reads_by_a_layout_say_that_all_have_synced_to_it() {
        let mut layouts = joined(3, [1, 1, 1]);
        let v2 = layouts.updates()[1].clone();
        let [oldest, read] = [1, 2].map(LayoutVersion);
        layouts.on_told(&LayoutSpan { head: LayoutId::of(&v2), oldest, read }, &[]);
        assert_eq!(layouts.span().read, read);
        assert_eq!(first(3, &layouts), [], "this node, too, in a former life");
    }

    #[test]
    fn a_slot_that_moves_away_and_back_before_the_first_move_is_done_is_here() {
        // Slot 0 goes from 1 to 3 and comes back.
        let v1 = owned(1, &[1, 2, 3], &[0, 1]);
        let v2 = owned(2, &[1, 2, 3], &[2, 1]);
        let v3 = owned(3, &[1, 2, 3], &[0, 1]);
        let back = at(1, vec![v1, v2.clone(), v3.clone()], [1, 1, 1]);
        assert_eq!(first(1, &back), [], "it takes all writes all the while");
        let both = || vec![(0, vec![2, 3]), (1, vec![2, 3])];
        let dropped = at(1, back.updates().to_vec(), [2, 2, 2]);
        assert_eq!(first(1, &dropped), both(), "others may write by the second one alone");
        let away = at(1, vec![v2, v3], [2, 2, 2]);
        assert_eq!(first(1, &away), both(), "it had no writes");
    }

    #[test]
    fn comparisons_count_once_all_write_to_the_newest_layout() {
        let (own, layouts) = (NodeId(3), joined(3, [1, 1, 1]));
        let slots = [Slot(0), Slot(3)];
        let mut transfer = Transfer::default();
        transfer.on_layouts(own, &layouts);
        for peer in [1, 2] {
            transfer.on_compared(NodeId(peer), &slots);
        }
        assert!(!transfer.is_done(&layouts), "a write may have passed this node by");

        assert!(transfer.begin(own, &layouts));
        assert_eq!(waiting(&transfer), [(0, vec![1, 2]), (3, vec![1, 2])]);
        assert!(!transfer.begin(own, &layouts), "once is enough");
        for peer in [1, 2] {
            assert!(!transfer.is_done(&layouts));
            transfer.on_compared(NodeId(peer), &slots);
        }
        assert!(transfer.is_done(&layouts));
        assert!(!transfer.begin(own, &layouts) && transfer.is_done(&layouts));
    }

    #[test]
    fn a_slot_is_filled_from_all_of_its_sources() {
        let (own, layouts) = (NodeId(3), joined(3, [1, 1, 1]));
        let mut transfer = Transfer::default();
        transfer.begin(own, &layouts);
        assert!(transfer.lacks(Slot(0)) && transfer.lacks(Slot(3)) && !transfer.lacks(Slot(1)));
        transfer.on_compared(NodeId(2), &[Slot(0), Slot(1)]);
        transfer.on_compared(NodeId(9), &[Slot(0), Slot(3)]);
        assert_eq!(waiting(&transfer), [(0, vec![1]), (3, vec![1, 2])]);
        assert!(transfer.lacks(Slot(0)), "what only one of two has is not here yet");
        assert!(
            transfer.is_waiting(Slot(0), NodeId(1)) && !transfer.is_waiting(Slot(0), NodeId(2))
        );
        transfer.on_compared(NodeId(1), &[Slot(0)]);
        assert!(!transfer.lacks(Slot(0)) && transfer.lacks(Slot(3)));
        assert!(!transfer.is_done(&layouts));
    }

    #[test]
    fn a_node_that_lacks_nothing_is_done_once_all_write_to_the_newest_layout() {
        let layouts = joined(2, [1, 1, 1]);
        let mut transfer = Transfer::default();
        transfer.on_layouts(NodeId(2), &layouts);
        assert!(!transfer.is_done(&layouts));
        transfer.begin(NodeId(2), &layouts);
        assert!(transfer.is_done(&layouts));
    }

    #[test]
    fn what_is_filled_stays_so_until_another_layout_comes() {
        let (own, layouts) = (NodeId(3), joined(3, [1, 1, 1]));
        let mut transfer = Transfer::default();
        transfer.begin(own, &layouts);
        for peer in [1, 2] {
            transfer.on_compared(NodeId(peer), &[Slot(0)]);
        }
        transfer.on_layouts(own, &layouts);
        assert_eq!(waiting(&transfer), [(3, vec![1, 2])]);

        let mut live = layouts.updates().to_vec();
        live.push(owned(3, &[1, 2, 3], &[2, 1, 0, 1]));
        let newer = at(3, live, [1, 1, 1]);
        transfer.on_layouts(own, &newer);
        assert!(!transfer.is_done(&newer), "some may not write to that one yet");
        assert_eq!(waiting(&transfer), [(0, vec![1, 2]), (3, vec![1, 2])]);
    }

    #[test]
    fn a_layout_that_takes_the_place_of_another_is_filled_anew() {
        let (own, layouts) = (NodeId(3), joined(3, [1, 1, 1]));
        let mut transfer = Transfer::default();
        transfer.begin(own, &layouts);
        for peer in [1, 2] {
            transfer.on_compared(NodeId(peer), &[Slot(0), Slot(3)]);
        }
        transfer.begin_anew();
        transfer.on_layouts(own, &layouts);
        assert!(!transfer.is_done(&layouts) && transfer.lacks(Slot(0)));
        assert!(transfer.begin(own, &layouts));
    }
}

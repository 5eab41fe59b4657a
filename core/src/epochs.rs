//! What a node took before a collection began is not merged after it (DESIGN.md §12).
//!
//! Whoever reads a record and sends it on says in which of its epochs it read it. A collection makes
//! all members begin a new epoch, and much later tells all of them that what was read before is of
//! no use. So a record that lay for hours in a queue, a socket or a call cannot bring back what was
//! deleted meanwhile; no clock is compared with another one. What a former life of a node has sent
//! is of no use either, once its present life is connected.

use alloc::collections::BTreeMap;

use crate::ids::{Epoch, Incarnation, NodeId};
use crate::message::EpochOf;

/// The epochs of this node, and what it was told of those of others.
#[derive(Clone, Debug)]
pub(crate) struct Epochs {
    own: EpochOf,
    /// What each member took before its floor is not merged; a floor says nothing of other lives
    /// of the member. Invariant: members of a layout, so their number is bounded.
    floors: BTreeMap<NodeId, Epoch>,
}

impl Epochs {
    pub(crate) fn new(node: NodeId, incarnation: Incarnation) -> Epochs {
        let own = EpochOf { node, epoch: Epoch::first(incarnation) };
        Epochs { own, floors: BTreeMap::new() }
    }

    /// The epoch that lasts.
    pub(crate) fn current(&self) -> Epoch {
        self.own.epoch
    }

    /// Begins a new one.
    pub(crate) fn begin(&mut self) -> EpochOf {
        let next = self.own.epoch.next();
        sane_or!(let next, EpochNeverBegins => self.own.epoch);
        self.own.epoch = next;
        self.own
    }

    /// Whether this node has come to an epoch in the life that it lives.
    pub(crate) fn has_reached(&self, epoch: Epoch) -> bool {
        epoch.incarnation() == self.own.epoch.incarnation() && epoch <= self.own.epoch
    }

    /// From here on, what a member took before `floor` is not merged.
    pub(crate) fn raise(&mut self, EpochOf { node, epoch }: EpochOf) {
        let floor = self.floors.entry(node).or_insert(epoch);
        if floor.incarnation() != epoch.incarnation() || *floor < epoch {
            *floor = epoch;
        }
    }

    /// Forgets the floors of all but these members.
    pub(crate) fn retain(&mut self, is_member: impl Fn(NodeId) -> bool) {
        self.floors.retain(|node, _| is_member(*node));
    }

    /// Whether what this node itself took in `epoch` may still be merged, here or elsewhere.
    pub(crate) fn is_fresh(&self, epoch: Epoch) -> bool {
        self.admits(self.own.node, None, epoch)
    }

    /// Whether what `node` took in `epoch` may be merged; `life` is the one that it lives, where it is
    /// connected. What comes from one that is not is late: of another life than its floor, it may be
    /// of one before.
    pub(crate) fn admits(&self, node: NodeId, life: Option<Incarnation>, epoch: Epoch) -> bool {
        sane_or!(StaleIsMerged => return true);
        let told = epoch.incarnation() != Incarnation(0);
        if told && life.is_some_and(|life| life != epoch.incarnation()) {
            return false;
        }
        self.floors.get(&node).is_none_or(|floor| {
            let of_other_life = told && floor.incarnation() != epoch.incarnation();
            if of_other_life { life.is_some() } else { epoch >= *floor }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Epochs;
    use crate::ids::{Epoch, Incarnation, NodeId};
    use crate::message::EpochOf;

    const OWN: NodeId = NodeId(1);
    const OTHER: NodeId = NodeId(2);

    fn epoch(incarnation: u32, count: u64) -> Epoch {
        (1..count).fold(Epoch::first(Incarnation(incarnation)), |epoch, _| epoch.next())
    }

    fn of_other(incarnation: u32, count: u64) -> EpochOf {
        EpochOf { node: OTHER, epoch: epoch(incarnation, count) }
    }

    #[test]
    fn what_was_taken_before_a_floor_is_not_merged() {
        let mut epochs = Epochs::new(OWN, Incarnation(7));
        let admits =
            |epochs: &Epochs, count| epochs.admits(OTHER, Some(Incarnation(3)), epoch(3, count));
        assert!(admits(&epochs, 1));
        epochs.raise(of_other(3, 5));
        epochs.raise(of_other(3, 4));
        assert_eq!([4, 5, 6].map(|count| admits(&epochs, count)), [false, true, true]);
        assert!(!epochs.admits(OTHER, None, Epoch(0)), "whoever tells nothing may be late");
    }

    #[test]
    fn only_what_the_present_life_has_sent_is_merged() {
        let mut epochs = Epochs::new(OWN, Incarnation(7));
        let admits = |epochs: &Epochs, life: Option<u32>, of| {
            epochs.admits(OTHER, life.map(Incarnation), epoch(of, 1))
        };
        epochs.raise(of_other(3, 5));
        assert!(admits(&epochs, Some(4), 4));
        assert!(!admits(&epochs, Some(4), 3) && !admits(&epochs, None, 3));
        assert!(!admits(&epochs, None, 2), "it may be of a life before the floor");
        epochs.raise(of_other(4, 2));
        assert!(!admits(&epochs, Some(4), 4));
    }

    #[test]
    fn a_node_keeps_to_the_floors_that_it_is_told_of_itself() {
        let mut epochs = Epochs::new(OWN, Incarnation(7));
        let first = epochs.current();
        let second = epochs.begin();
        assert!(epochs.has_reached(second.epoch) && epochs.is_fresh(first));
        assert!(!epochs.has_reached(second.epoch.next()));
        assert!(!epochs.has_reached(Epoch::first(Incarnation(8))));
        epochs.raise(second);
        assert!(!epochs.is_fresh(first) && epochs.is_fresh(second.epoch));
    }
}

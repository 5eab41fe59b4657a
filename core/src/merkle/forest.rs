//! The trees of all slots of one node, and where a key lies in them.

use alloc::vec::Vec;

use super::hash::{StateHash, TreeKey};
use super::state::{Figures, State};
use super::tree::{Branch, LeafCount, SlotTree, WIDTH};
use crate::causality::Record;
use crate::ids::Key;
use crate::ring::{Position, RingArc, Slot, SlotCount};

/// A node of the tree of a slot: the arc of the ring below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Piece {
    /// The slot.
    pub slot: Slot,
    /// The node of its tree.
    pub branch: Branch,
}

impl Piece {
    /// All of a slot.
    pub fn whole(slot: Slot) -> Piece {
        Piece { slot, branch: Branch::ROOT }
    }

    /// The pieces right below this one, along the arc.
    pub fn children(self) -> impl ExactSizeIterator<Item = Piece> {
        self.branch.children().map(move |branch| Piece { slot: self.slot, branch })
    }
}

/// The trees of one node. A tree is made with the first record of its slot.
#[derive(Clone, Debug)]
pub struct Forest {
    key: TreeKey,
    leaves: LeafCount,
    /// Invariant: one place for each slot of the layout.
    trees: Vec<Option<SlotTree>>,
}

impl Forest {
    /// No trees.
    pub fn new(key: TreeKey, slots: SlotCount, leaves: LeafCount) -> Forest {
        Forest { key, leaves, trees: (0..slots.get()).map(|_| None).collect() }
    }

    /// The given trees, which have as many leaves, of some of the slots.
    pub(super) fn of(
        key: TreeKey,
        slots: SlotCount,
        leaves: LeafCount,
        trees: Vec<(Slot, SlotTree)>,
    ) -> Forest {
        let mut forest = Forest::new(key, slots, leaves);
        for (slot, tree) in trees {
            forest.trees[slot.index()] = Some(tree);
        }
        forest
    }

    /// The key of all hashes.
    pub(super) fn key(&self) -> &TreeKey {
        &self.key
    }

    /// The slots that have a tree, in their order.
    pub(super) fn trees(&self) -> impl Iterator<Item = (Slot, &SlotTree)> {
        self.slots()
            .slots()
            .zip(&self.trees)
            .filter_map(|(slot, tree)| Some((slot, tree.as_ref()?)))
    }

    /// Q: the number of slots.
    pub fn slots(&self) -> SlotCount {
        SlotCount::new(self.trees.len() as u32).expect("a forest has a place for each slot")
    }

    /// Leaves of each tree.
    pub fn leaves(&self) -> LeafCount {
        self.leaves
    }

    /// The leaf of a position.
    pub fn leaf_of(&self, position: Position) -> Piece {
        // Slots and leaves have no more than 16 bits each.
        let leaf_bits = self.leaves.get().trailing_zeros();
        let bits = self.trees.len().trailing_zeros() + leaf_bits;
        let number = u64::from((position.0 >> 96) as u32) >> (u32::BITS - bits);
        let index = number as u32 & (self.leaves.get() - 1);
        let branch = Branch { level: self.leaves.depth(), index };
        Piece { slot: Slot((number >> leaf_bits) as u32), branch }
    }

    /// The bunch of a position: the least piece that can be counted anew.
    pub fn bunch_of(&self, position: Position) -> Piece {
        let Piece { slot, branch } = self.leaf_of(position);
        let level = self.leaves.bunch_level();
        Piece { slot, branch: Branch { level, index: branch.index / WIDTH as u32 } }
    }

    /// Where the positions of a piece lie; `None` where there is no such piece.
    pub fn arc_of(&self, Piece { slot, branch }: Piece) -> Option<RingArc> {
        let depth = self.leaves.depth();
        if slot.0 >= self.slots().get() || branch.level > depth {
            return None;
        }
        let pieces = self.leaves.nodes_on(branch.level);
        if branch.index >= pieces {
            return None;
        }
        let bits = self.slots().get().trailing_zeros() + pieces.trailing_zeros();
        let number = u128::from(slot.0) * u128::from(pieces) + u128::from(branch.index);
        Some(RingArc::one_of(number, bits))
    }

    /// The state of a key in these trees.
    pub fn state(&self, key: &Key, record: &Record) -> StateHash {
        self.key.state(key, record)
    }

    /// The hash of a node that has these children; 0 where nothing is below it.
    pub fn parent(&self, children: &[u128]) -> u128 {
        self.key.inner(children)
    }

    /// Forgets what is known of a bunch.
    pub fn clear(&mut self, bunch: Piece) {
        if let Some(Some(tree)) = self.trees.get_mut(bunch.slot.index()) {
            tree.clear(bunch.branch.index);
        }
    }

    /// A record at `position` went from one state to another.
    pub fn change(&mut self, position: Position, before: State, after: State) {
        let Piece { slot, branch } = self.leaf_of(position);
        let leaves = self.leaves;
        let tree = self.trees[slot.index()].get_or_insert_with(|| SlotTree::new(leaves));
        tree.change(branch.index, before, after);
    }

    /// The hash of a node of the tree of a slot; `None` where there is no such node.
    pub fn hash(&self, Piece { slot, branch }: Piece) -> Option<u128> {
        match self.trees.get(slot.index())? {
            Some(tree) => tree.hash(&self.key, branch),
            None => (branch.level <= self.leaves.depth()
                && branch.index < self.leaves.nodes_on(branch.level))
            .then_some(0),
        }
    }

    /// How much is held of each slot of which anything is.
    pub fn figures(&self) -> impl Iterator<Item = (Slot, Figures)> {
        let figures = self.trees().map(|(slot, tree)| (slot, tree.figures()));
        figures.filter(|(_, figures)| *figures != Figures::default())
    }

    /// Bytes that the trees take, leaves and figures alone.
    pub fn bytes(&self) -> usize {
        let trees = self.trees.iter().flatten().count();
        let sums = self.leaves.get() as usize * size_of::<u128>();
        trees * (sums + self.leaves.bunches() as usize * size_of::<Figures>())
    }
}

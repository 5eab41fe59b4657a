//! The tree of one slot.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;

use super::hash::TreeKey;
use super::state::{Figures, State};

/// How many children an inner node has.
pub const WIDTH: usize = 16;

/// Leaves of each tree: a power of [`WIDTH`], from 1 to [`LeafCount::MAX`]. All nodes of a cluster
/// use the same; nodes that do not are never compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeafCount(u32);

impl LeafCount {
    /// The most leaves that a tree can have.
    pub const MAX: LeafCount = LeafCount(65_536);

    /// The leaves of a tree where nothing else is configured.
    pub const DEFAULT: LeafCount = LeafCount(256);

    /// `leaves` as a count; `None` unless it is a power of [`WIDTH`] up to [`LeafCount::MAX`].
    pub fn new(leaves: u32) -> Option<LeafCount> {
        let bits = leaves.trailing_zeros();
        let valid = leaves.is_power_of_two()
            && bits.is_multiple_of(WIDTH.trailing_zeros())
            && leaves <= LeafCount::MAX.0;
        valid.then_some(LeafCount(leaves))
    }

    /// The number.
    pub fn get(self) -> u32 {
        self.0
    }

    /// Levels below the root: 2 for 256 leaves.
    pub fn depth(self) -> u8 {
        (self.0.trailing_zeros() / WIDTH.trailing_zeros()) as u8
    }

    /// Bunches of each tree.
    pub(super) fn bunches(self) -> u32 {
        self.nodes_on(self.bunch_level())
    }

    /// The level of the nodes that have a bunch below them; that of the leaf where there is but one.
    pub(super) fn bunch_level(self) -> u8 {
        self.depth().saturating_sub(1)
    }

    /// Nodes on a level: 1 on level 0, that of the root.
    pub fn nodes_on(self, level: u8) -> u32 {
        WIDTH.pow(u32::from(level.min(self.depth()))) as u32
    }
}

impl Default for LeafCount {
    fn default() -> LeafCount {
        LeafCount::DEFAULT
    }
}

/// A node of a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Branch {
    /// 0 for the root; the level of the leaves is [`LeafCount::depth`].
    pub level: u8,
    /// From 0 along the arc.
    pub index: u32,
}

impl Branch {
    /// The one node of level 0.
    pub const ROOT: Branch = Branch { level: 0, index: 0 };

    /// The nodes right below this one, along the arc; none where their numbers would be beyond those
    /// of any tree.
    pub fn children(self) -> impl ExactSizeIterator<Item = Branch> {
        let below = self.level.checked_add(1).zip(self.index.checked_mul(WIDTH as u32));
        let count = if below.is_some() { WIDTH as u32 } else { 0 };
        let (level, first) = below.unwrap_or_default();
        (0..count).map(move |child| Branch { level, index: first + child })
    }
}

/// The leaves of one slot, and how much is held of it. Inner nodes are worked out when they are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotTree {
    /// Invariant: as many as the tree has leaves.
    sums: Box<[u128]>,
    /// Those of each bunch. Invariant: as many as the tree has bunches.
    figures: Box<[Figures]>,
}

impl SlotTree {
    /// The tree of a slot of which nothing is held.
    pub fn new(leaves: LeafCount) -> SlotTree {
        SlotTree {
            sums: vec![0; leaves.0 as usize].into(),
            figures: vec![Figures::default(); leaves.bunches() as usize].into(),
        }
    }

    /// The tree with these sums, one for each leaf, and these figures, one for each bunch.
    pub(super) fn from_parts(sums: Vec<u128>, figures: Vec<Figures>) -> SlotTree {
        SlotTree { sums: sums.into(), figures: figures.into() }
    }

    /// The sum of each leaf.
    pub(super) fn sums(&self) -> &[u128] {
        &self.sums
    }

    /// The figures of each bunch.
    pub(super) fn bunches(&self) -> &[Figures] {
        &self.figures
    }

    /// How much is held of the slot.
    pub fn figures(&self) -> Figures {
        self.figures.iter().fold(Figures::default(), |all, bunch| all.and(*bunch))
    }

    /// A record in `leaf` went from one state to another; [`State::NOTHING`]: it was, or is, not
    /// there.
    pub fn change(&mut self, leaf: u32, before: State, after: State) {
        let sum = &mut self.sums[leaf as usize];
        *sum = sum.wrapping_sub(before.hash.0).wrapping_add(after.hash.0);
        self.figures[leaf as usize / WIDTH].change(before, after);
    }

    /// Nothing is held of `bunch`, as far as is known.
    pub fn clear(&mut self, bunch: u32) {
        let leaves = self.sums.chunks_mut(WIDTH).nth(bunch as usize);
        leaves.into_iter().for_each(|leaves| leaves.fill(0));
        self.figures[bunch as usize] = Figures::default();
    }

    /// The hash of a node; `None` where the tree has no such node.
    pub fn hash(&self, key: &TreeKey, branch: Branch) -> Option<u128> {
        let leaves = LeafCount(self.sums.len() as u32);
        let below = leaves.depth().checked_sub(branch.level)?;
        let width = WIDTH.pow(u32::from(below));
        let first = usize::try_from(branch.index).ok()?.checked_mul(width)?;
        let mut hashes: Vec<u128> = self.sums.get(first..first.checked_add(width)?)?.to_vec();
        while hashes.len() > 1 {
            hashes = hashes.chunks(WIDTH).map(|children| key.inner(children)).collect();
        }
        hashes.first().copied()
    }
}

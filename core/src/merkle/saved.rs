//! Trees as a node keeps them from a clean stop to its next start.
//!
//! ```text
//!   [format: 1][mark of the key: 16][Q: 4][leaves: 4][trees: 4]
//!   for each slot that has a tree, in their order:
//!     [slot: 4][a sum for each leaf: 16][for each bunch, records: 8, bytes: 8]
//!   [BLAKE3 of all before it: 16]                   numbers are big endian
//! ```
//!
//! Invariant: what is read was written as a whole, by this format, and fits in memory if it fits on
//! the disk. Whether it is about what a node stores is for its keeper to know.

use alloc::vec::Vec;
use core::fmt;

use super::forest::Forest;
use super::hash::TreeKey;
use super::state::Figures;
use super::tree::{LeafCount, SlotTree};
use crate::ring::{Slot, SlotCount};

/// Raised with each change of the layout of the bytes, of what the state of a record is a hash of, and
/// of what a record counts in figures.
const FORMAT: u8 = 2;

const HEADER_BYTES: usize = 1 + 16 + 4 + 4 + 4;

const CHECKSUM_BYTES: usize = 16;

const SUM_BYTES: usize = size_of::<u128>();

const FIGURES_BYTES: usize = 8 + 8;

/// Trees that take more bytes are not saved: an engine should not be made to take them as one
/// value, and they are counted at the next start.
pub const SAVED_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Trees of a former life, and what they depend on.
#[derive(Clone, PartialEq, Eq)]
pub struct SavedTrees {
    /// Names the key of their hashes.
    mark: u128,
    slots: SlotCount,
    leaves: LeafCount,
    /// Invariant: by slot, each once, with a sum for each leaf and figures for each bunch.
    trees: Vec<(Slot, SlotTree)>,
}

/// Bytes that are no trees: cut, changed, or of another format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TreesDamaged;

impl fmt::Display for TreesDamaged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the saved trees are damaged, or of another version of the program")
    }
}

impl core::error::Error for TreesDamaged {}

/// Why saved trees are of no use to a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TreesMisfit {
    /// The cluster or its secret is another one.
    Key,
    /// Trees are to have another number of leaves.
    Leaves,
    /// The layout has another number of slots.
    Slots,
}

impl fmt::Display for TreesMisfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TreesMisfit::Key => "they are of another cluster, or were made with another secret",
            TreesMisfit::Leaves => "they have another number of leaves",
            TreesMisfit::Slots => "they are of another number of slots",
        })
    }
}

impl SavedTrees {
    /// The bytes to keep; `None` where they would be more than [`SAVED_BYTES_MAX`].
    pub fn encode(forest: &Forest) -> Option<Vec<u8>> {
        let trees = forest.trees().count();
        let length = length(trees as u64, forest.leaves())?;
        let mut bytes = Vec::with_capacity(length);
        bytes.push(FORMAT);
        bytes.extend_from_slice(&forest.key().mark().to_be_bytes());
        for number in [forest.slots().get(), forest.leaves().get(), trees as u32] {
            bytes.extend_from_slice(&number.to_be_bytes());
        }
        for (slot, tree) in forest.trees() {
            bytes.extend_from_slice(&slot.0.to_be_bytes());
            bytes.extend(tree.sums().iter().flat_map(|sum| sum.to_be_bytes()));
            let numbers = tree.bunches().iter().flat_map(|of| [of.records, of.bytes]);
            bytes.extend(numbers.flat_map(u64::to_be_bytes));
        }
        let checksum = checksum(&bytes);
        bytes.extend_from_slice(&checksum);
        Some(bytes)
    }

    /// Reads what [`encode`](SavedTrees::encode) wrote.
    ///
    /// # Errors
    /// Any other bytes; nothing of them is used.
    pub fn decode(bytes: &[u8]) -> Result<SavedTrees, TreesDamaged> {
        let (said, stored) = bytes.split_last_chunk::<CHECKSUM_BYTES>().ok_or(TreesDamaged)?;
        let mut rest = said;
        let format = take::<1>(&mut rest)?;
        if checksum(said) != *stored || format != [FORMAT] {
            return Err(TreesDamaged);
        }
        let mark = u128::from_be_bytes(take(&mut rest)?);
        let slots = SlotCount::new(number(&mut rest)?).ok_or(TreesDamaged)?;
        let leaves = LeafCount::new(number(&mut rest)?).ok_or(TreesDamaged)?;
        let count = number(&mut rest)?;
        // Before anything is allocated: there are as many bytes as trees of that size take.
        if count > slots.get() || length(count.into(), leaves) != Some(bytes.len()) {
            return Err(TreesDamaged);
        }
        let mut trees: Vec<(Slot, SlotTree)> = Vec::with_capacity(count as usize);
        for _ in 0..count {
            let slot = Slot(number(&mut rest)?);
            let follows = trees.last().is_none_or(|(last, _)| slot > *last);
            if !follows || slot.0 >= slots.get() {
                return Err(TreesDamaged);
            }
            let sums = (0..leaves.get()).map(|_| take(&mut rest).map(u128::from_be_bytes));
            let sums = sums.collect::<Result<_, _>>()?;
            let bunches = (0..leaves.bunches()).map(|_| figures(&mut rest));
            trees.push((slot, SlotTree::from_parts(sums, bunches.collect::<Result<_, _>>()?)));
        }
        Ok(SavedTrees { mark, slots, leaves, trees })
    }

    /// The trees for a node whose hashes have this key.
    ///
    /// # Errors
    /// They say nothing to it. Whether they are of its number of slots is for the caller to see.
    pub fn into_forest(self, key: TreeKey, leaves: LeafCount) -> Result<Forest, TreesMisfit> {
        if self.mark != key.mark() {
            return Err(TreesMisfit::Key);
        }
        if self.leaves != leaves {
            return Err(TreesMisfit::Leaves);
        }
        Ok(Forest::of(key, self.slots, leaves, self.trees))
    }
}

impl fmt::Debug for SavedTrees {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let SavedTrees { slots, leaves, trees, .. } = self;
        let mut it = f.debug_struct("SavedTrees");
        it.field("slots", slots).field("leaves", leaves).field("trees", &trees.len());
        it.finish_non_exhaustive()
    }
}

/// Bytes of so many trees; `None` where that is more than is saved.
fn length(trees: u64, leaves: LeafCount) -> Option<usize> {
    let sums = u64::from(leaves.get()) * SUM_BYTES as u64;
    let figures = u64::from(leaves.bunches()) * FIGURES_BYTES as u64;
    let tree = size_of::<u32>() as u64 + sums + figures;
    let all = trees.checked_mul(tree)?.checked_add((HEADER_BYTES + CHECKSUM_BYTES) as u64)?;
    usize::try_from(all).ok().filter(|all| *all <= SAVED_BYTES_MAX)
}

fn checksum(bytes: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let mut half = [0; CHECKSUM_BYTES];
    half.copy_from_slice(&blake3::hash(bytes).as_bytes()[..CHECKSUM_BYTES]);
    half
}

fn figures(rest: &mut &[u8]) -> Result<Figures, TreesDamaged> {
    let [records, bytes] = [take(rest)?, take(rest)?].map(u64::from_be_bytes);
    Ok(Figures { records, bytes })
}

fn number(rest: &mut &[u8]) -> Result<u32, TreesDamaged> {
    take(rest).map(u32::from_be_bytes)
}

fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], TreesDamaged> {
    let (taken, behind) = rest.split_first_chunk::<N>().ok_or(TreesDamaged)?;
    *rest = behind;
    Ok(*taken)
}

#[cfg(test)]
mod tests {
    use alloc::vec;
    use alloc::vec::Vec;

    use super::*;
    use crate::ids::ClusterId;
    use crate::merkle::{Piece, State, StateHash};
    use crate::prng::Prng;
    use crate::ring::Position;

    fn key() -> TreeKey {
        TreeKey::derive(ClusterId(7), b"secret")
    }

    fn leaves(count: u32) -> LeafCount {
        LeafCount::new(count).unwrap()
    }

    /// Trees with so many records; a slot or two of many stay without.
    fn forest(slots: u32, count: u32, records: u64) -> Forest {
        let mut prng = Prng::new(records);
        let mut forest = Forest::new(key(), SlotCount::new(slots).unwrap(), leaves(count));
        for _ in 0..records {
            let mut half = || u128::from(prng.next_u64());
            let (position, hash) = (half() << 64 | half(), StateHash(half() << 64 | half()));
            let bytes = (half() >> 32) as u64 + 1;
            forest.change(Position(position), State::NOTHING, State { hash, bytes });
        }
        forest
    }

    fn sealed(mut said: Vec<u8>) -> Vec<u8> {
        let checksum = checksum(&said);
        said.extend_from_slice(&checksum);
        said
    }

    #[test]
    fn what_is_saved_comes_back_with_every_hash() {
        for (slots, count, records) in
            [(1, 1, 0), (1, 1, 5), (16, 16, 9), (8, 256, 300), (65_536, 16, 100), (2, 65_536, 50)]
        {
            let forest = forest(slots, count, records);
            let bytes = SavedTrees::encode(&forest).unwrap();
            assert_eq!(bytes.len(), bytes.capacity(), "the length is known beforehand");
            let trees = forest.trees().count();
            let expected = HEADER_BYTES + CHECKSUM_BYTES + trees * 4 + forest.bytes();
            assert_eq!(bytes.len(), expected, "slots without a tree take nothing");
            let saved = SavedTrees::decode(&bytes).unwrap();
            let found = saved.into_forest(key(), leaves(count)).unwrap();
            assert_eq!((found.slots(), found.leaves()), (forest.slots(), forest.leaves()));
            assert_eq!(found.bytes(), forest.bytes());
            for slot in forest.slots().slots() {
                let root = Piece::whole(slot);
                assert_eq!(found.hash(root), forest.hash(root), "{slot}");
            }
            assert!(found.trees().eq(forest.trees()));
            assert!(found.figures().eq(forest.figures()));
            let of_all = found.figures().map(|(_, figures)| figures.records).sum::<u64>();
            assert_eq!(of_all, records);
        }
    }

    #[test]
    fn one_changed_bit_anywhere_is_found_out_and_so_is_a_cut() {
        let bytes = SavedTrees::encode(&forest(4, 16, 20)).unwrap();
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut damaged = bytes.clone();
                damaged[at] ^= 1 << bit;
                assert_eq!(SavedTrees::decode(&damaged), Err(TreesDamaged), "{at}, {bit}");
            }
            assert_eq!(SavedTrees::decode(&bytes[..at]), Err(TreesDamaged), "{at}");
            assert_eq!(SavedTrees::decode(&bytes[at + 1..]), Err(TreesDamaged), "{at}");
        }
        let longer = [&bytes[..], &[0]].concat();
        assert_eq!(SavedTrees::decode(&longer), Err(TreesDamaged));
        assert!(SavedTrees::decode(&bytes).is_ok());
    }

    #[test]
    fn numbers_that_cannot_be_are_refused_even_under_a_right_checksum() {
        let header = |format: u8, slots: u32, leaves: u32, trees: u32| {
            let numbers = [slots, leaves, trees].map(u32::to_be_bytes).concat();
            [&[format][..], &key().mark().to_be_bytes(), &numbers].concat()
        };
        let tree = |slot: u32| [&slot.to_be_bytes()[..], &[1; 16 + 16]].concat();
        let good = [header(FORMAT, 4, 1, 2), tree(1), tree(3)].concat();
        assert!(SavedTrees::decode(&sealed(good)).is_ok());
        for bad in [
            [header(FORMAT + 1, 4, 1, 2), tree(1), tree(3)].concat(),
            [header(FORMAT - 1, 4, 1, 2), tree(1), tree(3)].concat(),
            [header(FORMAT, 3, 1, 2), tree(1), tree(3)].concat(),
            [header(FORMAT, 4, 2, 1), tree(1), vec![0; 16]].concat(),
            [header(FORMAT, 4, 1, 1), vec![0; 4], vec![1; 16]].concat(),
            [header(FORMAT, 4, 1, 2), tree(3), tree(1)].concat(),
            [header(FORMAT, 4, 1, 2), tree(1), tree(1)].concat(),
            [header(FORMAT, 4, 1, 2), tree(1), tree(4)].concat(),
            [header(FORMAT, 4, 1, 2), tree(1)].concat(),
            [header(FORMAT, 4, 1, 1), tree(1), tree(3)].concat(),
            [header(FORMAT, 1, 1, 2), tree(0), tree(1)].concat(),
            // Trees that would take a terabyte.
            header(FORMAT, 65_536, 65_536, 65_536),
            header(FORMAT, u32::MAX, u32::MAX, u32::MAX),
            header(FORMAT, 4, 1, 0)[..HEADER_BYTES - 1].to_vec(),
        ] {
            assert_eq!(SavedTrees::decode(&sealed(bad.clone())), Err(TreesDamaged), "{bad:?}");
        }
    }

    #[test]
    fn trees_of_another_key_or_with_other_leaves_do_not_fit() {
        let bytes = SavedTrees::encode(&forest(4, 16, 20)).unwrap();
        let saved = SavedTrees::decode(&bytes).unwrap();
        let fit = |key, count| saved.clone().into_forest(key, leaves(count)).err();
        let (cluster, secret) = (ClusterId(7), b"secret");
        assert_eq!(fit(TreeKey::derive(ClusterId(8), secret), 16), Some(TreesMisfit::Key));
        assert_eq!(fit(TreeKey::derive(cluster, b"another"), 16), Some(TreesMisfit::Key));
        assert_eq!(fit(key(), 256), Some(TreesMisfit::Leaves));
        assert_eq!(fit(key(), 16), None);
    }

    #[test]
    fn trees_that_take_too_many_bytes_are_not_saved() {
        let slots = SlotCount::new(1_024).unwrap();
        let mut forest = Forest::new(key(), slots, LeafCount::MAX);
        let fill = |forest: &mut Forest, slot: u128| {
            let state = State { hash: StateHash(1), bytes: 1 };
            forest.change(Position(slot << (128 - 10)), State::NOTHING, state);
        };
        // A tree takes 1 MiB of sums and 64 KiB of figures.
        (0..60).for_each(|slot| fill(&mut forest, slot));
        assert!(SavedTrees::encode(&forest).is_some());
        fill(&mut forest, 60);
        assert!(SavedTrees::encode(&forest).is_none());
    }
}

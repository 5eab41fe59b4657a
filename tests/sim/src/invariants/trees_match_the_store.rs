//! What is compared is what is stored.

use quorate_core::merkle::{Forest, Piece, State, WIDTH};
use quorate_core::node::NodeView;
use quorate_core::ring::Position;

use crate::disk::Disk;
use crate::invariants::{Invariant, Property, Scene, Verdict, Violation};
use crate::observation::Stepped;

pub(crate) const PROPERTY: Property = Property {
    name: "trees-match-the-store",
    definition: "The trees of a node take no more than 16 bytes for each leaf and for each \
                 bunch of leaves of each slot of the ring. While it has trees, and its storage has \
                 told the outcome of all that it was asked for, the tree and the figures of each \
                 slot are those that its own copies in memory make: looked at after every sixty-fourth step of that kind. Disks with records \
                 that cannot be read are left out: nobody can count those.",
    source: "DESIGN.md §11",
};

/// Trees are worked out to be compared.
const EVERY: u32 = 64;

/// Bytes of a leaf, and of a bunch.
const LEAF_BYTES: usize = size_of::<u128>();

#[derive(Default)]
pub(crate) struct TreesMatchTheStore {
    steps: u32,
}

impl Invariant for TreesMatchTheStore {
    fn on_stepped(&mut self, scene: Scene<'_>, stepped: Stepped<'_>) -> Verdict {
        let Stepped { node, view } = stepped;
        let disk = &scene.disks[node];
        if view.storage_operations_under_way() > 0 {
            return Ok(());
        }
        let Some(trees) = view.trees().filter(|_| !disk.has_damage()) else { return Ok(()) };
        self.steps = self.steps.wrapping_add(1);
        if !self.steps.is_multiple_of(EVERY) {
            return Ok(());
        }
        check(trees, &counted(view, trees, disk)).map_err(|violation| violation.at(node))
    }
}

/// The trees of what a disk holds.
fn counted(view: NodeView<'_>, trees: &Forest, disk: &Disk) -> Forest {
    let mut counted = Forest::new(view.config().tree_key(), trees.slots(), trees.leaves());
    for key in disk.keys() {
        if let Some(record) = disk.memory(key) {
            let state = view.config().tree_key().sized_state(key, record);
            counted.change(Position::of(key.as_bytes()), State::NOTHING, state);
        }
    }
    counted
}

fn check(trees: &Forest, counted: &Forest) -> Verdict {
    let leaves = trees.leaves().get() as usize;
    let most = trees.slots().get() as usize * (leaves + leaves.div_ceil(WIDTH)) * LEAF_BYTES;
    if trees.bytes() > most {
        let text = format!("trees take {} bytes, where {most} is the most", trees.bytes());
        return Err(Violation::new(text));
    }
    let differs = |piece: &Piece| trees.hash(*piece) != counted.hash(*piece);
    if let Some(Piece { slot, .. }) = trees.slots().slots().map(Piece::whole).find(differs) {
        let text = format!("the tree of {slot:?} is not that of what is stored of it");
        return Err(Violation::new(text));
    }
    if !trees.figures().eq(counted.figures()) {
        let [told, stored] = [trees, counted].map(|of| of.figures().collect::<Vec<_>>());
        let text = format!("figures are {told:?}, and those of what is stored {stored:?}");
        return Err(Violation::new(text));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use quorate_core::ids::ClusterId;
    use quorate_core::merkle::{Forest, LeafCount, State, StateHash, TreeKey};
    use quorate_core::ring::{Position, SlotCount};

    use super::check;

    #[test]
    fn a_tree_that_lacks_a_change_is_not_that_of_the_store() {
        let key = TreeKey::derive(ClusterId(1), &[]);
        let slots = SlotCount::new(16).unwrap();
        let mut trees = Forest::new(key, slots, LeafCount::DEFAULT);
        let mut counted = trees.clone();
        let state = |hash: u128, bytes| State { hash: StateHash(hash), bytes };
        counted.change(Position::of(b"k"), State::NOTHING, state(7, 100));
        let text = check(&trees, &counted).unwrap_err().text;
        assert!(text.contains("is not that of what is stored"), "{text}");
        trees.change(Position::of(b"k"), State::NOTHING, state(5, 100));
        assert!(check(&trees, &counted).is_err());
        trees.change(Position::of(b"k"), state(5, 100), state(7, 90));
        let text = check(&trees, &counted).unwrap_err().text;
        assert!(text.contains("figures are"), "{text}");
        trees.change(Position::of(b"k"), state(7, 90), state(7, 100));
        assert_eq!(check(&trees, &counted), Ok(()));
    }
}
